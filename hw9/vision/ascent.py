"""Ways a picture climbs towards what excites a filter: the paper's and the course's; gradients where a ReLU is off."""

import contextlib
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
def climbable(model: nn.Module, *, leaky: bool = True) -> Iterator[None]:
    """Inside, if `leaky`, each nn.ReLU computes what it did, with `_LeakyGradient`.

    The convolutions' weights lie channels last, which the kernels like best; their values stay.
    """
    relus = [module for module in model.modules() if type(module) is nn.ReLU and "forward" not in vars(module)]
    weights = [(parameter, parameter.data) for parameter in model.parameters() if parameter.ndim == 4]
    try:
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


class Paper:
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


class Course:
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


def _own(maps: Tensor, channels: list[int]) -> Tensor:
    """Of each picture the map of its own channel: (N, C, h, w) -> (N, h, w)."""
    return maps[torch.arange(len(channels)), channels]
