"""Pictures from files: whatever a camera, a phone or a web page left behind becomes uint8 RGB (3, H, W)."""

import math
import os
import re
import threading
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from tqdm import tqdm

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
# Named, because some of Pillow's other readers start programs (EPS runs Ghostscript).
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000")
MAX_PIXELS = 450_000_000  # a little above 20,000 x 20,000; larger ones are refused as decompression bombs
MAX_PIXELS_WHOLE = 100_000_000  # without `size` every pixel is returned
AT_ONCE_PIXELS = 100_000_000  # above, threads take turns
STRIP_PIXELS = 16_000_000  # large pictures are converted in strips of about this size

TURNS = {  # EXIF tag 0x0112 (Orientation) -> what shows the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_OPENING, _HUGE = threading.Lock(), threading.Lock()


def read_picture(path: str | Path, size: int | None = None) -> np.ndarray:
    """One picture file -> uint8 RGB (3, H, W), or (3, size, size), squeezed as in the course (aspect not kept).

    Grey, palette, CMYK and 16-bit pictures become 8-bit RGB, transparency is laid on white, EXIF rotation is
    applied, an animation gives its first frame. Raises FileNotFoundError when there is no such file and ValueError
    for one that is no picture, is truncated, or has more pixels than about 20,000 x 20,000 (10,000 x 10,000
    without `size`).
    """
    check_size(1 if size is None else size)
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such picture file")
    picture = attempt(path, size)
    if isinstance(picture, str):
        raise ValueError(f"{path}: {picture}")
    return picture


def read_folder(
    folder: str | Path, size: int, *, limit: int | None = None
) -> tuple[Tensor, list[str], list[tuple[str, str]]]:
    """The pictures of one folder (not of folders in it), in natural order: photo2 before photo10.

    Returns images float32 (N, 3, size, size) in [0, 1], their N file names, and `skipped`: (name, reason) for each
    file that could not be read. `limit` stops after that many pictures. Raises FileNotFoundError for a folder
    that is missing or holds no files, ValueError when none of its files is a readable picture.
    """
    check_size(size)
    check_limit(limit)
    files = files_of(folder)
    pictures, names, skipped = [], [], []
    with decoding(files, size) as results:
        for path, picture in zip(files, results, strict=True):
            if isinstance(picture, str):
                skipped.append((path.name, picture))
                continue
            pictures.append(picture)
            names.append(path.name)
            if len(names) == limit:
                break
    if not pictures:
        name, reason = skipped[0]
        raise ValueError(f"{folder}: none of its {len(files)} files is a readable picture; {name}: {reason}")
    return torch.from_numpy(np.stack(pictures)).float() / 255, names, skipped  # (N, 3, size, size)


def files_of(folder: str | Path) -> list[Path]:
    """The files of one folder, not of folders in it, in natural order; FileNotFoundError when there are none."""
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "there is no such folder"
        raise FileNotFoundError(f"{folder}: {problem}; put your photographs in a folder and give its path")
    inside = [path for path in folder.iterdir() if not is_clutter(path.name)]
    files = [path for path in inside if path.is_file()]
    if not files:
        only = "only folders" if inside else "no pictures"
        advice = "put your photographs (.jpg, .png, ...) in this folder, or give one that holds them"
        raise FileNotFoundError(f"{folder}: {only} here; {advice}")
    return sorted(files, key=lambda path: natural(path.name))


@contextmanager
def decoding(files: Iterable[Path], size: int) -> Iterator[Iterator[np.ndarray | str]]:
    """Within the block: each file's picture uint8 (3, size, size), or the reason it has none, in the order given.

    Threads do the work (Pillow decodes outside Python's lock); leaving the block, also by Ctrl-C, stops them.
    """
    files = list(files)
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")  # harmless oddities of camera metadata
            results = pool.map(partial(attempt, size=size), files)
            with closing(
                tqdm(results, "Reading pictures", len(files), leave=False, delay=1, mininterval=0.5)
            ) as progress:
                yield iter(progress)
    finally:
        pool.shutdown(cancel_futures=True)


class Passing(str):
    """A reason of the disk or the memory, not of the file: another time it may be read."""


def attempt(path: Path, size: int | None) -> np.ndarray | str:
    """The picture uint8 (3, H, W) or (3, size, size), or in a few words why it cannot be read."""
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            return "not a file"
        return _decode(path, size)
    except UnidentifiedImageError:
        if path.stat().st_size == 0:
            return "an empty file"
        if path.suffix.lower() in (".heic", ".heif") or _is_heic(path):
            return "a HEIC photograph; save it as JPEG"
        return "not a picture"
    except MemoryError:
        return Passing("too large for this machine's memory")
    except OSError as error:
        # Pillow's own complaints have no number, and are about the file.
        return Passing(error.strerror or error) if error.errno else _damaged(error)
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them into
        return _damaged(error)


def _damaged(error: Exception) -> str:
    text = str(error)
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "truncated; the end of the file is missing"
    return text if isinstance(error, _TooLarge) else f"cannot be decoded ({type(error).__name__}: {text})"


def _is_heic(path: Path) -> bool:
    """By its first bytes, as a phone's photograph sent on may be called .jpg."""
    with path.open("rb") as opened:
        return opened.read(12)[4:] in {b"ftyp" + brand for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")}


class _TooLarge(ValueError):
    pass


def _decode(path: Path, size: int | None) -> np.ndarray:
    with _open(path) as image:
        width, height = image.size
        if width * height > (MAX_PIXELS if size else MAX_PIXELS_WHOLE):
            advice = "make it smaller" if size else "give a size to read it smaller"
            raise _TooLarge(f"{width} x {height} pixels are too many to decode; {advice}")
        if size:
            image.draft(image.mode, (2 * size, 2 * size))  # a JPEG decodes straight to a half, quarter or eighth
        # Of the largest one after the other: eight at once would take 13 GB.
        with _HUGE if image.width * image.height > AT_ONCE_PIXELS else nullcontext():
            image.load()
        picture = _reduced(image, max(1, min(image.size) // (2 * size)) if size else 1)
        turn = TURNS.get(_orientation(image))
    if size:
        picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    if turn is not None:
        picture = picture.transpose(turn)
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))  # (3, H, W)


def _open(path: Path) -> Image.Image:
    # Pillow refuses large pictures by a global limit at opening; ours depends on what is asked for.
    formats = _formats()
    with _OPENING:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@cache
def _formats() -> tuple[str, ...]:
    """FORMATS that this build of Pillow can read."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:  # a damaged EXIF block is no reason to refuse the picture
        return 1


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """`image` in RGB, averaged over blocks of factor x factor pixels; in strips, so that memory stays small."""
    top = _white(image)
    width, height = image.size
    rows = max(1, STRIP_PIXELS // (width * factor)) * factor
    if rows >= height:
        picture = _rgb(image, top)
        return picture.reduce(factor) if factor > 1 else picture
    picture = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for y in range(0, height, rows):
        strip = _rgb(image.crop((0, y, width, min(height, y + rows))), top)
        picture.paste(strip.reduce(factor) if factor > 1 else strip, (0, y // factor))
    return picture


def _white(image: Image.Image) -> float:
    """The value that means white: 65535 for 16 bits; for 32-bit and float files the usual one that fits."""
    if image.mode not in ("I", "F"):
        return 65535
    highest = image.getextrema()[1]
    if not math.isfinite(highest):  # of a float file with gaps
        values = np.asarray(image)
        highest = float(values.max(initial=0, where=np.isfinite(values)))
    usual = (255, 65535) if image.mode == "I" else (1, 255, 65535)
    return next((white for white in usual if highest <= white), highest)


def _rgb(image: Image.Image, white: float) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # I;16 and its byte orders, I (32-bit) and F (float)
        values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=white, neginf=0) * (255 / white)
        image = Image.fromarray((values.clip(0, 255) + 0.5).astype(np.uint8))
    if image.mode.endswith(("A", "a")) or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def natural(name: str) -> list:
    """Sort key that counts: photo2 before photo10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name.lower())]


def is_clutter(name: str) -> bool:
    """True for what operating systems leave in folders and archives."""
    return name.startswith(".") or name.lower() in ("__macosx", "thumbs.db", "desktop.ini", "icon\r")


def check_size(size: int) -> None:
    """ValueError unless `size` is a sensible side of a picture in pixels."""
    if not isinstance(size, int | np.integer) or not 1 <= size <= 4096:
        raise ValueError(f"size is the side of the pictures in pixels, a whole number from 1 to 4096, not {size!r}")


def check_limit(limit: int | None) -> None:
    """ValueError unless `limit` is None or at least 1."""
    if limit is not None and (not isinstance(limit, int | np.integer) or limit < 1):
        raise ValueError(f"limit is a number of pictures, 1 or more, or None for all, not {limit!r}")
