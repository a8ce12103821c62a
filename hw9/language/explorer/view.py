"""What the explorer shows of a reading, and the one rule for "the top N % of attention" (as in page/attention.js)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from hw9.language.bert import Bert, Reading

ONE = 255 * 255  # the square of the code of attention 1
LIMIT = 128  # tokens: more cannot be read on one screen
SIDES = ("all", "a", "b")


@dataclass(frozen=True)
class View:
    """The settings of the explorer, counted as a person counts: layers and heads from 1, tokens from 0."""

    layer: int = 1
    heads: Sequence[int] | None = None  # None: all of them
    top: float = 70
    hide_special: bool = False
    renormalise: bool = False
    query: str = "all"
    key: str = "all"
    pin: int | None = None
    side: str = "left"
    masked: Sequence[int] = ()
    labels: str = "en"
    theme: str = "auto"

    def check(self, bert: Bert, reading: Reading) -> None:
        """Raise ValueError, in one line, for a setting that this model or this reading does not have."""
        tokens = len(reading.tokens)
        if tokens > LIMIT:
            raise ValueError(f"the text has {tokens} tokens and the explorer shows {LIMIT} at most: shorten it")
        if all(reading.special):
            raise ValueError(f"the text holds nothing but {', '.join(reading.tokens)}: give it at least one word")
        _within("layer", self.layer, 1, bert.layers)
        for head in self.heads or ():
            _within("heads", head, 1, bert.heads)
        if not 0 <= self.top <= 100:
            raise ValueError(f"top is a percentage from 0 to 100, not {self.top}")
        if self.pin is not None:
            _within("pin", self.pin, 0, tokens - 1)
        check_masks(reading, self.masked)
        choices = {"query": SIDES, "key": SIDES, "side": ("left", "right"), "labels": ("en", "zh"),
                   "theme": ("auto", "light", "dark")}  # fmt: skip
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}, not {getattr(self, name)!r}")
        if reading.pair is None and (self.query, self.key) != ("all", "all"):
            raise ValueError("query and key choose one text of a pair, and there is one text: leave them out")


def check_masks(reading: Reading, masked: Sequence[int]) -> None:
    """Raise ValueError for positions that cannot be masked."""
    for position in masked:
        _within("masked", position, 0, len(reading.tokens) - 1)
        if reading.special[position]:
            raise ValueError(f"token {position} is {reading.tokens[position]}, which cannot be masked")


def encode(attentions: Tensor) -> np.ndarray:
    """Attentions in [0, 1] as codes of 8 bits: code c stands for (c / 255)^2, fine where attention is small.

    The error is at most sqrt(a) / 255: 0.0005 around 1/64, 0.004 at 1.
    """
    return np.round(255 * np.sqrt(attentions.numpy())).astype(np.uint8)


def links(codes: np.ndarray, reading: Reading, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Weights and whether they are shown, (T, T) each, of the codes (L, H, T, T) in a view.

    The weight of a pair is the mean of the chosen heads' attention, 0 where a row or column is hidden; renormalised,
    each row adds up to 1. Shown are, in each row, the strongest pairs (the earlier one of equals first) until they
    hold at least `top` % of what the row adds up to. Whole numbers decide, so the page and Python agree exactly.
    """
    heads = [head - 1 for head in (range(1, codes.shape[1] + 1) if view.heads is None else view.heads)]
    squares = codes[view.layer - 1, heads].astype(np.int64) ** 2  # (heads, T, T)
    sums = squares.sum(0) * _visible(reading, view, view.query)[:, None] * _visible(reading, view, view.key)[None]
    totals = sums.sum(1, keepdims=True)  # (T, 1)
    order = np.argsort(-sums, axis=1, kind="stable")
    ranked = np.take_along_axis(sums, order, 1)
    before = np.cumsum(ranked, 1) - ranked
    shown = np.zeros(sums.shape, bool)
    np.put_along_axis(shown, order, (100 * before < view.top * totals) & (ranked > 0), 1)
    unit = np.maximum(totals, 1) if view.renormalise else max(ONE * len(heads), 1)
    return sums / unit, shown


def _visible(reading: Reading, view: View, side: str) -> np.ndarray:
    special, second = np.array(reading.special), np.array(reading.segments) == 1
    return ~(special & view.hide_special) & {"all": True, "a": ~second, "b": second}[side]


def _within(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} takes whole numbers from {low} to {high}, not {value!r}")
