"""One training loop for every network and data set of the lesson: progress, resume, best checkpoint, history."""

import contextlib
import copy
import functools
import math
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms import v2
from tqdm import tqdm

from hw9.notebook import weights_hash
from hw9.vision.augmentation import Augmentation
from hw9.vision.chunks import check_whole, moved
from hw9.vision.classifier import save_checkpoint
from hw9.vision.inference import device_of, unwrapped
from hw9.vision.precision import fast_dtype
from hw9.vision.predictions import evaluate
from hw9.vision.resuming import History, State, interrupts_wait

SAVED = 3  # the version of what a run is known by, and of what is saved beside that
SAMPLE = 16  # so many pictures tell one data set from another
Order = Callable[[int], np.ndarray]  # epoch -> row numbers (M,) as they are to be seen, batch after batch
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # logits (B, K), labels (B,) or shares (B, K), inputs -> scalar


def train(
    model: nn.Module,
    pictures: np.ndarray,
    labels: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    *,
    checkpoint: str | Path,
    epochs: int,
    augment: Augmentation | None = None,
    batch: int = 64,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.05,
    label_smoothing: float = 0.1,
    mix: float = 0.2,
    ema: float = 0.998,
    fixed: Iterable[nn.Module] = (),
    order: Order | None = None,
    loss: Loss | None = None,
    seed: int = 0,
    save_every: float = 120.0,
) -> History:
    """Train `model` in place on uint8 pictures (N, 3, H, W) and labels (N,); it ends with the best epoch's weights.

    Any network will do that has `class_names` and, for its checkpoint, `input_size`.

    AdamW (Loshchilov & Hutter 2019) under a one-cycle learning rate (Smith & Topin 2018), label smoothing, mixup with
    Beta(mix, mix) or CutMix in half of the steps (Zhang et al. 2018, Yun et al. 2019; `mix=0` switches both off), and
    an exponential moving average of the weights, which is what is validated and kept. bfloat16 where that pays.
    Modules of the model named in `fixed` stay as they are, their BatchNorm statistics too. `order` says which pictures
    an epoch shows (default: all of them, at random), `loss` what is minimised (default: cross-entropy with label
    smoothing); it also gets the varied pictures, so that a teacher can look at what the model has seen.

    The best weights go to `checkpoint` (.safetensors). Every `save_every` seconds, after each epoch and on an interrupt
    the whole state goes to `<checkpoint>.resume`, and the same call then goes on where it stopped: from the same first
    weights and pictures and with the same options (`augment`, `loss` and the later epochs of `order`, which are
    functions, cannot be compared: for others take another `checkpoint`). Any other call begins anew. The random numbers
    of a step depend on (seed, step) alone, so a resumed run gives what an uninterrupted one gives; on a GPU, whose
    fastest convolutions add in any order, but for rounding. No step waits for the device: the loss is read once an
    epoch, and whenever the state is saved.

    Raises ValueError for data or a model that does not fit and FloatingPointError when the loss is no longer finite.
    """
    epochs, batch = check_whole("epochs", epochs), check_whole("batch", batch)
    labels, checkpoint = np.asarray(labels), Path(checkpoint).expanduser()
    _check_data(model, pictures, labels, *validation)
    labels = labels.astype(np.int64)
    device, fixed = device_of(model), list(fixed)
    model.to(memory_format=torch.channels_last)
    average = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(_decay_groups(model, weight_decay), lr=learning_rate, fused=True)
    order = order or (lambda epoch: np.random.default_rng((seed, epoch)).permutation(len(labels)))
    order = functools.lru_cache(maxsize=1)(order)
    loss = loss or (lambda logits, wanted, _: F.cross_entropy(logits, wanted, label_smoothing=label_smoothing))
    shown = len(order(0))
    per_epoch = math.ceil(shown / batch)
    total = epochs * per_epoch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=max(total + 1, 6), pct_start=0.2
    )
    dtype = fast_dtype(device)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    mixers = (
        [v2.MixUp(alpha=mix, num_classes=classes_of(model)), v2.CutMix(num_classes=classes_of(model))] if mix else []
    )
    same_run = _same_run(model, fixed, pictures, labels, order(0))
    options = [epochs, batch, learning_rate, weight_decay, label_smoothing, mix, ema, seed]
    same_run.append([float(number) for number in options])  # NumPy's would make the saved state unreadable
    state = State(checkpoint, same_run, [model, average, optimizer, schedule, scaler])
    step, spent, loss_sum, history = state.load()
    loss_sum = torch.tensor(loss_sum, device=device)
    store, known = _resident(pictures, device), torch.from_numpy(labels).to(device)

    def one_step() -> int:
        torch.manual_seed(seed * 1_000_003 + step)
        epoch, inside = divmod(step, per_epoch)
        rows = np.sort(order(epoch)[inside * batch : (inside + 1) * batch])  # sorted: the pictures may lie on a disk
        places = moved(torch.from_numpy(rows), device)
        inputs = store[places] if isinstance(store, Tensor) else moved(torch.from_numpy(store[rows]), device)
        inputs = augment(inputs, step / total) if augment else inputs.float() / 255
        wanted = known[places]
        if mixers and torch.rand(()) < 0.5:
            # They mix neighbours, and sorted rows of Food-11 are sorted by class.
            apart = moved(torch.randperm(len(rows)), device)
            inputs, wanted = mixers[int(torch.rand(()) < 0.5)](inputs[apart], wanted[apart])
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        model.train()
        for module in fixed:
            module.eval()
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            logits = model(inputs)  # (B, K)
            value = loss(logits.float(), wanted, inputs)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(value).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
        _follow(average, model, step, ema)
        loss_sum.add_(value.detach(), alpha=len(rows))
        return inputs.shape[-1]

    def loss_so_far() -> float:
        found = float(loss_sum)
        if not math.isfinite(found):
            raise FloatingPointError(f"the loss is {found} by step {step}: take a smaller learning_rate")
        return found

    best: dict[str, Tensor] | None = None  # beside the file: another kernel may write to the same one
    start = last_save = time.monotonic()
    bar = tqdm(total=total, initial=step, file=sys.stdout, desc="training", unit="step", mininterval=1, ncols=100)
    with bar, interrupts_wait() as interrupted, _without_gradients(fixed), _forked(device):
        while step < total:
            size = one_step()
            step += 1
            bar.update()
            now = time.monotonic()
            if step % per_epoch == 0:
                record = {"epoch": step // per_epoch, "size": size, "loss": loss_so_far() / shown}
                result = evaluate(average, *validation)
                record |= {"accuracy": result.accuracy, "learning_rate": schedule.get_last_lr()[0]}
                history.epochs.append(record | {"seconds": round(spent + time.monotonic() - start, 1)})
                bar.set_postfix(loss=f"{record['loss']:.2f}", validation=f"{result.accuracy:.1%}")
                if history.best is history.epochs[-1]:
                    per_class = [round(float(share), 4) for share in result.per_class]
                    save_checkpoint(checkpoint, average, history.best | {"per_class": per_class})
                    best = copy.deepcopy(unwrapped(average).state_dict())
                loss_sum.zero_()
            if step % per_epoch == 0 or now - last_save > save_every or interrupted.is_set():
                state.save(step, spent + now - start, loss_so_far(), history)
                last_save = now
            if interrupted.is_set():
                bar.close()
                print(f"Interrupted after {step} of {total} steps. Run the same cell again: it goes on from there.")
                raise KeyboardInterrupt
    state.path.unlink(missing_ok=True)
    unwrapped(model).load_state_dict(best or load_file(checkpoint))
    model.eval()
    return history


def _same_run(
    model: nn.Module, fixed: Iterable[nn.Module], pictures: np.ndarray, labels: np.ndarray, order: np.ndarray
) -> list:
    """By what a run is known again, beside its options: the network, what learns, the pictures and their order."""
    held = {id(parameter) for module in fixed for parameter in module.parameters()}
    return [
        SAVED,
        type(model).__name__,
        weights_hash(model),
        [name for name, parameter in model.named_parameters() if id(parameter) not in held],
        list(pictures.shape),
        zlib.crc32(np.ascontiguousarray(pictures[:: max(1, len(pictures) // SAMPLE)])),
        *(zlib.crc32(np.ascontiguousarray(part)) for part in (labels, order)),
    ]


def _forked(device: torch.device) -> contextlib.AbstractContextManager:
    """The global random numbers, of the CPU and of the GPU that trains, are afterwards as they were."""
    if device.type == "cpu":
        return torch.random.fork_rng([])
    return torch.random.fork_rng([device], device_type=device.type)


@contextlib.contextmanager
def _without_gradients(modules: list[nn.Module]) -> Iterator[None]:
    """Below the first module that learns no gradient is computed at all, which saves a third of the work."""
    asking = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    try:
        for parameter in asking:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)


def toward(model: nn.Module, other: nn.Module, share: float) -> None:
    """Move every weight of `model` by `share` of the way to that of `other`, in place.

    The mean of a network before and after fine-tuning often does better on what neither was tuned on than either
    (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    """
    with torch.no_grad():
        for mine, others in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(others.to(mine), share)


def classes_of(model: nn.Module) -> int:
    """How many classes the model tells apart."""
    return len(model.class_names)


def _check_data(model: nn.Module, *arrays: np.ndarray) -> None:
    if lacking := [name for name in ("class_names", "input_size") if not hasattr(model, name)]:
        raise ValueError(f"the {type(model).__name__} has no {lacking[0]}, which its checkpoint keeps: set it")
    for pictures, labels in (arrays[:2], arrays[2:]):
        if len(pictures) == 0 or len(pictures) != len(labels):
            raise ValueError(
                f"{len(pictures)} pictures and {len(labels)} labels: give as many labels as pictures, not 0"
            )
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3:
            raise ValueError(f"pictures must be uint8 (N, 3, H, W), not {pictures.dtype} {pictures.shape}")
        low, high = int(np.min(labels)), int(np.max(labels))
        if low < 0 or high >= classes_of(model):
            raise ValueError(f"labels go from {low} to {high}, the model has classes 0 to {classes_of(model) - 1}")


def _resident(pictures: np.ndarray, device: torch.device) -> np.ndarray | Tensor:
    """All pictures on a GPU where they leave half of its free memory free, else where they are."""
    if device.type == "cuda" and pictures.nbytes <= torch.cuda.mem_get_info(device)[0] / 2:
        return torch.from_numpy(np.ascontiguousarray(pictures)).to(device)
    return pictures


def _decay_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    # Biases and BatchNorm scales are not decayed (He et al. 2019, "Bag of Tricks", 3.1).
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


@torch.no_grad()
def _follow(average: nn.Module, model: nn.Module, step: int, decay: float) -> None:
    """Move the averages by one step towards the model's weights and statistics; step 0 copies them.

    A young average forgets faster, or it would still hold the random start. (AveragedModel of torch waits for the
    device to know its age.)
    """
    weight = 1 - min(decay, (1 + step) / (10 + step)) if step else 1.0
    pairs = list(zip(average.state_dict().values(), model.state_dict().values(), strict=True))
    pairs = list({own.data_ptr(): (own, other) for own, other in pairs}.values())  # layers may share weights
    floats = [pair for pair in pairs if pair[0].is_floating_point()]
    torch._foreach_lerp_([own for own, _ in floats], [other for _, other in floats], weight)
    for own, other in pairs:
        if not own.is_floating_point():
            own.copy_(other)
