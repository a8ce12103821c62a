"""Work in chunks as the device's memory takes them; out of memory halves them. Rounding alone depends on their size."""

import math
import warnings
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
import torch

# Bytes of one chunk: more makes no kernel of a large GPU fuller (CourseCNN at 128 px: some 60 copies with gradients),
# and half of a T4's memory has room for them. So cards of 16 GB and of 80 GB work in the same chunks.
AT_MOST = 6 * 2**30
FORWARD = 64  # pictures at a time without gradients, before anything is measured
# What plain RuntimeErrors say of a full memory: processors (Linux, Windows), Apple's GPUs and CUDA; cuBLAS and cuDNN;
# cuDNN where no algorithm finds the room that it works in.
FULL = ("allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED", "ALLOCATION_FAILED")
FULL += ("unable to find an engine to execute this computation",)

T = TypeVar("T")


class Memory(Protocol):
    """What a device tells of its memory, in bytes."""

    def free(self) -> int:
        """What can still be taken."""

    def watch(self) -> None:
        """Begin to measure."""

    def taken(self) -> int:
        """What the work since `watch` took at its worst moment."""


class CudaMemory:
    """Memory of a CUDA device as torch's allocator counts it, on the processor: no call waits for the device.

    `watch` begins torch's own peak (`torch.cuda.max_memory_allocated`) anew.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.before = device, 0

    def free(self) -> int:
        unused = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return torch.cuda.mem_get_info(self.device)[0] + unused

    def watch(self) -> None:
        torch.cuda.reset_peak_memory_stats(self.device)
        self.before = torch.cuda.memory_allocated(self.device)

    def taken(self) -> int:
        return torch.cuda.max_memory_allocated(self.device) - self.before


def memory_of(device: torch.device) -> Memory | None:
    """The memory of a GPU; None for a processor, whose caches and not its memory say what is fast, and for Apple's."""
    return CudaMemory(device) if device.type == "cuda" else None


def at_first(height: int, width: int, most: int = FORWARD) -> int:
    """How many pictures to take at a time before anything is measured: of more than 128 x 128 px fewer, as a processor
    that runs out of memory kills the program instead of saying so."""
    return max(1, min(most, most * 128**2 // (height * width)))


def in_chunks(
    work: Callable[[int, int], T],
    count: int,
    chunk: int | None,
    *,
    begin: int = FORWARD,
    memory: Memory | None = None,
) -> list[T]:
    """What `work(start, stop)` returns over 0..count in chunks, in order; out of memory halves the chunk and warns.

    Without a `chunk` the first has `begin`, and where there is a `memory` to ask the others as many as fit into half of
    what is free, by what the first took, and into AT_MOST. `work` must keep nothing of a call that raised,
    so that the same range can be tried again.
    """
    if chunk is not None:
        begin, memory = check_whole("chunk", chunk), None
    start, chunk, done = 0, begin, []
    while start < count:
        stop = min(start + chunk, count)
        try:
            if memory:
                memory.watch()
            found = work(start, stop)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or stop - start == 1:
                raise
            chunk = max(1, (stop - start) // 2)
            warnings.warn(f"out of memory: going on with chunks of {chunk}", RuntimeWarning, stacklevel=3)
        else:
            done.append(found)
            if memory and stop < count:
                chunk, memory = _fitting(memory, stop - start, count - stop), None
            start = stop
            continue
        # Outside the except block: the traceback there would keep the failed tensors alive.
        for device in (torch.cuda, torch.mps):
            if device.is_available():
                device.empty_cache()
    return done


def _fitting(memory: Memory, done: int, left: int) -> int:
    """How many of those `left` to take at a time, where `done` took what `memory` says."""
    each = max(1, memory.taken() / done)
    most = max(1, int(min(memory.free() / 2, AT_MOST) / each))
    return math.ceil(left / math.ceil(left / most))  # alike: two of 12, not 20 and 4


def out_of_memory(error: BaseException) -> bool:
    """Whether this is the error of a device whose memory is full."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in FULL)


def check_whole(name: str, value: int) -> int:
    """`value` as an int; raises ValueError unless it is a whole number from 1 up."""
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1 up, not {value!r}")
    return int(value)


def moved(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """`values` on the device, without waiting for what it has still to do.

    From pinned memory alone can CUDA copy while it works on; torch keeps it until the copy is done.
    """
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()
    return values.to(device, non_blocking=device.type != "mps")
