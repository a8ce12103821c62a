"""Training pictures varied at random, a whole batch at a time on whatever device it lies on."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Augmentation = Callable[[Tensor, float], Tensor]
GREY = (0.299, 0.587, 0.114)  # weights of red, green and blue in brightness (ITU-R BT.601)


def augmentation(size: int, *, strength: float = 1.0, first_size: int | None = None) -> Augmentation:
    """Random crop, flip, small turn, colour and noise, each picture its own; (uint8 (B, 3, H, W), progress) -> float32
    (B, 3, s, s) in [0, 1] on the same device.

    `progress` in [0, 1] says how much of the training is over: `first_size` starts on smaller pictures and grows to
    `size` over the first 70 % of it. Early epochs then cost a fraction, and the last ones see pictures as they will be
    used (Touvron et al. 2019). With `strength` 0 pictures are only flipped and resized. Random numbers are torch's.
    """

    def augment(pictures: Tensor, progress: float) -> Tensor:
        return noisy(recoloured(cropped(pictures, side(progress), strength), strength), strength)

    def side(progress: float) -> int:
        if first_size is None or progress >= 0.7:
            return size
        grown = first_size + (size - first_size) * progress / 0.7
        return min(size, max(8, round(grown / 8) * 8))  # few different sizes, each of them fast

    return augment


def cropped(pictures: Tensor, side: int, strength: float) -> Tensor:
    """A crop of at least 1 - 0.65 x strength of each picture's area and of ratio 3:4 to 4:3, some turned by up to 15
    degrees, half of them mirrored: uint8 (B, 3, H, W) -> float32 (B, 3, side, side) in [0, 1]."""
    count, device = len(pictures), pictures.device
    images = pictures.float() / 255
    if images.shape[-1] > 1.2 * side:  # shrink with antialiasing; the sampling below has none
        images = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True, align_corners=False)

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(count, device=device).uniform_(low, high)

    area, ratio = uniform(1 - 0.65 * strength, 1), (uniform(-1, 1) * math.log(4 / 3) * min(1, 2 * strength)).exp()
    w, h = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    x, y = uniform(-1, 1) * (1 - w), uniform(-1, 1) * (1 - h)
    turn = uniform(-1, 1) * math.radians(15) * (uniform(0, 1) < 0.5 * strength)
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = turn.cos(), turn.sin()
    rows = [torch.stack([flip * w * cos, -h * sin, x], 1), torch.stack([flip * w * sin, h * cos, y], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), [count, 3, side, side], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def recoloured(images: Tensor, strength: float) -> Tensor:
    """Half of the pictures (B, 3, H, W) in [0, 1] in another brightness, contrast, saturation and tint; a few grey."""
    count, device, most = len(images), images.device, 0.35 * strength
    chosen = torch.rand(count, 1, 1, 1, device=device) < 0.5

    def factor(reach: float, channels: int = 1) -> Tensor:
        spread = torch.empty(count, channels, 1, 1, device=device).uniform_(-reach, reach)
        return torch.where(chosen, 1 + spread, 1.0)

    images = images * factor(most) * factor(0.15 * strength, 3)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (images - mean) * factor(most)
    grey = sum(weight * images[:, k : k + 1] for k, weight in enumerate(GREY))
    colourless = torch.rand(count, 1, 1, 1, device=device) < 0.05 * strength
    return (grey + (images - grey) * torch.where(colourless, 0.0, factor(most))).clamp(0, 1)


def noisy(images: Tensor, strength: float) -> Tensor:
    """Half of the pictures (B, 3, H, W) in [0, 1] with the noise of a poor camera, of up to 0.3 x strength."""
    most = torch.empty(len(images), 1, 1, 1, device=images.device).uniform_(-0.3 * strength, 0.3 * strength)
    return (images + most.clamp(min=0) * torch.randn_like(images)).clamp(0, 1)
