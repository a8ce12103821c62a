"""What a teacher gets: grades.csv, items.csv and twins.csv for a spreadsheet, and a page of feedback per student."""

import csv
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hw9.files import replacing
from hw9.quiz.bank import Made, Question
from hw9.quiz.feedback import PAGE, page
from hw9.quiz.grading import Graded, Grades, Mark, Student
from hw9.quiz.keys import Answer

# What a spreadsheet computes: what begins with one of these, also behind a mark at which it may be set to cut.
FORMULA = re.compile(r"""(^|[;|]["\s]*)(?=[=+\-@＝＋－＠])""")
ITEM = ["question", "part", "section", "kind", "counts for", "answered", "right", "share right", "discrimination"]
ITEM += ["commonest wrong answer", "times", "which says", "english"]
TWIN = ["part", "what is the same", "wrong answers in common", "students", "files"]
FEW = 5  # students below whom a correlation says nothing
BESIDE = ("items.csv", "twins.csv", "problems.csv", "feedback")  # what is written beside the grades
RESERVED = {"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(10))}  # on Windows


def write(grades: Grades, target: Path) -> list[Path]:
    """Write `target` (grades.csv) and beside it items.csv, twins.csv, problems.csv and feedback/; returns the paths.

    There must be a student at least. Pages of feedback that an earlier grading left there, of nobody in `grades`, are
    removed. Raises ValueError where the grades would be written over by another table, or a table is open in a
    spreadsheet; OSError where that cannot be written.
    """
    folder = target.parent
    if target.name.casefold() in BESIDE:
        raise ValueError(f"{target} is written beside the grades: give them another name, such as grades.csv")
    problems = [{"file": where, "what is wrong": line} for where, line in grades.problems]
    rows = grade_table(grades)
    tables = {
        target: (list(rows[0]), rows),
        folder / "items.csv": (ITEM, item_table(grades)),
        folder / "twins.csv": (TWIN, twin_table(grades)),
        folder / "problems.csv": (["file", "what is wrong"], problems),
    }
    for path, (header, rows) in tables.items():
        _write_table(path, header, rows)
    pages = folder / "feedback"
    pages.mkdir(exist_ok=True)
    written = {}
    for name, student in zip(file_names(grades.students), grades.students, strict=True):
        missing = {part: _worth(grades, part) for part in grades.parts if part not in student.parts}
        written[pages / f"{name}.html"] = page(student, missing)
    for path in set(pages.glob("*.html")) - set(written):
        if PAGE in path.read_text(encoding="utf-8", errors="replace"):
            path.unlink()  # of an earlier grading: with it a student would have two grades
    for path, content in written.items():
        path.write_text(content, encoding="utf-8", errors="replace")
    return [*tables, pages]


def grade_table(grades: Grades) -> list[dict[str, Any]]:
    """One row per student: points of each part and of both, notes, and the points of each question: empty where nothing
    was given, "-" where it counts for nobody. A part that others have handed in counts for everybody."""
    rows = []
    for student in grades.students:
        row: dict[str, Any] = {"number": student.number, "name": student.name}
        notes, cells, points, of = list(student.notes), {}, 0.0, 0.0
        for part in grades.parts:
            questions, graded = grades.bank.of(part), student.parts.get(part)
            if graded:
                marks = {mark.asked.question.id: mark for mark in graded.marks}
                row |= {f"{part} points": _number(graded.points), f"{part} of": _number(graded.of)}
            else:
                marks = {}
                row |= {f"{part} points": "", f"{part} of": ""}
                notes.append(f"{part}: not handed in")
            points += graded.points if graded else 0
            of += graded.of if graded else _worth(grades, part)
            cells |= {question.id: _cell(marks.get(question.id)) for question in questions}
        row |= {"points": _number(points), "of": _number(of), "percent": round(100 * points / of, 1) if of else ""}
        row |= {"handed in": max(graded.handin.time for graded in student.parts.values()), "notes": "; ".join(notes)}
        rows.append(row | cells)
    return rows


def _worth(grades: Grades, part: str) -> float:
    """All points of a part, for whoever has not handed it in."""
    return sum(question.points for question in grades.bank.of(part))


def _cell(mark: Mark | None) -> float | str:
    if mark is None or (mark.counts and mark.answer is None and not mark.given):
        return ""
    return _number(mark.points) if mark.counts else "-"


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 3)


