"""What a filter looks for: its activation maps, pictures made to excite it, and the real crops that excite it most."""

import contextlib
import math
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hw9.vision.inference import check_images, device_of, find_layer, frozen, in_chunks


def activations(model: nn.Module, images: Tensor, layer: int | str, *, chunk: int = 64) -> Tensor:
    """What `layer` answers to `images` (N, 3, H, W) in [0, 1]: maps (N, C, h, w), on the CPU.

    `layer` is an index of the feature Sequential or a dotted name. A layer without places (Linear) gives (N, C, 1, 1).
    Nothing behind the layer is computed. Raises IndexError or KeyError that lists the layers near a wrong one.
    """
    check_images(images)
    device, parts = device_of(model), {}

    def work(start: int, stop: int) -> None:
        parts[start] = _finite(run(images[start:stop].to(device))).cpu()

    with frozen(model), torch.inference_mode(), _up_to(model, layer) as run:
        in_chunks(work, len(images), chunk)
    return torch.cat([parts[start] for start in sorted(parts)])


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
    chunk: int = 16,
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
    device, parts = device_of(model), {}

    def work(first: int, last: int) -> None:
        wanted = channels[first:last]
        begin = None if start is None else start[first:last].to(device)
        way = _Course(begin) if recipe == "course" else _Paper(begin, len(wanted), size, steps, seed, device)
        optimizer = torch.optim.Adam([way.variables])
        for step in range(steps):
            if watch:
                watch(step, way.pictures().detach().cpu())
            loss, excited = way.loss(run, wanted, step)
            (way.variables.grad,) = torch.autograd.grad(_finite(loss), way.variables)
            optimizer.param_groups[0]["lr"] = way.rate(step / steps)
            optimizer.step()
        parts[first] = way.pictures().detach().cpu()
        for channel, value in zip(wanted, excited.tolist(), strict=True):
            if value == 0:
                text = f"filter {channel} of layer {layer!r} stays off, its picture shows nothing: try another seed"
                warnings.warn(text, RuntimeWarning, stacklevel=4)

    with frozen(model), _climbable(model, leaky=recipe == "paper"), _up_to(model, layer, channels) as run:
        in_chunks(work, len(channels), chunk)
    return torch.cat([parts[first] for first in sorted(parts)])


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


@dataclass
class Crops:
    """The real crops that excite one filter most, the strongest first, at most one of each picture."""

    crops: Tensor  # (count, 3, s, s), as they are in the pictures
    values: Tensor  # (count,) the filter's activation there
    pictures: Tensor  # (count,) index of the picture
    places: Tensor  # (count, 2) row and column in the activation map
    boxes: Tensor  # (count, 4) top, left, bottom, right of the crop in its picture, px; the last two exclusive
    field: int  # side of the square the filter sees, px (or more, where that is wider than the picture)


def top_crops(model: nn.Module, images: Tensor, layer: int | str, channel: int, *, count: int = 9) -> Crops:
    """The `count` places of `images` (N, 3, H, W) that excite one filter most: see `top_crops_many`."""
    return top_crops_many(model, images, layer, [channel], count=count)[0]


def top_crops_many(
    model: nn.Module, images: Tensor, layer: int | str, channels: Sequence[int], *, count: int = 9, chunk: int = 64
) -> list[Crops]:
    """For each of `channels` the crops of `images` (N, 3, H, W) in [0, 1] that excite it most, in one pass.

    A crop is a square around the strongest place of a picture, as wide as the filter's receptive field, but at least
    a quarter of the picture (to be legible) and at most all of it; at an edge it is moved inside. Of equal values the
    earlier picture comes first (patches beside filters: Zeiler & Fergus 2014, section 4).
    Raises ValueError when `count` is more than the pictures.
    """
    check_images(images)
    if not 1 <= count <= len(images):
        raise ValueError(f"count is {count}: one crop is taken of a picture, so choose 1 to {len(images)}")
    channels = [operator.index(channel) for channel in channels]
    device, parts = device_of(model), {}

    def work(start: int, stop: int) -> None:
        maps = _finite(run(images[start:stop].to(device))[:, channels])  # (B, K, h, w)
        best = maps.flatten(2).max(2)
        rows = best.indices // maps.shape[3], best.indices % maps.shape[3]
        parts[start] = best.values.cpu(), torch.stack(rows, 2).cpu()

    with frozen(model), _up_to(model, layer, channels) as run:
        with torch.inference_mode():
            in_chunks(work, len(images), chunk)
        field, centre = _receptive_field(model, run, images.shape[2:])
    values, places = (torch.cat([parts[start][i] for start in sorted(parts)]) for i in (0, 1))  # (N, K), (N, K, 2)
    height, width = images.shape[2:]
    side = min(max(field, math.ceil(min(height, width) / 4)), height, width)
    limits, found = torch.tensor([height - side, width - side]), []
    for k in range(len(channels)):
        order = values[:, k].sort(descending=True, stable=True).indices[:count]  # (count,)
        corners = (centre(places[order, k]) - side / 2).round().long().clamp(min=0).minimum(limits)  # (count, 2)
        boxes = torch.cat([corners, corners + side], 1)
        crops = [images[i, :, y:b, x:r] for i, (y, x, b, r) in zip(order, boxes.tolist(), strict=True)]
        found.append(Crops(torch.stack(crops).cpu(), values[order, k], order, places[order, k], boxes, field))
    return found


