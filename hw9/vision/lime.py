"""LIME: which superpixels speak for a class, and which against it (Ribeiro, Singh & Guestrin 2016).

The lime package does the regression and holds the explanation; only the perturbed pictures are made anew, a chunk of
them in one tensor operation on the model's device instead of one by one in NumPy.
"""

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lime.lime_image import ImageExplanation, LimeImageExplainer
from skimage.segmentation import slic
from torch import Tensor, nn

from hw9.vision.inference import check_images, check_logits, check_targets, device_of, frozen, in_chunks

PROBE = 8  # perturbed pictures on which bfloat16 is compared with float32


@dataclass(frozen=True)
class Recipe:
    """Everything in which the right method and the course's figure differ."""

    start_label: int  # number of the first superpixel; the package hides those numbered 0 to K-1
    paired: bool  # masks are drawn together with their complements, or singly as the package does
    probabilities: bool  # what is regressed: softmax probabilities, or logits
    seed: int  # added to the caller's seed
    shown: int | None  # so many superpixels are drawn (None: all) ...
    min_weight: float  # ... of those with at least this absolute weight


RECIPES = {
    "paper": Recipe(start_label=0, paired=True, probabilities=True, seed=0, shown=None, min_weight=0.0),
    "course": Recipe(start_label=1, paired=False, probabilities=False, seed=16, shown=11, min_weight=0.05),
}


@dataclass(frozen=True, eq=False)
class Explanation:
    """What LIME found for one picture; `weights[segments]` paints the weights on the picture.

    `segments` (H, W) int64 numbers the superpixels; `weights` (K,) float64 is, for each, the change of the target's
    probability (course: logit) when it is shown instead of hidden (0 where the regression dropped it); `score` is the
    weighted R^2 of the local surrogate; `intercept` + sum of the weights = `local_prediction`, beside the model's own
    `prediction`; `dtype` is the precision of the forward passes; `image_explanation` is the lime package's object.
    """

    segments: np.ndarray
    weights: np.ndarray
    target: int
    score: float
    intercept: float
    local_prediction: float
    prediction: float
    dtype: torch.dtype
    recipe: str
    image_explanation: ImageExplanation

    def top(self, count: int) -> np.ndarray:
        """The numbers of the `count` superpixels with the largest absolute weights, the largest first."""
        return np.argsort(-np.abs(self.weights), kind="stable")[:count]


@dataclass(frozen=True, eq=False)
class Stability:
    """Explanations of one picture that differ in the seed alone.

    `overlap` in [0, 1] is the mean Jaccard index (shared / together) of their `top` strongest superpixels over all
    pairs of seeds; `scores` is the R^2 of each.
    """

    overlap: float
    top: int
    seeds: tuple[int, ...]
    explanations: tuple[Explanation, ...]

    @property
    def scores(self) -> tuple[float, ...]:
        return tuple(explanation.score for explanation in self.explanations)


