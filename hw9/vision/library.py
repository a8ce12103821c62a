"""The embedded cut-outs and tables, and which of them a scene shows. Without torch: worker processes start fast."""

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from hw9.vision import painting, placing, scenes, surfaces
from hw9.vision.painting import Still, lay
from hw9.vision.scenes import PHOTOGRAPHED, Scene, Sprite

CLASSES = 11
SPLITS = {"train": 0, "known": 1, "unseen": 2}  # each is its own stream of random numbers
ROOT = Path(__file__).resolve().parents[2] / "data" / "sprites"


@dataclass(frozen=True)
class Library:
    """What index.csv lists: rows of foods by (label, side) and dish, of things, and of tables by side."""

    root: Path
    foods: dict[tuple[int, str], list[list[dict]]]  # (label, "known" | "unseen") -> dishes -> pictures of it
    things: list[dict]
    tables: dict[str, list[dict]]

    def still(self, seed: int, split: str, index: int, label: int, size: int) -> Still:
        """Scene `index` of a split with food of class `label`, laid out. It depends on these arguments alone.

        A dish is drawn first, then one of its pictures: classes and dishes with many pictures are not shown more often.
        """
        stream, kind = SPLITS[split], "unseen" if split == "unseen" else "known"
        tables = self.tables[kind]
        scene = Scene.draw(np.random.default_rng((seed, stream, 1, index)), len(self.things), len(tables))
        choice = np.random.default_rng((seed, stream, 2, index))
        menu = self.foods[label, kind]
        first = int(choice.integers(len(menu)))
        same = choice.random() < 0.7
        dishes = [first] + [first if same else int(choice.integers(len(menu))) for _ in scene.foods[1:]]
        foods = [self._sprite(menu[k][int(choice.integers(len(menu[k])))]) for k in dishes]
        other = (label + int(choice.integers(1, CLASSES))) % CLASSES
        dish = self.foods[other, kind][int(choice.integers(len(self.foods[other, kind])))]
        # What needs a bowl is never the small second food.
        side = self._sprite(dish[int(choice.integers(len(dish)))]) if scene.side and not dish[0]["serve"] else None
        things = [self._sprite(self.things[number]) for number, _, _ in scene.things]
        kind, number = scene.ground
        photographed = kind == PHOTOGRAPHED
        table = _picture(self.root / tables[number]["file"], "RGB") if photographed else surfaces.surface(kind, number)
        return lay(scene, foods, side, things, table, size)

    def _sprite(self, row: dict) -> Sprite:
        label = int(row["label"]) if row["label"] else None
        return _sprite(self.root / row["file"], row["name"], label, row["serve"] == "bowl", row["cut"])


@cache
def load_library(root: Path) -> Library:
    """The index below `root`, with every file there; pictures are read when they are first needed."""
    index = root / "index.csv"
    foods = {(label, side): {} for label in range(CLASSES) for side in ("known", "unseen")}
    things, tables = [], {"known": [], "unseen": []}
    try:
        with open(index, newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if (root / row["file"]).stat().st_size != int(row["bytes"]):
                    raise ValueError(f"{row['file']} is not the file it was")
                if row["kind"] == "food":
                    foods[int(row["label"]), row["split"]].setdefault(row["dish"], []).append(row)
                elif row["kind"] == "table":
                    tables[row["split"]].append(row)
                else:
                    things.append(row)
    except OSError as error:
        line = f"{error.filename} cannot be read: restore data/sprites, or give its folder as root="
        raise FileNotFoundError(line) from None
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"{index} is damaged ({type(error).__name__}: {error}): restore data/sprites") from None
    for (label, side), menu in foods.items():
        if not menu:
            raise ValueError(f"{index} lists no {side} food of class {label}: restore data/sprites")
    if not things or not all(tables.values()):
        raise ValueError(f"{index} lists no things or no tables: restore data/sprites")
    return Library(root, {key: list(menu.values()) for key, menu in foods.items()}, things, tables)


@cache
def fingerprint(root: Path) -> str:
    """Changes with anything that changes a scene: the list of pictures and the code that paints them."""
    digest = hashlib.blake2b(f"{np.__version__} {PIL.__version__}".encode(), digest_size=8)
    for module in (scenes, surfaces, placing, painting):
        digest.update(Path(module.__file__).read_bytes())
    digest.update(Path(__file__).read_bytes())
    digest.update((root / "index.csv").read_bytes())
    return digest.hexdigest()


def paint_block(
    root: Path, seed: int, split: str, labels: np.ndarray, start: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scenes start, start + 1, ... of a split, a label each: uint8 (B, 3, size, size), masks bool (B, size, size)."""
    library = load_library(root)
    images = np.empty((len(labels), 3, size, size), np.uint8)
    masks = np.empty((len(labels), size, size), bool)
    for row, label in enumerate(labels):
        still = library.still(seed, split, start + row, int(label), size)
        images[row] = still.paint().transpose(2, 0, 1)
        masks[row] = still.food
    return images, masks


@cache
def _sprite(path: Path, name: str, label: int | None, bowl: bool, cut: str) -> Sprite:
    return Sprite.of(name, _picture(path, "RGBA"), label=label, bowl=bowl, cut=cut)


@cache
def _picture(path: Path, mode: str) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert(mode)
