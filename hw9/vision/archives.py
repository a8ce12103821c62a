"""Archives from elsewhere: extracted once, with resume, and not trusted while doing so."""

import errno
import hashlib
import json
import lzma
import os
import posixpath
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from tqdm import tqdm

from hw9.files import replacing

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
STATE = ".hw9-archive.json"  # in every extracted folder: of which archive it is, and whether all of it
MAX_MEMBERS = 200_000  # Food-11 has 16,643
MAX_BYTES = 20 * 10**9  # Food-11 has 1.2 GB
MAX_RATIO = 100  # extracted to packed size; photographs reach 1.1
SMALL_BYTES = 256 * 10**6  # below this any ratio is harmless
BLOCK = 1 << 20

Opener = Callable[[], IO[bytes]]


def extract(archive: str | Path, *, into: str | Path | None = None, wanted: Callable[[str], bool]) -> Path:
    """Extract the wanted files of a zip or tar once and return the folder: `<name>-extracted` in `into`, by default
    beside the archive, or in the user's cache folder where that cannot be written.

    Everything is checked before the first byte is written: member paths, links, devices, number and size. An
    interrupted extraction goes on where it stopped; a complete one of the same archive is returned at once.
    Raises FileNotFoundError (no such archive), ValueError (damaged or unsafe archive, in one line), OSError (disk).
    """
    archive = Path(archive).expanduser()
    if not archive.is_file():
        raise FileNotFoundError(f"{archive}: there is no such archive")
    status, places = archive.stat(), _places(archive, into)
    identity = {"archive": archive.name, "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    for target in places:
        if read_state(target) == {**identity, "complete": True}:
            return target
    target = places[0] if _writable(places[0]) else places[1]
    with _reading(archive) as members, disk_full(f"extracting {archive}"):
        chosen = [member for member in members if wanted(member[0])]
        _prepare(target, identity, sum(size for _, size, _ in chosen))
        for name, size, opener in tqdm(chosen, f"Extracting {archive.name}", leave=False, delay=1, mininterval=0.5):
            path = target / name
            if not (path.is_file() and path.stat().st_size == size):
                with _nameable(f"{archive}: {name}"):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with replacing(path) as part, opener() as source, open(part, "wb") as sink:
                        _copy(source, sink, size, f"{archive}: {name}")
        _write_state(target, {**identity, "complete": True})
    return target


def member_names(archive: str | Path) -> list[str]:
    """The checked names of the files in an archive, without extracting it; raises as `extract` does."""
    with _reading(Path(archive)) as members:
        return [name for name, _, _ in members]


def read_state(folder: Path) -> dict | None:
    """What `extract` noted in a folder it made: archive, bytes, mtime_ns, complete; None for any other folder."""
    try:
        return dict(json.loads((folder / STATE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def is_archive(path: Path) -> bool:
    """True when the file name says zip or tar."""
    return path.name.lower().endswith(SUFFIXES)


def cache_folder() -> Path:
    """The user's cache folder for this project (not created)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hw9"


def _places(archive: Path, into: str | Path | None) -> tuple[Path, Path]:
    """Where the archive's files go, and where if that cannot be written."""
    stem = re.sub(r"(\.tar)?\.\w+$", "", archive.name)
    place = hashlib.blake2b(os.fsencode(archive.absolute()), digest_size=4).hexdigest()
    beside = (Path(into) if into else archive.parent) / f"{stem}-extracted"
    return beside, cache_folder() / f"{stem}-{place}-extracted"


def _writable(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return False
        raise
    return True


def _prepare(target: Path, identity: dict, needed: int) -> None:
    """Make `target` ready: files of this archive stay, an older archive's go, anybody else's are not touched."""
    target.mkdir(parents=True, exist_ok=True)
    state = read_state(target)
    if state is None and any(path.suffix != ".part" for path in target.iterdir()):
        raise FileExistsError(f"{target} holds files of another origin; move it away, then run again")
    if state is not None and state.get("archive") != identity["archive"]:
        raise FileExistsError(f"{target} holds the files of {state.get('archive')}; move it away, then run again")
    if state is not None and {**state, "complete": False} != {**identity, "complete": False}:
        print(f"{identity['archive']} has changed: {target} is extracted anew")
        for path in target.iterdir():  # all but what says whose folder this is: an interrupt may come in between
            if path.name != STATE:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    needed -= sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    if needed > shutil.disk_usage(target).free:
        raise OSError(errno.ENOSPC, f"{needed / 1e9:.1f} GB are needed")
    _write_state(target, {**identity, "complete": False})


def _write_state(target: Path, state: dict) -> None:
    with replacing(target / STATE) as part:
        part.write_text(json.dumps(state))


@contextmanager
def disk_full(doing: str) -> Iterator[None]:
    """Turns "no space left" within the block into a line that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        advice = "make room and run again, it goes on where it stopped"
        raise OSError(errno.ENOSPC, f"the disk is full while {doing} ({error.strerror}); {advice}") from None


@contextmanager
def _nameable(member: str) -> Iterator[None]:
    """Tells a name that this disk cannot hold from a damaged archive, of which the same errno speaks."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EINVAL and error.filename is not None:
            raise OSError(errno.ENAMETOOLONG, f"{member}: this disk cannot hold a file of that name") from None
        raise


@contextmanager
def _reading(archive: Path) -> Iterator[list[tuple[str, int, Opener]]]:
    """(name, size in bytes, opener) of each file in the archive, all of them checked."""
    with open(archive, "rb") as file:
        start = file.read(512)
    try:
        if start.startswith(b"PK"):
            with zipfile.ZipFile(archive) as handle:
                yield _checked(_zip_members(handle), archive)
        else:
            with tarfile.open(archive) as handle:
                yield _checked(_tar_members(handle), archive)
    except FileExistsError:
        raise
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if getattr(error, "errno", None) not in (None, errno.EINVAL):  # the disk's complaint, not one about the archive
            raise
        problem = "truncated or damaged, or not a zip or tar archive"
        if start.lstrip()[:1] == b"<":
            problem = "a web page, not an archive; check the address it came from"
        reason, size = str(error).split("\n")[0], archive.stat().st_size
        raise ValueError(f"{archive} ({size:,} bytes) is {problem} ({reason})") from None
    except RuntimeError as error:  # a password, or a method of compression that Python does not know
        raise ValueError(f"{archive} cannot be extracted: {error}") from None


def _zip_members(handle: zipfile.ZipFile) -> Iterator[tuple[str, int, str | None, Opener]]:
    """(name, size, target of a link or None, opener) of each member that is no folder."""
    for info in handle.infolist():
        opener = partial(handle.open, info)
        if stat.S_ISLNK(info.external_attr >> 16):
            with opener() as file:
                yield info.filename, 0, file.read(4096).decode(errors="replace"), opener
        else:
            yield info.filename, info.file_size, None, opener


def _tar_members(handle: tarfile.TarFile) -> Iterator[tuple[str, int, str | None, Opener]]:
    for info in handle:
        opener = partial(handle.extractfile, info)
        if info.issym():
            yield info.name, 0, info.linkname, opener
        elif info.islnk():  # a hard link's target counts from the top of the archive
            yield info.name, 0, posixpath.relpath(info.linkname, posixpath.dirname(info.name) or "."), opener
        elif info.isfile():
            yield info.name, info.size, None, opener
        elif info.isdir():
            yield info.name + "/", 0, None, opener
        else:
            raise ValueError(f"{handle.name}: unsafe archive, {info.name} is a device; nothing was extracted")


def _checked(members: Iterator[tuple[str, int, str | None, Opener]], archive: Path) -> list[tuple[str, int, Opener]]:
    """Files only; links that stay inside are left out. ValueError for whatever could harm."""
    allowed = min(MAX_BYTES, max(SMALL_BYTES, MAX_RATIO * archive.stat().st_size))
    files, total = [], 0
    for count, (name, size, link, opener) in enumerate(members, 1):
        total += size
        if count > MAX_MEMBERS or total > allowed:
            what = f"more than {MAX_MEMBERS:,} members" if count > MAX_MEMBERS else f"more than {allowed / 1e9:.1f} GB"
            raise ValueError(f"{archive}: unsafe archive, {what} would come out of it; nothing was extracted")
        if _leaves(name) or (link is not None and _leaves(link, posixpath.dirname(name))):
            raise ValueError(f"{archive}: unsafe archive, {name!r} leads out of its folder; nothing was extracted")
        name = name.replace("\\", "/")  # as some tools on Windows write it
        if link is None and not name.endswith("/"):
            files.append((posixpath.normpath(name), size, opener))  # tar -C folder . begins every name with ./
    return files


def _leaves(name: str, folder: str = "") -> bool:
    """True when `name`, seen from `folder`, is absolute, has a drive, or climbs out of the archive's folder."""
    name = name.replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or "\0" in name:
        return True
    climbs = posixpath.normpath(posixpath.join(folder, name)).split("/")[0] == ".."
    return climbs or (not folder and ".." in name.split("/"))


def _copy(source: IO[bytes], sink: IO[bytes], size: int, name: str) -> None:
    """Copy exactly `size` bytes, the size the archive declares; ValueError when there are more or fewer."""
    written = 0
    while block := source.read(min(BLOCK, size + 1 - written)):
        written += len(block)
        if written > size:
            break
        sink.write(block)
    if written != size:
        raise ValueError(f"{name} has not the {size:,} bytes that the archive declares: damaged or unsafe")
