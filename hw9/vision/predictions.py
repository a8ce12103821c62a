"""What a network says of labelled pictures: probabilities, accuracy, confusion, and its surest mistakes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from hw9.vision.chunks import at_first, in_chunks, memory_of, moved
from hw9.vision.inference import check_images, check_logits, check_scores, device_of, frozen, probabilities


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
    """uint8 pictures (N, 3, H, W) in 0..255 -> float32 in [0, 1]; TypeError for any other kind of number."""
    pictures = torch.as_tensor(np.asarray(pictures))
    if pictures.dtype != torch.uint8:
        raise TypeError(f"pictures must be uint8 in 0..255, not {pictures.dtype}: multiply those in [0, 1] by 255")
    return pictures.float() / 255


def as_array(values: Tensor | ArrayLike) -> np.ndarray:
    """What NumPy takes, or a tensor on any device, with or without gradients, in any precision."""
    if not isinstance(values, Tensor):
        return np.asarray(values)
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()  # which NumPy has not


def evaluate(model: nn.Module, pictures: np.ndarray, labels: np.ndarray) -> Evaluation:
    """Class probabilities, accuracy and confusion matrix on uint8 pictures (N, 3, H, W) with labels (N,).

    Raises TypeError for pictures that are not uint8, ValueError for labels that do not fit them or the network.
    """
    check_images(as_float(pictures[:1]))
    labels = np.asarray(labels).astype(np.int64)  # of uint8, labels times classes would wrap
    if labels.shape != (len(pictures),):
        raise ValueError(f"{len(pictures)} pictures and labels {labels.shape}: give one label per picture")
    device = device_of(model)  # to which bytes move in a quarter of the time that floats take

    def work(start: int, stop: int) -> Tensor:
        taken = torch.from_numpy(np.ascontiguousarray(pictures[start:stop]))
        return check_scores(model(moved(taken, device).float() / 255))

    begin = at_first(*pictures.shape[2:])
    with frozen(model) as model, torch.no_grad():
        logits = check_logits(torch.cat(in_chunks(work, len(labels), None, begin=begin, memory=memory_of(device))))
    found = probabilities(logits).cpu().numpy()  # (N, K)
    classes = found.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        what = f"the network tells {classes} classes apart, and there is a picture of class {wrong}"
        raise ValueError(f"{what}: give one whose last layer has an output for each class")
    confusion = np.bincount(labels * classes + found.argmax(1), minlength=classes**2)
    return Evaluation(found, labels, confusion.reshape(classes, classes))
