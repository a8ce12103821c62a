"""What students handed in, read from folders and archives as learning platforms export them, and never trusted.

Nothing is extracted to disk, run or followed; a file that cannot be read is one line, and the others go on.
"""

import io
import json
import math
import os
import posixpath
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

MAX_BYTES = 2 * 2**20  # of one hand-in; one with all its facts has about a tenth of it
MAX_PACKED = 20 * 2**20  # of a student's own archive inside the platform's; the two notebooks in it have about 5 MB
MAX_VALUES = 200_000  # in one hand-in
MAX_DEPTH = 40  # lists and objects inside each other; a hand-in has less than ten
MAX_MEMBERS = 10_000  # of one student; the lesson with all its files has 1,500
MAX_UNPACKED = (60 * 2**20, 20 * 2**20)  # what is read of one student in the platform's archive, and in one of his own
MAX_COURSE = 2**30  # of hand-ins in one archive of the platform; a course of 500 has about 200 MB
MAX_RATIO = 200  # unpacked to packed size of anything above 100 KB; a hand-in has about 5
TOO_MANY = "{:,} files, as no student has: not read"
TOO_MUCH = "unpacks to more than {}, as no student's files do: not read"
NAMED = 10  # files of other kinds that are named in one line
JUNK = {"__macosx", ".ds_store", "thumbs.db", "desktop.ini", ".git", ".ipynb_checkpoints"}
BROKEN = {"Cc", "Cf", "Cs"}  # categories of characters: control, invisible, half of a pair
OTHER = "not UTF-8 (saved by another program?)"
OTHER_ENCODINGS = {"cp950": f"{OTHER}: read as Big5, look at the name"}  # what is GB 18030 may be read so as well
OTHER_ENCODINGS["gb18030"] = f"{OTHER}: read as GB 18030, look at the name"


@dataclass(frozen=True)
class Found:
    """One hand-in as it lies there: `where`, for people; `data`, its JSON object, in which nothing is checked but that
    it is small, flat and without NaN; `notes`, lines on how it was read."""

    where: str
    data: dict
    notes: tuple[str, ...] = ()


@dataclass
class Incoming:
    """What `collect` found: the hand-ins, and (where, line) of each file that is none."""

    found: list[Found] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _File:
    where: str  # for people, and cut where it is long
    name: str
    size: int
    open: Callable[[], IO[bytes]]


@dataclass
class _Reading:
    """What one call of `collect` has come upon: beside hand-ins and problems the files of other kinds, and how many
    bytes of hand-ins were in the archive at hand: of the student at hand, and of all."""

    incoming: Incoming = field(default_factory=Incoming)
    others: list[str] = field(default_factory=list)
    student: int = 0
    course: int = 0

    def charge(self, size: int, whose: str) -> None:
        """Count bytes about to be read; raises ValueError for a student with too much, _Full for a course."""
        self.student += size
        if self.student > MAX_UNPACKED[0]:
            raise ValueError(TOO_MUCH.format(_size(MAX_UNPACKED[0])))
        self.course += size
        if self.course > MAX_COURSE:
            raise _Full(f"holds more than {_size(MAX_COURSE)} of hand-ins: from {whose} on, not read")


class _Full(ValueError):
    """There is more in archives than is read of a whole course."""


def collect(source: str | Path) -> Incoming:
    """Every hand-in in a folder with all folders below it, in an archive (.zip), or in one file.

    Raises FileNotFoundError where there is nothing of that name; whatever is wrong with one file becomes its line.
    """
    source = Path(source).expanduser()
    if not source.exists():
        raise FileNotFoundError(f"{source}: there is no such folder, archive or file")
    reading = _Reading()
    if source.is_dir():
        for file in _walk(source, reading.incoming):
            _take(file, reading)
    else:
        size = source.stat().st_size
        _take(_File(clean(source.name), source.name, size, lambda: source.open("rb")), reading)
    _say_others(reading)
    return reading.incoming


