"""Gradients with respect to the pixels of altered copies of pictures: what gradient attributions are made of.

Pictures go through the model in its fastest memory layout, a chunk of copies at a time; no sum depends on the chunk.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hw9.vision.inference import (
    are_probabilities,
    check_images,
    check_logits,
    check_targets,
    device_of,
    fastest_layout,
    frozen,
    gradient,
    in_chunks,
)

# Network evaluations at a time, counted in pixels: 64 copies of 64x64, 16 of 128x128.
PIXELS_AT_A_TIME = 64 * 64 * 64


@contextlib.contextmanager
def differentiable(model: nn.Module) -> Iterator[nn.Module]:
    """The network frozen, in full precision, with gradients to the pixels, whatever the caller has switched on."""
    cudnn = torch.backends.cudnn
    exact = cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=False)
    plain = torch.autocast(device_of(model).type, enabled=False)
    with torch.inference_mode(False), torch.enable_grad(), plain, exact, frozen(model) as model:
        yield model


def sum_gradients(
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
    count, total = len(pictures), torch.zeros_like(pictures)

    def work(first: int, last: int) -> None:
        numbers = torch.arange(first, last)
        rows, draw = numbers % count, numbers // count
        values, logits = _gradients(model, copies(rows, draw), targets[rows], loss)
        if weigh is not None:
            values = weigh(rows, draw, values, logits)
        _add(total, values, first)  # last: nothing may fail after it

    in_chunks(work, draws * count, chunk_size(chunk, pictures))
    if not total.any():
        text = "the gradients are exactly 0 at every pixel of every picture: does the model round or cut off its input?"
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    return total.contiguous()


def _gradients(model: nn.Module, pictures: Tensor, targets: Tensor, loss: bool) -> tuple[Tensor, Tensor]:
    """Gradient of each picture's own class score (or loss), (B, 3, H, W), and the scores (B, K).

    In eval mode no picture's score depends on another picture, so one backward pass of their sum gives all gradients.
    """
    pictures = pictures.detach().requires_grad_()
    logits = check_logits(model(pictures))
    check_targets(targets, len(targets), logits.shape[1])
    if loss and are_probabilities(logits):
        value = F.nll_loss(logits.clamp_min(torch.finfo(logits.dtype).tiny).log(), targets, reduction="sum")
    else:
        value = F.cross_entropy(logits, targets, reduction="sum") if loss else logits.gather(1, targets[:, None]).sum()
    return gradient(value, pictures), logits.detach()


def _add(total: Tensor, values: Tensor, first: int) -> None:
    # total[number % N] += value, always in the order of the numbers: no chunk size changes a sum.
    done = 0
    while done < len(values):
        row = (first + done) % len(total)
        run = min(len(total) - row, len(values) - done)
        total[row : row + run] += values[done : done + run]
        done += run


def scores(model: nn.Module, pictures: Tensor, chunk: int | None) -> Tensor:
    """The model's scores (N, K) of `pictures`, without gradients."""
    parts = {}

    def work(first: int, last: int) -> None:
        parts[first] = check_logits(model(pictures[first:last]))

    with torch.no_grad():
        in_chunks(work, len(pictures), chunk_size(chunk, pictures))
    return torch.cat([parts[first] for first in sorted(parts)])


def on_device(model: nn.Module, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Checked pictures and targets on the device of a frozen model, the pictures in the precision of its weights.

    They lie in memory as the model takes them fastest, and so do copies of them (`pictures[rows]`).
    """
    check_images(images)
    targets = check_targets(targets, len(images))
    least = torch.promote_types(images.dtype, torch.float32)
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), least)
    pictures = images.detach().to(device_of(model), dtype)
    pictures = pictures.contiguous(memory_format=fastest_layout(model, pictures[:1]))
    return pictures, targets.to(device_of(model))


def chunk_size(chunk: int | None, pictures: Tensor) -> int:
    """`chunk`, or as many copies of these pictures (N, 3, H, W) as go through the model at a time."""
    return max(1, PIXELS_AT_A_TIME // pictures[0, 0].numel()) if chunk is None else chunk
