"""Gradients with respect to the pixels of altered copies of pictures: what gradient attributions are made of.

Pictures go through the model in its fastest memory layout, a chunk of copies at a time; no sum depends on the chunk.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hw9.vision.chunks import T, in_chunks, memory_of
from hw9.vision.inference import (
    are_probabilities,
    check_images,
    check_logits,
    check_scores,
    check_targets,
    damaged,
    device_of,
    fastest_layout,
    frozen,
    gradient,
)
from hw9.vision.precision import convolutions

# Network evaluations at a time, counted in pixels: 64 copies of 64x64, 16 of 128x128. So a processor does best.
PIXELS_AT_A_TIME = 64 * 64 * 64


@dataclass(frozen=True)
class Copies:
    """A chunk of altered copies: their `numbers`, and on the device the `rows` (B,) of their pictures and `draws` (B,).

    They are numbered draw by draw, draw * N + row.
    """

    numbers: range
    rows: Tensor
    draws: Tensor


@contextlib.contextmanager
def differentiable(model: nn.Module, *, exact: bool = True) -> Iterator[nn.Module]:
    """The network frozen, with gradients to the pixels, whatever the caller has switched on.

    `exact` is that of `convolutions`.
    """
    plain = torch.autocast(device_of(model).type, enabled=False)
    with torch.inference_mode(False), torch.enable_grad(), plain, convolutions(exact=exact), frozen(model) as model:
        yield model


def sum_gradients(
    model: nn.Module,
    pictures: Tensor,
    targets: Tensor,
    draws: int,
    copies: Callable[[Copies], Tensor],
    weigh: Callable[[Copies, Tensor, Tensor], Tensor] | None = None,
    *,
    loss: bool = False,
    chunk: int | None = None,
) -> Tensor:
    """Sum over `draws` altered copies of every picture of their gradients, or of what `weigh` makes of them, (N, ...).

    Every chunk but the last is full, and only one chunk of copies exists at a time. `copies(part)` makes them,
    (B, 3, H, W); `weigh(part, gradients, logits)` may be called again for the same copies. The device is waited for at
    the first chunk, whose scores are looked at, and at the end; between them it never runs dry.
    """
    count, total = len(pictures), torch.zeros_like(pictures)
    seen = {"finite": torch.ones((), dtype=torch.bool, device=pictures.device)}

    def work(first: int, last: int) -> None:
        numbers = torch.arange(first, last, device=pictures.device)
        part = Copies(range(first, last), numbers % count, numbers // count)
        inputs = copies(part).detach().requires_grad_()
        logits = check_scores(model(inputs))
        if first == 0:  # of all chunks alike, and before any target is looked up
            check_targets(targets, count, check_logits(logits).shape[1])
            seen["probabilities"] = loss and are_probabilities(logits)
        values = gradient(_explained(logits, targets[part.rows], loss, seen["probabilities"]), inputs)
        if weigh is not None:
            values = weigh(part, values, logits.detach())
        seen["finite"] = seen["finite"] & torch.isfinite(logits.detach()).all()
        _add(total, values, first)  # last: nothing may fail after it

    in_turn(work, draws * count, chunk, pictures)
    if not seen["finite"]:
        raise damaged()
    if not total.any():
        text = "the gradients are exactly 0 at every pixel of every picture: does the model round or cut off its input?"
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    return total.contiguous()


def _explained(logits: Tensor, targets: Tensor, loss: bool, probabilities: bool) -> Tensor:
    """The sum of each picture's own class score, or loss.

    In eval mode no picture's score depends on another picture, so one backward pass of their sum gives all gradients.
    """
    if not loss:
        return logits.gather(1, targets[:, None]).sum()
    if probabilities:
        return F.nll_loss(logits.clamp_min(torch.finfo(logits.dtype).tiny).log(), targets, reduction="sum")
    return F.cross_entropy(logits, targets, reduction="sum")


def _add(total: Tensor, values: Tensor, first: int) -> None:
    # total[number % N] += value, always in the order of the numbers: no chunk size changes a sum.
    done = 0
    while done < len(values):
        row = (first + done) % len(total)
        run = min(len(total) - row, len(values) - done)
        total[row : row + run] += values[done : done + run]
        done += run


def scores(model: nn.Module, pictures: Tensor, chunk: int | None) -> Tensor:
    """The model's scores (N, K) of `pictures`, without gradients and exact."""

    def work(first: int, last: int) -> Tensor:
        return check_scores(model(pictures[first:last]))

    with torch.no_grad(), convolutions(exact=True):
        return check_logits(torch.cat(in_turn(work, len(pictures), chunk, pictures)))


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


def in_turn(work: Callable[[int, int], T], count: int, chunk: int | None, pictures: Tensor) -> list[T]:
    """`in_chunks` for `count` copies of `pictures` (N, 3, H, W), beginning with as many as a processor does best."""
    begin = max(1, PIXELS_AT_A_TIME // pictures[0, 0].numel())
    return in_chunks(work, count, chunk, begin=begin, memory=memory_of(pictures.device))
