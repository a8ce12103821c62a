"""Where Food-11 is: its splits and classes told from the names of files, in every layout in circulation."""

import os
import re
import warnings
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
        place = Path((path / POINTER).read_text(encoding="utf-8", errors="surrogateescape").strip())
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
    Class numbers that go from 1 to 11 are taken as such, with a warning.
    """
    copies: dict[tuple, dict[str, dict[tuple, list[tuple[str, tuple]]]]] = {}
    for name in sorted(names):
        parts = (top, *name.replace("\\", "/").split("/"))  # back-slashes: a Windows zip, unpacked elsewhere
        depth = next((k for k in reversed(range(len(parts) - 1)) if _alias(parts[k])), None)
        if depth is None or any(pictures.is_clutter(part) for part in parts[1:]):
            continue
        split, copy = _alias(parts[depth]), depth
        while copy and _alias(parts[copy - 1]) == split:  # training/training/...
            copy -= 1
        folders = copies.setdefault(parts[:copy], {}).setdefault(split, {})
        below = parts[depth + 1 :]
        below = below[1:] if below[0].lower() in ("labeled", "labelled") and len(below) > 1 else below
        folders.setdefault(parts[:depth], []).append((name, below))
    best: Splits = {}
    for place, copy in sorted(copies.items()):
        first = _first_number(below for folders in copy.values() for files in folders.values() for _, below in files)
        splits = {}
        for split in (split for split in ALIASES if split in copy):
            parts_of = [[(name, _label(below, first)) for name, below in files] for files in copy[split].values()]
            splits[split] = max(parts_of, key=labelled)
        if "evaluation" in splits:
            splits["evaluation"] = _judged(splits["evaluation"])
        if first and _richness(splits) > _richness(best):
            where = "/".join(filter(None, place)) or "this folder"
            text = f"the class numbers in {where} go from 1 to {len(CLASS_NAMES)}: 1 is taken as {CLASS_NAMES[0]}"
            warnings.warn(text, stacklevel=2)
        best = max(best, splits, key=_richness)
    return best


def _judged(entries: list[Entry]) -> list[Entry]:
    """A test split's files; without labels where all lie in one folder 00, as ML2021 hands them out."""
    classes = [(name, label) for name, label in entries if isinstance(label, int)]
    if not classes or not all(re.search(r"(^|[/\\])0+[/\\](?!0_)[^/\\]*$", name) for name, _ in classes):
        return entries
    reason = "unlabelled: all pictures of this split are in one folder, 00"
    return [(name, reason if isinstance(label, int) else label) for name, label in entries]


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


def _label(parts: tuple[str, ...], first: int = 0) -> int | str:
    """The class of a file from its path below the split's folder, or why it has none; numbers begin at `first`."""
    *folders, name = parts
    if not is_picture(name):
        return "not the file name of a picture"
    if folders and folders[0].lower() in ("unlabeled", "unlabelled"):
        return f"unlabelled, as its folder, {folders[0]}, says"
    number = _number(parts)
    if number is not None and first <= number < first + len(CLASS_NAMES):
        return number - first
    if not folders:
        return "the file name does not begin with a class from 0 to 10 (<class>_<n>.jpg)"
    plain = _plain("".join(folders))  # "Noodles/Pasta" may be two folders
    label = next((k for k, class_name in enumerate(CLASS_NAMES) if _plain(class_name) == plain), None)
    return f"its folder, {'/'.join(folders)}, is none of the 11 classes" if label is None else label


def _number(parts: tuple[str, ...]) -> int | None:
    """The class number that a file's path below the split's folder names, if it names one."""
    *folders, name = parts
    found = re.match(r"(\d{1,2})_", name) if not folders else re.fullmatch(r"(\d{1,2})", folders[0])
    return int(found[1]) if found and len(folders) < 2 else None


def _first_number(paths: Iterable[tuple[str, ...]]) -> int:
    """1 where the classes are numbered 1 to 11, else 0."""
    numbers = {_number(below) for below in paths if is_picture(below[-1])}
    return int(len(CLASS_NAMES) in numbers and 0 not in numbers)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _alias(name: str) -> str | None:
    return next((split for split, aliases in ALIASES.items() if name.lower() in aliases), None)
