"""What a notebook calls: begin, ask, answer, check, hint, hand_in. What goes wrong is one line, never a traceback."""

import functools
import os
import re
from collections.abc import Callable
from typing import Any

from hw9.quiz import cards, handin, written
from hw9.quiz.bank import load_bank
from hw9.quiz.facts import Facts, runs_folder
from hw9.quiz.session import ONE_AT_A_TIME, Session, where

_current: Session | None = None  # a notebook has one part, in a kernel of its own


def _says(call: Callable[..., str]) -> Callable[..., None]:
    """A call that prints what it returns, and the mistakes that a reader can make."""

    @functools.wraps(call)
    def said(*given: Any, **named: Any) -> None:
        try:
            with ONE_AT_A_TIME:
                line = call(*given, **named)
        except (ValueError, OSError) as error:
            line = str(error)
        if line:
            print(line)

    return said


def _session() -> Session:
    if _current is None:
        raise ValueError(
            "The quiz has not begun: run the cell with quiz.begin(...) first. 請先執行 quiz.begin 的儲存格。"
        )
    return _current


@_says
def begin(part: str, data: str, weights: str, *, student: Any = "") -> str:
    """Begin or go on with a part ("cnn" or "bert") on this data (a short name) and model (`notebook.weights_hash`).

    `student` is the student number, which chooses variants; "" is the same for all. Facts of an earlier run on the same
    data and model are there again, and the answers given so far.
    """
    global _current
    before, _current = _current, None
    found = Facts(part, re.sub(r"[^\w.+-]+", "-", str(data))[:80], weights)
    session = Session(found, load_bank(), student=handin.tidy(student or "")[:40], folder=runs_folder())
    # Where nobody is there, what is stored depends on no one's earlier answers.
    line = "" if os.environ.get("HW9_STATIC") == "1" else session.restore(before)
    _current = session
    return line


@_says
def record(name: str, values: dict[str, Any]) -> str:
    """Keep the numbers that a figure shows under the name of a fact; `notebook.fact` calls this."""
    if _current is None:
        return (
            f"The numbers of {name} are not kept for the quiz: run the cell with quiz.begin(...), then this one again."
        )
    return _current.record(name, values)


@_says
def ask(section: str = "") -> str:
    """Show the questions of a section, or of the whole part: as cards where there are widgets, else in writing."""
    session = _session()
    questions = session.section(section)
    for line in session.notes(questions):
        print(line)
    cards.show(_session, [one for one in questions if not one.missing])
    return ""


@_says
def answer(question: str = "", given: Any = None) -> str:
    """Answer a question in writing: `answer("lime-3", "b")`; several options as "a, c", an order as "c a b"."""
    session = _session()
    asked = session.ask(question)
    failed = session.answer(asked, given)
    kept = session.kept.answers.get(question)
    said = "not answered 未作答" if kept is None else f"your answer 你的答案：{asked.shown(kept)}"
    return "\n".join(filter(None, [f"{question}: {said}", failed]))


@_says
def check(what: str = "") -> str:
    """Say of a question, a section or ("") the whole part whether answers fit *your* figure, or where to look again."""
    session = _session()
    names = [question.id for question in session.bank.questions]
    questions = [session.ask(what)] if what in names else session.section(what)
    return "\n".join(f"{one.question.id}: {written.both(session.check(one))}" for one in questions)


@_says
def hint(question: str = "") -> str:
    """Say where to look for a question."""
    return f"{question}: {written.both(where(_session().ask(question)))}"


@_says
def hand_in(name: Any = "", number: Any = "") -> str:
    """Write the hand-in file with a name and a student number, read it back and show what will be graded."""
    session = _session()
    path, found = session.hand_in(name, number)
    rows = session.summary(found)
    cards.display(*written.table([("question 題目", "your answer 你的答案", ""), *rows]))
    lines = [f"{found.name} ({found.number}), {len(found.answers)} of {len(rows)} questions answered: hand in {path}"]
    if session.student != found.number:
        how = f"as {session.student}: give that number, or" if session.student else "without a number:"
        again = f"run quiz.begin and the questions again with {found.number}"
        lines.append(f"You were asked {how} {again}. 題目因學號而異，請用同一個學號重新執行。")
    if changed := session.changed(session.section("")):
        lines.append(f"{len(changed)} answers are from before your run or number changed: look again. 請再看一次。")
    return "\n".join(lines)
