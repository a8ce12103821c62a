"""The bank of questions: a YAML file in both languages, read and checked.

    salt: hw9-2022                # what the variants of this bank depend on, beside student and question
    questions:
      - id: lime-3                # a slug; `quiz.answer("lime-3", ...)`
        part: cnn                 # or bert
        section: lime             # `quiz.ask("lime")`
        figure: cnn_06_lime       # the figure, or a list of them, that answers it
        fact: lime                # the fact, or a list, that must be there before it can be asked; by default those that
                                  # rule, options and vary read
        kind: picture             # one, many, number, order; picture is one of options made from facts
        english: Which picture has the lowest R²?
        chinese: 哪一張圖的 R² 最低？
        options:                  # a list of {english, chinese}: keys a, b, c, ...
          each: pictures.names    # or made from a fact, a list of labels: keys 0, 1, 2, ...; {label} is the label, {n} the key
          english: "picture {n}: {label}"
          chinese: "圖 {n}：{label}"
          # or count: 12 (or the path of a number, or of a list: its length), and first: 1 for keys that begin at 1
        key: {lowest: lime.score} # see rules
        margin: 0.02              # values closer than this both count (default 0)
        points: 1
        hint: {english: Look at the numbers below the pictures., chinese: 看圖下方的數字。}   # which panel to look at
        feedback: {a: {english: ..., chinese: ...}}     # for the report, by the option that was wrongly chosen
        explanation: {english: ..., chinese: ...}       # why, for the report
        vary: {picture: lime.eligible}   # a list in the facts; each student gets one of it, {picture} in texts and paths

Texts, rule paths and options may hold {name} of `vary`; texts also the path of a fact: {lime.samples}.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KINDS = ("one", "many", "number", "order", "picture")
PARTS = ("cnn", "bert")
EMBEDDED = Path(__file__).with_name("bank.yaml")


@dataclass(frozen=True)
class Text:
    """The same sentence in both languages."""

    english: str
    chinese: str


@dataclass(frozen=True)
class Made:
    """Options made from facts: one for each label at `each`, or `count` numbered ones."""

    text: Text  # with {n} and {label}
    each: str = ""
    count: int | str = 0
    first: int = 0


@dataclass(frozen=True)
class Question:
    """One question as it stands in the bank; `hw9.quiz.asked.ask` makes of it what one student sees on one run."""

    id: str
    part: str
    section: str
    kind: str
    text: Text
    key: Mapping[str, Any]
    hint: Text
    explanation: Text
    figures: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()  # names of the facts it needs
    options: tuple[Text, ...] | Made = ()
    margin: float = 0.0
    points: float = 1.0
    feedback: Mapping[str, Text] = field(default_factory=dict)
    vary: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bank:
    """All questions, in the order in which they are asked."""

    questions: tuple[Question, ...]
    salt: str = "hw9"
    source: str = ""

    def __getitem__(self, name: str) -> Question:
        for question in self.questions:
            if question.id == name:
                return question
        raise KeyError(name)

    def of(self, part: str, section: str = "") -> list[Question]:
        """The questions of a part, or of one of its sections."""
        return [one for one in self.questions if one.part == part and section in ("", one.section)]


def load_bank(path: str | Path | None = None) -> Bank:
    """The bank at `path`, a YAML file or a folder of them; None: at $HW9_BANK, or else the lesson's own.

    Raises ValueError with a line for each mistake, naming question and field; OSError for a file that cannot be read.
    """
    path = Path(path or os.environ.get("HW9_BANK") or EMBEDDED).expanduser()
    raise NotImplementedError(path)
