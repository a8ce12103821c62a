"""Food-11 as a data set: found in any of its layouts, decoded once, read from one array.

Food-11 (EPFL Multimedia Signal Processing Group, 2016): 16,643 photographs of food in 11 classes. It has no clear
licence, so it is never part of this project: the user brings or downloads it.
"""

import hashlib
import json
import os
import time
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL
import torch
from torch import Tensor
from torch.utils.data import Dataset

from hw9.files import replacing
from hw9.vision import archives, locate, pictures
from hw9.vision.download import download_food11
from hw9.vision.locate import CLASS_NAMES
from hw9.vision.pictures import read_folder, read_picture

__all__ = ["CLASS_NAMES", "Food11", "download_food11", "find_food11", "read_folder", "read_picture"]

CACHE = ".hw9-cache"


class Food11(Dataset):
    """One split as (image float32 (3, size, size) in [0, 1], label int), decoded once and cached as one array.

    `root` is whatever `find_food11` accepts, `split` any usual name of a split. Pictures are squeezed to the square
    as in the course. `limit` takes that many pictures, spread evenly over the classes. Attributes:

    pictures  uint8 (N, 3, size, size), mapped from a file in `.hw9-cache` below the root (copy on write)
    labels    int64 (N,), index into CLASS_NAMES
    names     N file names relative to `root`, sorted by class, then by number
    skipped   (name, reason) of each file of the split that is left out
    counts    {class name: number of pictures}

    Raises FileNotFoundError without Food-11 or without this split, ValueError for an unknown split name or a split
    without any readable picture. Skipped files and classes without pictures are told by a warning.
    """

    def __init__(self, root: str | Path, split: str = "training", size: int = 128, *, limit: int | None = None) -> None:
        pictures.check_size(size)
        pictures.check_limit(limit)
        self.split, self.size = locate.split_name(split), size
        self.root, splits = locate.require(Path(root).expanduser())
        if self.split not in splits:
            there = ", ".join(f"{name} ({locate.labelled(entries):,} pictures)" for name, entries in splits.items())
            raise FileNotFoundError(f"{self.root} has no {self.split} split; it has {there}")
        entries = splits[self.split]
        of_class = [entry for entry in entries if isinstance(entry[1], int)]
        if not of_class:
            name, reason = entries[0]
            raise ValueError(
                f"{self.root}, {self.split}: none of its {len(entries):,} files has a class; {name}: {reason}"
            )
        chosen = _spread(of_class, limit)
        key = f"{self.split}-{size}-{_fingerprint(self.root, entries)}" + (f"-{limit}" if limit else "")
        self.pictures, unreadable = _decoded(self.root, [name for name, _ in chosen], size, key)
        self.skipped = [entry for entry in entries if isinstance(entry[1], str)] + unreadable
        left_out = {name for name, _ in unreadable}
        kept = [(name, label) for name, label in chosen if name not in left_out]
        self.names = [name for name, _ in kept]
        self.labels = np.array([label for _, label in kept], dtype=np.int64)  # (N,)
        per_class = np.bincount(self.labels, minlength=len(CLASS_NAMES)).tolist()
        self.counts = dict(zip(CLASS_NAMES, per_class, strict=True))
        # With a small limit a class may be absent by choice, which is no reason to warn.
        by_choice = {label for _, label in of_class} - {label for _, label in chosen}
        self._report([name for k, name in enumerate(CLASS_NAMES) if not per_class[k] and k not in by_choice])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no picture {index}; the {self.split} split has 0 to {len(self) - 1}")
        return torch.from_numpy(self.pictures[index].astype(np.float32)) / 255, int(self.labels[index])

    def _report(self, empty: list[str]) -> None:
        if self.skipped:
            some = ", ".join(f"{name} ({reason})" for name, reason in self.skipped[:3])
            more = f" and {len(self.skipped) - 3:,} more, see .skipped" if len(self.skipped) > 3 else ""
            line = f"{self.root}, {self.split}: {len(self.skipped):,} files are left out: {some}{more}"
            if not len(self):
                raise ValueError(f"{line}; no readable picture remains")
            warnings.warn(line, stacklevel=3)
        if empty:
            line = f"{self.root}, {self.split}: no pictures of {', '.join(empty)}"
            hint = " (or do the class numbers start at 1? They are read from 0)" if empty[0] == CLASS_NAMES[0] else ""
            warnings.warn(f"{line}{hint}; a model trained on it cannot learn this", stacklevel=3)


def find_food11(path: str | Path | None = None) -> Path | None:
    """The folder to give to `Food11`: found at `path`, else at $HW9_FOOD11, else in `data/food11` below this
    repository or the current folder (None when it is not there either).

    A folder may hold Food-11 some folders down, or an archive of it; an archive is extracted once, see
    `archives.extract`. Raises FileNotFoundError when `path` or $HW9_FOOD11 names a place without Food-11, and
    ValueError when it names a damaged or unsafe archive.
    """
    path = path or os.environ.get("HW9_FOOD11")
    if path:
        return locate.require(Path(path).expanduser())[0]
    for folder in dict.fromkeys((Path(__file__).resolve().parents[2] / "data", Path.cwd() / "data")):
        for place in (folder / "food11", *sorted(folder.glob("food11.*"))):
            if place.is_dir() or (place.is_file() and archives.is_archive(place)):
                try:
                    if found := locate.locate(place):
                        return found[0]
                except (ValueError, OSError) as error:
                    warnings.warn(f"{place} is not used: {error}", stacklevel=2)
    return None


