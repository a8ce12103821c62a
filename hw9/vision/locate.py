"""Where Food-11 is: its splits and classes told from the names of files, in every layout in circulation."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from hw9.vision import archives, pictures

CLASS_NAMES = (
    "Bread", "Dairy product", "Dessert", "Egg", "Fried food", "Meat",
    "Noodles/Pasta", "Rice", "Seafood", "Soup", "Vegetable/Fruit",
)  # fmt: skip
COUNTS = {"training": 9866, "validation": 3430, "evaluation": 3347}
ALIASES = {
    "training": ("training", "train"),
    "validation": ("validation", "valid", "val"),
    "evaluation": ("evaluation", "testing", "eval", "test"),
}
LOOKED_FOR = (
    "folders training, validation, evaluation (or train, val, test) with pictures named <class>_<n>.jpg, in class "
    "folders 0..10 or in folders named after the classes; or a .zip or .tar of them"
)
POINTER = "location.txt"  # in data/food11: the folder in which Kaggle's tool keeps the pictures
DEPTH = 6  # levels of folders that are searched

Entry = tuple[str, int | str]  # path below the root, with "/", and its label or why it has none
Splits = dict[str, list[Entry]]


def split_name(name: str) -> str:
    """training, validation or evaluation for any usual name of a split; ValueError for another."""
    split = _alias(name) if isinstance(name, str) else None
    if split is None:
        raise ValueError(f"there is no split {name!r}; choose training, validation or evaluation (testing)")
    return split


def require(path: Path) -> tuple[Path, Splits]:
    """As `locate`, but FileNotFoundError, which says what was looked for, when there is no Food-11."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; there should be {LOOKED_FOR}")
    found = locate(path)
    if found is None:
        raise FileNotFoundError(f"{path} does not hold Food-11; looked for {LOOKED_FOR}")
    return found


def locate(path: Path) -> tuple[Path, Splits] | None:
    """The folder in which Food-11 is and its files by split, given a folder or an archive (extracted once)."""
    if path.is_file():
        path = archives.extract(path, wanted=is_picture)
    top = os.path.basename(os.path.abspath(path))
    if splits := layout(_walk(path), top):
        return path, splits
    if (path / POINTER).is_file():
        place = Path((path / POINTER).read_text(encoding="utf-8").strip())
        if place.is_dir() and (splits := layout(_walk(place), place.name)):
            return place, splits
    packed = [file for file in sorted(path.iterdir()) if file.is_file() and archives.is_archive(file)]
    best, most, damage = None, (0, 0), None
    for file in packed:
        try:
            richness = _richness(layout(archives.member_names(file)))
        except ValueError as error:
            damage = error
            continue
        if richness > most:
            best, most = file, richness
    if best is None and damage is not None:
        raise damage
    found = locate(best) if best else None
    if found and (splits := layout(_walk(path), top)):  # as at the next call, so that the cache is found again
        return path, splits
    return found


def layout(names: Iterable[str], top: str = "") -> Splits:
    """Which of the files are Food-11's, by split; {} when none is. `top` is the name of the folder they are in.

    Several copies may lie side by side: the one with most splits, then most pictures, is taken, never a mixture.
    """
    copies: dict[tuple, dict[str, dict[tuple, list[Entry]]]] = {}
    for name in sorted(names):
        parts = (top, *name.split("/"))
        depth = next((k for k in reversed(range(len(parts) - 1)) if _alias(parts[k])), None)
        if depth is None or any(pictures.is_clutter(part) for part in parts[1:]):
            continue
        split, copy = _alias(parts[depth]), depth
        while copy and _alias(parts[copy - 1]) == split:  # training/training/...
            copy -= 1
        folders = copies.setdefault(parts[:copy], {}).setdefault(split, {})
        folders.setdefault(parts[:depth], []).append((name, _label(parts[depth + 1 :])))
    best: Splits = {}
    for _, copy in sorted(copies.items()):
        splits = {split: max(copy[split].values(), key=labelled) for split in ALIASES if split in copy}
        best = max(best, splits, key=_richness)
    return best


def labelled(entries: list[Entry]) -> int:
    """The number of files with a class."""
    return sum(isinstance(label, int) for _, label in entries)


def is_picture(name: str) -> bool:
    """True when the name (or path) is one of a picture."""
    file = name.rsplit("/", 1)[-1]
    return file.lower().endswith(pictures.SUFFIXES) and not pictures.is_clutter(file)


def _walk(folder: Path, depth: int = DEPTH, above: str = "") -> Iterator[str]:
    """Paths of the files below `folder`, relative to it; without half-extracted archives."""
    state = archives.read_state(folder)
    if state and not state.get("complete"):
        return
    try:
        entries = list(os.scandir(folder))
    except PermissionError:
        return
    for entry in entries:
        if entry.is_dir():
            if depth and not pictures.is_clutter(entry.name):
                yield from _walk(Path(entry.path), depth - 1, f"{above}{entry.name}/")
        else:
            yield above + entry.name


def _richness(splits: Splits) -> tuple[int, int]:
    counts = [labelled(entries) for entries in splits.values()]
    return sum(count > 0 for count in counts), sum(counts)


def _label(parts: tuple[str, ...]) -> int | str:
    """The class of a file from its path below the split's folder, or why it has none."""
    *folders, name = parts
    if not is_picture(name):
        return "not the file name of a picture"
    if not folders:
        number = re.match(r"(\d{1,2})_", name)
        if number and int(number[1]) < len(CLASS_NAMES):
            return int(number[1])
        return "the file name does not begin with a class from 0 to 10 (<class>_<n>.jpg)"
    if len(folders) == 1 and re.fullmatch(r"\d{1,2}", folders[0]) and int(folders[0]) < len(CLASS_NAMES):
        return int(folders[0])
    plain = _plain("".join(folders))  # "Noodles/Pasta" may be two folders
    label = next((k for k, class_name in enumerate(CLASS_NAMES) if _plain(class_name) == plain), None)
    return f"its folder, {'/'.join(folders)}, is none of the 11 classes" if label is None else label


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _alias(name: str) -> str | None:
    return next((split for split, aliases in ALIASES.items() if name.lower() in aliases), None)
