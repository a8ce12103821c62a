"""A network loses its weights, stage by stage: what a map of it still shows, it did not have from the network."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from hw9.vision.inference import unwrapped


def randomised(model: nn.Module, *, seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """(stage, model) for each stage of layers, from the input upwards: that stage and all below have fresh weights.

    Each is a copy of its own, the given model stays as it is. A stage is a block of a Sequential with the norm that
    follows it; "fresh" is `reset_parameters` of its layers, as before training (Adebayo et al. 2018, "Sanity Checks
    for Saliency Maps", section 3). Not from the output downwards: all activations below would stay what they were, and
    maps look alike for that reason alone (Binder et al., CVPR 2023). Raises ValueError for weights that no layer can
    reset, for none may stay trained.
    """
    changed = copy.deepcopy(unwrapped(model))
    stages = _stages(changed)
    _check_all(changed, stages)
    for number, (name, modules) in enumerate(stages):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed * 1_000_003 + number)  # the GPUs' stay as they are
            for layer in (layer for module in modules for layer in module.modules()):
                if own := _own(layer):
                    if not hasattr(layer, "reset_parameters"):
                        what = f"{type(layer).__name__} with {len(own)} weights has no reset_parameters()"
                        raise ValueError(f"stage {name!r} cannot be randomised: {what}, give it one")
                    device = own[0].device
                    layer.cpu().reset_parameters()  # on the CPU every device gets the same numbers
                    layer.to(device)
        yield name, copy.deepcopy(changed)


def _own(layer: nn.Module) -> list[Tensor]:
    """What a layer itself has learnt: its parameters, and a norm's statistics, also where it has nothing else."""
    return [*layer.parameters(recurse=False), *(layer.buffers(recurse=False) if isinstance(layer, _NormBase) else ())]


def _check_all(model: nn.Module, stages: list[tuple[str, list[nn.Module]]]) -> None:
    """Raise ValueError for a parameter outside all stages: one of the model itself, or of what holds its blocks."""
    reached = {id(value) for _, modules in stages for module in modules for value in module.parameters()}
    if left := [name for name, value in model.named_parameters() if id(value) not in reached]:
        advice = "put it into a layer of its own that has reset_parameters()"
        raise ValueError(f"the parameter {left[0]!r} cannot be randomised, it lies in no layer: {advice}")


def _stages(model: nn.Module) -> list[tuple[str, list[nn.Module]]]:
    """Named groups of modules, in the order of their definition; a norm belongs to what it follows."""
    stages = []
    for name, module in _blocks(model, ""):
        if stages and isinstance(module, _NormBase):
            stages[-1][1].append(module)
        else:
            stages.append((name, [module]))
    if not stages:
        raise ValueError("the model has no weights to randomise")
    return stages


def _blocks(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    parts = [(name, part) for name, part in module.named_children() if any(_own(layer) for layer in part.modules())]
    for name, part in parts:
        inside = isinstance(part, nn.Sequential) or (len(parts) == 1 and any(True for _ in part.children()))
        yield from _blocks(part, f"{prefix}{name}.") if inside else [(prefix + name, part)]
