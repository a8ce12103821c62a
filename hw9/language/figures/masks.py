"""What a mask is filled with, as bars."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from hw9.language.figures.cells import COLOURS, WIDTH


def predictions(columns: dict[str, Sequence[tuple[str, float]]], *, expected: str = "", title: str = "") -> Figure:
    """Likeliest words for a mask and their probabilities, side by side by name; the `expected` word in orange."""
    rows = max(map(len, columns.values()))
    height = 0.26 * rows + 1.0
    figure, axes = plt.subplots(1, len(columns), figsize=(WIDTH, height), squeeze=False, layout="constrained")
    highest = max(p for column in columns.values() for _, p in column)
    for ax, (name, column) in zip(axes[0], columns.items(), strict=True):
        words, values = zip(*column, strict=True)
        ax.barh(range(len(words)), values, color=[COLOURS[1] if w == expected else COLOURS[0] for w in words])
        ax.set_yticks(range(len(words)), words, fontsize=10)
        for row, value in enumerate(values):
            ax.text(value, row, f" {value:.1%}", va="center", fontsize=8)
        ax.set(xlim=(0, 1.22 * highest), ylim=(rows - 0.5, -0.5), title=name)
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        ax.xaxis.set_major_locator(plt.MaxNLocator(4))
    figure.suptitle(title, fontsize=11)
    return figure


def masked_as_well(tokens: Sequence[str], values, position: int, *, token: str = "", title: str = "") -> Figure:
    """Probability of the word at `position` when each other token is masked as well, (T,); the line: it alone."""
    values = np.asarray(values)
    figure, ax = plt.subplots(figsize=(WIDTH, 2.8), layout="constrained")
    shown = np.flatnonzero(np.isfinite(values) & (np.arange(len(values)) != position))
    ax.bar(shown, values[shown], color=[COLOURS[1] if k == np.nanargmin(values) else COLOURS[0] for k in shown])
    ax.axhline(values[position], color="black", lw=1.2, ls="--", label=f"nothing else masked: {values[position]:.1%}")
    names = ["[MASK]" if k == position else name for k, name in enumerate(tokens)]
    turn = 0 if sum(map(len, names)) < 70 else 60
    ax.set_xticks(range(len(names)), names, rotation=turn, ha="right" if turn else "center")
    ax.set(ylim=(0, 1.15 * np.nanmax(values)), xlabel="masked as well", ylabel=f"probability of “{token}”", title=title)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.legend(frameon=False, loc="upper right", bbox_to_anchor=(1, 1.18))
    return figure
