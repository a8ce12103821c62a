"""Can an explanation be believed? Tests that take maps, from any method and any library, and give one number each.

Maps are arrays or tensors (N, H, W), signed where they have a sign. No test stands alone: a map that shows nothing of
the model may pass one of them, so each is read beside the `controls`, which have never seen the model.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.ndimage import maximum_filter
from scipy.stats import spearmanr
from skimage.filters import sobel
from torch import Tensor, nn

from hw9.vision.evaluation import deletion_curve, rank_correlations
from hw9.vision.gradients import differentiable, on_device, scores
from hw9.vision.inference import check_targets, unwrapped
from hw9.vision.predictions import as_array
from hw9.vision.randomisation import randomised as randomised


def controls(images: Tensor, *, masks: Tensor | None = None, seed: int = 0) -> dict[str, Tensor]:
    """Maps (N, H, W) that know nothing of any model: random, edges (Sobel) of the pictures, uniform; the food's mask.

    What they score is what a test gives away for nothing. The uniform map has no order, so only tests of sums take it.
    """
    count, _, height, width = images.shape
    numbers = np.random.default_rng(seed).random((count, height, width), np.float32)
    grey = as_array(images.mean(1))
    found = {
        "random": torch.from_numpy(numbers),
        "edges": torch.from_numpy(np.stack([sobel(picture) for picture in grey])).float(),
        "uniform": torch.ones(count, height, width),
    }
    return found if masks is None else found | {"food mask": torch.as_tensor(masks).float()}


def above(values: np.ndarray, others: np.ndarray) -> bool:
    """Whether `values` (N,) lie clearly above `others` (N,) of the same N pictures.

    Paired: the mean of their differences is more than two of its standard errors above 0. Pictures where either is
    nan are left out; a single picture shows nothing.
    """
    apart = np.asarray(values, float) - np.asarray(others, float)
    apart = apart[np.isfinite(apart)]
    return len(apart) > 1 and bool(apart.mean() > 2 * apart.std(ddof=1) / np.sqrt(len(apart)))


# ---- deletion both ways


def both_ways(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    maps: Tensor,
    *,
    baseline: Tensor | str | None = "mean",
    steps: int = 28,
    chunk: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Two curves (N, steps + 1), of the target's probability: the most, and the least important pixels removed first.

    They are `deletion_curve`'s, each the other's for the negative map. A constant map, which has no order, gets the
    mean of both twice.
    """
    options = {"baseline": baseline, "steps": steps, "chunk": chunk}
    most, least = (deletion_curve(model, images, targets, maps, least_first=flag, **options) for flag in (False, True))
    flat = torch.as_tensor(maps).flatten(1)
    ordered = (flat.amax(1) > flat.amin(1)).cpu()[:, None]
    return tuple(torch.where(ordered, curve, (most + least) / 2) for curve in (most, least))


def gain(most: Tensor, least: Tensor) -> Tensor:
    """The area between the curves of `both_ways`, (N,): symmetric relevance gain, see `srg`."""
    return (torch.trapezoid(least) - torch.trapezoid(most)) / (most.shape[1] - 1)


def srg(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    maps: Tensor,
    *,
    baseline: Tensor | str | None = "mean",
    steps: int = 28,
    chunk: int | None = None,
) -> Tensor:
    """Symmetric relevance gain (N,), from -1 to 1: area under the curve while the least important pixels go first,
    minus that while the most important do (Blücher, Vielhaben & Strodthoff, TMLR 2024, "Decoupling Pixel Flipping and
    Occlusion Strategy for Consistent XAI Benchmarks").

    A random map has 0 in expectation, the negative map exactly the negative, a constant one 0. Subtracting takes out
    most of what the `baseline` (see `make_baseline`) does to a picture whatever is removed.
    """
    return gain(*both_ways(model, images, targets, maps, baseline=baseline, steps=steps, chunk=chunk))


# ---- weights randomised


def alike(maps: Tensor, others: Tensor) -> np.ndarray:
    """How alike two methods' or two models' maps are, (N,): rank correlation of |map| on 16 x 16 cells.

    nan for a constant map, which has no order.
    """
    pair = {"maps": torch.as_tensor(maps).abs(), "others": torch.as_tensor(others).abs()}
    return rank_correlations(pair)[:, 0, 1]


# ---- where the truth is known: a mask


def hits(maps: Tensor, masks: Tensor) -> np.ndarray:
    """Whether each map's highest pixel lies in its mask, or at most two pixels beside it, (N,): 1 or 0.

    Of several equally high pixels (LIME paints whole patches) it is the share. Chance is the mean of `widened(masks)`.
    """
    maps, masks = _pair(maps, masks)
    highest = maps == maps.max((1, 2), keepdims=True)
    return (highest & widened(masks)).sum((1, 2)) / highest.sum((1, 2))


def widened(masks: Tensor) -> np.ndarray:
    """Masks (N, H, W) and all pixels at most two beside them."""
    return maximum_filter(as_array(masks).astype(bool), (1, 5, 5))


