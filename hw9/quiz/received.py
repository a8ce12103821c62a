"""A hand-in as far as its file goes: what is wrong in a field is a note, and the rest is graded; whose it is."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from hw9.quiz import facts as facts_of_run
from hw9.quiz.checks import PARTS
from hw9.quiz.facts import Facts
from hw9.quiz.handin import FORMAT, HandIn
from hw9.quiz.incoming import Found, clean

LONGEST = 200  # characters of a salt or of a student that are taken as they stand


@dataclass(frozen=True)
class Received:
    """A hand-in with where it lies, and notes for the teacher. Its answers are as they stand in the file."""

    where: str
    handin: HandIn
    notes: list[str] = field(default_factory=list)


def receive(found: Found) -> Received:
    """A hand-in from what lies there, and notes on what is wrong with it; raises ValueError for what has no part."""
    data, notes = found.data, list(found.notes)
    if "part" not in data:
        raise ValueError("answers, but no hand-in: the .json file that quiz.hand_in wrote is wanted")
    if data["part"] not in PARTS:
        raise ValueError(f'neither part "cnn" nor "bert" but {clean(str(data["part"]), 40)!r}: not graded')
    name, number = clean(data.get("name")), clean(data.get("number"), 40)
    if not name and not number:
        notes.append("neither name nor number in it")
        name = _guessed_name(found.where)
    elif not number:
        notes.append("no number in it")
    if data.get("format") != FORMAT:
        notes.append(f"written by another version (format {clean(data.get('format'), 20) or 'missing'})")
    facts, intact = Facts(data["part"], "none", "none"), False
    try:
        facts = facts_of_run.from_json(data.get("facts"))
        intact = facts_of_run.digest(facts) == data.get("digest")
    except ValueError:
        notes.append("its facts cannot be read: only questions without facts can be right")
    else:
        if not intact:
            notes.append("facts and their digest differ: the file was edited")
        if facts.part != data["part"]:
            notes.append(f"its facts are those of part {facts.part}")
    if not (time := _time(data.get("time"))):
        notes.append("no time in it")
    if not clean(data.get("nonce")):
        notes.append("no nonce in it: taken out, so that a copy is not found?")
    texts = {key: _texts(data.get(key)) for key in ("hashes", "versions", "stamps")}
    told = dict(
        salt=_seed(data.get("salt")),
        student=_seed(data.get("student")),
        answers={clean(key): given for key, given in data["answers"].items()},
        facts=facts,
        digest=facts_of_run.digest(facts),  # the file may say anything
        time=time,
        nonce=clean(data.get("nonce")),
        intact=intact,
    )
    return Received(found.where, HandIn(name, number, data["part"], **told, **texts), notes)


def _seed(value: object) -> str:
    """What chose the variants, as it stands: with a space less another variant would be graded."""
    if not isinstance(value, str) or len(value) > LONGEST:
        return clean(value)
    return value.encode(errors="ignore").decode()  # half of a surrogate pair cannot be hashed


def _texts(value: object) -> dict[str, str]:
    return {clean(key): clean(one) for key, one in value.items()} if isinstance(value, dict) else {}


def _time(value: object) -> str:
    """A time as ISO 8601 in UTC, so that texts compare as times do; "" for anything else."""
    try:
        time = datetime.fromisoformat(clean(value))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return ""


def _guessed_name(where: str) -> str:
    """Whose a file is as the platform says: Moodle's folder "Ada Lovelace_123_assignsubmission_file", or the path."""
    folders = [part for part in where.split("/") if "_assignsubmission_" in part]
    return folders[-1].split("_")[0] if folders else where


def by_student(read: Iterable[Received]) -> list[list[Received]]:
    """Hand-ins of one number together, where the names fit (Ada and Ada Lovelace) and claim no part twice. Others stay
    apart: else whoever writes another's number into a file would take that student's place, or give points."""
    numbers: dict[str, dict[str, list[Received]]] = defaultdict(lambda: defaultdict(list))
    for one in read:
        name, number = same(one.handin.name), same(one.handin.number)
        numbers[number or f"without number: {name}"][name].append(one)
    groups = []
    for names in numbers.values():
        claims = [part for group in names.values() for part in {one.handin.part for one in group}]
        together = len(claims) == len(set(claims)) and all(name in max(names, key=len) for name in names)
        groups += [list(chain(*names.values()))] if together else names.values()
    return groups


def same(text: str) -> str:
    """A name or number without what may differ in writing: capitals, spaces, full-width letters."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
