"""The pictures that stand for "nothing to see": where integrated gradients start, and what deletion leaves."""

import math

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from hw9.vision.inference import check_range


def make_baseline(images: Tensor, kind: Tensor | str | None = None) -> Tensor:
    """The pictures (N, 3, H, W) that stand for "nothing to see" beside `images`, in the same precision and layout.

    `kind`: "black" (or None), "white", "mean" (each picture's mean colour), "blur" (each picture, blurred with a
    standard deviation of a tenth of its shorter side), or a tensor in [0, 1] that broadcasts to the shape of `images`.
    """
    if isinstance(kind, Tensor):
        try:
            baseline = torch.empty_like(images).copy_(kind.detach())
        except RuntimeError as error:
            raise ValueError(f"a baseline {tuple(kind.shape)} does not fit pictures {tuple(images.shape)}") from error
        if not torch.isfinite(baseline).all():
            raise ValueError("the baseline contains NaN or infinite values")
        check_range(baseline, "the baseline")
        return baseline
    if kind in (None, "black"):
        return torch.zeros_like(images)
    if kind == "white":
        return torch.ones_like(images)
    if kind == "mean":
        return torch.empty_like(images).copy_(images.mean((2, 3), keepdim=True))
    if kind == "blur":
        side = min(images.shape[2:])
        reach = min(math.ceil(0.3 * side), side - 1)  # three standard deviations, as far as the picture can be mirrored
        return gaussian_blur(images, [2 * reach + 1] * 2, [0.1 * side] * 2)
    raise ValueError(f"there is no baseline {kind!r}: take 'black', 'white', 'blur', 'mean' or a tensor")
