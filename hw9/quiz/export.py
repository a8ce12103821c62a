"""The quiz for learning platforms: GIFT (Moodle), QTI (Canvas) and Markdown (Gradescope, paper), on the facts of a run.

A platform knows nothing of a student's run, so these are questions about the figures of one run that all are shown.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from hw9.quiz.asked import Asked, ask
from hw9.quiz.bank import Bank, Text
from hw9.quiz.facts import Facts
from hw9.quiz.feedback import filled
from hw9.quiz.keypage import markdown
from hw9.quiz.keys import Chosen, Ordered, Within

MOST = 24  # answers in writing that are listed for one question: four options in any order
MOST_RIGHT = 10  # options, for Moodle knows no smaller share of a point than a tenth
WRITE = Text(
    "Write the letters of your answer in {order} order, without spaces.", "請寫出答案的字母（{order}），不加空格。"
)
ENDINGS = {"gift": ".gift.txt", "qti": ".zip", "md": ".md"}


@dataclass(frozen=True)
class Item:
    """A question with all its texts filled in."""

    asked: Asked
    explanation: Text
    feedback: dict[str, Text]

    @property
    def letters(self) -> dict[str, str]:
        """A letter for each option, by its key: options made from facts are numbered from 0 otherwise."""
        return {option.key: chr(ord("a") + at) for at, option in enumerate(self.asked.options)}

    @property
    def text(self) -> str:
        """The question in both languages, with its figures."""
        figures = f" ({', '.join(self.asked.question.figures)})" if self.asked.question.figures else ""
        return _both(self.asked.text) + figures


def items(bank: Bank, runs: Iterable[Facts]) -> tuple[list[Item], list[str]]:
    """The questions that have a key on these runs, and a line for each that has none."""
    found, left_out = [], []
    for facts in runs:
        for question in bank.of(facts.part):
            asked = ask(question, facts, salt=bank.salt)
            if asked.key is None:
                left_out.append(f"{question.id}: {asked.reason}")
            elif len(asked.options) > 26:
                left_out.append(f"{question.id}: {len(asked.options)} options, more than there are letters")
            else:
                feedback = {key: filled(asked, text, facts) for key, text in question.feedback.items()}
                found.append(Item(asked, filled(asked, question.explanation, facts), feedback))
    return found, left_out


def export(kind: str, found: Sequence[Item], target: Path) -> list[str]:
    """Write the questions as "gift", "qti" or "md"; returns a line for each that the format cannot hold.

    Raises ImportError, saying what to install, where QTI is wanted and text2qti is missing; OSError.
    """
    write: Callable[[Sequence[Item], Path], list[str]] = {"gift": _gift, "qti": _qti, "md": _md}[kind]
    target.parent.mkdir(parents=True, exist_ok=True)
    return write(found, target)


def written(item: Item) -> list[str]:
    """All right answers in letters, as they are written: "b", "ac", an order; raises ValueError where there are too
    many to list."""
    key, letters = item.asked.key, item.letters
    if isinstance(key, Ordered):
        if len(letters) > 6:  # 720 orders to try
            raise ValueError(f"{item.asked.question.id}: an order of {len(letters)} options cannot be put into writing")
        right = [order for order in itertools.permutations(letters) if key.fits(order)]
    elif key.single:
        right = [(one,) for one in letters if one in key.must | key.may]
    else:
        may = [one for one in letters if one in key.may]
        some = itertools.chain(*(itertools.combinations(may, count) for count in range(min(len(may), 6) + 1)))
        right = [sorted([*key.must, *more], key=letters.get) for more in some if key.must or more]
    if len(right) > MOST:
        raise ValueError(f"{item.asked.question.id}: more than {MOST} answers are right")
    return ["".join(letters[one] for one in order) for order in right]


def _in_writing(item: Item) -> str:
    """The question with its options below it, to be answered by letters."""
    ordered = isinstance(item.asked.key, Ordered)
    order = ("the right", "依正確順序") if ordered else ("alphabetical", "依字母順序")
    ask_for = f"{WRITE.english.format(order=order[0])} {WRITE.chinese.format(order=order[1])}"
    return " ".join([item.text, *(f"({item.letters[o.key]}) {_both(o.text)}" for o in item.asked.options), ask_for])


def _both(text: Text) -> str:
    return " ".join(f"{text.english} {text.chinese}".split())


def _gift(found: Sequence[Item], target: Path) -> list[str]:
    blocks, left_out = ["// Homework 9, Explainable AI", "$CATEGORY: $course$/Homework 9"], []
    for item in found:
        try:
            blocks.append(
                f"::{item.asked.question.id}::[html]{_gift_question(item)} ####{_gift_text(_both(item.explanation))}}}"
            )
        except ValueError as error:
            left_out.append(str(error))
    target.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return left_out


def _gift_question(item: Item) -> str:
    """Text and answers, without the closing brace. Moodle gives part of the points for some of several right options
    and takes them all for a wrong one; a multiple choice with one right option gives all or none."""
    key, options = item.asked.key, item.asked.options
    if isinstance(key, Within):
        return f"{_gift_text(item.text)} {{#{key.low:g}..{key.high:g}"
    if isinstance(key, Ordered) or (not key.single and len(key.must) not in range(1, MOST_RIGHT + 1)):
        answers = " ".join(f"={answer}" for answer in written(item))
        return f"{_gift_text(_in_writing(item))} {{{answers}"
    right = key.must | key.may if key.single else key.must
    answers = []
    for option in options:
        if key.single:
            weight = "=" if option.key in right else "~%0%"
        else:
            share = 100 / len(right) if option.key in right else 0 if option.key in key.may else -100
            weight = f"~%{round(share, 5):g}%"
        said = f"#{_gift_text(_both(item.feedback[option.key]))}" if option.key in item.feedback else ""
        answers.append(f"{weight}{_gift_text(_both(option.text))}{said}")
    return f"{_gift_text(item.text)} {{{' '.join(answers)}"


def _gift_text(text: str) -> str:
    """Text as HTML in which GIFT sees none of its marks."""
    return re.sub(r"([\\~=#{}:])", r"\\\1", escape(text, quote=False))


def _qti(found: Sequence[Item], target: Path) -> list[str]:
    try:
        from text2qti.config import Config
        from text2qti.err import Text2qtiError
        from text2qti.qti import QTI
        from text2qti.quiz import Quiz
    except ImportError:
        raise ImportError("QTI is written by the package text2qti: pip install text2qti") from None
    blocks, left_out = ["Quiz title: Homework 9, Explainable AI"], []
    for item in found:
        try:
            blocks.append(_qti_question(item, len(blocks)))
        except ValueError as error:
            left_out.append(str(error))
    try:
        QTI(Quiz("\n\n".join(blocks), config=Config(), source_name="the bank")).save(target)
    except Text2qtiError as error:
        raise ValueError(f"text2qti refuses the quiz: {' '.join(str(error).split())}") from None
    return left_out


def _qti_question(item: Item, number: int) -> str:
    """A question as text2qti reads it. Canvas wants exactly the right options, and one right one where one is asked
    for: where more than that is accepted the answer is given in writing."""
    key, question = item.asked.key, item.asked.question
    lines = [f"Title: {question.id}", f"Points: {max(0.5, round(2 * question.points) / 2):g}"]
    in_words = isinstance(key, Ordered) or (isinstance(key, Chosen) and bool(key.may))
    lines.append(f"{number}. {markdown(_in_writing(item) if in_words else item.text)}")
    lines.append(f"... {markdown(_both(item.explanation))}")
    if isinstance(key, Within):
        lines.append(f"= [{key.low:.6f}, {key.high:.6f}]")
    elif in_words:
        lines += [f"* {answer}" for answer in written(item)]
    else:
        for option in item.asked.options:
            mark = (f"{'*' if option.key in key.must else ''}{item.letters[option.key]})") if key.single else None
            lines.append(f"{mark or ('[*]' if option.key in key.must else '[ ]')} {markdown(_both(option.text))}")
            if option.key in item.feedback:
                lines.append(f"... {markdown(_both(item.feedback[option.key]))}")
    return "\n".join(lines)


def _md(found: Sequence[Item], target: Path) -> list[str]:
    """Questions to be printed, without the key."""
    blocks = ["# Homework 9, Explainable AI 作業九"]
    for number, item in enumerate(found, 1):
        listed = [f"- ({item.letters[o.key]}) {markdown(_both(o.text))}" for o in item.asked.options]
        blocks.append("\n".join([f"**{number}.** {markdown(item.text)}", "", *listed]).rstrip())
    target.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return []
