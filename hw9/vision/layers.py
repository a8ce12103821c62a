"""A layer by its index or name, and the forward pass that ends there."""

import contextlib
import difflib
import re
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from hw9.vision.inference import unwrapped


def find_layer(model: nn.Module, layer: int | str) -> nn.Module:
    """The module at an index of the feature Sequential (`model.cnn` or `model.features`), or of a dotted name.

    Names may begin with the `module.` of DataParallel or the `_orig_mod.` of torch.compile. Raises IndexError or
    KeyError whose message lists what there is near the wanted name, ValueError for a TorchScript model.
    """
    model = unwrapped(model)
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise ValueError("a TorchScript model hides its layers: give the torch.nn.Module that it was made from")
    if isinstance(layer, int):
        features = next(
            (m for name in ("cnn", "features") if isinstance(m := getattr(model, name, None), nn.Sequential)),
            None,
        )
        if features is None:
            raise KeyError("this model has no Sequential called cnn or features: give the layer's dotted name instead")
        if not 0 <= layer < len(features):
            last = f"{len(features) - 1} ({type(features[-1]).__name__})"
            raise IndexError(f"there is no layer {layer}: the features are numbered 0 to {last}")
        return features[layer]
    modules = dict(model.named_modules())
    inner = re.sub(r"^(?:(?:module|_orig_mod)\.)+", "", str(layer))
    if layer and (layer in modules or inner in modules):
        return modules[layer if layer in modules else inner]
    near = difflib.get_close_matches(str(layer), modules, n=5, cutoff=0.3) or [name for name in modules if name][:5]
    raise KeyError(f"there is no layer {layer!r}: near names are {', '.join(near)}")


class _Reached(Exception):
    """Carries a layer's output out of the model's forward, so that what lies behind it is never computed."""


@contextlib.contextmanager
def up_to(model: nn.Module, layer: int | str, channels: Sequence[int] = ()) -> Iterator[Callable[[Tensor], Tensor]]:
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

    model = unwrapped(model)
    handle = find_layer(model, layer).register_forward_hook(leave)
    try:
        yield run
    finally:
        handle.remove()


def finite(values: Tensor) -> Tensor:
    """`values`, or an error when some are NaN or infinite."""
    if not torch.isfinite(values).all():
        raise ValueError("the layer returns NaN or infinite values: the weights are damaged, load a good checkpoint")
    return values
