"""Which pixels decided? Saliency, SmoothGrad and integrated gradients, and the maps in which a person reads them.

Simonyan, Vedaldi & Zisserman 2014, "Deep Inside Convolutional Networks"; Smilkov et al. 2017, "SmoothGrad: removing
noise by adding noise"; Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks". All three need the
same thing, gradients with respect to the pixels of altered copies of the pictures: `hw9.vision.gradients`.
"""

import math
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn

from hw9.vision.baselines import make_baseline
from hw9.vision.chunks import check_whole, moved
from hw9.vision.gradients import Copies, differentiable, on_device, scores, sum_gradients
from hw9.vision.inference import check_targets


def saliency(
    model: nn.Module, images: Tensor, targets: Tensor, *, recipe: str = "paper", chunk: int | None = None
) -> Tensor:
    """Gradient of each picture's class score with respect to its pixels, signed, (N, 3, H, W) (Simonyan 2014, sec. 3).

    `images` (N, 3, H, W) in [0, 1], `targets` (N,) class numbers. `heatmap` makes the paper's map of it: the absolute
    value, and of the three colours the largest. `chunk`: network evaluations at a time (None: by picture size).
    `recipe="course"` differentiates the cross-entropy loss of the class instead, which vanishes where the network is
    sure. Raises TypeError, ValueError or IndexError for pictures, targets or a model that cannot be used.
    """
    course = _is_course(recipe)
    with differentiable(model) as model:
        pictures, labels = on_device(model, images, targets)
        options = {"loss": course, "chunk": chunk}
        gradients = sum_gradients(model, pictures, labels, 1, lambda part: pictures[part.rows], **options)
    return gradients.to(images.device)