def item_table(grades: Grades) -> list[dict[str, Any]]:
    """One row per question: how many it was asked, the share right, its discrimination (correlation of right with the
    points of the part's other questions), and the commonest wrong answer by the keys of its options in the bank."""
    rows = []
    for at, question in [(at, one) for part in grades.parts for at, one in enumerate(grades.bank.of(part))]:
        graded = [student.parts[question.part] for student in grades.students if question.part in student.parts]
        asked = [(one, one.marks[at]) for one in graded if one.marks[at].counts]
        answered = [mark for _, mark in asked if mark.answer is not None]
        right = sum(mark.right for _, mark in asked)
        wrong = Counter(_words(mark.answer) for mark in answered if not mark.right).most_common(1)
        common, times = wrong[0] if wrong else ("", "")
        share = round(right / len(asked), 2) if asked else ""
        cells = (question.id, question.part, question.section, question.kind, len(asked), len(answered), right, share)
        cells += (_discrimination(asked), common, times, _says(question, common), question.text.english)
        rows.append(dict(zip(ITEM, cells, strict=True)))
    return rows


def _discrimination(asked: list[tuple[Graded, Mark]]) -> float | str:
    if len(asked) < FEW:
        return ""
    right = [float(mark.right) for _, mark in asked]
    rest = [_share(graded, mark) for graded, mark in asked]
    try:
        return round(statistics.correlation(right, rest), 2)
    except statistics.StatisticsError:  # all alike
        return ""


def _share(graded: Graded, mark: Mark) -> float:
    """Share of the points of all other questions, since not every question counts for everybody."""
    of = graded.of - mark.asked.question.points
    return (graded.points - mark.points) / of if of else 0.0


def _words(answer: Answer) -> str:
    return f"{answer:g}" if isinstance(answer, float) else ", ".join(answer)


def _says(question: Question, answer: str) -> str:
    """What the options of an answer say, where they are the same for everybody."""
    if isinstance(question.options, Made):
        return ""
    return "; ".join(question.options[key].english for key in answer.split(", ") if key in question.options)


def twin_table(grades: Grades) -> list[dict[str, Any]]:
    """Hand-ins of different students that are copies: the same nonce; or the same facts and the same answers, some of
    them wrong (right answers are alike anyhow). A reason to talk, never a proof."""
    rows = []
    for part in grades.parts:
        alike: dict[tuple[str, Any], list[tuple[Student, Graded]]] = defaultdict(list)
        for student in grades.students:
            if not (graded := student.parts.get(part)):
                continue
            if graded.handin.nonce:
                alike["nonce", graded.handin.nonce].append((student, graded))
            answers = tuple(_words(mark.answer) if mark.answer is not None else mark.given for mark in graded.marks)
            if _wrong(graded):
                alike["facts and answers", (graded.handin.digest, answers)].append((student, graded))
        for (what, _), group in alike.items():
            if len(group) > 1:
                who = "; ".join(" ".join(filter(None, [student.number, student.name])) for student, _ in group)
                files = "; ".join(graded.where for _, graded in group)
                common = len(set.intersection(*(_wrong(graded) for _, graded in group)))
                rows.append(dict(zip(TWIN, (part, what, common, who, files), strict=True)))
    return rows


def _wrong(graded: Graded) -> set[tuple[str, str]]:
    """The questions answered wrongly, with the answers."""
    wrong = (mark for mark in graded.marks if mark.answer is not None and mark.counts and not mark.right)
    return {(mark.asked.question.id, _words(mark.answer)) for mark in wrong}


def file_names(students: Iterable[Student]) -> list[str]:
    """For each student a name for a file, without ending: the number where it can be one, and no name twice."""
    names, taken = [], set(RESERVED)
    for student in students:
        stem = re.sub(r"[^\w-]+", "_", student.number or student.name).strip("_")[:60] or "student"
        name, again = stem, 2
        while name.casefold() in taken:
            name, again = f"{stem}_{again}", again + 1
        taken.add(name.casefold())
        names.append(name)
    return names


def _write_table(path: Path, header: list[str], rows: list[dict[str, Any]]) -> None:
    """Write a table with a byte-order mark, without which spreadsheets do not read Chinese."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(path) as part, part.open("w", encoding="utf-8-sig", errors="replace", newline="") as opened:
            writer = csv.writer(opened, quoting=csv.QUOTE_NONNUMERIC)  # so that no other mark cuts a text
            writer.writerow(header)
            writer.writerows([_harmless(cell) for cell in row.values()] for row in rows)
    except PermissionError:
        raise ValueError(f"{path} cannot be written: if a spreadsheet shows it, close it there and try again") from None


def _harmless(cell: Any) -> Any:
    return FORMULA.sub(r"\1'", cell) if isinstance(cell, str) and cell != "-" else cell