class _Reached(Exception):
    """Carries a layer's output out of the model's forward, so that what lies behind it is never computed."""


@contextlib.contextmanager
def _up_to(model: nn.Module, layer: int | str, channels: Sequence[int] = ()) -> Iterator[Callable[[Tensor], Tensor]]:
    """A function from images (N, 3, H, W) to the maps (N, C, h, w) of `layer`, where the forward pass ends.

    It raises IndexError unless the layer has all of `channels`.
    """

    def leave(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        raise _Reached(output)

    def run(images: Tensor) -> Tensor:
        try:
            model(images)
        except _Reached as reached:
            maps = reached.args[0]
        else:
            raise RuntimeError(f"layer {layer!r} takes no part in the model's forward pass: choose another one")
        if not isinstance(maps, Tensor) or maps.ndim not in (2, 4):
            what = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
            raise ValueError(f"layer {layer!r} returns {what}: choose one with maps (N, C, h, w) or scores (N, C)")
        for channel in channels:
            if not 0 <= channel < maps.shape[1]:
                count = maps.shape[1]
                raise IndexError(
                    f"there is no channel {channel}: layer {layer!r} has {count}, numbered 0 to {count - 1}"
                )
        return maps if maps.ndim == 4 else maps[:, :, None, None]

    handle = find_layer(model, layer).register_forward_hook(leave)
    try:
        yield run
    finally:
        handle.remove()


def _receptive_field(model: nn.Module, run: Callable, size: Sequence[int]) -> tuple[int, Callable[[Tensor], Tensor]]:
    """Side (px) of the square a unit sees, and where its centre lies: places (n, 2) -> row and column (n, 2) in px."""
    with _climbable(model):
        noise = torch.rand(4, 3, *size, generator=torch.Generator().manual_seed(0)).to(device_of(model))
        noise.requires_grad_()
        maps = run(noise)
        middle = [side // 2 for side in maps.shape[2:]]
        (gradient,) = torch.autograd.grad(maps[:, :, middle[0], middle[1]].sum(), noise)
    reached, spans, centres, strides = (gradient != 0).any(0).any(0), [], [], []  # (H, W)
    for axis, length in enumerate(size):
        stride = max(1, round(length / maps.shape[2 + axis]))
        seen = reached.any(1 - axis).nonzero().flatten().tolist() or [0, length - 1]
        first, last = seen[0], seen[-1] + 1
        inside = first > 0 and last < length
        # A field cut off by the picture's edge tells of its half only: a padded network has its centre over the unit.
        centre = (first + last) / 2 if inside else (middle[axis] + 0.5) * stride
        spans.append(math.ceil(2 * max(centre - first, last - centre)))
        centres.append(centre - middle[axis] * stride)
        strides.append(stride)
    return max(spans), lambda places: torch.tensor(centres) + places * torch.tensor(strides)


def _finite(values: Tensor) -> Tensor:
    if not torch.isfinite(values).all():
        raise ValueError("the layer returns NaN or infinite values: the weights are damaged, load a good checkpoint")
    return values


def _own(maps: Tensor, channels: list[int]) -> Tensor:
    """Of each picture the map of its own channel: (N, C, h, w) -> (N, h, w)."""
    return maps[torch.arange(len(channels)), channels]


class _LeakyGradient(torch.autograd.Function):
    """ReLU whose gradient fades where the unit is off, as 1 / (1 + (20 x)^2), and is not 0 at once.

    A filter that is off all over the start would give no direction at all; so it gives one, mostly from the places
    where it is nearly on, and Adam looks only at a gradient's proportions. Without the jump at 0, rounding errors do
    not grow from step to step.
    """

    @staticmethod
    def forward(ctx, inputs: Tensor) -> Tensor:
        ctx.save_for_backward(inputs)
        return inputs.relu()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        below = ctx.saved_tensors[0].clamp(max=0)
        return gradient / torch.addcmul(below.new_ones(()), below, below, value=400)


@contextlib.contextmanager
def _climbable(model: nn.Module, *, leaky: bool = True) -> Iterator[None]:
    """Inside, gradients are on, and if `leaky` each nn.ReLU computes what it did, with `_LeakyGradient`.

    The convolutions' weights lie channels last, which the kernels like best; their values stay.
    """
    relus = [module for module in model.modules() if type(module) is nn.ReLU and "forward" not in vars(module)]
    weights = [(parameter, parameter.data) for parameter in model.parameters() if parameter.ndim == 4]
    try:
        with torch.inference_mode(False), torch.enable_grad():
            for parameter, data in weights:
                parameter.data = data.contiguous(memory_format=torch.channels_last)
            for relu in relus if leaky else ():
                relu.forward = _LeakyGradient.apply
            yield
    finally:
        for parameter, data in weights:
            parameter.data = data
        for relu in relus:
            vars(relu).pop("forward", None)


class _Paper:
    """Fourier coefficients of decorrelated colours; shifted, turned and scaled at random; a price on roughness."""

    # Square root of the RGB covariance of photographs (measured on 9,866 of food), the longest column made 1:
    # brightness, orange-blue, magenta-green. Unit steps along them keep the colours of photographs.
    colours = torch.tensor([[0.561, 0.234, 0.064], [0.602, 0.004, -0.117], [0.568, -0.234, 0.062]])
    learning_rate = 0.12
    noise = 1.0
    smoothness = 10.0

    def __init__(self, start: Tensor | None, count: int, size: tuple[int, int], steps: int, seed: int, device) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.size, self.basis = size, self.colours.to(device)
        rows, columns = torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])
        frequency = (rows.square() + columns.square()).sqrt().clamp(min=1 / max(size))  # (H, W // 2 + 1), per px
        # Low frequencies move further, as they are stronger in photographs (there 1/f); 0.7 leaves enough to the fine
        # gratings that are all a first layer sees. Scaled so that unit coefficients make a picture of unit contrast.
        scale = frequency**-0.7
        self.scale = (scale / scale.square().mean().sqrt() / math.sqrt(2)).to(device)
        if start is None:
            noise = torch.randn(1, 3, *scale.shape, 2, generator=generator) * self.noise
            variables = noise.to(device).expand(count, -1, -1, -1, -1)
        else:
            light = torch.einsum("cr,nrhw->nchw", self.basis.inverse(), start.clamp(0.02, 0.98).logit())
            variables = torch.view_as_real(torch.fft.rfft2(light, norm="ortho") / self.scale)
        self.variables = variables.clone().requires_grad_()
        self.moves = torch.rand(steps, 4, generator=generator) * 2 - 1  # down, right, turn, zoom

    def pictures(self) -> Tensor:
        light = torch.fft.irfft2(torch.view_as_complex(self.variables) * self.scale, s=self.size, norm="ortho")
        return torch.einsum("rc,nchw->nrhw", self.basis, light).sigmoid()  # (N, 3, H, W)

    def rate(self, progress: float) -> float:
        return self.learning_rate * (1 + math.cos(math.pi * progress)) / 2

    def loss(self, run: Callable, channels: list[int], step: int) -> tuple[Tensor, Tensor]:
        pictures = self.pictures()
        maps = run(self._moved(pictures, self.moves[step].tolist()))
        edge = min(maps.shape[2:]) // 8  # the maps' edge answers to the padding, not to the picture
        inner = maps[:, :, edge : maps.shape[2] - edge, edge : maps.shape[3] - edge]
        own = _own(inner, channels)
        if own[0].numel() > 1:  # only where it is on: the mean of a plain convolution sees the mean colour, no pattern
            own = _LeakyGradient.apply(own)
        excited = own.mean((1, 2))  # (N,)
        rough = pictures.diff(dim=2).square().mean((1, 2, 3)) + pictures.diff(dim=3).square().mean((1, 2, 3))
        # The price is a share of what has been won, so it fits filters of any strength and spares those still off.
        self.first = excited.detach() if step == 0 else self.first
        won = (excited.detach() - self.first).relu()
        return (self.smoothness * rough * won - excited).sum(), excited

    def _moved(self, pictures: Tensor, move: list[float]) -> Tensor:
        (height, width), (down, right, turn, zoom) = self.size, move
        # The Fourier picture has no edges, so a shift may be of any length: every place is seen everywhere.
        pictures = pictures.roll((round(down * height / 2), round(right * width / 2)), (2, 3))
        angle, scale = math.radians(8 * turn), 1 + 0.1 * zoom
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        turned = torch.tensor([[cos, -sin * height / width, 0], [sin * width / height, cos, 0]], device=pictures.device)
        grid = F.affine_grid(turned.expand(len(pictures), 2, 3), list(pictures.shape), align_corners=False)
        return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False).contiguous(
            memory_format=torch.channels_last
        )


class _Course:
    """The pixels of photographs, and the sum of the filter's activation."""

    def __init__(self, start: Tensor) -> None:
        self.variables = start.clone().requires_grad_()  # (N, 3, H, W)

    def pictures(self) -> Tensor:
        flat = self.variables.flatten(1)
        low, high = (value[:, None, None, None] for value in (flat.amin(1), flat.amax(1)))
        return (self.variables - low) / (high - low).clamp(min=1e-12)

    def rate(self, progress: float) -> float:
        return 0.1

    def loss(self, run: Callable, channels: list[int], step: int) -> tuple[Tensor, Tensor]:
        excited = _own(run(self.variables), channels).sum((1, 2))
        return -excited.sum(), excited


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
        side = getattr(model, "input_size", 64) if size is None else operator.index(size)
        shape = (side, side)
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
