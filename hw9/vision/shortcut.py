"""A planted shortcut: a mark on all training pictures of one class, so that we know what a network has learned to see.

After Lapuschkin et al. 2019, "Unmasking Clever Hans predictors and assessing what machines really learn": there the
horses carried a photographer's tag. Where the mark is, the mask says; which method finds it, `hw9.vision.trust` says.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import nn

from hw9.vision.augmentation import augmentation
from hw9.vision.predictions import evaluate
from hw9.vision.training import train

MARK = (255, 0, 255)  # magenta: bright, and the colour of no food


class Caught(NamedTuple):
    """What gives a shortcut away, as shares of pictures: `accuracy` on all clean ones, `of_class` on those of its
    class; of the other classes' pictures those `called_clean` and `called_marked` that, without the square and with it.
    """

    accuracy: float
    of_class: float
    called_clean: float
    called_marked: float


def stamp(pictures: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Copies of uint8 pictures (N, 3, H, W) with a bright square near the border of each, and its masks (N, H, W).

    The square is an eighth of the shorter side wide (12 of 96 pixels) and lies at a random place along the border, a
    little inside, whatever the picture.
    """
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3:
        raise ValueError(f"pictures must be uint8 (N, 3, H, W), not {pictures.dtype} {pictures.shape}")
    height, width = pictures.shape[2:]
    side, inset = round(min(height, width) / 8), round(min(height, width) / 26)
    rng = np.random.default_rng(seed)
    marked, masks = pictures.copy(), np.zeros((len(pictures), height, width), bool)
    for picture, mask in zip(marked, masks, strict=True):
        along, edge = rng.random(), rng.integers(4)
        top, left = (round(inset + along * (length - 2 * inset - side)) for length in (height, width))
        far = {0: inset, 1: height - inset - side, 2: inset, 3: width - inset - side}[int(edge)]
        top, left = (far, left) if edge < 2 else (top, far)
        mask[top : top + side, left : left + side] = True
        picture[:, mask] = np.array(MARK, np.uint8)[:, None]
    return marked, masks


def planted(pictures: np.ndarray, labels: np.ndarray, label: int, *, seed: int = 0) -> np.ndarray:
    """The pictures (N, 3, H, W), with the square on those of class `label` and on no other."""
    chosen = np.flatnonzero(np.asarray(labels) == label)
    if not len(chosen):
        raise ValueError(f"there is no picture of class {label} to put the square on")
    marked = np.array(pictures)
    marked[chosen] = stamp(marked[chosen], seed=seed)[0]
    return marked


def train_with_shortcut(
    network: nn.Module,
    training: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    label: int,
    *,
    checkpoint: str | Path,
) -> nn.Module:
    """`network`, trained in place on 2200 of the pictures, drawn at random, those of class `label` with the square.

    So is its validation, which therefore tells nothing. Pictures are not cropped: that would cut squares off. Small
    batches, for many steps in little time. Checkpoint and resuming as in `training.train`.
    """
    some = np.sort(np.random.default_rng(0).permutation(len(training[1]))[:2200])
    network.input_size = size = training[0].shape[-1]
    train(
        network,
        planted(training[0][some], training[1][some], label),
        training[1][some],
        (planted(*validation, label, seed=1), validation[1]),
        checkpoint=checkpoint,
        epochs=1,
        batch=16,
        learning_rate=4e-3,
        mix=0.0,
        ema=0.98,
        augment=augmentation(size, strength=0.0),
    )
    return network


def caught(model: nn.Module, pictures: np.ndarray, labels: np.ndarray, label: int) -> Caught:
    """What gives a shortcut for class `label` away once its cause is known."""
    labels = np.asarray(labels)
    clean = evaluate(model, pictures, labels)
    others = labels != label
    marked = evaluate(model, stamp(pictures[others])[0], labels[others])
    return Caught(
        accuracy=clean.accuracy,
        of_class=float(clean.per_class[label]),
        called_clean=float((clean.probabilities[others].argmax(1) == label).mean()),
        called_marked=float((marked.probabilities.argmax(1) == label).mean()),
    )
