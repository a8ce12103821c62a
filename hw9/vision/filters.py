"""What a filter looks for: its activation maps, and pictures made to excite it."""

import operator
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from hw9.vision.ascent import Course, Paper, climbable
from hw9.vision.chunks import at_first, in_chunks, memory_of
from hw9.vision.gradients import differentiable
from hw9.vision.inference import check_images, device_of, gradient, no_gradient, unwrapped
from hw9.vision.layers import finite, up_to
from hw9.vision.precision import held

AT_A_TIME = 16  # pictures that climb together, before anything is measured


def activations(model: nn.Module, images: Tensor, layer: int | str, *, chunk: int | None = None) -> Tensor:
    """What `layer` answers to `images` (N, 3, H, W) in [0, 1]: maps (N, C, h, w), on the CPU.

    `layer` is an index of the feature Sequential or a dotted name. A layer without places (Linear) gives (N, C, 1, 1).
    Nothing behind the layer is computed. Raises IndexError or KeyError that lists the layers near a wrong one.
    """
    check_images(images)
    device = device_of(model)

    def work(start: int, stop: int) -> Tensor:
        return finite(run(images[start:stop].to(device, held(images.dtype, device)))).cpu()

    begin = at_first(*images.shape[2:])
    with differentiable(model, exact=False) as model, torch.no_grad(), up_to(model, layer) as run:
        return torch.cat(in_chunks(work, len(images), chunk, begin=begin, memory=memory_of(device)))


def visualize(
    model: nn.Module,
    layer: int | str,
    channel: int,
    *,
    size: int | None = None,
    steps: int = 100,
    seed: int = 0,
    start: Tensor | None = None,
    recipe: str = "paper",
) -> Tensor:
    """A picture (1, 3, size, size) in [0, 1] made to excite one filter; with `start` (N, 3, H, W) one from each start.

    The one-filter call of `visualize_many`, which says how it works and what the options mean.
    """
    return visualize_many(model, layer, [channel], size=size, steps=steps, seed=seed, start=start, recipe=recipe)


def visualize_many(
    model: nn.Module,
    layer: int | str,
    channels: Sequence[int],
    *,
    size: int | None = None,
    steps: int = 100,
    seed: int = 0,
    start: Tensor | None = None,
    recipe: str = "paper",
    chunk: int | None = None,
    watch: Callable[[int, Tensor], None] | None = None,
) -> Tensor:
    """Pictures (K, 3, H, W) in [0, 1], one for each of K `channels`, made to excite that filter of `layer`.

    Activation maximisation (Erhan et al. 2009): gradient ascent on the picture. `recipe="paper"` follows Olah et al.
    2017, "Feature Visualization", and Mordvintsev et al. 2018, "Differentiable Image Parameterizations": from noise
    (the same for every filter) or from `start`, over Fourier coefficients of decorrelated colours, each step looking
    at the picture shifted, turned and scaled at random. `recipe="course"` starts from photographs, `start`: Adam on the
    pixels (the course: 100 steps) towards the sum of the filter's activation, with no prior, limits or random moves,
    and, as in the course's figure, each picture is stretched from its least to its greatest value.

    `size` is in px (default: the model's input size). `start` (N, 3, H, W) in [0, 1] gives the size itself and is
    paired with the channels: N = K, or one of the two is 1. A result depends neither on the other channels nor on
    `chunk`, but for rounding. `watch` is called before each step with its number and the chunk's pictures.
    Raises IndexError for a channel that is not there, ValueError for a size or start that cannot be used; warns of a
    filter that stays off.
    """
    channels, start, size = _pairs(model, channels, start, size, recipe)
    if steps < 1:
        raise ValueError(f"steps is {steps}: at least one is needed")
    device = device_of(model)

    def work(first: int, last: int) -> Tensor:
        wanted = channels[first:last]
        begin = None if start is None else start[first:last].to(device)
        way = Course(begin) if recipe == "course" else Paper(begin, len(wanted), size, steps, seed, device)
        optimizer = torch.optim.Adam([way.variables])
        for step in range(steps):
            if watch:
                watch(step, way.pictures().detach().cpu())
            loss, excited = way.loss(run, wanted, step)
            if not excited.requires_grad:  # the price of roughness has a gradient of its own
                raise no_gradient(f"the activations of layer {layer!r}")
            way.variables.grad = gradient(finite(loss), way.variables)
            optimizer.param_groups[0]["lr"] = way.rate(step / steps)
            optimizer.step()
        for channel, value in zip(wanted, excited.tolist(), strict=True):
            if value == 0:
                text = f"filter {channel} of layer {layer!r} stays off, its picture shows nothing: try another seed"
                warnings.warn(text, RuntimeWarning, stacklevel=4)
        return way.pictures().detach().cpu()

    with (
        differentiable(model, exact=False) as model,
        climbable(model, leaky=recipe == "paper"),
        up_to(model, layer, channels) as run,
    ):
        begin = at_first(*size, AT_A_TIME)
        return torch.cat(in_chunks(work, len(channels), chunk, begin=begin, memory=memory_of(device)))


