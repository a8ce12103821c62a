"""The free photographs that ship: ten to explain, with food masks drawn by hand, others to train and to measure with.

They lie in data/photos, where index.csv names licence and author of each.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hw9.vision.pictures import read_picture

ROOT = Path(__file__).resolve().parents[2] / "data" / "photos"


class Photographs(NamedTuple):
    """Pictures, and what is known of them: class and food mask are None for a reader's own."""

    images: Tensor  # float32 (N, 3, size, size) in [0, 1]
    names: list[str]
    labels: Tensor | None = None  # int64 (N,)
    masks: Tensor | None = None  # bool (N, size, size)


def lesson_photographs(size: int) -> Photographs:
    """The ten photographs of the lesson, labelled 0, 1, 1, 2, 2, 3, 5, 6, 8, 9 as in the course."""
    rows = _rows("lesson")
    masks = [Image.open(ROOT / row["file"].replace(".jpg", ".png")).convert("L") for row in rows]
    masks = [np.asarray(mask.resize((size, size), Image.Resampling.BOX)) > 127 for mask in masks]
    names = [row["subject"].split(",")[0] for row in rows]
    return Photographs(_images(rows, size), names, _labels(rows), torch.from_numpy(np.stack(masks)))


def free_photographs(use: str, size: int) -> Photographs:
    """All those of one use: "train" (195), or "measure" (70 of other dishes, which no network here has seen)."""
    rows = _rows(use)
    return Photographs(_images(rows, size), [row["subject"] for row in rows], _labels(rows))


def _rows(use: str) -> list[dict]:
    try:
        lines = (ROOT / "index.csv").read_text(encoding="utf-8").splitlines()
    except OSError:
        raise FileNotFoundError(f"{ROOT / 'index.csv'} cannot be read: restore data/photos") from None
    return [row for row in csv.DictReader(lines) if row["use"] == use]


def _labels(rows: list[dict]) -> Tensor:
    return torch.tensor([int(row["label"]) for row in rows])


def _images(rows: list[dict], size: int) -> Tensor:
    return torch.from_numpy(np.stack([read_picture(ROOT / row["file"], size) for row in rows])).float() / 255