def _spread(entries: list[locate.Entry], limit: int | None) -> list[locate.Entry]:
    """At most `limit` entries, as many of one class as of another; by class, then in natural order."""
    entries = sorted(entries, key=lambda entry: (entry[1], pictures.natural(entry[0])))
    seen = dict.fromkeys(range(len(CLASS_NAMES)), 0)
    ranks = []
    for _, label in entries:
        ranks.append((seen[label], label))
        seen[label] += 1
    return [entries[k] for k in sorted(sorted(range(len(entries)), key=ranks.__getitem__)[:limit])]


def _fingerprint(root: Path, entries: list[locate.Entry]) -> str:
    """Changes when a file of the split is added, removed, renamed or rewritten, and with what decodes them."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(PIL.__version__.encode() + Path(pictures.__file__).read_bytes())
    for name, _ in entries:
        try:
            status = os.stat(root / name)
            digest.update(f"{name}\n{status.st_size}\n{status.st_mtime_ns}\n".encode("utf-8", "replace"))
        except OSError:  # a link that leads nowhere; decoding will name it
            digest.update(f"{name}\n".encode("utf-8", "replace"))
    return digest.hexdigest()


def _decoded(root: Path, names: list[str], size: int, key: str) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """uint8 pictures (N, 3, size, size) of the readable files and (name, reason) of the others, cached as `key`.

    The cache is below `root`, or in the user's cache folder where that cannot be written; with neither, in memory.
    """
    shape = (len(names), 3, size, size)
    place = hashlib.blake2b(os.fsencode(root.resolve()), digest_size=4).hexdigest()
    folders = (root / CACHE, archives.cache_folder() / f"food11-{place}")
    for folder in folders:
        if cached := _load(folder, key, shape):
            return cached
    problem = ""
    for folder in folders:
        try:
            unreadable = _write(folder, key, root, names, shape)
            if problem:
                print(f"{problem}; they are in {folder}")
            found = _load(folder, key, shape)
            if any(isinstance(reason, pictures.Passing) for _, reason in unreadable):
                (folder / f"{key}.json").unlink(missing_ok=True)  # so that the next time they are read again
            return found
        except OSError as error:
            problem = problem or f"Decoded pictures cannot be kept in {folder} ({error.strerror or error})"
    print(f"{problem}; they stay in memory and will be decoded again next time")
    array = np.empty(shape, np.uint8)
    unreadable = _fill(array, root, names)
    return array[: len(names) - len(unreadable)], unreadable


def _write(folder: Path, key: str, root: Path, names: list[str], shape: tuple[int, ...]) -> list[tuple[str, str]]:
    """Decode into a file that takes its place only when it is complete, so that Ctrl-C leaves no broken cache.

    Returns (name, reason) of the files that cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    split_size, current = key.split("-")[:2], key.split("-")[:3]
    caches = folder.glob("-".join(split_size) + "-*")
    changed = [old for old in caches if old.name.split(".")[0].split("-")[:3] != current]
    for old in [*changed, *folder.glob(".*.part")]:
        # On Windows a Food11 may still use it; another kernel's part may have become whole meanwhile.
        with suppress(OSError):
            if old in changed or time.time() - old.stat().st_mtime > 86400:  # its writer was killed
                old.unlink()
    with replacing(folder / f"{key}.npy") as part:
        with open(part, "wb") as file:  # reserved beforehand: a mapped file on a full disk kills the process
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for _ in range(shape[0]):
                file.write(bytes(int(np.prod(shape[1:]))))
        array = np.load(part, mmap_mode="r+")
        unreadable = _fill(array, root, names)
        array.flush()
        del array  # Windows renames no mapped file
    with replacing(folder / f"{key}.json") as part:
        part.write_text(json.dumps({"unreadable": unreadable}), encoding="utf-8")
    return unreadable


def _fill(array: np.ndarray, root: Path, names: list[str]) -> list[tuple[str, str]]:
    """Decode the files into the first rows of `array`; returns (name, reason) of those that cannot be read."""
    unreadable, row = [], 0
    with pictures.decoding([root / name for name in names], array.shape[-1]) as results:
        for name, picture in zip(names, results, strict=True):
            if isinstance(picture, str):
                unreadable.append((name, picture))
            else:
                array[row] = picture  # (3, size, size)
                row += 1
    return unreadable


def _load(folder: Path, key: str, shape: tuple[int, ...]) -> tuple[np.ndarray, list[tuple[str, str]]] | None:
    try:
        notes = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
        array = np.load(folder / f"{key}.npy", mmap_mode="c")
        unreadable = [(name, reason) for name, reason in notes["unreadable"]]
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None  # none yet, or damaged
    return (array[: len(array) - len(unreadable)], unreadable) if array.shape == shape else None