def visualize_steps(
    model: nn.Module,
    layer: int | str,
    channel: int,
    *,
    frames: int = 6,
    size: int | None = None,
    steps: int = 100,
    seed: int = 0,
    start: Tensor | None = None,
    recipe: str = "paper",
) -> tuple[Tensor, list[int]]:
    """How `visualize` gets there: pictures (F, 3, H, W) in [0, 1], and the number of steps after which each is seen.

    The first shows the start (0 steps), the last is what `visualize` returns; between them the gaps widen evenly. F is
    `frames`, or less where there are fewer steps. `start`, if given, is one picture (1, 3, H, W).
    """
    if frames < 2:
        raise ValueError(f"frames is {frames}: take 2 (the start and the result) or more")
    if start is not None and len(start) != 1:
        raise ValueError(f"start holds {len(start)} pictures: the steps are shown of one, (1, 3, H, W)")
    seen = sorted({round(steps * (i / (frames - 1)) ** 2) for i in range(frames)})
    kept = {}

    def watch(step: int, pictures: Tensor) -> None:
        if step in seen:
            kept[step] = pictures

    options = {"size": size, "steps": steps, "seed": seed, "start": start, "recipe": recipe}
    kept[steps] = visualize_many(model, layer, [channel], watch=watch, **options)
    return torch.cat([kept[step] for step in seen]), seen


def _pairs(
    model: nn.Module, channels: Sequence[int], start: Tensor | None, size: int | None, recipe: str
) -> tuple[list[int], Tensor | None, tuple[int, int]]:
    """A channel and a start for every picture to be made, and the picture's height and width."""
    if recipe not in ("paper", "course"):
        raise ValueError(f"there is no recipe {recipe!r}: choose 'paper' or 'course'")
    channels = [operator.index(channel) for channel in channels]
    if not channels:
        raise ValueError("channels is empty: give at least one")
    if start is None:
        if recipe == "course":
            raise ValueError("the course's recipe starts from photographs: give start, (N, 3, H, W) in [0, 1]")
        side = getattr(unwrapped(model), "input_size", 64) if size is None else size
        if not hasattr(side, "__index__"):
            raise ValueError(f"size is {side}: give the side of the picture in px, one whole number")
        shape = (operator.index(side),) * 2
    else:
        check_images(start)
        shape = tuple(start.shape[2:])
        if size is not None and shape != (size, size):
            raise ValueError(f"start is {shape[0]}x{shape[1]} px, size says {size}: leave size out, or resize start")
        if start.min() < 0 or start.max() > 1:
            raise ValueError(f"start has values from {start.min():.3g} to {start.max():.3g}: it must be in [0, 1]")
        count = max(len(channels), len(start))
        if not {len(channels), len(start)} <= {1, count}:
            raise ValueError(f"{len(channels)} channels and {len(start)} starts: give as many, or one of the two")
        channels = channels * (count // len(channels))
        start = start.detach().float().expand(count, -1, -1, -1)
    if min(shape) < 16:
        raise ValueError(f"a picture of {shape[0]}x{shape[1]} px is too small to show anything: take 16 px or more")
    return channels, start, shape
