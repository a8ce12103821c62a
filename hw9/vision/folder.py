"""A whole folder explained: a map per picture and method, and one table; with resume, in memory that does not grow."""

import csv
import errno
import hashlib
import io
import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from hw9.files import replacing
from hw9.vision import attribution, lime, pictures
from hw9.vision.classifier import load_checkpoint
from hw9.vision.inference import predict

AT_A_TIME = 32  # pictures in memory; on a processor, where one takes seconds, progress is kept after each FEW
FEW = 4
FAILING = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}  # of the disk, not of a name
SETTINGS = "settings.json"
TABLE = "table.csv"
PARTS = "table-*of*.csv"
STAMP = "size and time"  # of a file, in the tables of the processes
# File names may be any bytes; without the mark at the beginning spreadsheets do not read Chinese.
CSV = {"newline": "", "encoding": "utf-8-sig", "errors": "surrogateescape"}

Found = tuple[Tensor, np.ndarray | None]  # maps (N, H, W) in [0, 1], and a number per picture that tells how good


def _saliency(model: nn.Module, images: Tensor, targets: Tensor) -> Found:
    return attribution.heatmap(attribution.saliency(model, images, targets)), None


def _smoothgrad(model: nn.Module, images: Tensor, targets: Tensor) -> Found:
    maps, kept = attribution.smoothgrad(model, images, targets, return_kept=True)
    return attribution.heatmap(maps), kept.numpy()


def _integrated_gradients(model: nn.Module, images: Tensor, targets: Tensor) -> Found:
    maps = attribution.integrated_gradients(model, images, targets, settle=False)  # settled, the gap would tell nothing
    return attribution.heatmap_of(maps.sum(1).abs()), attribution.completeness_gap(model, images, targets, maps).numpy()


def _lime(model: nn.Module, images: Tensor, targets: Tensor) -> Found:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LIME leaves out")  # the table names them
        found = lime.explain_each(model, images, targets)
    maps = attribution.heatmap_of([abs(lime.segment_map(explanation)) for explanation in found])
    return maps, np.array([explanation.score for explanation in found])


METHODS: dict[str, tuple[Callable[[nn.Module, Tensor, Tensor], Found], str]] = {  # and what its number is called
    "saliency": (_saliency, ""),
    "smoothgrad": (_smoothgrad, "smoothgrad_kept"),
    "integrated_gradients": (_integrated_gradients, "integrated_gradients_gap"),
    "lime": (_lime, "lime_r2"),
}


