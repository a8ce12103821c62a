"""One page of feedback for one student: both languages, stands alone, shows what a student wrote but never obeys it."""

from collections.abc import Mapping
from html import escape

from hw9.quiz.asked import Asked
from hw9.quiz.bank import Text
from hw9.quiz.grading import Graded, Mark, Student
from hw9.quiz.incoming import clean
from hw9.quiz.keys import Answer, Chosen, Ordered

TITLES = {"cnn": Text("Part 1: pictures", "第一部分：圖片"), "bert": Text("Part 2: sentences", "第二部分：句子")}
STYLE = """
:root { color-scheme: light dark; --line: #8888; --good: #17743a; --bad: #a3330b; --soft: #8881; }
@media (prefers-color-scheme: dark) { :root { --good: #6fd397; --bad: #ff9d76; } }
body { font: 16px/1.5 system-ui, "Noto Sans CJK TC", "PingFang TC", "Microsoft JhengHei", sans-serif;
  max-width: 46rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.25; margin-bottom: .3em; } h3 { font-size: 1.05rem; }
article { border: 1px solid var(--line); border-left: .4rem solid var(--line); border-radius: .4rem;
  margin: 1rem 0; padding: .2rem 1rem .8rem; break-inside: avoid; }
article.right { border-left-color: var(--good); } article.wrong { border-left-color: var(--bad); }
p { margin: .4em 0; } ul, ol { margin: .4em 0; padding-left: 1.6rem; }
.verdict { font-weight: 600; margin-bottom: 0; } h3 { margin-top: 0; }
.right .verdict, .good { color: var(--good); } .wrong .verdict, .bad { color: var(--bad); }
.good, .bad { font-weight: 600; } h3 [lang=zh-Hant] { display: block; } ul { list-style: none; }
.note { background: var(--soft); border-radius: .3rem; padding: .3rem .7rem; } small { opacity: .8; }
"""
PAGE = "<title>Homework 9: "  # by which a page of feedback is known
# Nothing is fetched or run, whatever the page may hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(student: Student, missing: Mapping[str, float] | None = None) -> str:
    """The page as HTML, with the points of parts that are `missing`. All text not of this module is escaped."""
    missing = missing or {}
    points = sum(graded.points for graded in student.parts.values())
    of = sum(graded.of for graded in student.parts.values()) + sum(missing.values())
    who = _text(" · ".join(filter(None, [student.name, student.number])))
    parts = "".join(_part(part, graded) for part, graded in student.parts.items())
    for part, lost in missing.items():
        parts += f"<section><h2>{_both(TITLES[part])}</h2>\n<p>0 / {lost:g} · not handed in 未繳交</p></section>\n"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{PAGE}{who}</title>\n<style>{STYLE}</style></head>\n"
        f'<body><h1>Homework 9 <span lang="zh-Hant">作業九</span></h1>\n'
        f"<p>{who}<br><strong>{points:g} of {of:g} points</strong> "
        f'<span lang="zh-Hant">（{of:g} 分中得 {points:g} 分）</span></p>\n{parts}</body></html>\n'
    )


def _part(part: str, graded: Graded) -> str:
    facts = graded.handin.facts
    marks = "\n".join(_question(number, mark) for number, mark in enumerate(graded.marks, 1))
    return (
        f"<section><h2>{_both(TITLES[part])}</h2>\n<p>{graded.points:g} / {graded.of:g} · "
        f"<small>data {_text(facts.data)}, model {_text(facts.weights[:8])}. The key is computed from your own run. "
        f'<span lang="zh-Hant">答案依你自己的執行結果計算。</span></small></p>\n{marks}</section>\n'
    )


def _question(number: int, mark: Mark) -> str:
    asked, key = mark.asked, mark.asked.key
    figures = f"<small>{_text(', '.join(asked.question.figures))}</small>" if asked.question.figures else ""
    if key:
        answer = _options(mark) if asked.options else _number(mark)
        because = "" if key.because == "always" else f"<p><small>Behind it 依據：{_text(key.because)}</small></p>"
        told = answer + because + _note(asked.explanation)
    elif asked.missing:
        told = _note(Text("This section of the notebook had not been run.", "筆記本的這一節尚未執行。"))
    else:
        told = f'<p class="note">Counts for nobody on this run 此次執行不計分：{_text(asked.reason)}</p>'
    state, verdict = _verdict(mark)
    return (
        f'<article class="{state}"><p class="verdict">{verdict}</p>\n'
        f"<h3>{number}. {_both(asked.text)}</h3>{figures}\n{told}</article>"
    )


def _verdict(mark: Mark) -> tuple[str, str]:
    if not mark.counts:
        return "none", "—"
    points = f"{mark.points:g} / {mark.asked.question.points:g}"
    if mark.right:
        return "right", f"✓ right 對 {points}"
    if mark.answer is None:
        return "wrong", f"{'no valid answer 無效' if mark.given else 'not answered 未作答'} {points}"
    return "wrong", f"✗ not right 不對 {points}"


def _options(mark: Mark) -> str:
    """All options, the chosen and the right ones marked; after a wrong choice what the bank says about it."""
    asked, key = mark.asked, mark.asked.key
    if isinstance(key, Ordered):
        best = sorted(key.values, key=lambda name: -key.values[name])
        told = _order(asked, mark.answer, Text("Your order", "你的順序")) + _given(mark)
        return told if mark.right else told + _order(asked, best, Text("Right", "正確順序"))
    chosen = mark.answer if isinstance(mark.answer, tuple) else ()
    items = []
    for option in asked.options:
        said, good = f"{_text(option.shown)}) {_both(option.text)} ", option.key in key.must | key.may
        if option.key in chosen:
            said += f'<span class="{"good" if good else "bad"}">{"✓" if good else "✗"} your answer 你的答案</span>'
            if not good and (about := asked.feedback.get(option.key)):
                said += _note(about)
        elif good:
            said += f'<span class="good">{_accepted(key, option.key)}</span>'
        items.append(f"<li>{said}</li>")
    return f"<ul>{''.join(items)}</ul>{_given(mark)}"


def _accepted(key: Chosen, option: str) -> str:
    either = len(key.must | key.may) > 1 if key.single else option in key.may
    return "also accepted 亦可" if either else "right 正確"


def _order(asked: Asked, keys: Answer | list[str] | None, title: Text) -> str:
    texts = {option.key: option.text for option in asked.options}
    listed = "".join(f"<li>{_both(texts[key])}</li>" for key in keys or ())
    return f"<p>{_both(title)}</p><ol>{listed}</ol>" if listed else ""


def _number(mark: Mark) -> str:
    key, answer = mark.asked.key, mark.answer
    said = f"<p>Your answer 你的答案：{'—' if answer is None else f'{answer:g}'} · right 正確：{_text(str(key))}</p>"
    side = "" if answer is None or mark.right else "low" if answer < key.low else "high"
    return said + (_note(about) if (about := mark.asked.feedback.get(side)) else "") + _given(mark)


def _given(mark: Mark) -> str:
    return f"<p>Your answer 你的答案：<code>{_text(mark.given)}</code></p>" if mark.given else ""


def _both(text: Text) -> str:
    chinese = f' <span lang="zh-Hant">{_text(text.chinese)}</span>' if text.chinese != text.english else ""
    return _text(text.english) + chinese


def _note(text: Text) -> str:
    return f'<p class="note">{_both(text)}</p>'


def _text(text: str) -> str:
    """Any text, made one line and escaped; labels of options, for instance, come out of a student's file."""
    return escape(clean(text, 1000))
