"""What every explanation needs of a model: a frozen state, its fastest layout, checked inputs, work in chunks."""

import contextlib
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn


@contextlib.contextmanager
def frozen(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode without parameter gradients; on leaving, also by an exception, everything is as it was.

    Parameters that ask for no gradient save a third of the backward pass: only the input's gradient is computed.
    """
    modes = [(module, module.training) for module in model.modules()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        model.eval()
        for parameter, _ in wanted:
            parameter.requires_grad_(False)
        yield model
    finally:
        for module, training in modes:
            module.training = training
        for parameter, requires_grad in wanted:
            parameter.requires_grad_(requires_grad)


def device_of(model: nn.Module) -> torch.device:
    """The device of the model's parameters (the CPU if it has none)."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def fastest_layout(model: nn.Module, picture: Tensor) -> torch.memory_format:
    """The memory layout in which `model` is to get its pictures: channels_last where it takes it, else contiguous.

    On a CPU convolutions are a fifth faster in channels_last. A model that flattens its maps with `.view` refuses it:
    one pass of `picture` (1, 3, H, W), on the model's device, tells.
    """
    try:
        with frozen(model), torch.no_grad():
            model(picture.clone(memory_format=torch.channels_last))  # of one picture .contiguous may be no copy
    except RuntimeError:  # whatever else is wrong shows again, to the caller, in the contiguous layout
        return torch.contiguous_format
    return torch.channels_last


def check_whole(name: str, value: int) -> int:
    """`value` as an int; raises ValueError unless it is a whole number from 1 up."""
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1 up, not {value!r}")
    return int(value)


def check_images(images: Tensor) -> None:
    """Raise unless `images` is a finite floating-point (N, 3, H, W) tensor with at least one picture."""
    if not isinstance(images, Tensor):
        raise TypeError(f"images must be a torch tensor (N, 3, H, W), not {type(images).__name__}")
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ValueError(f"images must have shape (N, 3, H, W) with N, H, W > 0, not {tuple(images.shape)}")
    if not images.is_floating_point():
        raise TypeError(f"images must be floating point in [0, 1], not {images.dtype}: divide by 255 first")
    if not torch.isfinite(images).all():
        raise ValueError("images contain NaN or infinite values: look at how they were loaded")


def check_targets(targets: Tensor, count: int, classes: int | None = None) -> Tensor:
    """`targets` as an int64 (N,) tensor; raises unless there are `count` of them, each in 0..classes-1."""
    targets = torch.as_tensor(targets)
    if targets.is_floating_point() or targets.dtype == torch.bool:
        raise TypeError(f"targets must be class numbers (int64), not {targets.dtype}")
    if targets.shape != (count,):
        raise ValueError(f"targets must have shape ({count},), one class per picture, not {tuple(targets.shape)}")
    if classes is not None and count and (int(targets.min()) < 0 or int(targets.max()) >= classes):
        wrong = [int(t) for t in targets if not 0 <= t < classes]
        raise IndexError(f"target {wrong[0]} is out of range: the model has classes 0 to {classes - 1}")
    return targets.long()


def check_logits(logits: Tensor) -> Tensor:
    """The model's output, or an error when it is no finite (N, K) table of class scores."""
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        what = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"the model must return class scores (N, classes), not {what}")
    if not torch.isfinite(logits).all():
        raise ValueError("the model returns NaN or infinite scores: its weights are damaged, load a good checkpoint")
    return logits


def in_chunks(work: Callable[[int, int], None], count: int, chunk: int) -> None:
    """Call `work(start, stop)` over 0..count in chunks; out of memory halves the chunk, warns, and goes on.

    `work` must keep nothing of a call that raised, so that the same range can be tried again.
    """
    start, chunk = 0, check_whole("chunk", chunk)
    while start < count:
        stop = min(start + chunk, count)
        try:
            work(start, stop)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _out_of_memory(error) or stop - start == 1:
                raise
            chunk = max(1, (stop - start) // 2)
            warnings.warn(f"out of memory: going on with chunks of {chunk}", RuntimeWarning, stacklevel=3)
        else:
            start = stop
            continue
        # Outside the except block: the traceback there would keep the failed tensors alive.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _out_of_memory(error: BaseException) -> bool:
    # The CPU allocator raises a plain RuntimeError ("... can't allocate memory ...").
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error)


def predict(model: nn.Module, images: Tensor, *, chunk: int = 64) -> Tensor:
    """Class probabilities (N, K), on the CPU, of `images` (N, 3, H, W) in [0, 1]."""
    check_images(images)
    device, parts = device_of(model), {}

    def work(start: int, stop: int) -> None:
        parts[start] = check_logits(model(images[start:stop].to(device))).float().softmax(1).cpu()

    with frozen(model), torch.inference_mode():
        in_chunks(work, len(images), chunk)
    return torch.cat([parts[start] for start in sorted(parts)])
