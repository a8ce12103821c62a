"""A layer by its index or name, and the forward pass that ends there."""

import contextlib
import difflib
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from hw9.vision.inference import check_images, device_of, frozen, unwrapped
from hw9.vision.precision import held

# What passes maps on without filters of its own, and containers, whose last layer is named instead.
PASSING = (nn.Sequential, nn.ModuleList, nn.Identity, nn.Dropout, nn.MaxPool2d, nn.AvgPool2d)
PASSING += (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
KINDS = {nn.Conv2d: "convolution", nn.BatchNorm2d: "BatchNorm"}  # others go by the name of their class


def find_layer(model: nn.Module, layer: int | str) -> nn.Module:
    """The module at an index of the feature Sequential (`model.cnn` or `model.features`), or of a dotted name.

    Names may begin with the `module.` of DataParallel or the `_orig_mod.` of torch.compile. Raises IndexError or
    KeyError whose message lists what there is near the wanted name, ValueError for a TorchScript model.
    """
    model = unwrapped(model)
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise ValueError("a TorchScript model hides its layers: give the torch.nn.Module that it was made from")
    if hasattr(layer, "__index__") and not isinstance(layer, bool):
        layer = operator.index(layer)  # NumPy's numbers as well
        features = _features(model)
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


def layers_to_show(model: nn.Module, image: Tensor, *, count: int = 4) -> dict[int | str, str]:
    """Up to `count` layers, early to late, whose filters tell most of how the model sees: {layer: what it is}.

    The first convolution, and from there on the last layer of stages (maps of one size) spread evenly over the depth,
    the deepest among them; all layers, where the size hardly changes. `image` (1, 3, H, W) in [0, 1] is passed through
    once. A layer is named as `find_layer` takes it: by its index in the feature Sequential, or by its dotted name.
    Raises ValueError for a model without maps.
    """
    check_images(image)
    model = unwrapped(model)
    features = _features(model)
    numbers = {} if features is None else {module: index for index, module in enumerate(features)}
    seen: list[tuple[str, nn.Module, tuple[int, int]]] = []  # in the order in which they are done: outer after inner

    def note(name: str, module: nn.Module, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
            seen.append((name, module, tuple(output.shape[2:])))

    with frozen(model) as net, contextlib.ExitStack() as stack, torch.no_grad():
        for name, module in model.named_modules():
            if name and not isinstance(module, PASSING):
                hook = module.register_forward_hook(lambda m, _, output, name=name: note(name, m, output))
                stack.callback(hook.remove)
        net(image[:1].to(device_of(model), held(image.dtype, device_of(model))))
    used = Counter(name for name, _, _ in seen)
    seen = [entry for entry in seen if used[entry[0]] == 1]  # of one that is used again only the first maps are seen
    if not seen:
        raise ValueError("this model has no layer with maps (N, C, h, w): its filters cannot be shown as pictures")
    first = next((number for number, (_, module, _) in enumerate(seen) if isinstance(module, nn.Conv2d)), 0)
    stages = {size: number for number, (_, _, size) in enumerate(seen)}  # the last layer of each size
    marks = sorted({first, *(number for number in stages.values() if seen[number][2] != seen[first][2])})
    if len(marks) < min(count, len(seen)):  # hardly any change of size: spread over all layers instead
        marks = list(range(first, len(seen)))
    steps = [marks[round(k * (len(marks) - 1) / max(1, count - 1))] for k in range(count)]
    chosen = [seen[number] for number in dict.fromkeys(steps)]
    return {numbers.get(module, name): KINDS.get(type(module), type(module).__name__) for name, module, _ in chosen}


def _features(model: nn.Module) -> nn.Sequential | None:
    """The Sequential whose layers are known by their index, if the model has one."""
    parts = (getattr(model, name, None) for name in ("cnn", "features"))
    return next((part for part in parts if isinstance(part, nn.Sequential)), None)


def finite(values: Tensor) -> Tensor:
    """`values`, or an error when some are NaN or infinite."""
    if not torch.isfinite(values).all():
        raise ValueError("the layer returns NaN or infinite values: the weights are damaged, load a good checkpoint")
    return values