def smoothgrad(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    samples: int | None = None,
    noise: float | None = None,
    seed: int = 0,
    recipe: str = "paper",
    return_kept: bool = False,
    chunk: int | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Mean gradient of `samples` (50) noisy copies of each picture, signed, (N, 3, H, W) (Smilkov 2017, section 2.2).

    The noise is Gaussian, its standard deviation `noise` (0.15) times the picture's range, max - min. Gradients are
    averaged with their signs, as in the paper's formula; the absolute value, which the paper prefers for photographs,
    is taken of the mean by `heatmap`. The noise of sample k depends on `seed` and k alone, so neither `chunk` nor the
    other pictures change a picture's result.
    With `return_kept` also the share (N,) of noisy copies that get the class of the clean picture: where it is low,
    the map explains pictures which the network misreads.
    `recipe="course"` (500 samples, noise 0.4): standard deviation (noise / range)^2, and the mean of the absolute
    gradients of the loss; a picture of one colour, which has no range to divide by, is named and gets
    0. Raises what `saliency` raises, and ValueError for settings out of range.
    """
    course = _is_course(recipe)
    samples = check_whole("samples", (500 if course else 50) if samples is None else samples)
    noise = (0.4 if course else 0.15) if noise is None else noise
    if not (0 <= noise < math.inf and seed >= 0):
        raise ValueError(f"noise and seed must be 0 or more, not noise={noise} and seed={seed}")
    with differentiable(model, exact=False) as model, ThreadPoolExecutor() as threads:
        pictures, labels = on_device(model, images, targets)
        count = len(pictures)
        spread = pictures.amax((1, 2, 3), keepdim=True) - pictures.amin((1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
        plain = _of_one_colour(spread) if course else []
        deviation = (noise / spread).square().nan_to_num(posinf=0) if course else noise * spread
        named = torch.empty(samples * count, dtype=torch.long, device=pictures.device)

        def noisy(part: Copies) -> Tensor:
            draws = range(part.numbers[0] // count, part.numbers[-1] // count + 1)
            fields = torch.stack(list(threads.map(lambda draw: _unit_noise(seed, draw, pictures), draws)))
            fields = moved(fields, pictures.device)[part.draws - draws.start]
            return pictures[part.rows] + deviation[part.rows] * fields  # (B, 3, H, W)

        def weigh(part: Copies, gradients: Tensor, logits: Tensor) -> Tensor:
            named[part.numbers.start : part.numbers.stop] = logits.argmax(1)
            return gradients.abs() if course else gradients

        mean = sum_gradients(model, pictures, labels, samples, noisy, weigh, loss=course, chunk=chunk) / samples
        mean[plain] = 0
        clean = scores(model, pictures, chunk).argmax(1) if return_kept else None  # (N,)
    if clean is None:
        return mean.to(images.device)
    kept = (named.view(samples, count) == clean).float().mean(0)
    return mean.to(images.device), kept.to(images.device)


def integrated_gradients(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    baseline: Tensor | str | None = None,
    steps: int | None = None,
    recipe: str = "paper",
    settle: bool = True,
    chunk: int | None = None,
) -> Tensor:
    """(x - baseline) times the mean gradient on the straight way from baseline to x (Sundararajan 2017, section 3).

    Attributions (N, 3, H, W) in units of the class score, which add up to F(x) - F(baseline) ("completeness").
    `baseline`: see `make_baseline` (hw9.vision.baselines); None is black. The mean is taken at `steps` (64)
    Gauss-Legendre nodes. A ReLU network has thousands of kinks on the way, and whatever the nodes, the sum then misses
    the known total by a little. `settle` shares this rest out in proportion to the pixels' absolute attributions, up
    to 1 % of each; more stays as the gap that tells of too few steps. `settle=False` is the bare rule.
    `recipe="course"` (10 steps): the mean gradient alone, not times (x - baseline), at 0, 1/steps ... 1 - 1/steps.
    Raises what `saliency` raises, and ValueError for steps or a baseline that cannot be used.
    """
    course = _is_course(recipe)
    steps = check_whole("steps", (10 if course else 64) if steps is None else steps)
    with differentiable(model, exact=False) as model:
        pictures, labels = on_device(model, images, targets)
        start = make_baseline(pictures, baseline)
        way = pictures - start
        rule = (part.to(pictures.dtype).to(pictures.device) for part in _path_rule(steps, course))
        nodes, weights = (part.view(-1, 1, 1, 1) for part in rule)  # (S, 1, 1, 1)

        def on_the_way(part: Copies) -> Tensor:
            return nodes[part.draws] * way[part.rows] + start[part.rows]  # (B, 3, H, W), in memory as `way`

        def weigh(part: Copies, gradients: Tensor, logits: Tensor) -> Tensor:
            return weights[part.draws] * gradients

        mean = sum_gradients(model, pictures, labels, steps, on_the_way, weigh, chunk=chunk)
        if course:
            return mean.to(images.device)
        shares = mean * way  # (N, 3, H, W)
        if settle:
            rest = _change(model, pictures, start, labels, chunk) - _sum(shares)  # (N,)
            size = shares.abs()
            part = (rest / _sum(size).clamp_min(torch.finfo(torch.float32).tiny)).clamp(-0.01, 0.01)
            shares = shares + part.to(size.dtype).to(size.device).view(-1, 1, 1, 1) * size
    return shares.to(images.device)


def completeness_gap(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    attributions: Tensor,
    *,
    baseline: Tensor | str | None = None,
    chunk: int | None = None,
) -> Tensor:
    """By what share integrated gradients miss the sum they should have, (N,): 0 is complete, 0.01 is one per cent off.

    |sum of a picture's attributions - change| / |change|, where change = F(x) - F(baseline) in the class score. Where
    the score hardly changes the share is large whatever the method (the divisor is at least 1e-6).
    """
    with differentiable(model) as model:
        pictures, labels = on_device(model, images, targets)
        _check_shape(attributions, pictures.shape)
        change = _change(model, pictures, make_baseline(pictures, baseline), labels, chunk)
    gap = (_sum(attributions) - change).abs() / change.abs().clamp_min(1e-6)
    return gap.to(pictures.dtype).to(images.device)


def gap_by_steps(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    steps: Sequence[int],
    *,
    baseline: Tensor | str | None = None,
    chunk: int | None = None,
) -> Tensor:
    """The completeness gap (len(steps), N) of integrated gradients with each number of `steps`, by the bare rule."""
    gaps = []
    for number in steps:
        options = {"baseline": baseline, "chunk": chunk}
        found = integrated_gradients(model, images, targets, steps=number, settle=False, **options)
        gaps.append(completeness_gap(model, images, targets, found, **options))
    return torch.stack(gaps)


def heatmap(attributions: Tensor) -> Tensor:
    """Maps (N, H, W) in [0, 1] of attributions (N, 3, H, W): of the three colours the largest absolute value.

    Each picture is scaled by itself, see `heatmap_of`.
    """
    _check_shape(attributions, (None, 3, None, None))
    return heatmap_of(attributions.detach().abs().amax(1))


def heatmap_of(maps: Tensor | Sequence) -> Tensor:
    """Any N maps (H, W), a tensor or a list of arrays, each stretched from its least value, 0, to its largest, 1.

    A constant map is 0 everywhere. Returns (N, H, W) float32.
    """
    if not isinstance(maps, Tensor):
        maps = torch.from_numpy(np.stack([np.asarray(part) for part in maps]))
    _check_shape(maps, (None, None, None))
    # In double, as gradients of a sure network can be as small as 1e-40; on the CPU, as Apple's GPUs have no double.
    values = maps.detach().cpu().double().flatten(1)
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    span = torch.where(high > low, high - low, math.inf)
    return ((values - low) / span).clamp(0, 1).view(maps.shape).float().to(maps.device)


def _of_one_colour(spread: Tensor) -> list[int]:
    """The rows of pictures without a range, named in a warning; ValueError where that is all of them."""
    rows = (spread.flatten() == 0).nonzero().flatten().tolist()
    if len(rows) == len(spread):
        raise ValueError("every picture is of a single colour, and the course divides by its range: use recipe='paper'")
    if rows:
        text = f"picture {', '.join(map(str, rows))} is of a single colour and has no range to divide by: left out"
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    return rows


def _sum(values: Tensor) -> Tensor:
    """The sum of each picture's values (N, 3, H, W), (N,) float64, on the CPU as Apple's GPUs have no float64."""
    return values.detach().cpu().double().sum((1, 2, 3))


def _unit_noise(seed: int, draw: int, like: Tensor) -> Tensor:
    """Standard normal noise (3, H, W) of one draw, on the CPU, so that every device gets the same."""
    values = np.random.default_rng((seed, draw)).standard_normal(tuple(like.shape[1:]), dtype=np.float32)
    return torch.from_numpy(values).to(like.dtype)


def _path_rule(steps: int, course: bool) -> tuple[Tensor, Tensor]:
    """Places in [0, 1] and their weights, (S,) float64 each."""
    if course:
        return torch.arange(steps).double() / steps, torch.full((steps,), 1 / steps).double()
    nodes, weights = np.polynomial.legendre.leggauss(steps)  # on [-1, 1]
    return torch.from_numpy(nodes + 1) / 2, torch.from_numpy(weights) / 2


def _change(model: nn.Module, pictures: Tensor, start: Tensor, targets: Tensor, chunk: int | None) -> Tensor:
    """F(pictures) - F(start) in each picture's own class score, (N,) float64, on the CPU."""
    ends, starts = scores(model, torch.cat([pictures, start]), chunk).cpu().double().chunk(2)  # (N, K) each
    targets = check_targets(targets, len(targets), ends.shape[1]).cpu()
    return (ends - starts).gather(1, targets[:, None])[:, 0]


def _is_course(recipe: str) -> bool:
    if recipe not in ("paper", "course"):
        raise ValueError(f"there is no recipe {recipe!r}: take 'paper' (right) or 'course' (as the course drew it)")
    return recipe == "course"


def _check_shape(values: Tensor, shape: Sequence[int | None]) -> None:
    fits = values.ndim == len(shape) and all(s in (None, n) for s, n in zip(shape, values.shape, strict=True))
    if not fits or 0 in values.shape:
        wanted = ", ".join("?" if s is None else str(s) for s in shape)
        raise ValueError(f"the maps must have shape ({wanted}), not {tuple(values.shape)}")
    if not torch.isfinite(values).all():
        raise ValueError("the maps contain NaN or infinite values")