def explain(
    model: nn.Module,
    image: Tensor,
    *,
    target: int | None = None,
    samples: int = 1000,
    seed: int | np.random.RandomState = 0,
    recipe: str = "paper",
    segments: np.ndarray | None = None,
    hide_color: float | None = None,
    dtype: torch.dtype | None = None,
    chunk: int = 64,
) -> Explanation:
    """Weigh the superpixels of `image` (3, H, W) in [0, 1] for class `target` (None: the predicted one).

    `samples` copies of the picture, the first one whole, each hide about half of the superpixels: a hidden one is
    filled with its mean colour (or with `hide_color`). A ridge regression from shown/hidden to the class probability,
    in which copies close to the picture count more, gives the weights (Ribeiro, Singh & Guestrin 2016, "Why Should I
    Trust You?", section 3). Copies come in pairs, one hiding what the other shows (paired sampling, Covert & Lee 2021):
    so every superpixel is hidden in half of them, and the weights are as exact as with three times the samples
    drawn singly (measured on CompactCNN). The superpixels are those of `superpixels`, or `segments` (H, W).

    The forward passes run in bfloat16 where the processor is fast in it and a first look shows that it changes the
    regressed values by less than a twentieth of their spread, otherwise in float32; `dtype` chooses one. The result is
    the same for any `chunk`.

    recipe="course" is the course's figure: superpixels are numbered from 1 while the package hides those numbered 0 to
    K-1, so weight 0 belongs to no pixel and the last superpixel is never hidden (weight 0); logits are regressed;
    superpixels are slic's with the course's parameters; the 11 strongest from 0.05 up are drawn; `seed` counts from
    the course's 16. (The course seeds NumPy once for all its pictures: pass them one `np.random.RandomState(16)`.)

    Raises ValueError for a picture without two superpixels or of one colour, fewer than 10 samples or a model that
    returns NaN; IndexError for a target the model has not; warns where samples do not outnumber superpixels.
    """
    if recipe not in RECIPES:
        raise ValueError(f"there is no recipe {recipe!r}: take 'paper' or 'course'")
    if samples < 10 or chunk < 1:
        raise ValueError(f"samples={samples} and chunk={chunk} do not do: take 10 samples or more, and a chunk from 1")
    how = RECIPES[recipe]
    image = _one_picture(image)
    with frozen(model), torch.inference_mode():
        logits = check_logits(model(image[None].to(device_of(model))))  # (1, classes)
    target = logits.argmax() if target is None else target
    target = int(check_targets(torch.as_tensor(target).reshape(-1), 1, logits.shape[1]))
    segments = superpixels(image, recipe=recipe) if segments is None else segments
    segments = _numbered(segments, image, how.start_label)
    count = len(np.unique(segments))
    if count >= samples:
        few = f"{samples} samples cannot tell {count} superpixels apart"
        warnings.warn(f"{few}: take at least twice as many samples as superpixels", RuntimeWarning, stacklevel=2)
    random = seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(how.seed + seed)
    explainer = _TensorExplainer(model, target, how.paired, dtype, random)
    with frozen(model), torch.inference_mode():
        found = explainer.explain_instance(
            np.ascontiguousarray(image.permute(1, 2, 0).cpu()),
            lambda logits: logits.softmax(1) if how.probabilities else logits,
            labels=(target,),
            top_labels=None,
            hide_color=hide_color,
            num_samples=samples,
            batch_size=chunk,
            segmentation_fn=lambda _: segments,
        )
    weights = np.zeros(int(segments.max()) + 1)
    for number, weight in found.local_exp[target]:
        weights[number] = weight
    return Explanation(
        segments=segments,
        weights=weights,
        target=target,
        score=float(found.score),
        intercept=float(found.intercept[target]),
        local_prediction=float(found.local_pred[0]),
        prediction=explainer.prediction,
        dtype=explainer.dtype,
        recipe=recipe,
        image_explanation=found,
    )


def stability(
    model: nn.Module,
    image: Tensor,
    *,
    target: int | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    top: int = 5,
    **options,
) -> Stability:
    """Explain `image` (3, H, W) once per seed, on the same superpixels, and say how far the explanations agree.

    `options` are those of `explain`. Raises ValueError for fewer than two seeds, or where `top` superpixels would be
    all there are.
    """
    if len(seeds) < 2:
        raise ValueError(f"stability compares explanations: give at least two seeds, not {len(seeds)}")
    first = explain(model, image, target=target, seed=seeds[0], **options)
    if not 1 <= top < len(first.weights):
        raise ValueError(f"top={top} does not do for {len(first.weights)} superpixels: take fewer, but at least 1")
    shared = options | {"target": first.target, "segments": first.segments}
    explanations = (first, *(explain(model, image, seed=seed, **shared) for seed in seeds[1:]))
    strongest = [set(explanation.top(top).tolist()) for explanation in explanations]
    overlaps = [len(a & b) / len(a | b) for a, b in itertools.combinations(strongest, 2)]
    return Stability(float(np.mean(overlaps)), top, tuple(seeds), explanations)


def segment_map(explanation: Explanation) -> np.ndarray:
    """Signed weights painted on their superpixels, (H, W) float64; above 0 speaks for the target, below 0 against.

    All superpixels in the paper's recipe; in the course's, 0 where the course's figure shows no colour.
    """
    how = RECIPES[explanation.recipe]
    drawn = np.zeros_like(explanation.weights)
    chosen = explanation.top(how.shown or len(drawn))
    chosen = chosen[np.abs(explanation.weights[chosen]) >= how.min_weight]
    drawn[chosen] = explanation.weights[chosen]
    return drawn[explanation.segments]


