"""Which pixels decided? Saliency, SmoothGrad and integrated gradients, and the maps in which a person reads them.

Simonyan, Vedaldi & Zisserman 2014, "Deep Inside Convolutional Networks"; Smilkov et al. 2017, "SmoothGrad: removing
noise by adding noise"; Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks". All three need the
same thing, gradients with respect to the pixels of altered copies of the pictures: `_sum_gradients` at the end.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms.v2.functional import gaussian_blur

from hw9.vision.inference import check_images, check_logits, check_targets, device_of, frozen, in_chunks

# Network evaluations at a time, counted in pixels: 32 copies of 64x64, 8 of 128x128.
PIXELS_AT_A_TIME = 32 * 64 * 64


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
    with differentiable(model):
        pictures, labels = on_device(model, images, targets)
        gradients = _sum_gradients(model, pictures, labels, 1, lambda rows, _: pictures[rows], loss=course, chunk=chunk)
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
    """Mean gradient of `samples` (50) noisy copies of each picture, signed, (N, 3, H, W) (Smilkov 2017, section 3).

    The noise is Gaussian, its standard deviation `noise` (0.15) times the picture's range, max - min. Gradients are
    averaged with their signs, as in the paper's formula; the absolute value, which the paper prefers for photographs,
    is taken of the mean by `heatmap`. The noise of sample k depends on `seed` and k alone, so neither `chunk` nor the
    other pictures change a picture's result.
    With `return_kept` also the share (N,) of noisy copies that get the class of the clean picture: where it is low,
    the map explains pictures which the network misreads.
    `recipe="course"` (500 samples, noise 0.4): standard deviation (noise / range)^2, and the mean of the absolute
    gradients of the loss. Raises what `saliency` raises, and ValueError for settings out of range.
    """
    course = _is_course(recipe)
    samples = _whole("samples", samples, 500 if course else 50)
    noise = (0.4 if course else 0.15) if noise is None else noise
    if not (0 <= noise < math.inf and seed >= 0):
        raise ValueError(f"noise and seed must be 0 or more, not noise={noise} and seed={seed}")
    with differentiable(model):
        pictures, labels = on_device(model, images, targets)
        count = len(pictures)
        spread = pictures.amax((1, 2, 3), keepdim=True) - pictures.amin((1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
        if course and not spread.all():
            raise ValueError(
                "one picture is of a single colour, and the course divides by its range: use recipe='paper'"
            )
        deviation = (noise / spread) ** 2 if course else noise * spread
        named = torch.empty(samples * count, dtype=torch.long, device=pictures.device)

        def noisy(rows: Tensor, draws: Tensor) -> Tensor:
            fields = [_unit_noise(seed, draw, pictures) for draw in range(int(draws[0]), int(draws[-1]) + 1)]
            return pictures[rows] + deviation[rows] * torch.stack(fields)[draws - draws[0]]  # (B, 3, H, W)

        def weigh(rows: Tensor, draws: Tensor, gradients: Tensor, logits: Tensor) -> Tensor:
            named[draws * count + rows] = logits.argmax(1)
            return gradients.abs() if course else gradients

        mean = _sum_gradients(model, pictures, labels, samples, noisy, weigh, loss=course, chunk=chunk) / samples
        clean = _logits(model, pictures, chunk).argmax(1) if return_kept else None  # (N,)
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
    `baseline`: see `make_baseline`; None is black. The mean is taken at `steps` (64) Gauss-Legendre nodes. A ReLU
    network has thousands of kinks on the way, and whatever the nodes, the sum then misses the known total by a little.
    `settle` shares this rest out in proportion to the pixels' absolute attributions, up to 1 % of each; more stays as
    the gap that tells of too few steps. `settle=False` is the bare rule.
    `recipe="course"` (10 steps): the mean gradient alone, not times (x - baseline), at 0, 1/steps ... 1 - 1/steps.
    Raises what `saliency` raises, and ValueError for steps or a baseline that cannot be used.
    """
    course = _is_course(recipe)
    steps = _whole("steps", steps, 10 if course else 64)
    with differentiable(model):
        pictures, labels = on_device(model, images, targets)
        start = make_baseline(pictures, baseline)
        way = pictures - start
        nodes, weights = (part.to(pictures).view(-1, 1, 1, 1) for part in _path_rule(steps, course))  # (S, 1, 1, 1)

        def on_the_way(rows: Tensor, step: Tensor) -> Tensor:
            return start[rows] + nodes[step] * way[rows]  # (B, 3, H, W)

        def weigh(rows: Tensor, step: Tensor, gradients: Tensor, logits: Tensor) -> Tensor:
            return weights[step] * gradients

        mean = _sum_gradients(model, pictures, labels, steps, on_the_way, weigh, chunk=chunk)
        if course:
            return mean.to(images.device)
        shares = way * mean  # (N, 3, H, W)
        if settle:
            rest = _change(model, pictures, start, labels, chunk) - shares.double().sum((1, 2, 3))  # (N,)
            size = shares.abs()
            part = rest / size.double().sum((1, 2, 3)).clamp_min(torch.finfo(torch.float32).tiny)
            shares = shares + part.clamp(-0.01, 0.01).to(size).view(-1, 1, 1, 1) * size
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
    with differentiable(model):
        pictures, labels = on_device(model, images, targets)
        _check_shape(attributions, pictures.shape)
        change = _change(model, pictures, make_baseline(pictures, baseline), labels, chunk)
    gap = (attributions.to(change).sum((1, 2, 3)) - change).abs() / change.abs().clamp_min(1e-6)
    return gap.to(images.device, pictures.dtype)


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


