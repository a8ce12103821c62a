"""LIME's perturbed copies: made and judged a chunk at a time, by tensor operations on the model's device."""

from collections.abc import Callable

import numpy as np
import torch
from lime.lime_image import LimeImageExplainer
from torch import Tensor, nn

from hw9.vision.chunks import at_first, in_chunks, memory_of
from hw9.vision.inference import check_logits, check_scores, device_of, fastest_layout
from hw9.vision.precision import fast_dtype
from hw9.vision.superpixels import NothingToHide

PROBE = 8  # perturbed pictures on which bfloat16 is compared with float32


class TensorExplainer(LimeImageExplainer):
    """The lime package's explainer, whose perturbed pictures are made and judged on the model's device."""

    def __init__(
        self, model: nn.Module, target: int, paired: bool, dtype: torch.dtype | None, random: np.random.RandomState
    ) -> None:
        super().__init__(feature_selection="none", random_state=random)
        self.model, self.target, self.paired, self.dtype = model, target, paired, dtype

    def data_labels(self, image, fudged_image, segments, classifier_fn, num_samples, batch_size=None):
        """Shown (1) or hidden (0) superpixels (samples, K); `classifier_fn` of the logits (samples, C)."""
        if np.abs(image - fudged_image).max() < 1e-4:
            raise NothingToHide(
                "hiding superpixels does not change this picture, they look like that already: take another picture, "
                "or a hide_color such as 0.0"
            )
        features, device = len(np.unique(segments)), device_of(self.model)
        data = np.ones((num_samples, features), int)
        if self.paired:
            data[1::2] = self.random_state.randint(0, 2, (num_samples // 2, features))
            data[2::2] = 1 - data[1:-1:2]
        else:
            data[1:] = self.random_state.randint(0, 2, (num_samples, features))[1:]  # the package's own draw
        keep = torch.ones(num_samples, segments.max() + 1, dtype=torch.bool)  # a label without a feature stays shown
        keep[:, :features] = torch.from_numpy(data) == 1
        keep, labels, shown, hidden = (
            part.to(device) for part in (keep, *map(torch.from_numpy, (segments, image, fudged_image)))
        )

        def run(count: int, layout: torch.memory_format, dtype: torch.dtype) -> Tensor:
            def work(start: int, stop: int) -> Tensor:
                pictures = torch.where(keep[start:stop][:, labels].unsqueeze(3), shown, hidden)  # (n, H, W, 3)
                pictures = pictures.permute(0, 3, 1, 2).contiguous(memory_format=layout)  # (n, 3, H, W)
                rounded = dtype != torch.float32  # None: of the types a device knows it warns of those it does not
                with torch.autocast(device.type, dtype if rounded else None, enabled=rounded):
                    logits = self.model(pictures)
                return check_scores(logits).float()  # (n, C)

            begin = at_first(*labels.shape)
            logits = check_logits(torch.cat(in_chunks(work, count, batch_size, begin=begin, memory=memory_of(device))))
            return classifier_fn(logits).cpu()  # the first wait for the device

        layout = fastest_layout(self.model, shown.permute(2, 0, 1)[None])
        if self.dtype is None:
            self.dtype = self._precision(lambda dtype: run(PROBE, layout, dtype), device)
        scores = run(num_samples, layout, self.dtype).numpy()
        self.prediction = float(scores[0, self.target])
        return data, scores

    def _precision(self, probe: Callable[[torch.dtype], Tensor], device: torch.device) -> torch.dtype:
        """bfloat16 where the device is fast in it and it gives what float32 gives on the first pictures.

        The noise must stay below a twentieth of the spread: its effect on the weights is smaller by another factor,
        sqrt(superpixels / samples).
        """
        if fast_dtype(device) != torch.bfloat16:
            return torch.float32
        exact = probe(torch.float32)
        try:
            noise = probe(torch.bfloat16) - exact
        except RuntimeError:  # the model mixes its own tensors with rounded ones
            return torch.float32
        holds = noise[:, self.target].std() < exact[:, self.target].std() / 20
        return torch.bfloat16 if holds else torch.float32