def explain_folder(
    folder: str | Path,
    out: str | Path,
    *,
    model: str | Path,
    methods: Iterable[str] = METHODS,
    device: str | None = None,
) -> Path:
    """Explain the predicted class of every picture below `folder`; returns the table, `out`/table.csv.

    `model` is a checkpoint, `methods` are names of METHODS. `out`/<method>/<path of the picture>.png is a map: pixel
    values 0 to 255, drawn in the colours of "hot". The table has a row per file: class, probability, the share of noisy
    copies that keep the class (SmoothGrad), the completeness gap (integrated gradients), R^2 (LIME), and under
    "problem" why a file was left out, in whole or for one method.

    Run again, it goes on where it stopped, and reads again what has changed or had a problem. Started by `torchrun
    --nproc-per-node=GPUS -m hw9 explain ...`, each process takes its share of the pictures on its own GPU (RANK,
    WORLD_SIZE, LOCAL_RANK); the last to finish writes the table.
    Raises FileNotFoundError or ValueError for a folder, checkpoint or method that cannot be used, and where `out` holds
    maps made otherwise, or the pictures.
    """
    folder, out = Path(folder).expanduser(), Path(out).expanduser()
    names = _method_names(methods)
    rank, world = (int(os.environ.get(key, default)) for key, default in (("RANK", 0), ("WORLD_SIZE", 1)))
    network = load_checkpoint(model, device or _own_device())
    files = _pictures_below(folder, out)
    with open(Path(model).expanduser(), "rb") as weights:
        content = hashlib.file_digest(weights, "sha256").hexdigest()  # a network trained anew has the name and the size
    settings = {"folder": str(folder.resolve()), "model": content, "methods": names}
    _agree_on_settings(out, settings)
    columns = ["file", "class", "probability", *(METHODS[name][1] for name in names if METHODS[name][1]), "problem"]
    part, noted = out / f"table-{rank}of{world}.csv", [*columns, STAMP]
    stamps = {name: _stamp(folder / name) for name in files}
    done = {name for name, row in _rows(out, noted, stamps).items() if not row["problem"]}
    _write(part, noted, [row for row in _read(part, noted) if row["file"] in done])  # without a line that was cut off
    mine = [name for name in files[rank::world] if name not in done]
    if done:
        print(f"{len(done):,} of {len(files):,} files are done already: going on")
    start = time.monotonic()
    with open(part, "a", **CSV) as sink, tqdm(total=len(mine), unit="picture", ncols=100) as bar:
        writer = csv.DictWriter(sink, noted)
        at_a_time = min(AT_A_TIME, FEW) if next(network.parameters()).device.type == "cpu" else AT_A_TIME
        for first in range(0, len(mine), at_a_time):
            chunk = mine[first : first + at_a_time]
            found = _explained(network, folder, chunk, out, names)
            writer.writerows(row | {STAMP: stamps[row["file"]]} for row in found)
            sink.flush()
            bar.update(len(chunk))
    rows = _rows(out, noted, stamps)
    problems = sum(bool(rows[name]["problem"]) for name in files if name in rows)
    per_second = len(mine) / max(time.monotonic() - start, 1e-9)
    print(f"{len(mine):,} files at {per_second:.2g} a second; with a problem (the column tells which): {problems:,}")
    if all(name in rows for name in files):  # true for the last process to finish
        try:
            _write(out / TABLE, columns, [{key: rows[name][key] for key in columns} for name in files])
        except PermissionError:
            advice = "if a spreadsheet shows it, close it there and give the same command again"
            raise ValueError(f"{out / TABLE} cannot be written: {advice}") from None
    return out / TABLE


def _explained(network: nn.Module, folder: Path, chunk: list[str], out: Path, names: list[str]) -> Iterator[dict]:
    """The table's rows of some files, whose maps are written on the way."""
    for method in names:  # of another picture that had the name
        for name in chunk:
            with suppress(OSError):
                (out / method / f"{name}.png").unlink()
    with pictures.decoding([folder / name for name in chunk], network.input_size) as results:
        decoded = list(results)
    rows = {name: {"file": name, "problem": picture} for name, picture in zip(chunk, decoded, strict=True)}
    good = [name for name, picture in zip(chunk, decoded, strict=True) if not isinstance(picture, str)]
    if good:
        images = torch.from_numpy(np.stack([p for p in decoded if not isinstance(p, str)])).float() / 255
        said = predict(network, images)
        for name, probabilities in zip(good, said, strict=True):
            best = int(probabilities.argmax())
            rows[name] = {"file": name, "class": network.class_names[best], "problem": ""}
            rows[name]["probability"] = f"{float(probabilities[best]):.4f}"
        for method in names:
            function, column = METHODS[method]
            maps, numbers = function(network, images, said.argmax(1))
            for row, name in enumerate(good):
                if numbers is not None and np.isnan(numbers[row]):
                    rows[name]["problem"] = f"{method}: no part of this picture can be hidden"
                    continue
                if numbers is not None:
                    rows[name][column] = f"{numbers[row]:.4g}"
                try:
                    _save_map(out / method / f"{name}.png", maps[row])
                except OSError as error:
                    if error.errno in FAILING:
                        raise
                    long = error.errno == errno.ENAMETOOLONG
                    why = "with .png its name is too long for this disk, make it shorter" if long else error.strerror
                    rows[name]["problem"] = f"no map: {why}"
    yield from rows.values()


