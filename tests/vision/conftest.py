"""A device that is pretended, to count how often work waits for it."""

import contextlib
from collections import Counter

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

ASKED = {"tolist": [True, False, False], "__bool__": True, "__int__": 1, "__float__": 0.5, "item": 0.5}
SHAPED = ("cpu", "numpy", "nonzero", "masked_select")


class Pretend(TorchFunctionMode):
    """Torch's device "meta", which computes nothing, as if it were a GPU: `waits` counts what would wait for it.

    That is a value asked for, a mask as an index, and a copy either way unless it is said not to block. What comes
    from the device is made up.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter = Counter()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(function, "__name__", "")
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if first is not None and first.is_meta and name in ASKED:
            self.waits[name] += 1
            return ASKED[name]
        if first is not None and first.is_meta and name in SHAPED:
            self.waits[name] += 1
            return made_up(first)
        if first is not None and name == "to":
            goals = [part for part in (*args[1:], *kwargs.values()) if isinstance(part, torch.device | str)]
            if goals and torch.device(goals[0]).type != first.device.type:
                if not kwargs.get("non_blocking", False):
                    self.waits["to"] += 1
                return made_up(first) if first.is_meta else function(*args, **kwargs)
        if first is not None and first.is_meta and name in ("__getitem__", "__setitem__"):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            tensors = [part for part in index if isinstance(part, Tensor) and part.ndim]
            if any(not part.is_meta or part.dtype == torch.bool for part in tensors):
                self.waits[name] += 1
        return function(*args, **kwargs)


def made_up(like: Tensor) -> Tensor:
    """Numbers in [0, 1) on the CPU, of that shape and type."""
    return torch.rand(like.shape).to(like.dtype)


@pytest.fixture()
def pretend(monkeypatch) -> type[Pretend]:
    """To be entered around work on models whose weights are on "meta"."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # there is none for "meta"
    return Pretend
