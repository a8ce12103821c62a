"""Hand-ins graded: each against the key that its own facts give, with the teacher's bank; flaws are notes, no stops."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hw9.quiz.answers import stamp
from hw9.quiz.asked import Asked, ask
from hw9.quiz.bank import Bank, Question
from hw9.quiz.checks import PARTS
from hw9.quiz.handin import HandIn, package_hash
from hw9.quiz.incoming import clean, collect
from hw9.quiz.keys import Answer
from hw9.quiz.received import Received, by_student, receive, same

NAMED = 10  # names or files in one note


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
            read.append(receive(found))
        except ValueError as error:
            problems.append((found.where, str(error)))
    _note_versions(read)
    students = [_student(hand_ins, bank) for hand_ins in by_student(read)]
    _note_not_applying(students)
    _note_shared_numbers(students)
    return Grades(bank, tuple(sorted(students, key=lambda one: (one.number, one.name))), tuple(problems))


def _student(hand_ins: list[Received], bank: Bank) -> Student:
    newest = max((one.handin for one in hand_ins), key=lambda handin: handin.time)
    student = Student(newest.number, newest.name)
    if names := {one.handin.name for one in hand_ins if same(one.handin.name) != same(newest.name)}:
        student.notes.append(f"also named {_some(sorted(names))}")
    for part in PARTS:
        tries = sorted(
            (one for one in hand_ins if one.handin.part == part), key=lambda one: (one.handin.time, one.where)
        )
        if not tries:
            continue
        counts = tries.pop()
        marks = tuple(_mark(question, counts.handin) for question in bank.of(part))
        graded = student.parts[part] = Graded(counts.where, counts.handin, marks)
        if tries:
            counts.notes.append(f"{counts.where} counts, the newest; not {_some([one.where for one in tries])}")
        student.notes += [f"{part}: {note}" for note in [*counts.notes, *_notes(graded, bank)]]
    return student


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
    asked = {mark.asked.question.id: mark.asked for mark in marks if mark.counts and mark.answer is not None}
    stamps = handin.stamps  # none in a file of an earlier version
    otherwise = [name for name, one in asked.items() if stamps.get(name, "") not in ("", stamp(one, handin.facts))]
    elsewhere = [name for name in handin.answers if name not in known]
    counts = {
        "unanswered": sum(mark.counts and mark.answer is None and not mark.given for mark in marks),
        "answered with what is no answer": sum(mark.counts and bool(mark.given) for mark in marks),
        "without facts, so not run or taken out": sum(bool(mark.asked.missing) for mark in marks),
    }
    notes = [f"{count} of {len(marks)} questions {what}" for what, count in counts.items() if count]
    if otherwise:
        notes.append(f"answered on another run, or as the bank was then, and not looked at again: {_some(otherwise)}")
    if elsewhere:
        notes.append(f"{len(elsewhere)} answers to questions that are not in this bank")
    if handin.salt != bank.salt:
        notes.append("asked from another bank (its salt differs)")
    if same(handin.student) != same(handin.number):
        notes.append(f"answers the variant of {repr(clean(handin.student)) if handin.student else 'nobody'}")
    return notes


def _note_versions(read: list[Received]) -> None:
    """Say which hand-ins come from a lesson that is neither the teacher's nor the one most students have."""
    found = Counter(one.handin.hashes.get("package", "") for one in read)
    usual = {package_hash(), *(package for package, _ in found.most_common(1))}
    for one in read:
        if one.handin.hashes.get("package", "") not in usual:
            one.notes.append("made with another version of the lesson")


def _note_not_applying(students: list[Student]) -> None:
    """Say whose run leaves out questions that apply to the runs of most: another data set, or facts made up."""
    for part in PARTS:
        graded = [(student, student.parts[part]) for student in students if part in student.parts]
        applies = Counter(mark.asked.question.id for _, one in graded for mark in one.marks if mark.counts)
        for student, one in graded:
            left_out = [mark.asked.question.id for mark in one.marks if not mark.counts]
            if unusual := [name for name in left_out if 2 * applies[name] > len(graded)]:
                student.notes.append(f"{part}: not applying to this run, unlike most: {', '.join(unusual)}")


def _note_shared_numbers(students: list[Student]) -> None:
    """Say where different names come with the same number."""
    sharing = defaultdict(list)
    for student in students:
        if student.number:
            sharing[same(student.number)].append(student)
    for group in sharing.values():
        for student in group:
            if names := [other.name or "no name" for other in group if other is not student]:
                student.notes.append(f"the number stands in hand-ins of {_some(names)} as well")


def _some(names: Sequence[str]) -> str:
    """The first of them: one who hands in thousands of names must not fill the notes of all."""
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
