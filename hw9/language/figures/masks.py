"""What a mask is filled with, as bars."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from hw9.figure_text import plain, readable
from hw9.language.figures.cells import COLOURS, WIDTH, fitting
from hw9.language.words import spelled


@plain(WIDTH)
def predictions(columns: dict[str, Sequence[tuple[str, float]]], *, expected: str = "", title: str = "") -> Figure:
    """Likeliest words for a mask and their probabilities, side by side by name; the `expected` word in orange."""
    rows = max(map(len, columns.values()))
    height = 0.26 * rows + (1.2 if expected else 1.0)
    figure, axes = plt.subplots(1, len(columns), figsize=(WIDTH, height), squeeze=False, layout="constrained")
    highest = max(p for column in columns.values() for _, p in column)
    for ax, (name, column) in zip(axes[0], columns.items(), strict=True):
        words, values = zip(*column, strict=True)
        ax.barh(range(len(words)), values, color=[COLOURS[w.casefold() == expected.casefold()] for w in words])
        ax.set_yticks(range(len(words)), words, fontsize=10)
        for row, value in enumerate(values):
            ax.text(value, row, f" {_share(value)}", va="center", fontsize=8)
        ax.set(xlim=(0, 1.22 * highest), ylim=(rows - 0.5, -0.5), title=name)
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        ax.xaxis.set_major_locator(plt.MaxNLocator(4))
    figure.suptitle(f"{title}\n(orange: the word that was hidden)" if expected else title, fontsize=11)
    return figure


@plain(WIDTH * 0.7)
def masked_as_well(
    tokens: Sequence[str],
    values,
    positions: int | Sequence[int],
    *,
    units: Sequence[Sequence[int]] | None = None,
    token: str = "",
    title: str = "",
) -> Figure:
    """Probability of the word at `positions` when each other one is masked as well, (T,), the lowest in orange.

    The line is with it alone. `units` says which tokens make up each word (see `words.units`); None: each token is one.
    """
    hidden = [positions] if isinstance(positions, int) else list(positions)
    units = [[k] for k in range(len(tokens))] if units is None else units
    values = np.asarray(values)[[unit[0] for unit in units]]  # (W,)
    own = next(k for k, unit in enumerate(units) if unit[0] in hidden)
    names = ["[MASK]" if k == own else readable(spelled([tokens[p] for p in unit])) for k, unit in enumerate(units)]
    figure, ax = plt.subplots(figsize=(WIDTH, 2.8), layout="constrained")
    shown = np.flatnonzero(np.isfinite(values) & (np.arange(len(values)) != own))
    lowest = shown[values[shown].argmin()] if len(shown) else own
    ax.bar(shown, values[shown], color=[COLOURS[1] if k == lowest else COLOURS[0] for k in shown])
    ax.axhline(values[own], color="black", lw=1.2, ls="--", label=f"nothing else masked: {_share(values[own])}")
    turn = 0 if sum(map(len, names)) < 70 else 60 if len(names) <= 40 else 90
    size, step = fitting(len(names), WIDTH - 0.8)
    ax.set_xticks(
        range(0, len(names), step), names[::step], rotation=turn, ha="right" if turn == 60 else "center", fontsize=size
    )
    ax.set(
        ylim=(0, 1.15 * np.nanmax(values)),
        xlabel="word that is masked as well (orange: lowest probability; no bar: not tried)",
        ylabel=f"probability of “{token}”",
    )
    ax.set_title(title, loc="left")
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.legend(frameon=False, loc="upper right", bbox_to_anchor=(1, 1.18))
    return figure


def _share(value: float) -> str:
    """In per cent, or as a power of ten where that would be 0.0 %: a word of many tokens is rarely likely."""
    return f"{value:.1%}" if value >= 0.0005 or value == 0 else f"{value:.0e}"
