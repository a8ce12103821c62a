"""The key of a run as Markdown: for every question what is right, and the number behind it."""

import re
from collections.abc import Iterable
from pathlib import Path

from hw9.quiz import facts as facts_of_run
from hw9.quiz.asked import Asked, ask
from hw9.quiz.bank import Bank, Text
from hw9.quiz.facts import Facts
from hw9.quiz.feedback import TITLES
from hw9.quiz.keys import Ordered, Within

HEAD = """# For teachers: the key of the quiz

Written by `python -m hw9 key` from the numbers behind the figures of one run. With Food-11, other models or other
sentences the figures differ and so does the key; a hand-in is graded by the numbers of the student's own run.

中文：給老師的答案，由一次執行的數據算出；換了資料或模型，答案也會不同。批改時以學生自己的數據為準。
"""


def newest_facts(folder: Path) -> list[Facts]:
    """The facts of the last run of each part in a folder; raises FileNotFoundError where there are none."""
    found: dict[str, Facts] = {}
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime):
        facts = facts_of_run.load(path)
        found[facts.part] = facts
    if not found:
        raise FileNotFoundError(f"{folder} holds no facts: run a notebook first, or name a file of facts with --facts")
    return [found[part] for part in TITLES if part in found]


def key_page(bank: Bank, runs: Iterable[Facts], student: str = "") -> str:
    """The key for the facts of one or both parts, for all, or in the variant of one student."""
    pages = [HEAD + (f"\nThe variant of student {markdown(student)}.\n" if student else "")]
    for facts in runs:
        if facts.part not in TITLES:
            raise ValueError(f"facts of part {facts.part!r}, and the quiz has {' and '.join(TITLES)}")
        title = TITLES[facts.part]
        pages.append(f"## {title.english} {title.chinese}\n\nData `{facts.data}`, model `{facts.weights[:8]}`.\n")
        for number, question in enumerate(bank.of(facts.part), 1):
            pages.append(_entry(number, ask(question, facts, salt=bank.salt, student=student)))
    return "\n".join(pages)


def markdown(text: str) -> str:
    """A text of one line in which Markdown sees no marks, formulas or HTML."""
    text = re.sub(r"([\\`*_\[\]])", r"\\\1", " ".join(text.split()))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("$", "&#36;")


def right_options(asked: Asked) -> list[str]:
    """What is right, one item per option, as a student sees it; a number has one item."""
    key, names = asked.key, {option.key: f"{option.shown}) {option.text.english}" for option in asked.options}
    if isinstance(key, Ordered):
        return [names[one] for one in sorted(key.values, key=lambda one: -key.values[one])]
    if isinstance(key, Within):
        return [str(key)]
    maybe = " (accepted)" if key.single and len(key.must | key.may) > 1 else " (with or without)"
    return [names[one] + (maybe if one in key.may else "") for one in names if one in key.must | key.may]


def _entry(number: int, asked: Asked) -> str:
    question, key = asked.question, asked.key
    figures = f" ({', '.join(f'`{figure}`' for figure in question.figures)})" if question.figures else ""
    lines = [f"**{number}. {_both(asked.text)}** `{question.id}`{figures}", ""]
    if asked.missing:
        lines.append(f"- *No key:* {markdown(asked.reason)}: that section has not been run.")
    elif key is None:
        lines.append(f"- *Counts for nobody on this run:* {markdown(asked.reason)}.")
    else:
        joined = (" → " if isinstance(key, Ordered) else "; ").join(right_options(asked))
        lines.append(f"- *Right:* {markdown(joined)}")
        if key.because != "always":
            lines.append(f"- *Behind it:* {markdown(key.because)}")
        lines.append(f"- *Why:* {_both(asked.explanation)}")
    return "\n".join(lines) + "\n"


def _both(text: Text) -> str:
    return markdown(text.english if text.english == text.chinese else f"{text.english} {text.chinese}")
