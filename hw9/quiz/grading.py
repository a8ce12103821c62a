"""Hand-ins graded: each against the key that its own facts give, with the teacher's bank; flaws are notes, no stops."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from hw9.quiz import facts as facts_of_run
from hw9.quiz.asked import Asked, ask
from hw9.quiz.bank import Bank, Question
from hw9.quiz.checks import PARTS
from hw9.quiz.facts import Facts
from hw9.quiz.handin import FORMAT, HandIn, package_hash
from hw9.quiz.incoming import Found, clean, collect
from hw9.quiz.keys import Answer


@dataclass(frozen=True)
class Mark:
    """One question of one student: what was asked, what was answered, what that earns."""

    asked: Asked
    answer: Answer | None  # None: not answered, or with something that is no answer
    given: str = ""  # what stands there instead of an answer

    @property
    def counts(self) -> bool:
        """Whether the question counts: its rule applies to this run, or it would if that section had been run."""
        return self.asked.key is not None or bool(self.asked.missing)

    @property
    def right(self) -> bool:
        """All correct options chosen and no wrong one, as in the course."""
        return self.answer is not None and self.asked.fits(self.answer)

    @property
    def points(self) -> float:
        """All points of the question, or none."""
        return self.asked.question.points if self.right else 0.0


@dataclass(frozen=True)
class Graded:
    """One hand-in with its marks, in the order of the bank."""

    where: str
    handin: HandIn
    marks: tuple[Mark, ...]

    @property
    def points(self) -> float:
        """Points earned."""
        return sum(mark.points for mark in self.marks)

    @property
    def of(self) -> float:
        """Points of the questions that count on this run."""
        return sum(mark.asked.question.points for mark in self.marks if mark.counts)


@dataclass
class Student:
    """What one student handed in: the newest hand-in of each part, and notes for the teacher."""

    number: str
    name: str
    parts: dict[str, Graded] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Grades:
    """All students in the order of their numbers, and (where, line) of each file that is no hand-in."""

    bank: Bank
    students: tuple[Student, ...]
    problems: tuple[tuple[str, str], ...]

    @property
    def parts(self) -> list[str]:
        """The parts that anybody has handed in."""
        return [part for part in PARTS if any(part in student.parts for student in self.students)]


def grade(source: str | Path, bank: Bank) -> Grades:
    """Grade every hand-in in a folder, an archive (.zip) or a file; raises FileNotFoundError where there is none."""
    incoming = collect(source)
    problems, read = list(incoming.problems), []
    for found in incoming.found:
        try:
            read.append((found, *_handin(found)))
        except ValueError as error:
            problems.append((found.where, str(error)))
    _note_versions(read)
    students = [_student(hand_ins, bank) for hand_ins in _by_student(read)]
    _note_shared_numbers(students)
    return Grades(bank, tuple(sorted(students, key=lambda one: (one.number, one.name))), tuple(problems))


_Read = tuple[Found, HandIn, list[str]]


def _handin(found: Found) -> tuple[HandIn, list[str]]:
    """A hand-in from what lies there, and notes on what is wrong with it; raises ValueError for what has no part."""
    data, notes = found.data, list(found.notes)
    if data.get("part") not in PARTS:
        raise ValueError(f'neither part "cnn" nor "bert" but {clean(str(data.get("part")), 40)!r}: not graded')
    name, number = clean(data.get("name")), clean(data.get("number"), 40)
    if not name and not number:
        notes.append("neither name nor number in it")
        name = _guessed_name(found.where)
    elif not number:
        notes.append("no number in it")
    if data.get("format") != FORMAT:
        notes.append(f"written by another version (format {clean(data.get('format'), 20) or 'missing'})")
    facts, digest, intact = Facts(data["part"], "none", "none"), clean(data.get("digest")), False
    try:
        facts = facts_of_run.from_json(data.get("facts"))
        intact = facts_of_run.digest(facts) == digest
    except ValueError:
        notes.append("its facts cannot be read: only questions without facts can be right")
    else:
        if not intact:
            notes.append("facts and their digest differ: the file was edited")
        if facts.part != data["part"]:
            notes.append(f"its facts are those of part {facts.part}")
    if not (time := _time(data.get("time"))):
        notes.append("no time in it")
    texts = {key: _texts(data.get(key)) for key in ("hashes", "versions")}
    student, salt, nonce = (clean(data.get(key)) for key in ("student", "salt", "nonce"))
    answers = {clean(key): given for key, given in data["answers"].items()}
    return HandIn(
        name,
        number,
        data["part"],
        salt,
        student,
        answers,
        facts,
        digest,
        **texts,
        time=time,
        nonce=nonce,
        intact=intact,
    ), notes


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


def _by_student(read: Iterable[_Read]) -> list[list[_Read]]:
    """Hand-ins of one number together. Where two names claim the same part of a number they stay apart: else whoever
    writes another's number into a file would take that student's place."""
    numbers: dict[str, dict[str, list[_Read]]] = defaultdict(lambda: defaultdict(list))
    for one in read:
        name, number = _same(one[1].name), _same(one[1].number)
        numbers[number or f"without number: {name}"][name].append(one)
    groups = []
    for names in numbers.values():
        claims = [part for group in names.values() for part in {handin.part for _, handin, _ in group}]
        together = len(claims) == len(set(claims))
        groups += [list(chain(*names.values()))] if together else names.values()
    return groups


def _same(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _student(hand_ins: list[_Read], bank: Bank) -> Student:
    newest = max(hand_ins, key=lambda one: one[1].time)[1]
    student = Student(newest.number, newest.name)
    if names := {handin.name for _, handin, _ in hand_ins if _same(handin.name) != _same(newest.name)}:
        student.notes.append(f"also named {', '.join(sorted(names))}")
    for part in PARTS:
        tries = sorted((one for one in hand_ins if one[1].part == part), key=lambda one: (one[1].time, one[0].where))
        if not tries:
            continue
        found, handin, notes = tries.pop()
        graded = student.parts[part] = _grade_one(found, handin, bank)
        if tries:
            notes.append(f"{found.where} counts, the newest; not {', '.join(one[0].where for one in tries)}")
        student.notes += [f"{part}: {note}" for note in [*notes, *_notes(graded, bank)]]
    return student


def _grade_one(found: Found, handin: HandIn, bank: Bank) -> Graded:
    return Graded(found.where, handin, tuple(_mark(question, handin) for question in bank.of(handin.part)))


def _mark(question: Question, handin: HandIn) -> Mark:
    asked = ask(question, handin.facts, salt=handin.salt, student=handin.student)
    given = handin.answers.get(question.id)
    try:
        return Mark(asked, _answer(asked, given))
    except ValueError:
        return Mark(asked, None, clean(str(given)))


def _answer(asked: Asked, given: object) -> Answer | None:
    """An answer as a hand-in holds it, the keys of options or a number; raises ValueError for anything else."""
    if given in (None, "", []):
        return None
    if asked.question.kind == "number":
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise ValueError
        return float(given)
    keys = {option.key for option in asked.options}
    if not isinstance(given, list) or not all(isinstance(one, str) and one in keys for one in given):
        raise ValueError
    return tuple(given)


def _notes(graded: Graded, bank: Bank) -> list[str]:
    """What a teacher should know of a hand-in beside its points."""
    handin, marks = graded.handin, graded.marks
    known = {mark.asked.question.id for mark in marks}
    elsewhere = [name for name in handin.answers if name not in known]
    counts = {
        "unanswered": sum(mark.counts and mark.answer is None and not mark.given for mark in marks),
        "answered with what is no answer": sum(mark.counts and bool(mark.given) for mark in marks),
        "without facts, so not run or taken out": sum(bool(mark.asked.missing) for mark in marks),
        "do not apply to this run": sum(not mark.counts for mark in marks),
    }
    notes = [f"{count} of {len(marks)} questions {what}" for what, count in counts.items() if count]
    if elsewhere:
        notes.append(f"{len(elsewhere)} answers to questions that are not in this bank")
    if handin.salt != bank.salt:
        notes.append("asked from another bank (its salt differs)")
    if _same(handin.student) != _same(handin.number):
        notes.append(
            f"answers the variant of {handin.student!r}" if handin.student else "answers the variant of nobody"
        )
    return notes


def _note_versions(read: list[_Read]) -> None:
    """Say which hand-ins come from a lesson that is neither the teacher's nor the one most students have."""
    found = Counter(handin.hashes.get("package", "") for _, handin, _ in read)
    usual = {package_hash(), *(package for package, _ in found.most_common(1))}
    for _, handin, notes in read:
        if handin.hashes.get("package", "") not in usual:
            notes.append("made with another version of the lesson")


def _note_shared_numbers(students: list[Student]) -> None:
    """Say where different names come with the same number."""
    same = defaultdict(list)
    for student in students:
        if student.number:
            same[_same(student.number)].append(student)
    for group in same.values():
        for student in group:
            if names := [other.name or "no name" for other in group if other is not student]:
                student.notes.append(f"the number stands in hand-ins of {', '.join(names)} as well")
