"""The explorer as an object of a notebook: shown below the cell, or saved as a page that opens from disk."""

import base64
import html
import importlib.util
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from hw9.language.bert import Bert, Reading
from hw9.language.explorer.corpus import read_corpus
from hw9.language.explorer.index import Index, fingerprint
from hw9.language.explorer.page import render
from hw9.language.explorer.payload import Payload, build
from hw9.language.explorer.results import corpus_facts, store_searches
from hw9.language.explorer.still import draw
from hw9.language.explorer.tour import tour
from hw9.language.explorer.view import View, check_masks, encode, links
from hw9.notebook import either_style, kernel_shell, outputs_hide_others

STILL = (
    "A picture of the explorer: run this cell, or trust the notebook, to use it. "
    "這是圖片；執行這一格或信任筆記本即可操作。"
)
SINGLES_UP_TO = 64  # tokens of a sentence of which a page carries every single mask


def explorer(
    bert: Bert,
    reading_or_text: Reading | str,
    pair: str | None = None,
    *,
    layer: int = 1,
    heads: Sequence[int] | None = None,
    top: float = 70,
    hide_special: bool = False,
    renormalise: bool = False,
    query: Literal["all", "a", "b"] = "all",
    key: Literal["all", "a", "b"] = "all",
    pin: int | None = None,
    side: Literal["left", "right"] = "left",
    masked: Sequence[int] = (),
    combinations: Sequence[Sequence[int]] = (),
    corpus: Index | None = None,
    labels: Literal["en", "zh"] = "en",
    theme: Literal["auto", "light", "dark"] = "auto",
    live: bool | None = None,
) -> "Explorer":
    """An explorer of the attention in a text or a pair: as a cell's result it shows itself, `.save(path)` keeps it.

    Layers and `heads` count from 1 (None: all heads), token positions from 0 ([CLS]). `top`: the percentage of each
    token's attention that is drawn. `query` and `key` show only rows or columns of text "a" or "b" of a pair. `pin`
    and `side`: the token whose curves alone are shown. `masked`: tokens masked at the start. The page carries every
    single mask (of texts up to 64 tokens) and the `combinations` asked for; a live kernel computes any other.
    `corpus`: what `index` gives; the page then carries a search for every token, plain and masked by itself. `live`:
    talk to the kernel through anywidget (None: where both are there). Raises ValueError for what cannot be shown.
    """
    if isinstance(reading_or_text, Reading):
        if pair is not None:
            raise ValueError("a reading holds its pair already: give no second text")
        reading = reading_or_text
        # What the page shows of masks is read again, from the text.
        same = bert.encode(reading.text, reading.pair)["ids"] == reading.ids.tolist()
        again = bert.read(reading.text, reading.pair).hidden_states if same else reading.hidden_states[:0]
        same = again.shape == reading.hidden_states.shape and again.allclose(reading.hidden_states, atol=1e-3)
        if not same:
            raise ValueError("the reading is masked, or another model's: give the text, and masked=[...] beside it")
        if not reading.attentions.shape[-1]:
            raise ValueError("this reading has no attentions: use read, or read_many(..., attentions=True)")
    else:
        reading = bert.read(reading_or_text, pair)
    if corpus is not None and corpus.bert is not bert and fingerprint(corpus.bert) != fingerprint(bert):
        raise ValueError(f"the corpus was read by {corpus.bert.name}, and vectors of two models cannot be compared: "
                         "make it with index(...) of the model that is shown")  # fmt: skip
    heads = None if heads is None else list(heads)
    view = View(layer, heads, top, hide_special, renormalise, query, key, pin, side, list(masked), labels, theme)
    view.check(bert, reading)
    for positions in combinations:
        check_masks(reading, positions)
    return Explorer(bert, reading, view, [tuple(sorted(set(positions))) for positions in combinations], corpus, live)


