"""Questions in a notebook: cards of ipywidgets where somebody can answer, and in writing where nobody can.

Both are shown: what is written stays readable when the notebook is stored, and its style sheet hides it while the cards
live, and what is left of the cards ("model not found") when they do not. Without that style sheet, in a notebook that
is not trusted, no widget is drawn.
"""

import functools
import html
import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw9.notebook import either_style, kernel_shell, outputs_hide_others
from hw9.quiz.asked import Asked
from hw9.quiz.bank import Made, Text
from hw9.quiz.session import ONE_AT_A_TIME, Session, where
from hw9.quiz.written import NOT_ASKED, as_html, as_text, both, head, label, paragraph

if TYPE_CHECKING:
    import ipywidgets

# While the kernel is busy ipywidgets holds a change back, and a later click on Check overtakes it; so it may where
# each has its own thread. So what changes within these seconds of a check is checked as well.
OVERTAKEN = 2.0
STYLE = """<style>
.hw9-quiz { max-width: 780px }
.hw9-quiz-card { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 6px;
  padding: 6px 12px 8px; margin: 0 0 8px; overflow: visible; gap: 2px }
.hw9-quiz .widget-html, .hw9-quiz .widget-html-content { height: auto; line-height: 1.45; font-size: 14px }
.hw9-quiz .widget-html-content { white-space: normal }
.hw9-quiz .widget-radio, .hw9-quiz .widget-radio-box, .hw9-quiz .widget-checkbox {
  width: auto; height: auto; margin: 0 }
.hw9-quiz-row, .hw9-quiz-row .widget-radio-box { flex-flow: row wrap; gap: 0 20px; overflow: visible; margin: 0 2px }
.hw9-quiz .widget-radio-box label, .hw9-quiz .widget-checkbox label {
  display: flex; align-items: flex-start; gap: 8px; width: auto; height: auto; margin: 0; padding: 1px 0;
  font-size: 14px; line-height: 1.45; white-space: normal; overflow: visible; text-align: left }
.hw9-quiz .widget-radio-box label { flex-direction: row-reverse; justify-content: flex-end }
.hw9-quiz .widget-radio-box input, .hw9-quiz .widget-checkbox input { 
  position: static; flex: none; margin: 4px 0 0 2px }
.hw9-quiz .widget-radio-box input { margin-top: 1px }
.hw9-quiz .widget-text > .widget-label { width: auto; overflow: visible; margin-right: 8px }
.hw9-quiz .widget-dropdown { width: 100%; max-width: 560px }
.hw9-quiz .widget-dropdown > .widget-label { width: 2em }
.hw9-quiz .widget-button { width: auto; flex: none; padding: 0 14px }
.hw9-quiz :focus-visible { outline: 2px solid #1c7ed6; outline-offset: 2px }
.hw9-quiz .widget-hbox { flex-flow: row wrap; overflow: visible }
.hw9-quiz .hw9-quiz-said { flex: 1 1 340px; margin-left: 6px }
.hw9-quiz-keys { display: none }
.hw9-quiz .jupyter-widgets-disconnected::before { display: none }
.hw9-quiz.jupyter-widgets-disconnected::before { display: block; padding: 0 0 6px; font: inherit; color: inherit;
  content: "The kernel was restarted: run the cells from quiz.begin on again. 核心已重啟，請從 quiz.begin 起重新執行。"
}
.hw9-quiz.jupyter-widgets-disconnected .hw9-quiz-card { opacity: .6; pointer-events: none }
</style>"""


def live() -> bool:
    """Whether this runs in a notebook's kernel with ipywidgets; HW9_STATIC=1 says that nobody is there."""
    if os.environ.get("HW9_STATIC") == "1" or importlib.util.find_spec("ipywidgets") is None:
        return False
    return kernel_shell() is not None


def display(text: str, page: str) -> None:
    """Show HTML, with its text for what cannot; without a notebook print the text."""
    if kernel_shell() is None:
        print(text)
        return
    from IPython.display import display as show_

    show_({"text/html": page, "text/plain": text}, raw=True)


def show(session: Callable[[], Session], questions: Sequence[Asked]) -> None:
    """Show the questions, as cards where the notebook is live; answers go to the session that is then current."""
    if not questions:
        return
    page = f'<div class="hw9-quiz-written">{as_html(questions)}</div>'
    if not live():
        display(as_text(questions), page)
        return
    import ipywidgets
    from IPython.display import display as show_

    elsewhere = not outputs_hide_others()
    if elsewhere:  # there the cards do not hide what is written
        page = f"<details><summary>The questions in writing 文字版</summary>{page}</details>"
    display(as_text(questions), either_style("hw9-quiz-written", "hw9-quiz") + page)
    cards = [_Card(session, one).box for one in questions]
    box = ipywidgets.VBox([ipywidgets.HTML(STYLE), *cards, *_keys(elsewhere)])
    box.add_class("hw9-quiz")
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    show_({"application/vnd.jupyter.widget-view+json": view, "text/plain": ""}, raw=True)


def _keys(elsewhere: bool) -> "list[ipywidgets.Widget]":
    """The part that makes keys work in JupyterLab, whose own commands would take them; the cards work without it."""
    if elsewhere or importlib.util.find_spec("anywidget") is None:
        return []
    import anywidget

    class Keys(anywidget.AnyWidget):
        _esm = Path(__file__).with_name("keys.js").read_text(encoding="utf-8")

    keys = Keys()
    keys.add_class("hw9-quiz-keys")
    return [keys]


