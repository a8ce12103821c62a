"""One training loop for every network and data set of the lesson: progress, resume, best checkpoint, history."""

import contextlib
import functools
import math
import os
import pickle
import signal
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel
from torchvision.transforms import v2
from tqdm import tqdm

from hw9.vision.augmentation import Augmentation
from hw9.vision.classifier import load_checkpoint, save_checkpoint
from hw9.vision.inference import device_of, predict

Order = Callable[[int], np.ndarray]  # epoch -> row numbers (M,) as they are to be seen, batch after batch
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # logits (B, K), labels (B,) or shares (B, K), inputs -> scalar


@dataclass
class History:
    """One dict per epoch in `epochs`: epoch, size, loss, accuracy (validation, in [0, 1]), learning_rate, seconds."""

    epochs: list[dict] = field(default_factory=list)

    @property
    def best(self) -> dict:
        """The epoch with the highest validation accuracy, whose weights are in the checkpoint."""
        return max(self.epochs, key=lambda epoch: epoch["accuracy"])


@dataclass
class Evaluation:
    """What a model says of labelled pictures: probabilities (N, K), labels (N,), confusion (K, K) true x predicted."""

    probabilities: np.ndarray
    labels: np.ndarray
    confusion: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of all pictures named right."""
        return float(self.confusion.trace() / max(self.confusion.sum(), 1))

    def surest_mistakes(self, count: int) -> np.ndarray:
        """Row numbers of the `count` mistakes of highest probability, one of each confusion, surest first."""
        said = self.probabilities.argmax(1)
        wrong = np.flatnonzero(said != self.labels)
        wrong = wrong[np.argsort(-self.probabilities[wrong].max(1), kind="stable")]
        # One of each confusion, or a single one would fill the figure.
        first = np.unique(np.stack([self.labels[wrong], said[wrong]]), axis=1, return_index=True)[1]
        return wrong[np.sort(first)][:count]

    @property
    def per_class(self) -> np.ndarray:
        """Share of each class's pictures named right (recall), (K,); NaN for a class without pictures."""
        count = self.confusion.sum(1)
        return np.divide(self.confusion.diagonal(), count, out=np.full(len(count), np.nan), where=count > 0)


def as_float(pictures: np.ndarray | Tensor) -> Tensor:
    """uint8 pictures (N, 3, H, W) in 0..255 -> float32 in [0, 1]."""
    return torch.as_tensor(np.asarray(pictures)).float() / 255


def evaluate(model: nn.Module, pictures: np.ndarray, labels: np.ndarray, *, chunk: int = 256) -> Evaluation:
    """Class probabilities, accuracy and confusion matrix on uint8 pictures (N, 3, H, W) with labels (N,)."""
    labels = np.asarray(labels)
    parts = [predict(model, as_float(pictures[i : i + chunk]), chunk=chunk) for i in range(0, len(labels), chunk)]
    probabilities = torch.cat(parts).numpy()  # (N, K)
    classes = probabilities.shape[1]
    if labels.max() >= classes:
        what = f"the network tells {classes} classes apart, and there is a picture of class {labels.max()}"
        raise ValueError(f"{what}: give one whose last layer has an output for each class")
    confusion = np.bincount(labels * classes + probabilities.argmax(1), minlength=classes**2)
    return Evaluation(probabilities, labels, confusion.reshape(classes, classes))


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

    AdamW (Loshchilov & Hutter 2019) under a one-cycle learning rate (Smith & Topin 2018), label smoothing, mixup with
    Beta(mix, mix) or CutMix in half of the steps (Zhang et al. 2018, Yun et al. 2019; `mix=0` switches both off), and
    an exponential moving average of the weights, which is what is validated and kept. bfloat16 where that pays.
    Modules of the model named in `fixed` stay as they are, their BatchNorm statistics too. `order` says which pictures
    an epoch shows (default: all of them, at random), `loss` what is minimised (default: cross-entropy with label
    smoothing); it also gets the varied pictures, so that a teacher can look at what the model has seen.

    The best weights go to `checkpoint` (.safetensors). Every `save_every` seconds, after each epoch and on an interrupt
    the whole state goes to `<checkpoint>.resume`, and the same call then goes on where it stopped. The random numbers
    of a step depend on (seed, step) alone, so a resumed run gives what an uninterrupted one gives.

    Raises ValueError for data that does not fit and FloatingPointError when the loss is no longer finite.
    """
    labels, checkpoint = np.asarray(labels), Path(checkpoint)
    _check_data(model, pictures, labels, *validation)
    device, fixed = device_of(model), list(fixed)
    model.to(memory_format=torch.channels_last)
    average = AveragedModel(model, multi_avg_fn=_moving_average(ema), use_buffers=True)
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
    dtype = _fast_dtype(device)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    mixers = (
        [v2.MixUp(alpha=mix, num_classes=classes_of(model)), v2.CutMix(num_classes=classes_of(model))] if mix else []
    )
    same_run = [
        type(model).__name__,
        len(labels),
        zlib.crc32(labels.tobytes()),
        zlib.crc32(order(0).tobytes()),
        epochs,
        batch,
        learning_rate,
        seed,
    ]
    state = _State(checkpoint, same_run, [model, average, optimizer, schedule, scaler])
    step, spent, loss_sum, history = state.load()
    store = _resident(pictures, device)

    def one_step() -> tuple[float, int]:
        torch.manual_seed(seed * 1_000_003 + step)
        epoch, inside = divmod(step, per_epoch)
        rows = np.sort(order(epoch)[inside * batch : (inside + 1) * batch])  # sorted: the pictures may lie on a disk
        inputs = _rows(store, rows, device)
        inputs = augment(inputs, step / total) if augment else inputs.float() / 255
        wanted = torch.from_numpy(labels[rows]).to(device)
        if mixers and torch.rand(()) < 0.5:
            apart = torch.randperm(len(rows))  # they mix neighbours, and sorted rows of Food-11 are sorted by class
            inputs, wanted = mixers[int(torch.rand(()) < 0.5)](inputs[apart], wanted[apart])
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        model.train()
        for module in fixed:
            module.eval()
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            logits = model(inputs)  # (B, K)
            value = loss(logits.float(), wanted, inputs)
        if not torch.isfinite(value):
            raise FloatingPointError(f"the loss is {value.item()} at step {step}: take a smaller learning_rate")
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(value).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        scaler.step(optimizer)
        scaler.update()
        schedule.step()
        average.update_parameters(model)
        return value.item() * len(rows), inputs.shape[-1]

    start = last_save = time.monotonic()
    bar = tqdm(total=total, initial=step, file=sys.stdout, desc="training", unit="step", mininterval=1, ncols=100)
    with (
        bar,
        _interrupts_wait() as interrupted,
        _without_gradients(fixed),
        _forked(device),
    ):
        while step < total:
            value, size = one_step()
            step, loss_sum = step + 1, loss_sum + value
            bar.update()
            now = time.monotonic()
            if step % per_epoch == 0:
                result = evaluate(average.module, *validation)
                record = {"epoch": step // per_epoch, "size": size, "loss": loss_sum / shown}
                record |= {"accuracy": result.accuracy, "learning_rate": schedule.get_last_lr()[0]}
                history.epochs.append(record | {"seconds": round(spent + time.monotonic() - start, 1)})
                bar.set_postfix(loss=f"{record['loss']:.2f}", validation=f"{result.accuracy:.1%}")
                if history.best is history.epochs[-1]:
                    per_class = [round(float(share), 4) for share in result.per_class]
                    save_checkpoint(checkpoint, average.module, history.best | {"per_class": per_class})
                loss_sum = 0.0
            if step % per_epoch == 0 or now - last_save > save_every or interrupted.is_set():
                state.save(step, spent + now - start, loss_sum, history)
                last_save = now
            if interrupted.is_set():
                bar.close()
                print(f"Interrupted after {step} of {total} steps. Run the same cell again: it goes on from there.")
                raise KeyboardInterrupt
    state.path.unlink(missing_ok=True)
    model.load_state_dict(load_checkpoint(checkpoint).state_dict())
    model.eval()
    return history


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[threading.Event]:
    """Ctrl-C sets the event instead of breaking a step in the middle, where the weights are half changed."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread gets signals
        yield asked
        return
    before = signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


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


