"""A network loses its weights, stage by stage: what a map of it still shows, it did not have from the network."""

import copy
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from hw9.vision.inference import unwrapped


def randomised(model: nn.Module, *, seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """(stage, model) for each stage of layers, from the input upwards: that stage and all below have fresh weights.

    Each is a copy of its own, the given model stays as it is. A stage is a block of a Sequential with the norm that
    follows it; "fresh" is `reset_parameters` of its layers, as before training (Adebayo et al. 2018, "Sanity Checks
    for Saliency Maps", section 3). Not from the output downwards: all activations below would stay what they were, and
    maps look alike for that reason alone (Binder et al., CVPR 2023).
    """
    changed = copy.deepcopy(unwrapped(model))
    for number, (name, modules) in enumerate(_stages(changed)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed * 1_000_003 + number)
            for layer in (layer for module in modules for layer in module.modules()):
                if own := list(layer.parameters(recurse=False)):
                    if not hasattr(layer, "reset_parameters"):
                        what = f"{type(layer).__name__} with {len(own)} weights has no reset_parameters()"
                        raise ValueError(f"stage {name!r} cannot be randomised: {what}, give it one")
                    device = own[0].device
                    layer.cpu().reset_parameters()  # on the CPU every device gets the same numbers
                    layer.to(device)
        yield name, copy.deepcopy(changed)


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
    parts = [(name, part) for name, part in module.named_children() if any(True for _ in part.parameters())]
    for name, part in parts:
        inside = isinstance(part, nn.Sequential) or (len(parts) == 1 and any(True for _ in part.children()))
        yield from _blocks(part, f"{prefix}{name}.") if inside else [(prefix + name, part)]