def make_baseline(images: Tensor, kind: Tensor | str | None = None) -> Tensor:
    """The pictures (N, 3, H, W) that stand for "nothing to see" beside `images`.

    `kind`: "black" (or None), "white", "mean" (each picture's mean colour), "blur" (each picture, blurred with a
    standard deviation of a tenth of its shorter side), or a tensor that broadcasts to the shape of `images`.
    """
    if isinstance(kind, Tensor):
        try:
            baseline = kind.detach().to(images).expand(images.shape)
        except RuntimeError as error:
            raise ValueError(f"a baseline {tuple(kind.shape)} does not fit pictures {tuple(images.shape)}") from error
        check_images(baseline)
        return baseline
    if kind in (None, "black"):
        return torch.zeros_like(images)
    if kind == "white":
        return torch.ones_like(images)
    if kind == "mean":
        return images.mean((2, 3), keepdim=True).expand(images.shape)
    if kind == "blur":
        side = min(images.shape[2:])
        reach = min(math.ceil(0.3 * side), side - 1)  # three standard deviations, as far as the picture can be mirrored
        return gaussian_blur(images, [2 * reach + 1] * 2, [0.1 * side] * 2)
    raise ValueError(f"there is no baseline {kind!r}: take 'black', 'white', 'blur', 'mean' or a tensor")


def heatmap(attributions: Tensor, *, percentile: float = 100.0) -> Tensor:
    """Maps (N, H, W) in [0, 1] of attributions (N, 3, H, W): of the three colours the largest absolute value.

    Each picture is scaled by itself, see `heatmap_of`.
    """
    _check_shape(attributions, (None, 3, None, None))
    return heatmap_of(attributions.detach().abs().amax(1), percentile=percentile)


def heatmap_of(maps: Tensor | Sequence, *, percentile: float = 100.0) -> Tensor:
    """Any N maps (H, W), a tensor or a list of arrays, each stretched from its least value, 0, to its largest, 1.

    With a `percentile` below 100 everything above it is 1 too, so that a few extreme pixels do not leave the rest
    dark. A constant map is 0 everywhere. Returns (N, H, W) float32.
    """
    if not isinstance(maps, Tensor):
        maps = torch.from_numpy(np.stack([np.asarray(part) for part in maps]))
    _check_shape(maps, (None, None, None))
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile is {percentile}: it must be above 0 and at most 100")
    values = maps.detach().double().flatten(1)  # double: gradients of a sure network can be as small as 1e-40
    low = values.amin(1, keepdim=True)
    high = values.kthvalue(math.ceil(percentile / 100 * values.shape[1]), 1, keepdim=True).values
    span = torch.where(high > low, high - low, math.inf)
    return ((values - low) / span).clamp(0, 1).view(maps.shape).float()


@contextlib.contextmanager
def differentiable(model: nn.Module) -> Iterator[None]:
    """The model frozen, in full precision, with gradients to the pixels, whatever the caller has switched on or off."""
    cudnn = torch.backends.cudnn
    exact = cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=False)
    plain = torch.autocast(device_of(model).type, enabled=False)
    with torch.inference_mode(False), torch.enable_grad(), plain, exact, frozen(model):
        yield