def _alone(act: Callable[..., None]) -> Callable[..., None]:
    """What a card does, from its first line to its last: a check that reads an old answer must not have the last word
    over the change that another thread has handled meanwhile."""

    @functools.wraps(act)
    def alone(*given: Any) -> None:
        with ONE_AT_A_TIME:
            act(*given)

    return alone


class _Card:
    """One question with its inputs, its buttons and a line that says what came of them."""

    def __init__(self, session: Callable[[], Session], asked: Asked) -> None:
        import ipywidgets

        self.session, self.asked, self.checked = session, asked, -OVERTAKEN
        name = asked.question.id
        said = f"<b>{name}</b> <small>{html.escape(head(asked))}</small><br>{paragraph(asked.text)}"
        parts = [ipywidgets.HTML(said)]
        if asked.key is None:
            parts.append(ipywidgets.HTML(f"<i>{html.escape(both(NOT_ASKED))}: {html.escape(asked.reason)}</i>"))
        else:
            kept = session().kept.answers.get(name)
            self.read, inputs = INPUTS[asked.question.kind](asked, kept, self.changed)
            self.said = ipywidgets.HTML()
            self.said.add_class("hw9-quiz-said")
            buttons = [self._button("Hint 提示", f"hint for {name}", self.hint)]
            if session().bank.check:
                buttons.insert(0, self._button("Check 檢查", f"check {name}", self.check))
            parts += [*inputs, ipywidgets.HBox([*buttons, self.said])]
        self.box = ipywidgets.VBox(parts)
        self.box.add_class("hw9-quiz-card")

    def _button(self, text: str, tooltip: str, call: Callable[[], None]) -> "ipywidgets.Button":
        import ipywidgets

        button = ipywidgets.Button(description=text, tooltip=tooltip)
        button.on_click(lambda _: call())
        return button

    def say(self, text: Text | str) -> None:
        """Show a line beside the buttons; a screen reader reads it out."""
        page = html.escape(text) if isinstance(text, str) else paragraph(text)
        self.said.value = f'<span role="alert">{page}</span>' if page else ""

    def current(self) -> Asked | None:
        """The question as it now stands; None, with a line, where the run has changed what is asked."""
        now = self.session().ask(self.asked.question.id)
        if now.text == self.asked.text and now.options == self.asked.options and now.key is not None:
            return now
        self.say(Text("Your run has changed: run this cell again.", "執行結果變了，請重新執行此儲存格。"))
        return None

    def keep(self) -> Asked | None:
        """Keep what is chosen or written now; None, with a line, where it is no answer."""
        try:
            if (now := self.current()) is None:
                return None
            self.say(self.session().answer(now, self.read()))
        except ValueError as error:
            self.say(str(error))
            return None
        return now

    @_alone
    def changed(self, *_: Any) -> None:
        if time.monotonic() - self.checked < OVERTAKEN:
            self.check()
        elif self.keep() and self.session().writes and self.asked.question.id in self.session().kept.answers:
            self.say(Text("Kept.", "已存。"))

    @_alone
    def check(self) -> None:
        self.checked = time.monotonic()
        if (now := self.keep()) is not None:
            self.say(self.session().check(now))

    @_alone
    def hint(self) -> None:
        self.say(where(self.asked))


def _one(asked: Asked, kept: Any, changed: Callable) -> tuple[Callable[[], Any], list]:
    import ipywidgets

    options = [(label(asked, option), option.shown) for option in asked.options]
    shown = asked.shown(kept) if kept is not None else None
    radio = ipywidgets.RadioButtons(options=options, value=shown if shown in dict(options).values() else None)
    if isinstance(asked.question.options, Made):
        radio.add_class("hw9-quiz-row")
    radio.observe(changed, "value")
    return lambda: radio.value, [radio]


def _many(asked: Asked, kept: Any, changed: Callable) -> tuple[Callable[[], Any], list]:
    import ipywidgets

    chosen = kept if isinstance(kept, tuple) else ()
    boxes = [
        ipywidgets.Checkbox(value=option.key in chosen, description=label(asked, option), indent=False)
        for option in asked.options
    ]
    for box in boxes:
        box.observe(changed, "value")
    inputs = ipywidgets.Box(boxes) if isinstance(asked.question.options, Made) else ipywidgets.VBox(boxes)
    if isinstance(asked.question.options, Made):
        inputs.add_class("hw9-quiz-row")
    return lambda: [o.shown for o, box in zip(asked.options, boxes, strict=True) if box.value], [inputs]


def _number(asked: Asked, kept: Any, changed: Callable) -> tuple[Callable[[], Any], list]:
    import ipywidgets

    field = ipywidgets.Text(
        value=asked.shown(kept) if isinstance(kept, float) else "", description="Number 數字", continuous_update=False
    )
    field.observe(changed, "value")
    return lambda: field.value, [field]


def _order(asked: Asked, kept: Any, changed: Callable) -> tuple[Callable[[], Any], list]:
    import ipywidgets

    options = [("–", ""), *((label(asked, option), option.shown) for option in asked.options)]
    shown = asked.shown(kept).split(", ") if isinstance(kept, tuple) and len(kept) == len(asked.options) else []
    places = [
        ipywidgets.Dropdown(options=options, value=shown[at] if shown else "", description=f"{at + 1}.")
        for at in range(len(asked.options))
    ]
    for place in places:
        place.observe(changed, "value")
    # Until the last place is filled there is no answer.
    return lambda: [place.value for place in places] if all(place.value for place in places) else None, places


INPUTS = {"one": _one, "picture": _one, "many": _many, "number": _number, "order": _order}
