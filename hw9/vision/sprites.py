"""The embedded picture set: food pictograms composed into synthetic pictures, each with the exact mask of its food.

It stands in for Food-11 where that is not at hand: same classes, same labels, but drawings, not photographs. The
pictograms lie in data/sprites (origin and licences there); index.csv says which foods are kept back as "unseen".
"""

import csv
import io
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from hw9.vision.food11 import CLASS_NAMES
from hw9.vision.scenes import Scene, Sprite, paint

SPLITS = {"train": 0, "known": 1, "unseen": 2}  # each is its own stream of random numbers
ROOT = Path(__file__).resolve().parents[2] / "data" / "sprites"

LESSON_LABELS = (0, 1, 1, 2, 2, 3, 5, 6, 8, 9)  # the course's ten pictures
LESSON_INDICES = (280, 149, 199, 133, 334, 3, 386, 308, 16, 433)  # chosen by eye from split "known", seed 0


class Library(NamedTuple):
    foods: dict[tuple[int, str], list[dict[str, Sprite]]]  # (label, "known" | "unseen") -> foods, each {style: sprite}
    things: list[dict[str, Sprite]]  # distractors, each in both styles


class SpriteFood11(Dataset):
    """`count` synthetic pictures as (image float32 (3, size, size) in [0, 1], label int, mask bool (size, size)).

    The mask is True where food of the labelled class is visible; a pictogram is one object, so its own bowl or pan
    counts, a plate of the scene below it does not. Picture i depends on (seed, split, i) only: not on `count`, on
    order, or on the worker; another `size` shows the same scene. Labels are balanced: each block of 11 pictures holds
    every class once. `split`:

    "train"   compositions of the known pictograms
    "known"   other compositions of the same pictograms
    "unseen"  compositions of pictograms that occur in neither of them

    Attributes: labels int64 (count,), class_names. Raises ValueError for a bad count, size, seed or split,
    FileNotFoundError when `root` (default: data/sprites beside the package) lacks a file, ValueError for a damaged one.
    """

    def __init__(
        self, count: int, size: int = 64, seed: int = 0, *, split: str = "train", root: str | Path | None = None
    ) -> None:
        for name, value, low, high in (("count", count, 1, 10**7), ("size", size, 16, 512), ("seed", seed, 0, 2**63)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or not low <= value <= high:
                raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
        if split not in SPLITS:
            raise ValueError(f"there is no split {split!r}; choose one of {', '.join(SPLITS)}")
        self.count, self.size, self.seed, self.split = int(count), int(size), int(seed), split
        self.root = Path(root).expanduser().resolve() if root else ROOT
        self.class_names = CLASS_NAMES
        load_library(self.root)  # complain now, not at the first picture
        blocks = range(-(-self.count // len(CLASS_NAMES)))
        orders = [np.random.default_rng((self.seed, SPLITS[split], 0, block)).permutation(11) for block in blocks]
        self.labels = np.concatenate(orders)[: self.count].astype(np.int64)  # (count,)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, int, Tensor]:
        image, mask, _ = self._picture(index)
        pixels = torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32)) / 255  # (3, size, size)
        return pixels, int(self.labels[index]), torch.from_numpy(mask)

    def describe(self, index: int) -> str:
        """What picture `index` shows, for example "croissant, fork and knife, on checked cloth"."""
        return self._picture(index)[2]

    def arrays(self, progress: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All pictures at once: images uint8 (N, 3, size, size), labels int64 (N,), masks bool (N, size, size)."""
        images = np.empty((self.count, 3, self.size, self.size), np.uint8)
        masks = np.empty((self.count, self.size, self.size), bool)
        bar = {
            "desc": f"synthetic pictures ({self.split})",
            "disable": not progress,
            "file": sys.stdout,
            "mininterval": 1,
        }
        for index in tqdm(range(self.count), **bar):
            image, masks[index], _ = self._picture(index)
            images[index] = image.transpose(2, 0, 1)
        return images, self.labels.copy(), masks

    def _picture(self, index: int) -> tuple[np.ndarray, np.ndarray, str]:
        if not -self.count <= index < self.count:
            raise IndexError(f"there is no picture {index}; the set has 0 to {self.count - 1}")
        index = int(index) % self.count
        library, stream = load_library(self.root), SPLITS[self.split]
        scene = Scene.draw(np.random.default_rng((self.seed, stream, 1, index)), len(library.things))
        choice = np.random.default_rng((self.seed, stream, 2, index))
        menu = library.foods[int(self.labels[index]), "unseen" if self.split == "unseen" else "known"]
        first = int(choice.integers(len(menu)))
        same = choice.random() < 0.7
        picks = [first] + [first if same else int(choice.integers(len(menu))) for _ in scene.foods[1:]]
        foods = [menu[k].get(scene.style) or next(iter(menu[k].values())) for k in picks]
        things = [library.things[number][scene.style] for number, _, _ in scene.things]
        return paint(scene, foods, things, self.size)


@cache
def load_library(root: Path) -> Library:
    """All pictograms below `root`, as index.csv lists them."""
    index = root / "index.csv"
    try:
        with open(index, newline="", encoding="utf-8") as stream:
            rows = [(row["kind"], row) for row in csv.DictReader(stream)]
        foods = {(label, side): {} for label in range(len(CLASS_NAMES)) for side in ("known", "unseen")}
        things = {}
        for kind, row in rows:
            menu = foods[int(row["label"]), row["split"]] if kind == "food" else things
            menu.setdefault(row["name"], {})[row["style"]] = _sprite(root / row["file"], row["name"])
    except OSError as error:
        line = f"{error.filename} cannot be read: restore data/sprites, or give its folder as root="
        raise FileNotFoundError(line) from None
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"{index} is damaged ({type(error).__name__}: {error}): restore data/sprites") from None
    for (label, side), menu in foods.items():
        if not menu:
            raise ValueError(f"{index} lists no {side} food of class {CLASS_NAMES[label]}: restore data/sprites")
    if not things or any(not {"fluent3d", "noto"} <= styles.keys() for styles in things.values()):
        raise ValueError(f"{index} does not list every distractor in both styles: restore data/sprites")
    return Library({key: list(menu.values()) for key, menu in foods.items()}, list(things.values()))


def _sprite(path: Path, name: str) -> Sprite:
    content = io.BytesIO(path.read_bytes())
    try:
        with Image.open(content) as picture:
            return Sprite.of(name, picture.convert("RGBA"))
    except (OSError, SyntaxError):
        raise ValueError(f"pictogram {path.name} is not a picture") from None


def lesson_pictures(
    size: int = 128, seed: int = 0, *, root: str | Path | None = None
) -> tuple[Tensor, Tensor, Tensor, list[str]]:
    """The lesson's ten pictures, labelled 0, 1, 1, 2, 2, 3, 5, 6, 8, 9 as in the course, from the split "known".

    Returns images float32 (10, 3, size, size) in [0, 1], labels int64 (10,), masks bool (10, size, size) of the visible
    food, and what each picture shows. With seed 0 they were chosen by eye; any other seed takes its first pictures
    with these labels.
    """
    chosen = LESSON_INDICES
    if seed:
        labels = SpriteFood11(44, size, seed, split="known", root=root).labels
        chosen = [int(np.flatnonzero(labels == k)[LESSON_LABELS[:n].count(k)]) for n, k in enumerate(LESSON_LABELS)]
    pictures = SpriteFood11(max(chosen) + 1, size, seed, split="known", root=root)
    images, labels, masks = zip(*(pictures[index] for index in chosen), strict=True)
    names = [pictures.describe(index) for index in chosen]
    return torch.stack(images), torch.tensor(labels), torch.stack(masks), names
