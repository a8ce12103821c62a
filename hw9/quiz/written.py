"""Questions in writing, as text and as HTML: for a notebook that is stored, or that has no widgets."""

import html
import re
from collections.abc import Sequence

from hw9.quiz.asked import Asked, Option
from hw9.quiz.bank import Made, Text

HOW = {
    "one": ("choose one", "單選"),
    "picture": ("choose one", "單選"),
    "many": ("choose all that are right", "複選"),
    "number": ("a number", "數字"),
    "order": ("put in order", "排序"),
}
NOT_ASKED = Text("Not asked on this run, and counts for nobody", "這次執行不問這一題，也不計分")


def head(asked: Asked) -> str:
    """What stands beside a question's name: points, what kind of answer, the figure that answers it."""
    points = f"{asked.question.points:g} point{'' if asked.question.points == 1 else 's'}"
    return " · ".join([points, " ".join(HOW[asked.question.kind]), *asked.question.figures])


def both(text: Text) -> str:
    """Both languages on one line; a text that is the same in both, a number for instance, once."""
    return text.english if text.english == text.chinese else f"{text.english} {text.chinese}"


def label(asked: Asked, option: Option) -> str:
    """An option as it is shown, with its key, unless it says that itself: "a)  It is food.", "picture 3"."""
    text = both(option.text)
    return text if numbered(asked) else f"{option.shown})  {text}"


def numbered(asked: Asked) -> bool:
    """Whether the options say their numbers themselves, all of them: "picture 3", and not "layer 5" for the third."""
    return isinstance(asked.question.options, Made) and all(
        option.shown in re.findall(r"\d+", option.text.english) for option in asked.options
    )


def example(asked: Asked) -> str:
    """The call that answers a question in writing, with "?" where the answer goes: any other might be the right one."""
    count = {"many": 2, "order": len(asked.options)}.get(asked.question.kind, 1)
    given = (", " if asked.question.kind == "many" else " ").join("?" * count)
    return f'quiz.answer("{asked.question.id}", "{given}")'


def as_text(questions: Sequence[Asked]) -> str:
    """The questions as plain text."""
    return "\n\n".join(map(_text, questions))


def _text(asked: Asked) -> str:
    lines = [f"{asked.question.id} ({head(asked)})", asked.text.english, asked.text.chinese]
    if asked.key is None:
        return "\n".join([*lines, f"{both(NOT_ASKED)}: {asked.reason}"])
    lines += [f"  {option.shown}) {both(option.text)}" for option in asked.options]
    return "\n".join([*lines, f"  {example(asked)}"])


def as_html(questions: Sequence[Asked]) -> str:
    """The questions as HTML that is readable without style sheets or scripts, which an untrusted notebook loses."""
    how = [html.escape(example(one)) for one in questions if one.key is not None][:1]
    said = "".join(f"<p><small>To answer in writing 用文字作答：<code>{one}</code></small></p>" for one in how)
    return "".join(map(_html, questions)) + said


def _html(asked: Asked) -> str:
    name, said = html.escape(asked.question.id), html.escape(head(asked))
    parts = [f"<p><b>{name}</b> <small>({said})</small><br>{paragraph(asked.text)}</p>"]
    if asked.key is None:
        parts.append(f"<p><i>{html.escape(both(NOT_ASKED))}: {html.escape(asked.reason)}</i></p>")
    elif asked.options:
        between = " &middot; " if isinstance(asked.question.options, Made) else "<br>"
        parts.append(f"<p>{between.join(html.escape(label(asked, option)) for option in asked.options)}</p>")
    return "".join(parts)


def paragraph(text: Text) -> str:
    """Both languages as HTML, each on its own line."""
    return f'{html.escape(text.english)}<br><span lang="zh-Hant">{html.escape(text.chinese)}</span>'


def table(rows: Sequence[Sequence[str]]) -> tuple[str, str]:
    """A table, whose first row is its head, as text and as HTML."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    text = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    cells = [[f'<td style="text-align: left">{html.escape(cell)}</td>' for cell in row] for row in rows]
    first = "".join(cells[0]).replace("<td", "<th").replace("</td>", "</th>")
    rest = "".join(f"<tr>{''.join(row)}</tr>" for row in cells[1:])
    return text, f"<table><thead><tr>{first}</tr></thead><tbody>{rest}</tbody></table>"