def _sum_gradients(
    model: nn.Module,
    pictures: Tensor,
    targets: Tensor,
    draws: int,
    copies: Callable[[Tensor, Tensor], Tensor],
    weigh: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] | None = None,
    *,
    loss: bool = False,
    chunk: int | None = None,
) -> Tensor:
    """Sum over `draws` altered copies of every picture of their gradients, or of what `weigh` makes of them, (N, ...).

    The copies are numbered draw by draw (draw * N + row): every chunk but the last is full, and only one chunk of
    copies exists at a time. `copies(rows, draws)` makes them, (B, 3, H, W); `weigh(rows, draws, gradients, logits)`
    may be called again for the same copies.
    """
    count, total = len(pictures), None

    def work(first: int, last: int) -> None:
        nonlocal total
        numbers = torch.arange(first, last)
        rows, draw = numbers % count, numbers // count
        values, logits = _gradients(model, copies(rows, draw), targets[rows], loss)
        if weigh is not None:
            values = weigh(rows, draw, values, logits)
        if total is None:
            total = values.new_zeros(count, *values.shape[1:])
        _add(total, values, first)  # last: nothing may fail after it

    in_chunks(work, draws * count, chunk_size(chunk, pictures))
    return total


def _gradients(model: nn.Module, pictures: Tensor, targets: Tensor, loss: bool) -> tuple[Tensor, Tensor]:
    """Gradient of each picture's own class score (or loss), (B, 3, H, W), and the scores (B, K).

    In eval mode no picture's score depends on another picture, so one backward pass of their sum gives all gradients.
    """
    pictures = pictures.detach().requires_grad_()
    logits = check_logits(model(pictures))
    check_targets(targets, len(targets), logits.shape[1])
    if not logits.requires_grad:
        raise ValueError("the model's scores have no gradient with respect to the pixels: does it detach its input?")
    value = F.cross_entropy(logits, targets, reduction="sum") if loss else logits.gather(1, targets[:, None]).sum()
    return torch.autograd.grad(value, pictures)[0], logits.detach()


def _add(total: Tensor, values: Tensor, first: int) -> None:
    # total[number % N] += value, always in the order of the numbers: no chunk size changes a sum.
    done = 0
    while done < len(values):
        row = (first + done) % len(total)
        run = min(len(total) - row, len(values) - done)
        total[row : row + run] += values[done : done + run]
        done += run


def _unit_noise(seed: int, draw: int, like: Tensor) -> Tensor:
    """Standard normal noise (3, H, W) of one draw, made on the CPU so that every device gets the same."""
    values = np.random.default_rng((seed, draw)).standard_normal(tuple(like.shape[1:]), dtype=np.float32)
    return torch.from_numpy(values).to(like)


def _path_rule(steps: int, course: bool) -> tuple[Tensor, Tensor]:
    """Places in [0, 1] and their weights, (S,) float64 each."""
    if course:
        return torch.arange(steps).double() / steps, torch.full((steps,), 1 / steps).double()
    nodes, weights = np.polynomial.legendre.leggauss(steps)  # on [-1, 1]
    return torch.from_numpy(nodes + 1) / 2, torch.from_numpy(weights) / 2


def _logits(model: nn.Module, pictures: Tensor, chunk: int | None) -> Tensor:
    parts = {}

    def work(first: int, last: int) -> None:
        parts[first] = check_logits(model(pictures[first:last]))

    with torch.no_grad():
        in_chunks(work, len(pictures), chunk_size(chunk, pictures))
    return torch.cat([parts[first] for first in sorted(parts)])  # (N, K)


def _change(model: nn.Module, pictures: Tensor, start: Tensor, targets: Tensor, chunk: int | None) -> Tensor:
    """F(pictures) - F(start) in each picture's own class score, (N,) float64."""
    logits = _logits(model, pictures, chunk).double() - _logits(model, start, chunk).double()  # (N, K)
    check_targets(targets, len(targets), logits.shape[1])
    return logits.gather(1, targets[:, None])[:, 0]


def on_device(model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Checked pictures and targets on the model's device, the pictures in the precision of its weights."""
    check_images(images)
    targets = check_targets(targets, len(images))
    least = torch.promote_types(images.dtype, torch.float32)
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), least)
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"small gradients vanish in {dtype}: call model.float() before explaining it")
    return images.detach().to(device_of(model), dtype), targets.to(device_of(model))


def chunk_size(chunk: int | None, pictures: Tensor) -> int:
    return _whole("chunk", chunk, max(1, PIXELS_AT_A_TIME // pictures[0, 0].numel()))


def _whole(name: str, value: int | None, default: int) -> int:
    if value is None:
        return default
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1 up, not {value!r}")
    return int(value)


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