def clean(value: object, limit: int = 120) -> str:
    """A student's text fit for a line, a table or a page: one line without control, broken and invisible characters
    (those that turn the direction of writing are such), cut at `limit`; "" for what is neither text nor number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value)
    if not text.isprintable():
        text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in BROKEN)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _walk(folder: Path, incoming: Incoming) -> Iterator[_File]:
    def refuse(error: OSError) -> None:
        incoming.problems.append((clean(str(error.filename), 300), f"cannot be opened ({error.strerror}): not read"))

    for here, folders, names in os.walk(folder, onerror=refuse):  # links to folders are not followed
        folders[:] = sorted(name for name in folders if name.lower() not in JUNK)
        for path in (Path(here, name) for name in sorted(names)):
            try:
                status = path.lstat()
            except OSError as error:
                refuse(error)
                continue
            where = clean(path.relative_to(folder).as_posix(), 300)
            if stat.S_ISREG(status.st_mode):
                yield _File(where, path.name, status.st_size, lambda path=path: path.open("rb"))
            else:
                incoming.problems.append((where, "a link or a device, not a file: not read"))


def _take(file: _File, reading: _Reading, level: int = 0) -> None:
    """Read one file if it can be a hand-in or an archive of some; any other joins `others`."""
    if _left_behind(file):
        return
    if not _wanted(file):
        reading.others.append(file.where)
        return
    try:
        if _packed(file):
            _take_archive(file, reading, level)
        else:
            reading.incoming.found.append(_parse(_read(file), file.where))
    except ValueError as error:
        reading.incoming.problems.append((file.where, clean(str(error), 300)))
    except Exception as error:  # damaged archives have raised IndexError and OverflowError as well
        reason = getattr(error, "strerror", None) or clean(str(error)) or type(error).__name__
        reading.incoming.problems.append((file.where, f"cannot be read ({reason})"))


def _left_behind(file: _File) -> bool:
    """Whether a file is one that systems leave behind."""
    return bool(JUNK & set(file.where.lower().split("/"))) or file.name.startswith("._")


def _wanted(file: _File) -> bool:
    return file.name.lower().endswith((".json", ".json.txt", ".zip"))


def _packed(file: _File) -> bool:
    return file.name.lower().endswith(".zip")


def _most(file: _File) -> tuple[str, int]:
    """What such a file is, and how many bytes of it are read at most."""
    return ("a student's archive", MAX_PACKED) if _packed(file) else ("a hand-in", MAX_BYTES)


def _read(file: _File) -> bytes:
    what, most = _most(file)
    if file.size > most:
        raise ValueError(f"{_size(file.size)}, and {what} has less than {_size(most)}: not read")
    with file.open() as opened:
        return opened.read(most)


def _take_archive(file: _File, reading: _Reading, level: int) -> None:
    if level >= len(MAX_UNPACKED):
        raise ValueError("an archive in an archive in an archive: not read")
    # The first archive is the platform's, may be large, and stays on the disk; one inside it is a student's.
    with io.BytesIO(_read(file)) if level else file.open() as packed, zipfile.ZipFile(packed) as archive:
        members = [member for member in archive.infolist() if not member.filename.endswith("/")]
        if level and len(members) > MAX_MEMBERS:
            raise ValueError(TOO_MANY.format(len(members)))
        files = [_member(archive, member, file.where) for member in members]
        shares = {file.where: files} if level else _by_student(files, file.where)
        if not level:  # in a folder it may be a student's own: what it holds costs no other archive
            reading.course = 0
        for whose, share in shares.items():
            if not level:
                reading.student = 0
            try:
                reading.charge(_checked_size(share, level), whose)
            except _Full:
                raise
            except ValueError as error:
                reading.incoming.problems.append((whose, str(error)))
                continue
            for one in share:
                _take(one, reading, level + 1)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, within: str) -> _File:
    name = posixpath.normpath("/" + member.filename.replace("\\", "/")).lstrip("/")
    where = f"{within}/{name}"  # to be read by people: nothing is ever written there
    return _File(clean(where, 300), posixpath.basename(name), member.file_size, _opener(archive, member))


def _by_student(files: list[_File], archive: str) -> dict[str, list[_File]]:
    """The files of a platform's archive by whose they are, so that what one hands in costs no other: by the first
    folder that they do not all share (Moodle, Gradescope), or by their beginning, up to a _ (Canvas: "ada_12_34_...").
    """
    files = [file for file in files if not _left_behind(file)]
    folders = [posixpath.dirname(file.where) for file in files if _wanted(file)]  # a list at the top is no student's
    common = posixpath.commonpath(folders or [archive])
    shares: dict[str, list[_File]] = {}
    for file in files:
        first, *below = file.where.removeprefix(f"{common}/").split("/")
        shares.setdefault(f"{common}/{first if below else first.partition('_')[0]}", []).append(file)
    return shares


def _checked_size(files: list[_File], level: int) -> int:
    """How many bytes of hand-ins are in one student's files; raises ValueError where they are too much to read."""
    if len(files) > MAX_MEMBERS:
        raise ValueError(TOO_MANY.format(len(files)))
    wanted = [file for file in files if _wanted(file) and file.size <= _most(file)[1]]
    if sum(file.size for file in wanted) > MAX_UNPACKED[level]:
        raise ValueError(TOO_MUCH.format(_size(MAX_UNPACKED[level])))
    return sum(file.size for file in wanted if not _packed(file))


