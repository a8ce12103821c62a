"""The quiz for learning platforms: GIFT (Moodle), QTI (Canvas) and Markdown (Gradescope, paper), on the facts of a run.

A platform knows nothing of a student's run, so these are questions about the figures of one run that all are shown.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from string import ascii_lowercase

from hw9.quiz.asked import Asked, Option, ask
from hw9.quiz.bank import Bank, Made, Text
from hw9.quiz.facts import Facts
from hw9.quiz.keypage import markdown
from hw9.quiz.keys import Chosen, Ordered, Within
from hw9.quiz.written import numbered

MOST = 24  # answers in writing that are listed for one question: four options in any order
MOST_RIGHT = 10  # options, for Moodle knows no smaller share of a point than a tenth
IN_ORDER = Text("Write the letters in the right order, without spaces.", "請依正確順序寫出字母，不加空格。")
IN_LETTERS = Text(
    "Write the letters of your answer, from a on, without spaces.", "請從 a 起依序寫出答案的字母，不加空格。"
)
# Readers differ over a brace or a stroke behind a stroke: these are entities.
GIFT_MARKS = str.maketrans(
    {"\\": r"&\#92;", "{": r"&\#123;", "}": r"&\#125;", "~": r"\~", "=": r"\=", "#": r"\#", ":": r"\:"}
)
ENDINGS = {"gift": ".gift.txt", "qti": ".zip", "md": ".md"}


def asked_of_all(bank: Bank, runs: Iterable[Facts]) -> tuple[list[Asked], list[str]]:
    """The questions that have a key on these runs, as all are asked them, and a line for each that has none."""
    found, left_out = [], []
    for facts in runs:
        for question in bank.of(facts.part):
            asked = ask(question, facts, salt=bank.salt)
            if asked.key is None:
                left_out.append(f"{question.id}: {asked.reason}")
            elif len(asked.options) > len(ascii_lowercase):
                left_out.append(f"{question.id}: {len(asked.options)} options, more than there are letters")
            else:
                found.append(asked)
    return found, left_out


def export(kind: str, found: Sequence[Asked], target: Path) -> list[str]:
    """Write the questions as "gift", "qti" or "md"; returns a line for each that the format cannot hold.

    Raises ValueError for no questions; ImportError, saying what to install, where QTI is wanted and text2qti is
    missing; OSError.
    """
    if not found:
        raise ValueError("no question has a key on this run: run the notebooks first, or name other facts with --facts")
    write: Callable[[Sequence[Asked], Path], list[str]] = {"gift": _gift, "qti": _qti, "md": _md}[kind]
    target.parent.mkdir(parents=True, exist_ok=True)
    return write(found, target)


def written(asked: Asked) -> list[str]:
    """All right answers in letters, as they are written: "b", "ac", an order; raises ValueError where there are too
    many to list."""
    key, letters = asked.key, _letters(asked)
    if isinstance(key, Ordered):
        if len(letters) > 6:  # 720 orders to try
            raise ValueError(f"{asked.question.id}: an order of {len(letters)} options cannot be put into writing")
        right = [order for order in itertools.permutations(letters) if key.fits(order)]
    elif key.single:
        right = [(one,) for one in letters if one in key.must | key.may]
    else:
        may = [one for one in letters if one in key.may]
        some = itertools.chain(*(itertools.combinations(may, count) for count in range(min(len(may), 6) + 1)))
        right = [sorted([*key.must, *more], key=letters.get) for more in some if key.must or more]
    if len(right) > MOST:
        raise ValueError(f"{asked.question.id}: more than {MOST} answers are right")
    return ["".join(letters[one] for one in order) for order in right]


def _in_writing(asked: Asked) -> list[str]:
    """The question with its options below it, to be answered by letters; in lines."""
    letters, ordered = _letters(asked), isinstance(asked.key, Ordered)
    listed = [f"({letters[option.key]}) {' '.join(_option(asked, option))}" for option in asked.options]
    return [*_question(asked), *listed, *_both(IN_ORDER if ordered else IN_LETTERS)]


def _letters(asked: Asked) -> dict[str, str]:
    """A letter for each option, by its key: options made from facts are numbered."""
    return {option.key: letter for option, letter in zip(asked.options, ascii_lowercase, strict=False)}


def _question(asked: Asked) -> list[str]:
    """The question in both languages, with its figures; in lines."""
    figures = f" ({', '.join(asked.question.figures)})" if asked.question.figures else ""
    return [asked.text.english + figures, asked.text.chinese]


def _both(text: Text) -> list[str]:
    return list(dict.fromkeys([text.english, text.chinese]))


def _option(asked: Asked, option: Option) -> list[str]:
    """An option in both languages; one made from facts with its number, as two pictures may have one name."""
    said = _both(option.text)
    if isinstance(asked.question.options, Made) and not numbered(asked):
        said[0] = f"{option.shown}: {said[0]}"
    return said


def _gift(found: Sequence[Asked], target: Path) -> list[str]:
    blocks, left_out = ["// Homework 9, Explainable AI", "$CATEGORY: $course$/Homework 9"], []
    for asked in found:
        try:
            explained = _gift_text(_both(asked.explanation))
            blocks.append(f"::{asked.question.id}::[html]{_gift_question(asked)} ####{explained}}}")
        except ValueError as error:
            left_out.append(str(error))
    target.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return left_out


def _gift_question(asked: Asked) -> str:
    """Text and answers, without the closing brace. Moodle gives part of the points for some of several right options
    and takes them all for a wrong one; a multiple choice with one right option gives all or none."""
    key, options = asked.key, asked.options
    if isinstance(key, Within):
        return f"{_gift_text(_question(asked))} {{#{key.low:.12g}..{key.high:.12g}"
    if isinstance(key, Ordered) or (not key.single and len(key.must) not in range(1, MOST_RIGHT + 1)):
        answers = " ".join(f"={answer}" for answer in written(asked))
        return f"{_gift_text(_in_writing(asked))} {{{answers}"
    right = key.must | key.may if key.single else key.must
    answers = []
    for option in options:
        if key.single:
            weight = "=" if option.key in right else "~%0%"
        else:
            share = 100 / len(right) if option.key in right else 0 if option.key in key.may else -100
            weight = f"~%{round(share, 5):g}%"
        said = f"#{_gift_text(_both(asked.feedback[option.key]))}" if option.key in asked.feedback else ""
        answers.append(f"{weight}{_gift_text(_option(asked, option))}{said}")
    return f"{_gift_text(_question(asked))} {{{' '.join(answers)}"


def _gift_text(lines: Iterable[str]) -> str:
    """Lines as HTML in which GIFT sees none of its marks."""
    return "<br>".join(escape(" ".join(line.split()), quote=False).translate(GIFT_MARKS) for line in lines)


def _qti(found: Sequence[Asked], target: Path) -> list[str]:
    try:
        from text2qti.config import Config
        from text2qti.err import Text2qtiError
        from text2qti.qti import QTI
        from text2qti.quiz import Quiz
    except ImportError:
        raise ImportError("QTI is written by the package text2qti: pip install text2qti") from None

    def quiz(blocks: Sequence[str]) -> Quiz:
        title = "Quiz title: Homework 9, Explainable AI"
        return Quiz("\n\n".join([title, *blocks]), config=Config(), source_name="the bank")

    blocks, left_out = [], []
    for asked in found:
        try:
            block = _qti_question(asked)
            quiz([*blocks, block])  # so that one that is refused costs no other
            blocks.append(block)
        except ValueError as error:
            left_out.append(str(error))
        except Text2qtiError as error:
            left_out.append(f"{asked.question.id}: text2qti refuses it ({' '.join(str(error).split())})")
    QTI(quiz(blocks)).save(target)
    return left_out


def _qti_question(asked: Asked) -> str:
    """A question as text2qti reads it. Canvas wants exactly the right options, and one right one where one is asked
    for: where more than that is accepted the answer is given in writing."""
    key, question = asked.key, asked.question
    lines = [f"Title: {question.id}", f"Points: {max(0.5, round(2 * question.points) / 2):g}"]
    in_words = isinstance(key, Ordered) or (isinstance(key, Chosen) and bool(key.may))
    lines.append(f"1. {_qti_text(_in_writing(asked) if in_words else _question(asked))}")
    lines.append(f"... {_qti_text(_both(asked.explanation))}")
    if isinstance(key, Within):
        lines.append(f"= {_limits(key)}")
    elif in_words:
        lines += [f"* {answer}" for answer in written(asked)]
    else:
        for option in asked.options:
            mark = (f"{'*' if option.key in key.must else ''}{_letters(asked)[option.key]})") if key.single else None
            lines.append(f"{mark or ('[*]' if option.key in key.must else '[ ]')} {_qti_text(_option(asked, option))}")
            if option.key in asked.feedback:
                lines.append(f"... {_qti_text(_both(asked.feedback[option.key]))}")
    return "\n".join(lines)


def _qti_text(lines: Iterable[str]) -> str:
    """Lines as one paragraph of Markdown; what it begins with makes no heading, list or quotation."""
    return re.sub(r"^(\d*)(?=[.)]\s|[#>+-])", r"\1\\", "<br>".join(markdown(line) for line in lines))


def _limits(key: Within) -> str:
    """Limits as Canvas takes them: four decimals, outwards, and never 0."""
    low, high = math.floor(key.low * 1e4), math.ceil(key.high * 1e4)
    return f"[{(low or -1) / 1e4}, {(high or 1) / 1e4}]"


def _md(found: Sequence[Asked], target: Path) -> list[str]:
    """Questions to be printed, without the key."""
    blocks = ["# Homework 9, Explainable AI 作業九"]
    for number, asked in enumerate(found, 1):
        letters = _letters(asked)
        listed = [f"- ({letters[o.key]}) {markdown(' '.join(_option(asked, o)))}" for o in asked.options]
        blocks.append("\n".join([f"**{number}.** {markdown(' '.join(_question(asked)))}", "", *listed]).rstrip())
    target.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return []
