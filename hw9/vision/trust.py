"""Can an explanation be believed? Tests that take maps, from any method and any library, and give one number each.

Maps are arrays or tensors (N, H, W), signed where they have a sign. No test stands alone: a map that shows nothing of
the model may pass one of them, so each is read beside the `controls`, which have never seen the model.
"""

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from scipy.ndimage import binary_dilation
from scipy.stats import spearmanr
from skimage.filters import sobel
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from hw9.vision.evaluation import deletion_curve, rank_correlations
from hw9.vision.gradients import differentiable, on_device, scores
from hw9.vision.inference import check_targets


def controls(images: Tensor, *, masks: Tensor | None = None, seed: int = 0) -> dict[str, Tensor]:
    """Maps (N, H, W) that know nothing of any model: random, edges (Sobel) of the pictures, uniform; the food's mask.

    What they score is what a test gives away for nothing. The uniform map has no order, so only tests of sums take it.
    """
    count, _, height, width = images.shape
    numbers = np.random.default_rng(seed).random((count, height, width), np.float32)
    grey = images.detach().mean(1).cpu().numpy()
    found = {
        "random": torch.from_numpy(numbers),
        "edges": torch.from_numpy(np.stack([sobel(picture) for picture in grey])).float(),
        "uniform": torch.ones(count, height, width),
    }
    return found if masks is None else found | {"food mask": torch.as_tensor(masks).float()}


# ---- deletion both ways


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

    The curves are `deletion_curve`'s: probability of the target over the share removed, `steps` + 1 points. A random
    map has 0 in expectation, the negative map exactly the negative, a constant one, which has no order, 0. Subtracting
    takes out most of what the `baseline` does to a picture whatever is removed.
    """
    options = {"baseline": baseline, "steps": steps, "chunk": chunk}
    most, least = (deletion_curve(model, images, targets, maps, least_first=flag, **options) for flag in (False, True))
    flat = torch.as_tensor(maps).flatten(1)
    ordered = (flat.amax(1) > flat.amin(1)).cpu()
    return torch.where(ordered, torch.trapezoid(least) - torch.trapezoid(most), 0.0) / steps


# ---- weights randomised


def randomised(model: nn.Module, *, seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """(stage, model) for each stage of layers, from the input upwards: that stage and all below have fresh weights.

    Each is a copy of its own, the given model stays as it is. A stage is a block of a Sequential with the norm that
    follows it; "fresh" is `reset_parameters` of its layers, as before training (Adebayo et al. 2018, "Sanity Checks
    for Saliency Maps", section 3). Not from the output downwards: all activations below would stay what they were, and
    maps look alike for that reason alone (Binder et al., CVPR 2023).
    """
    changed = copy.deepcopy(model)
    for number, (name, modules) in enumerate(_stages(changed)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed * 1_000_003 + number)
            for layer in (layer for module in modules for layer in module.modules()):
                if own := list(layer.parameters(recurse=False)):
                    if not hasattr(layer, "reset_parameters"):
                        what = f"{type(layer).__name__} with {len(own)} weights has no reset_parameters()"
                        raise ValueError(f"stage {name!r} cannot be randomised: {what}, give it one")
                    device = own[0].device
                    layer.cpu().reset_parameters()  # on the CPU every device gets the same numbers
                    layer.to(device)
        yield name, copy.deepcopy(changed)


def alike(maps: Tensor, others: Tensor, *, grid: int = 16) -> np.ndarray:
    """How alike two methods' or two models' maps are, (N,): rank correlation of |map| on `grid` x `grid` cells.

    nan for a constant map, which has no order.
    """
    pair = {"maps": torch.as_tensor(maps).abs(), "others": torch.as_tensor(others).abs()}
    return rank_correlations(pair, grid=grid)[:, 0, 1]


# ---- where the truth is known: a mask


def hits(maps: Tensor, masks: Tensor, *, reach: int = 2) -> np.ndarray:
    """Whether each map's highest pixel lies in its mask, or at most `reach` pixels beside it, (N,) bool."""
    maps, masks = _pair(maps, masks)
    wide = np.stack([binary_dilation(mask, np.ones((3, 3)), iterations=reach) if reach else mask for mask in masks])
    return wide.reshape(len(maps), -1)[np.arange(len(maps)), maps.reshape(len(maps), -1).argmax(1)]


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
    with differentiable(model):
        pictures, labels = on_device(model, torch.cat([images, *without]), _repeated(targets, counts))
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
    return [(np.asarray(part, bool) * own).sum((1, 2)) for own, part in zip(values, masks, strict=True)]


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
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        found = self.model(images)  # (N, K)
        return (found[:, :, None] - found[:, None]).flatten(1)


def contrast(method: Callable, model: nn.Module, images: Tensor, targets: Tensor, others: Tensor, **options) -> Tensor:
    """Attributions (N, 3, H, W) of what speaks for `targets` rather than `others`, by any gradient method.

    `method(model, images, targets, **options)` is saliency, smoothgrad, integrated_gradients or another with that
    signature; it explains the difference of both scores.
    """
    with differentiable(model), torch.no_grad():
        classes = scores(model, on_device(model, images[:1], targets[:1])[0], None).shape[1]
    first, second = (check_targets(labels, len(images), classes) for labels in (targets, others))
    return method(Differences(model), images, first * classes + second.to(first), **options)


def _stages(model: nn.Module) -> list[tuple[str, list[nn.Module]]]:
    """Named groups of modules, in the order of their definition; a norm belongs to what it follows."""
    stages = []
    for name, module in _blocks(model, ""):
        if stages and isinstance(module, _NormBase):
            stages[-1][1].append(module)
        else:
            stages.append((name, [module]))
    if not stages:
        raise ValueError("the model has no weights to randomise")
    return stages


def _blocks(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    parts = [(name, part) for name, part in module.named_children() if any(True for _ in part.parameters())]
    for name, part in parts:
        inside = isinstance(part, nn.Sequential) or (len(parts) == 1 and any(True for _ in part.children()))
        yield from _blocks(part, f"{prefix}{name}.") if inside else [(prefix + name, part)]


def _pair(maps: Tensor, masks: Tensor) -> tuple[np.ndarray, np.ndarray]:
    values, inside = (np.asarray(torch.as_tensor(part).detach().cpu()) for part in (maps, masks))
    if values.ndim != 3 or values.shape != inside.shape:
        raise ValueError(f"maps {values.shape} and masks {inside.shape} must both be (N, H, W)")
    return values, inside.astype(bool)


def _repeated(targets: Tensor, counts: list[int]) -> Tensor:
    targets = check_targets(targets, len(counts))
    return torch.cat([targets, targets.repeat_interleave(torch.tensor(counts, device=targets.device))])