def rank_accuracy(maps: Tensor, masks: Tensor) -> np.ndarray:
    """Of a map's K highest pixels, the share in the mask, where K is the mask's area, (N,); chance is K / (H W).

    Arras, Osman & Samek 2022, "CLEVR-XAI", section 3.3. Of equal pixels at the limit each counts in part.
    """
    maps, masks = _pair(maps, masks)
    found = []
    for values, inside in zip(maps.reshape(len(maps), -1), masks.reshape(len(masks), -1), strict=True):
        size = int(inside.sum())
        if not size:
            raise ValueError("a mask is empty: leave its picture out")
        limit = np.partition(values, -size)[-size]
        above, level = values > limit, values == limit
        part = (size - above.sum()) * inside[level].mean()
        found.append((inside[above].sum() + part) / size)
    return np.array(found)


# ---- leave one object out


def score_falls(model: nn.Module, images: Tensor, targets: Tensor, without: Sequence[Tensor]) -> list[np.ndarray]:
    """d_k for each scene: the class score (logit) less that of the scene rendered again without object k, (K,).

    `without` holds (K, 3, H, W) pictures for each of the N `images`, of as many objects as that scene has.
    """
    counts = [len(pictures) for pictures in without]
    if len(counts) != len(images):
        raise ValueError(f"there are {len(images)} scenes and {len(counts)} sets of scenes without an object")
    with differentiable(model) as model:
        pictures = torch.cat([images, *(part.to(images) for part in without)])
        pictures, labels = on_device(model, pictures, _repeated(targets, counts))
        found = scores(model, pictures, None)
        check_targets(labels, len(labels), found.shape[1])
        own = found.gather(1, labels[:, None])[:, 0].cpu().numpy()
    whole, rest = own[: len(images)], np.split(own[len(images) :], np.cumsum(counts)[:-1])
    return [score - part for score, part in zip(whole, rest, strict=True)]


def object_sums(maps: Tensor, masks: Sequence[Tensor]) -> list[np.ndarray]:
    """m_k for each scene: the sum of its map (H, W) in the mask of object k, (K,); `masks` holds (K, H, W) for each."""
    if len(maps) != len(masks):
        raise ValueError(f"there are {len(maps)} maps and masks of {len(masks)} scenes: give masks (K, H, W) for each")
    values = torch.as_tensor(maps).detach().cpu().double().numpy()
    return [(as_array(part).astype(bool) * own).sum((1, 2)) for own, part in zip(values, masks, strict=True)]


def single_deletion(falls: Sequence[np.ndarray], sums: Sequence[np.ndarray]) -> np.ndarray:
    """Does a map give most to the objects without which the score falls most? One number for each scene, (N,).

    rho/2 + 1/2 of Spearman's rho between `falls` and `sums`: 1 is the same order, 0.5 chance, 0 the reverse (after
    FunnyBirds, Hesse, Schaub-Meyer & Roth, ICCV 2023, section 4). A scene of one object, or whose falls are all equal,
    is nan; sums that are all equal have no order and score 0.5.
    """
    found = []
    for fall, total in zip(falls, sums, strict=True):
        if len(fall) != len(total):
            raise ValueError(f"a scene has {len(fall)} falls and {len(total)} sums: give one of each per object")
        if len(fall) < 2 or np.ptp(fall) == 0:
            found.append(np.nan)
        else:
            found.append(0.5 if np.ptp(total) == 0 else spearmanr(fall, total).statistic / 2 + 0.5)
    return np.array(found)


# ---- which class


class Differences(nn.Module):
    """A model whose classes are pairs: the score of column a * K + b is that of class a minus that of class b."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = unwrapped(model)

    def forward(self, images: Tensor) -> Tensor:
        found = self.model(images)  # (N, K)
        return (found[:, :, None] - found[:, None]).flatten(1)


def contrast(method: Callable, model: nn.Module, images: Tensor, targets: Tensor, others: Tensor, **options) -> Tensor:
    """Attributions (N, 3, H, W) of what speaks for `targets` rather than `others`, by any gradient method.

    `method(model, images, targets, **options)` is saliency, smoothgrad, integrated_gradients or another with that
    signature; it explains the difference of both scores.
    """
    with differentiable(model) as network, torch.no_grad():
        classes = scores(network, on_device(network, images[:1], targets[:1])[0], None).shape[1]
    first, second = (check_targets(labels, len(images), classes) for labels in (targets, others))
    return method(Differences(model), images, first * classes + second.to(first), **options)


def _pair(maps: Tensor, masks: Tensor) -> tuple[np.ndarray, np.ndarray]:
    values, inside = as_array(maps), as_array(masks)
    if values.ndim != 3 or values.shape != inside.shape:
        raise ValueError(f"maps {values.shape} and masks {inside.shape} must both be (N, H, W)")
    return values, inside.astype(bool)


def _repeated(targets: Tensor, counts: list[int]) -> Tensor:
    targets = check_targets(targets, len(counts))
    return torch.cat([targets, targets.repeat_interleave(torch.tensor(counts, device=targets.device))])
