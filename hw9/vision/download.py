"""Download Food-11, or any file, over connections that drop: resumed, checked, and nothing lost."""

import errno
import http.client
import importlib
import os
import re
import shutil
import ssl
import time
import warnings
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from tqdm import tqdm

from hw9.files import replacing
from hw9.vision import archives, locate

KAGGLE = "trolukovich/food11-image-dataset"
TRIES, PAUSE = 4, 1.0  # of one download; seconds before the second try, doubled before each further one
BLOCK = 1 << 20


def download_food11(
    destination: str | Path = "data/food11", *, source: str | Path | None = None, force: bool = False
) -> Path:
    """Download Food-11 (1.2 GB) once and return the folder to give to `Food11`.

    `source` is None for Kaggle's public copy (no login; needs the package kagglehub), the http(s) URL of an archive,
    or the path of one. What is already in `destination` is used, unless `force`. An interrupted download or
    extraction goes on at the next call. A number of pictures other than Food-11's is told by a warning. Raises
    ImportError (no kagglehub), ConnectionError, OSError (disk full) or ValueError (bad archive), each in one line.
    """
    destination = Path(destination).expanduser()
    found = locate.locate(destination) if destination.is_dir() and not force else None
    if found:
        print(f"Food-11 is already in {found[0]}")
    else:
        destination.mkdir(parents=True, exist_ok=True)
        if source is None:
            place = _from_kaggle(destination, force)
        elif re.match(r"https?://", str(source)):
            place = _from_url(str(source), destination, force)
        else:
            place = archives.extract(source, into=destination, wanted=locate.is_picture)
        found = locate.require(place)
        found = locate.locate(destination) or found  # as `find_food11` will say next time
    _check_counts(*found)
    return found[0]


def _from_kaggle(destination: Path, force: bool) -> Path:
    try:
        kagglehub = importlib.import_module("kagglehub")
    except ImportError:
        raise ImportError("the download from Kaggle needs the package kagglehub: pip install kagglehub") from None
    try:
        with archives.disk_full(f"downloading {KAGGLE}"):
            place = Path(kagglehub.dataset_download(KAGGLE, force_download=force))
    except Exception as error:  # kagglehub's own, and those of requests
        if isinstance(error, OSError) and error.errno is not None:
            raise
        unreachable = isinstance(error, OSError) and getattr(error, "response", None) is None
        reason = "no connection" if unreachable else str(error).strip().split("\n")[0] or type(error).__name__
        advice = "check the network, or give an archive or its URL as source"
        raise ConnectionError(f"Kaggle's {KAGGLE} could not be downloaded ({reason}); {advice}") from None
    # Kaggle's tool resumes only in its own cache, and Colab mounts the data set elsewhere: so note where it is.
    with replacing(destination / locate.POINTER) as part:
        part.write_text(f"{place.absolute()}\n", encoding="utf-8", errors="surrogateescape")
    return place


def _from_url(url: str, destination: Path, force: bool) -> Path:
    archive = fetch(url, destination, force=force)
    try:
        place = archives.extract(archive, into=destination, wanted=locate.is_picture)
    except ValueError:
        archive.unlink()  # or the next call would meet the same useless file
        raise
    archive.unlink()
    return place


def _check_counts(root: Path, splits: locate.Splits) -> None:
    found = {split: locate.labelled(splits.get(split, [])) for split in locate.COUNTS}
    wrong = [f"{split} {found[split]:,} (not {n:,})" for split, n in locate.COUNTS.items() if found[split] != n]
    if wrong:
        warnings.warn(f"{root} is not the whole of Food-11; pictures found: {', '.join(wrong)}", stacklevel=3)


def fetch(url: str, folder: str | Path, *, force: bool = False) -> Path:
    """Download `url` into `folder` and return the file; one that is already there is kept unless `force`.

    The data grow in `<name>.part`, so that a dropped connection (tried again TRIES times), Ctrl-C or a full disk
    lose nothing: the next call goes on from there (HTTP Range). Raises ConnectionError when the server refuses or
    the connection fails for good, OSError (ENOSPC) when the disk is full.
    """
    folder, shown = Path(folder), url.split("?")[0]  # what follows "?" may be a key
    folder.mkdir(parents=True, exist_ok=True)
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    path = folder / (re.sub(r"[^\w.-]+", "_", name).lstrip(".") or "download")
    part = path.with_name(path.name + ".part")
    if force:
        part.unlink(missing_ok=True)
    if path.is_file() and not force:
        return path
    for attempt in range(TRIES):
        try:
            with archives.disk_full(f"downloading {shown} to {part}"):
                _stream(url, part)
            os.replace(part, path)
            return path
        except FileNotFoundError:  # another process has finished the same download
            if path.is_file():
                return path
            raise
        except HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise ConnectionError(f"{shown}: the server says {error}; check the address") from None
            problem = f"the server says {error}"
        except (URLError, ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException) as error:
            problem = str(getattr(error, "reason", error))
        if attempt < TRIES - 1:
            time.sleep(PAUSE * 2**attempt)
    kept = f"; {part.stat().st_size:,} bytes are kept, the next call goes on from there" if part.exists() else ""
    raise ConnectionError(f"{shown}: the download failed {TRIES} times ({problem}){kept}")


def _stream(url: str, part: Path) -> None:
    """Append what is missing to `part`; ConnectionError when the connection ends early."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "hw9"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urlopen(Request(url, headers=headers), timeout=30)
    except HTTPError as error:
        if error.code != 416:
            raise
        if error.headers.get("Content-Range", "").endswith(f"/{have}"):  # nothing is missing
            return
        part.unlink()
        raise ConnectionError("the file on the server has changed") from None
    with response:
        if not (response.status == 206 and f"bytes {have}-" in response.headers.get("Content-Range", "")):
            have = 0  # the server sends all of it
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        if total is not None and total - have > shutil.disk_usage(part.parent).free:
            raise OSError(errno.ENOSPC, f"{(total - have) / 1e9:.1f} GB are still to come")
        bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.stem, leave=False, mininterval=0.5)
        with bar, open(part, "ab" if have else "wb") as file:
            while block := response.read(BLOCK):
                file.write(block)
                have += len(block)
                bar.update(len(block))
    if total is not None and have != total:
        raise ConnectionError(f"the connection ended at {have:,} of {total:,} bytes")
    if part.stat().st_size != have:
        part.unlink()
        raise ConnectionError("another process downloads to the same place")