def superpixels(image: Tensor, *, recipe: str = "paper") -> np.ndarray:
    """Cut `image` (3, H, W) into regions of like colour, (H, W) int64, by slic (Achanta et al. 2012).

    Paper: 64 superpixels asked for, about 55 to 65 found, so that 1000 samples are many for each; none below 16 pixels
    on average, or its mean colour would hide nothing. Compactness 20 keeps them in one piece while they still follow
    the edges of objects: 10 leaves strips along the edges, and 1 threads and patches of an eighth of the picture. The
    blur grows with the picture, from 1 pixel at 64, and so do the regions. Course: n_segments 200, compactness 1,
    sigma 1. Noise, which slic merges into one region, is cut with a higher compactness.
    """
    height, width = image.shape[1:]
    count, compactness, sigma = 200, 1.0, 1.0
    if recipe == "paper":
        count, compactness, sigma = max(1, min(64, height * width // 16)), 20.0, max(1.0, max(height, width) / 64)
    pixels = image.permute(1, 2, 0).double().cpu().numpy()  # (H, W, 3)
    start_label = RECIPES[recipe].start_label
    for stiffness in (1, 10, 100):
        found = slic(pixels, count, compactness * stiffness, sigma=sigma, start_label=start_label)
        if found.max() > start_label:
            break
    return found


class _TensorExplainer(LimeImageExplainer):
    """The lime package's explainer, whose perturbed pictures are made and judged on the model's device."""

    def __init__(
        self, model: nn.Module, target: int, paired: bool, dtype: torch.dtype | None, random: np.random.RandomState
    ) -> None:
        super().__init__(feature_selection="none", random_state=random)
        self.model, self.target, self.paired, self.dtype = model, target, paired, dtype

    def data_labels(self, image, fudged_image, segments, classifier_fn, num_samples, batch_size=10):
        """Shown (1) or hidden (0) superpixels (samples, K); `classifier_fn` of the logits (samples, C)."""
        if np.abs(image - fudged_image).max() < 1e-4:
            raise ValueError(
                "hiding superpixels does not change this picture (each is of one colour already): take another "
                "picture, or a hide_color such as 0.0"
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
            parts = {}

            def work(start: int, stop: int) -> None:
                pictures = torch.where(keep[start:stop][:, labels].unsqueeze(3), shown, hidden)  # (n, H, W, 3)
                pictures = pictures.permute(0, 3, 1, 2).contiguous(memory_format=layout)  # (n, 3, H, W)
                with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                    logits = self.model(pictures)
                parts[start] = classifier_fn(check_logits(logits).float()).cpu()  # (n, C)

            in_chunks(work, count, batch_size)
            return torch.cat([parts[start] for start in sorted(parts)])

        layout, self.dtype = self._fastest(run, device)
        scores = run(num_samples, layout, self.dtype).numpy()
        self.prediction = float(scores[0, self.target])
        return data, scores

    def _fastest(self, run, device: torch.device) -> tuple[torch.memory_format, torch.dtype]:
        """The fastest memory layout the model takes, and bfloat16 if it gives what float32 gives on the first pictures.

        The noise must stay below a twentieth of the spread: its effect on the weights is smaller by another factor,
        sqrt(superpixels / samples).
        """
        undecided = self.dtype is None and _fast_in_bfloat16(device)
        count, dtype, layout = PROBE if undecided else 1, self.dtype or torch.float32, torch.channels_last
        try:
            exact = run(count, layout, dtype)
        except RuntimeError:  # the model flattens its maps with .view, which refuses channels_last
            layout = torch.contiguous_format
            exact = run(count, layout, dtype)
        if not undecided:
            return layout, dtype
        try:
            noise = run(count, layout, torch.bfloat16) - exact
        except RuntimeError:  # the model mixes its own tensors with rounded ones
            return layout, dtype
        holds = noise[:, self.target].std() < exact[:, self.target].std() / 20
        return layout, torch.bfloat16 if holds else dtype


def _fast_in_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and torch.cpu._is_avx512_bf16_supported()


def _one_picture(image: Tensor) -> Tensor:
    """`image` as a detached float32 (3, H, W); raises unless it is one picture."""
    if isinstance(image, Tensor) and image.ndim == 4 and len(image) > 1:
        raise ValueError(f"explain takes one picture (3, H, W), not {len(image)}: call it once per picture")
    image = image[0] if isinstance(image, Tensor) and image.ndim == 4 and len(image) else image
    check_images(image[None] if isinstance(image, Tensor) else image)
    return image.detach().float().contiguous()


def _numbered(segments: np.ndarray, image: Tensor, start_label: int) -> np.ndarray:
    """`segments` as int64; raises unless they are two or more, of the picture's size, numbered without a gap."""
    if not isinstance(segments, np.ndarray) or segments.shape != image.shape[1:] or segments.dtype.kind not in "iu":
        raise ValueError(f"segments must be an integer array of the picture's size {tuple(image.shape[1:])}")
    numbers = np.unique(segments)
    if not np.array_equal(numbers, np.arange(start_label, start_label + len(numbers))):
        raise ValueError(f"segments must be numbered {start_label}, {start_label + 1}, ... without a gap")
    if len(numbers) < 2:
        size = " x ".join(map(str, segments.shape))
        raise ValueError(
            f"this picture ({size} pixels) is one single superpixel, LIME needs two or more: take a larger picture"
        )
    return segments.astype(np.int64)
