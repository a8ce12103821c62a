"""Checkpoints of the two networks of the lesson."""

import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from hw9.files import replacing
from hw9.vision.inference import unwrapped
from hw9.vision.networks import CompactCNN, CourseCNN

ARCHITECTURES = {"CourseCNN": CourseCNN, "CompactCNN": CompactCNN}
TELLING = {"CourseCNN": "cnn.0.weight", "CompactCNN": "features.3.conv1.weight"}  # an entry that tells it from others


def save_checkpoint(path: str | Path, model: nn.Module, metrics: dict) -> None:
    """Write the weights as safetensors with architecture, class names, input size and metrics in the header.

    The file appears whole or not at all.
    """
    path, model = Path(path).expanduser(), unwrapped(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "architecture": type(model).__name__,
        "class_names": list(model.class_names),
        "input_size": model.input_size,
        "metrics": metrics,
    }
    # Copies: safetensors refuses weights that two layers share.
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    with replacing(path) as part:
        save_file(weights, part, metadata={"hw9": json.dumps(facts, ensure_ascii=False)})


def load_checkpoint(path: str | Path, device: str | torch.device = "cpu") -> nn.Module:
    """The network a checkpoint holds, in eval mode on `device`, with `.class_names`, `.input_size`, `.metrics`.

    Reads this project's .safetensors files, the course's `checkpoint.pth` (a dict with `model_state_dict`, saved on
    CUDA), and any other .pth or .safetensors of the two networks: names may begin with `module.`, `_orig_mod.`,
    `model.` and the like, and the weights may lie within a larger dict. Weights of half precision become float32.
    Nothing in the file is executed. Raises FileNotFoundError, or ValueError saying what the file is instead.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        kind = "a folder, not a checkpoint" if path.is_dir() else "no checkpoint"
        raise FileNotFoundError(f"there is {kind} at {path}: give the path of a .safetensors or .pth file")
    check_device(device)
    with open(path, "rb") as file:
        start = file.read(10)
    # safetensors: 8 bytes of header length, then the JSON header.
    model, weights = _read_safetensors(path) if start[8:9] == b"{" else _read_torch(path)
    _fit(path, model, weights)
    return model.to(device).eval()


def check_device(device: str | torch.device) -> torch.device:
    """The device, or a ValueError saying that this machine has none such."""
    try:
        device = torch.device(device)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"there is no device {str(device)!r} here: use 'cpu' (or 'cuda' where a GPU is)") from error
    return device


def _read_safetensors(path: Path) -> tuple[nn.Module, dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("hw9", "{}"))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is damaged or cut short ({error}): copy or train it again") from error
    build = ARCHITECTURES.get(facts.get("architecture"))
    if build is None and "architecture" not in facts and (found := _recognised(weights)):
        return found
    if build is None:
        raise ValueError(
            f"{path} does not say which network it holds (found {facts.get('architecture')!r}): "
            f"load_checkpoint reads {' and '.join(ARCHITECTURES)} files written by save_checkpoint"
        )
    names = facts["class_names"]
    model = build(len(names)) if build is CompactCNN else build()
    model.class_names, model.input_size = tuple(names), facts["input_size"]
    model.metrics = facts["metrics"]
    return model, weights


def _read_torch(path: Path) -> tuple[nn.Module, dict[str, Tensor]]:
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} holds pickled Python objects (a NumPy number is one), not only tensors, or is no checkpoint at "
            "all; it was not opened, because such a file can run code: ask for the state_dict instead"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, LookupError) as error:
        program = "a TorchScript archive" if "TorchScript" in str(error) else "an exported program"
        if "TorchScript" in str(error) or path.suffix.lower() == ".pt2":  # both hold code, and hide their layers
            raise ValueError(
                f"{path} is {program}, whose code is not run here: save its network's state_dict() instead"
            ) from error
        raise ValueError(f"{path} is damaged or cut short: download or copy it again") from error
    candidates = list(_tables(saved))
    if not candidates:
        raise ValueError(f"{path} holds no weights: the course's file is a dict with the key 'model_state_dict'")
    return next(filter(None, map(_recognised, candidates)), (CourseCNN(), candidates[0]))


def _tables(saved: object) -> Iterator[dict[str, Tensor]]:
    """The dicts of named tensors in what was saved: itself, or what lies in it as model_state_dict, state_dict ..."""
    if not isinstance(saved, dict):
        return
    if saved and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in saved.items()):
        yield saved
    for value in saved.values():
        yield from _tables(value)


def _recognised(weights: dict[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]] | None:
    """The network whose weights these are, and the weights under its own names; None for another network's."""
    # module.: DataParallel, averaged models; _orig_mod.: torch.compile; they may stand before any part of a network.
    plain = {re.sub(r"\b(module|_orig_mod)\.", "", name): value for name, value in weights.items()}
    plain.pop("n_averaged", None)
    for architecture, entry in TELLING.items():
        place = next((name for name in plain if f".{name}".endswith(f".{entry}")), None)
        if place is not None:
            prefix = place.removesuffix(entry)
            own = {name.removeprefix(prefix): value for name, value in plain.items() if name.startswith(prefix)}
            last = own.get("head.3.weight")
            counted = architecture == "CompactCNN" and last is not None
            return (CompactCNN(len(last)) if counted else ARCHITECTURES[architecture]()), own
    return None


def _fit(path: Path, model: nn.Module, weights: dict[str, Tensor]) -> None:
    wanted = model.state_dict()
    counters = {name: value for name, value in wanted.items() if name.endswith("num_batches_tracked")}
    weights = counters | weights  # which only training uses, and some tools leave out
    missing, extra = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    if missing or extra:
        raise ValueError(
            f"{path} is not a {type(model).__name__} checkpoint: {len(missing)} entries are missing "
            f"({', '.join(missing[:2]) or 'none'}), {len(extra)} are unknown ({', '.join(extra[:2]) or 'none'}); for "
            "another network, build it in Python and call its load_state_dict"
        )
    for name, value in weights.items():
        if value.shape != wanted[name].shape:
            what = "has another number of classes" if value.shape[1:] == wanted[name].shape[1:] else "differs in size"
            raise ValueError(f"{path} {what}: {name} is {tuple(value.shape)}, not {tuple(wanted[name].shape)}")
        if not torch.isfinite(value.float()).all():
            raise ValueError(f"{path} is damaged: {name} holds NaN or infinite weights; copy or train it again")
    model.load_state_dict(weights)
