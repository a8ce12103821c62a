"""The quiz in a notebook: questions asked, answered, checked, handed in; what goes wrong is a line, never a stop."""

from typing import Any


def begin(part: str, data: str, weights: str, *, student: str = "") -> None:
    """Begin or go on with a part ("cnn" or "bert") on this data (a short name) and model (a hash); see `weights_hash`.

    Facts of an earlier run on the same data and model are there again, as are the answers given so far.
    """
    raise NotImplementedError


def ask(section: str) -> None:
    """Show the questions of a section: cards where the notebook has widgets, else text."""
    raise NotImplementedError


def answer(question: str, given: Any) -> None:
    """Answer a question in writing: `answer("lime-3", "b")`; also without widgets."""
    raise NotImplementedError


def check(what: str = "") -> None:
    """Say of a question, a section or ("") the whole part whether answers fit *your* figure, or where to look again."""
    raise NotImplementedError


def hint(question: str) -> None:
    """Say where to look for a question."""
    raise NotImplementedError


def hand_in(name: str, number: str) -> None:
    """Write the hand-in file with a name and a student number, and show what will be graded."""
    raise NotImplementedError


def record(name: str, values: dict[str, Any]) -> None:
    """Keep the numbers that a figure shows, under the name of the fact; what `notebook.fact` calls."""
    raise NotImplementedError
