"""The embedded picture set: cut-outs of real food composed into scenes, each with the exact mask of its food.

It stands in for Food-11 where that is not at hand: same classes, same labels, photographed food, but composed tables.
The cut-outs lie in data/sprites (origin and licences there); index.csv says which dishes are kept back as "unseen".
"""

import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from joblib import Parallel, cpu_count, delayed
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from hw9.files import replacing
from hw9.vision import archives
from hw9.vision.food11 import CACHE, CLASS_NAMES
from hw9.vision.library import ROOT, SPLITS, fingerprint, load_library, paint_block
from hw9.vision.painting import Still

LESSON_LABELS = (0, 1, 1, 2, 2, 3, 5, 6, 8, 9)  # the course's ten pictures
LESSON_INDICES = (137, 178, 78, 47, 112, 320, 182, 124, 144, 433)  # chosen by eye from split "known", seed 0


class Objects(NamedTuple):
    """The objects of one scene: the foods of its class first, then other food, things, and dishes."""

    names: list[str]
    labels: list[int | None]  # class of a food; None for a thing or a dish
    masks: Tensor  # bool (K, size, size): where each is visible
    without: Tensor  # float32 (K, 3, size, size): the scene as if object k had never lain there


class SpriteFood11(Dataset):
    """`count` composed scenes as (image float32 (3, size, size) in [0, 1], label int, mask bool (size, size)).

    The mask is True where food of the labelled class is visible; the plate or bowl below it does not count. Picture i
    depends on (seed, split, i) only: not on `count`, on order, or on the worker; another `size` shows the same scene.
    Labels are balanced: each block of 11 pictures holds every class once. `split`:

    "train"   compositions of the known dishes, on known tables
    "known"   other compositions of the same dishes
    "unseen"  compositions of dishes and tables that occur in neither of them

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
        still = self._still(index)
        return _pixels(still.paint()), int(self.labels[index]), torch.from_numpy(still.food)

    def describe(self, index: int) -> str:
        """What picture `index` shows, for example "croissant, fork and knife, on checked cloth"."""
        return self._still(index).words()

    def objects(self, index: int) -> Objects:
        """What lies on picture `index`, where it is seen, and the scene rendered again without it."""
        still = self._still(index)
        labels = [label if label in range(len(CLASS_NAMES)) else None for label in still.labels]
        without = [_pixels(still.paint(without=number)) for number in range(len(still.names))]
        return Objects(still.names, labels, torch.from_numpy(still.visible), torch.stack(without))

    def arrays(self, progress: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All pictures at once: images uint8 (N, 3, size, size), labels int64 (N,), masks bool (N, size, size).

        All cores paint; the result is kept in a cache that is used as long as nothing it was made from has changed.
        """
        key = f"{self.split}-{self.size}-{self.seed}-{self.count}-{fingerprint(self.root)}"
        folders = (self.root.parent / CACHE, archives.cache_folder())
        for folder in folders:
            if (kept := _load(folder / f"{key}.npz", self.count, self.size)) is not None:
                return kept[0], self.labels.copy(), kept[1]
        images = np.empty((self.count, 3, self.size, self.size), np.uint8)
        masks = np.empty((self.count, self.size, self.size), bool)
        block = 110
        starts = range(0, self.count, block)
        jobs = min(cpu_count(), len(starts))
        bar = tqdm(
            total=self.count, desc=f"scenes ({self.split})", disable=not progress, file=sys.stdout, mininterval=1
        )
        with bar:
            tasks = (
                delayed(paint_block)(self.root, self.seed, self.split, self.labels[a : a + block], a, self.size)
                for a in starts
            )
            for start, (some, of_food) in zip(starts, Parallel(jobs, return_as="generator")(tasks), strict=True):
                images[start : start + block], masks[start : start + block] = some, of_food
                bar.update(len(some))
        _keep(folders, key, images, masks)
        return images, self.labels.copy(), masks

    def _still(self, index: int) -> Still:
        if not -self.count <= index < self.count:
            raise IndexError(f"there is no picture {index}; the set has 0 to {self.count - 1}")
        index = int(index) % self.count
        return load_library(self.root).still(self.seed, self.split, index, int(self.labels[index]), self.size)


def _pixels(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32)) / 255  # (3, size, size)


def _load(path: Path, count: int, size: int) -> tuple[np.ndarray, np.ndarray] | None:
    try:
        with np.load(path) as kept:
            images, masks = kept["images"], np.unpackbits(kept["masks"], axis=-1, count=size).astype(bool)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # none yet, or damaged
    fits = images.shape == (count, 3, size, size) and masks.shape == (count, size, size) and images.dtype == np.uint8
    return (images, masks) if fits else None


def _keep(folders: tuple[Path, ...], key: str, images: np.ndarray, masks: np.ndarray) -> None:
    """Write the pictures into the first folder that takes them; where none does they are painted again next time."""
    like = "-".join(key.split("-")[:-1])  # older versions of the same pictures give way
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob(f"{like}-*.npz"):
                old.unlink()
            with replacing(folder / f"{key}.npz") as part, open(part, "wb") as file:
                np.savez(file, images=images, masks=np.packbits(masks, axis=-1))
            return
        except OSError:
            continue


def lesson_pictures(size: int = 128) -> tuple[Tensor, Tensor, Tensor, list[str]]:
    """The lesson's ten pictures, labelled 0, 1, 1, 2, 2, 3, 5, 6, 8, 9 as in the course, from the split "known".

    Returns images float32 (10, 3, size, size) in [0, 1], labels int64 (10,), masks bool (10, size, size) of the visible
    food, and what each picture shows. They were chosen by eye.
    """
    pictures = _lesson(size)
    images, labels, masks = zip(*(pictures[index] for index in LESSON_INDICES), strict=True)
    names = [pictures.describe(index) for index in LESSON_INDICES]
    return torch.stack(images), torch.tensor(labels), torch.stack(masks), names


def lesson_objects(size: int = 128) -> list[Objects]:
    """For each of `lesson_pictures`, what lies on it and the scene without each of these objects."""
    pictures = _lesson(size)
    return [pictures.objects(index) for index in LESSON_INDICES]


def _lesson(size: int) -> SpriteFood11:
    return SpriteFood11(max(LESSON_INDICES) + 1, size, 0, split="known")