class Explorer:
    """What `explorer` returns. A notebook shows it; `save` writes it; `html` is the page's text."""

    def __init__(
        self,
        bert: Bert,
        reading: Reading,
        view: View,
        combinations: list[tuple[int, ...]],
        corpus: Index | None,
        live: bool | None,
    ) -> None:
        self.bert, self.reading, self.view = bert, reading, view
        self.combinations, self.corpus, self.live = combinations, corpus, live

    def save(self, path: str | Path) -> Path:
        """Write the page, which needs nothing but itself, and return where it is."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.html, encoding="utf-8")
        return path

    @cached_property
    def html(self) -> str:
        payload = self.payload(singles=len(self.reading.tokens) <= SINGLES_UP_TO)
        return render(payload, f"Attention in {self.reading.text[:60]}")

    @cached_property
    def still(self) -> bytes:
        """A PNG of the view at the start, for places where scripts do not run."""
        reading, view = self.reading, self.view
        if view.masked:
            reading = self.bert.read(reading.text, reading.pair, masked=view.masked)
        numbers = ", ".join(map(str, view.heads or ()))
        heads = "all heads" if view.heads is None else f"head{'s' if len(view.heads) > 1 else ''} {numbers}"
        title = f"{self.bert.name}: layer {view.layer}, {heads}, top {view.top:g} % of attention"
        return draw(reading.tokens, *links(encode(reading.attentions), reading, view), title)

    def payload(self, *, singles: bool, live: bool = False) -> Payload:
        """What the page carries: with or without every `single` mask, and whether a kernel is there for the rest."""
        maskable = (
            [] if self.bert.mask_head is None else [k for k, apart in enumerate(self.reading.special) if not apart]
        )
        wanted = [(k,) for k in maskable] if singles else []
        wanted += [*self.combinations, *([tuple(sorted(self.view.masked))] if self.view.masked else [])]
        has_corpus = live or self.corpus is not None
        cards = [card for card in tour(self.bert, self.reading, self.view) if has_corpus or card["name"] != "corpus"]
        wanted += [tuple(card["view"]["masked"]) for card in cards if "masked" in card["view"]]
        payload = build(self.bert, self.reading, list(dict.fromkeys(wanted)))
        payload.meta["live"], payload.meta["tour"] = live, cards
        payload.meta["start"] = {name: value for name, value in vars(self.view).items() if value is not None}
        if live:
            corpus = self.corpus.corpus if self.corpus else read_corpus()
            payload.meta["corpus"] = corpus_facts(corpus)
        elif self.corpus is not None:
            store_searches(payload, self.corpus, self.reading)
        return payload

    @property
    def _is_live(self) -> bool:
        return self.live if self.live is not None else _kernel_is_there()

    def _ipython_display_(self) -> None:
        """In two outputs, where one can hide the other: a notebook that is opened again then shows the picture."""
        if not (self._is_live and kernel_shell() and outputs_hide_others()):
            raise NotImplementedError  # so that IPython asks for the bundle
        from IPython.display import display

        page = f'<div class="hw9-explorer-still">{self._picture}</div>'
        page = either_style("hw9-explorer-still", "hw9-explorer") + page
        display({"text/plain": f"explorer of {self.reading.text!r}", "text/html": page}, raw=True)
        made = self._repr_mimebundle_()
        data, about = made if isinstance(made, tuple) else (made, {})
        display(data, metadata=about, raw=True)

    def _repr_mimebundle_(self, include=None, exclude=None, **_) -> dict | tuple[dict, dict]:
        bundle = {
            "text/plain": f"explorer of {self.reading.text!r}",
            "image/png": base64.b64encode(self.still).decode(),
        }
        if self._is_live:
            from hw9.language.explorer.widget import connect

            data, about = connect(self)
            return (bundle | data, about) if about else bundle | data
        return bundle | {"text/html": self._frame()}

    def _frame(self) -> str:
        """The page in a frame, which keeps its scripts and styles and the notebook's apart.

        A notebook that is not trusted, and GitHub, take out frame and style: then the picture and the sentence are
        seen that the style hides elsewhere.
        """
        # White as the figures around it: a frame knows the system's theme, not the notebook's.
        page = html.escape(self.html.replace('"theme":"auto"', '"theme":"light"', 1), quote=True)
        height = 24 * max(22, len(self.reading.tokens)) + 65 * self.bert.layers + 1080  # of the whole page, as measured
        return (
            f"<style>.hw9-still {{ display: none }}</style>"
            f'<div class="hw9-still">{self._picture}</div>'
            f'<iframe srcdoc="{page}" title="{self._about}" sandbox="allow-scripts allow-downloads" '
            f'allow="clipboard-write" style="width:100%;height:{height}px;border:0"></iframe>'
        )

    @property
    def _about(self) -> str:
        return html.escape(f"Attention between the tokens of: {self.reading.text}", quote=True)

    @property
    def _picture(self) -> str:
        picture = base64.b64encode(self.still).decode()
        return f'<img src="data:image/png;base64,{picture}" alt="{self._about}"><p>{STILL}</p>'


def _kernel_is_there() -> bool:
    """Whether this runs in a notebook's kernel and anywidget is installed; HW9_STATIC=1 says that nobody is there."""
    if os.environ.get("HW9_STATIC") == "1" or importlib.util.find_spec("anywidget") is None:
        return False
    return kernel_shell() is not None
