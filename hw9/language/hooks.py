"""Hooks that reach no further than the code that set them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def hooked(module: nn.Module, hook: Callable[..., Any], *, before: bool = False) -> Iterator[None]:
    """Inside, `hook` is a forward hook of `module` (`before`: a forward pre-hook), for this thread's passes only.

    JupyterLab hands what widgets ask to other threads of the kernel, while a cell runs: the explorer reads with the
    model as it is, and nothing of that gets into the cell's figures. Gone afterwards, also after an exception.
    """
    owner = threading.get_ident()

    def own(*given: Any) -> Any:
        return hook(*given) if threading.get_ident() == owner else None

    handle = module.register_forward_pre_hook(own) if before else module.register_forward_hook(own)
    try:
        yield
    finally:
        handle.remove()
