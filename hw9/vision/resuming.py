"""What lets a training run stop at any step and go on: its history, its whole state, an interrupt that waits."""

import contextlib
import pickle
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from hw9.files import replacing


@dataclass
class History:
    """One dict per epoch in `epochs`: epoch, size, loss, accuracy (validation, in [0, 1]), learning_rate, seconds."""

    epochs: list[dict] = field(default_factory=list)

    @property
    def best(self) -> dict:
        """The epoch with the highest validation accuracy, whose weights are in the checkpoint."""
        return max(self.epochs, key=lambda epoch: epoch["accuracy"])


class State:
    """Everything a run needs to go on, beside its checkpoint; written whole or not at all."""

    def __init__(self, checkpoint: Path, same_run: list, parts: list) -> None:
        self.checkpoint, self.path = checkpoint, checkpoint.with_name(checkpoint.name + ".resume")
        self.same_run, self.parts = same_run, parts
        checkpoint.parent.mkdir(parents=True, exist_ok=True)

    def save(self, step: int, spent: float, loss_sum: float, history: History) -> None:
        parts = [part.state_dict() for part in self.parts]
        saved = {
            "run": self.same_run,
            "at": [step, spent, loss_sum],
            "epochs": history.epochs,
            "parts": parts,
        }
        try:
            with replacing(self.path) as part:
                torch.save(saved, part)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
            text = f"{self.path} cannot be written (disk full?): free some space and run again; {error}"
            raise OSError(text) from error

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
        if saved["epochs"] and not self.checkpoint.is_file():  # no later epoch may be better than the one that is lost
            print(f"{self.checkpoint.name} of the interrupted run is gone: training starts from the beginning")
            return 0, 0.0, 0.0, History()
        for part, values in zip(self.parts, saved["parts"], strict=True):
            if values:  # a scaler that was not needed where the run began has none, and refuses none where it is
                part.load_state_dict(values)
        step, spent, loss_sum = saved["at"]
        print(f"Going on from step {step} of the interrupted run")
        return step, spent, loss_sum, History(saved["epochs"])


@contextlib.contextmanager
def interrupts_wait() -> Iterator[threading.Event]:
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