def _rows(store: np.ndarray | Tensor, rows: np.ndarray, device: torch.device) -> Tensor:
    if isinstance(store, Tensor):
        return store[torch.from_numpy(rows).to(device)]
    return torch.from_numpy(np.ascontiguousarray(store[rows])).to(device)


def _fast_dtype(device: torch.device) -> torch.dtype | None:
    # bfloat16 pays where the processor multiplies it: twice as fast on AVX-512 BF16 / AMX, slower elsewhere.
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    fast = device.type == "cpu" and torch.backends.mkldnn.is_available() and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else None


def _decay_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    # Biases and BatchNorm scales are not decayed (He et al. 2019, "Bag of Tricks", 3.1).
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def _moving_average(decay: float) -> Callable:
    @torch.no_grad()
    def update(averages: list[Tensor], currents: list[Tensor], count: int | Tensor) -> None:
        # A young average forgets faster, or it would still hold the random start.
        weight = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        for average, current in zip(averages, currents, strict=True):
            average.lerp_(current, weight) if average.is_floating_point() else average.copy_(current)

    return update


class _State:
    """Everything a run needs to go on, beside its checkpoint; written whole or not at all."""

    def __init__(self, checkpoint: Path, same_run: list, parts: list) -> None:
        self.path = checkpoint.with_name(checkpoint.name + ".resume")
        self.same_run, self.parts = same_run, parts
        checkpoint.parent.mkdir(parents=True, exist_ok=True)

    def save(self, step: int, spent: float, loss_sum: float, history: History) -> None:
        beside = self.path.with_name(self.path.name + ".part")
        parts = [part.state_dict() for part in self.parts]
        saved = {
            "run": self.same_run,
            "at": [step, spent, loss_sum],
            "epochs": history.epochs,
            "parts": parts,
        }
        try:
            torch.save(saved, beside)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
            beside.unlink(missing_ok=True)
            raise OSError(f"{beside} cannot be written (disk full?): free some space and run again; {error}") from error
        os.replace(beside, self.path)

    def load(self) -> tuple[int, float, float, History]:
        if not self.path.is_file():
            return 0, 0.0, 0.0, History()
        try:
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError):
            saved = {"run": None}
        if saved["run"] != self.same_run:
            print(f"{self.path.name} is damaged or belongs to another run: training starts from the beginning")
            return 0, 0.0, 0.0, History()
        for part, values in zip(self.parts, saved["parts"], strict=True):
            part.load_state_dict(values)
        step, spent, loss_sum = saved["at"]
        print(f"Going on from step {step} of the interrupted run")
        return step, spent, loss_sum, History(saved["epochs"])