def _save_map(path: Path, values: Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray((255 * values.cpu().numpy() + 0.5).astype(np.uint8))
    picture.putpalette((255 * matplotlib.colormaps["hot"](np.arange(256))[:, :3]).astype(np.uint8).tobytes())
    with replacing(path) as beside:
        picture.save(beside, "PNG")


def _method_names(methods: Iterable[str]) -> list[str]:
    names = [name.strip().lower().replace("-", "_").replace(" ", "_") for name in methods]
    for name in names:
        if name not in METHODS:
            raise ValueError(f"there is no method {name!r}: take {', '.join(METHODS)}")
    return [name for name in METHODS if name in names]  # in whatever order they were given


def _own_device() -> str:
    if not torch.cuda.is_available():
        return "cpu"
    local = int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count()
    torch.cuda.set_device(local)  # or pinned memory would be made through the first card, by every process
    return f"cuda:{local}"


def _pictures_below(folder: Path, out: Path) -> list[str]:
    """Paths below `folder`, with "/", of all its files but clutter and maps made here; in natural order."""
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "there is no such folder"
        raise FileNotFoundError(f"{folder}: {problem}; give one that holds pictures, also in folders")
    if folder.resolve() == out.resolve():
        raise ValueError(f"{out} holds the pictures: give --out a folder of its own, or the maps become pictures")
    found, seen = [], {out.resolve(), folder.resolve()}
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_closed):
        if SETTINGS in files and any(Path(place).glob(PARTS)):
            print(f"left out: {place} (maps of an earlier run)")
            folders.clear()
            continue
        folders[:] = [f for f in folders if not pictures.is_clutter(f) and _new(Path(place, f).resolve(), seen)]
        found += [Path(place, file).relative_to(folder).as_posix() for file in files if not pictures.is_clutter(file)]
    if not found:
        raise FileNotFoundError(f"{folder}: no files here; give a folder that holds pictures, also in folders")
    return sorted(found, key=pictures.natural)


def _closed(error: OSError) -> None:
    print(f"left out: {error.filename} (cannot be opened: {error.strerror})")


def _new(place: Path, seen: set[Path]) -> bool:
    """Whether a folder has not been seen: links may lead to one twice, or round in circles."""
    return place not in seen and not seen.add(place)


def _agree_on_settings(out: Path, settings: dict) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = out / SETTINGS
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        before = settings
    except ValueError:
        before = None
    if before != settings:
        raise ValueError(f"{out} holds maps of another folder, model or methods: choose another --out, or delete it")
    with replacing(path) as beside:
        beside.write_text(json.dumps(settings), encoding="utf-8")


def _stamp(path: Path) -> str:
    """Tells a file from another that took its name."""
    try:
        found = path.stat()
    except OSError:  # a link that leads nowhere
        return ""
    return f"{found.st_size}-{found.st_mtime_ns}"


def _rows(out: Path, columns: list[str], stamps: dict[str, str]) -> dict[str, dict]:
    """What all processes wrote of the files as they are now, {file: row}; a row without a problem before one with."""
    rows: dict[str, dict] = {}
    for part in sorted(out.glob(PARTS)):
        for row in _read(part, columns):
            if row[STAMP] == stamps.get(row["file"]) and (row["file"] not in rows or not row["problem"]):
                rows[row["file"]] = row
    return rows


def _read(path: Path, columns: list[str]) -> list[dict]:
    """The whole rows of a table; one that was cut off when its writer was killed is left out."""
    try:
        with open(path, **CSV) as source:
            text = source.read()
    except FileNotFoundError:
        return []
    rows = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
    return [row for row in rows if list(row) == columns and None not in row.values()]


def _write(path: Path, columns: list[str], rows: list[dict]) -> None:
    with replacing(path) as beside, open(beside, "w", **CSV) as sink:
        writer = csv.DictWriter(sink, columns)
        writer.writeheader()
        writer.writerows(rows)