def _opener(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        if member.file_size > max(100_000, MAX_RATIO * member.compress_size):
            raise ValueError(f"packed to less than a {MAX_RATIO}th, as no hand-in is: not read")
        return archive.open(member)  # gives no more than file_size, whatever the packed bytes would become

    return opened


def _parse(raw: bytes, where: str) -> Found:
    """The JSON object in `raw`; raises ValueError, in one line, where there is none of use."""
    text, notes = _text(raw)
    try:
        data = json.loads(text, parse_constant=lambda _: None, parse_float=_finite, parse_int=_whole)
    except RecursionError:
        raise ValueError("lists in lists without end: not read") from None
    except json.JSONDecodeError as error:
        what = "empty" if not text.strip() else f"no JSON (line {error.lineno}: {error.msg})"
        raise ValueError(f"{what}: not read") from None
    if not isinstance(data, dict):
        raise ValueError(f"JSON, but no hand-in (a {type(data).__name__}): not read")
    if "cells" in data and "nbformat" in data:
        raise ValueError("a notebook: the .json file that quiz.hand_in wrote is wanted")
    if not isinstance(data.get("answers"), dict):
        raise ValueError("JSON, but no hand-in (no answers in it): not read")
    _check_shape(data)
    return Found(where, data, notes)


def _text(raw: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and a note where another program has saved it: in Big5 the second half of a character (of 許
    and 功) may be a backslash, which is none."""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    for tried in (encoding, *OTHER_ENCODINGS):
        try:
            return raw.decode(tried), (OTHER_ENCODINGS[tried],) if tried in OTHER_ENCODINGS else ()
        except UnicodeDecodeError:
            continue
    return raw.decode(encoding, errors="replace"), (f"{OTHER}: some characters are lost",)


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _whole(text: str) -> int | float | None:
    return int(text) if len(text) < 20 else _finite(text)  # Python refuses to read ints of thousands of digits


def _check_shape(data: dict) -> None:
    """Raise ValueError for what is nested so deeply, or holds so much, that working on it would be the trouble."""
    layer, count = [data], 0
    for _ in range(MAX_DEPTH):
        layer = [inner for value in layer if isinstance(value, dict | list) for inner in _inside(value)]
        count += len(layer)
        if count > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES:,} values, as no hand-in has: not read")
        if not layer:
            return
    raise ValueError("lists in lists without end: not read")


def _inside(value: dict | list) -> list:
    return list(value.values()) if isinstance(value, dict) else value


def _say_others(reading: _Reading) -> None:
    """One line for each folder with files of another kind, whether they lie beside a hand-in or instead of one."""
    answered = {posixpath.dirname(found.where) for found in reading.incoming.found}
    folders: dict[str, list[str]] = {}
    for where in reading.others:
        folders.setdefault(posixpath.dirname(where), []).append(where)
    for folder, files in folders.items():
        names = ", ".join([files[0], *map(posixpath.basename, files[1:NAMED])])
        more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
        what = "notebooks" if all(name.lower().endswith(".ipynb") for name in files) else "neither .json nor .zip"
        beside = "passed over" if folder in answered else "the .json file that quiz.hand_in wrote is wanted"
        reading.incoming.problems.append((clean(names + more, 1000), f"{what}: {beside}"))


def _size(count: int) -> str:
    return f"{math.ceil(count / 2**20 * 10) / 10:g} MB"  # upwards, or a little too large would be called just right
