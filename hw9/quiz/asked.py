"""A question as one student is asked it on one run: texts filled in, options made and put in order, key computed."""

from dataclasses import dataclass
from typing import Any

from hw9.quiz.bank import Question, Text
from hw9.quiz.facts import Facts
from hw9.quiz.rules import Answer, Key


@dataclass(frozen=True)
class Option:
    """One option: its key is what an answer names and what is kept, whatever the order in which options are shown."""

    key: str
    text: Text


@dataclass(frozen=True)
class Asked:
    """A question for one student and run. `key` is None where it cannot be asked, for the reason in `reason`."""

    question: Question
    text: Text
    options: tuple[Option, ...]  # as shown; () for a number
    key: Key | None
    reason: str = ""
    missing: tuple[str, ...] = ()  # names of facts that are not there yet: the part of the notebook has not run

    def fits(self, answer: Answer) -> bool:
        """Whether an answer is right; never, where there is no key."""
        return self.key is not None and self.key.fits(answer)


def ask(question: Question, facts: Facts, *, salt: str, student: str = "") -> Asked:
    """The question for one student ("" for all) on the run that left these facts; raises nothing."""
    raise NotImplementedError


def parse(asked: Asked, given: Any) -> Answer | None:
    """An answer as a student writes it ("b", "a, c", ["a", "c"], 3, "0.5"), checked; None for an empty one.

    Raises ValueError with one line for what is no answer to this question.
    """
    raise NotImplementedError
