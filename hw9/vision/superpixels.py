"""Superpixels: a picture cut into regions of like colour, which LIME shows or hides as a whole."""

import numpy as np
from skimage.segmentation import slic
from torch import Tensor

FIRST = {"paper": 0, "course": 1}  # number of the first superpixel; the lime package hides those numbered 0 to K-1


class NothingToHide(ValueError):
    """A picture of which no part can be hidden, such as a blank one: LIME has nothing to say of it."""


def superpixels(image: Tensor, *, recipe: str = "paper") -> np.ndarray:
    """Cut `image` (3, H, W) into regions of like colour, (H, W) int64, by slic (Achanta et al. 2012).

    Paper: 64 superpixels asked for, about 55 to 65 found, so that 1000 samples are many for each; none below 16 pixels
    on average, or hiding one would change nothing. Compactness 20 keeps them in one piece while they still follow
    the edges of objects: 10 leaves strips along the edges, and 1 threads and patches of an eighth of the picture. The
    blur grows with the picture, from 1 pixel at 64, and so do the regions. Course: n_segments 200, compactness 1,
    sigma 1. Noise, which slic merges into one region, is cut with a higher compactness.
    """
    height, width = image.shape[1:]
    count, compactness, sigma = 200, 1.0, 1.0
    if recipe == "paper":
        count, compactness, sigma = max(1, min(64, height * width // 16)), 20.0, max(1.0, max(height, width) / 64)
    pixels = image.permute(1, 2, 0).cpu().double().numpy()  # (H, W, 3)
    start_label = FIRST[recipe]
    for stiffness in (1, 10, 100):
        found = slic(pixels, count, compactness * stiffness, sigma=sigma, start_label=start_label)
        if found.max() > start_label:
            break
    return found


def check_segments(segments: np.ndarray, image: Tensor, start_label: int) -> np.ndarray:
    """`segments` as int64; raises unless they are two or more, of the picture's size, numbered without a gap."""
    if not isinstance(segments, np.ndarray) or segments.shape != image.shape[1:] or segments.dtype.kind not in "iu":
        raise ValueError(f"segments must be an integer array of the picture's size {tuple(image.shape[1:])}")
    numbers = np.unique(segments)
    if not np.array_equal(numbers, np.arange(start_label, start_label + len(numbers))):
        raise ValueError(f"segments must be numbered {start_label}, {start_label + 1}, ... without a gap")
    if len(numbers) < 2:
        size = " x ".join(map(str, segments.shape))
        raise NothingToHide(
            f"this picture ({size} pixels) is one single superpixel, LIME needs two or more: take a larger picture"
        )
    return segments.astype(np.int64)
