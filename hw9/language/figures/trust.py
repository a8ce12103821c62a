"""How answers to "which word mattered?" fare in the tests, and what a mask holds layer by layer; nothing is computed.

Names that end in "(control)" belong to answers that have not looked into the model; they are drawn grey.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hw9.figure_text import plain
from hw9.language.figures.cells import COLOURS, WIDTH, cells, layers_and_heads, outline, token_axes


@plain(WIDTH)
def answers(
    tokens: Sequence[str],
    rows: dict[str, np.ndarray],
    positions: int | Sequence[int],
    *,
    units: Sequence[Sequence[int]] | None = None,
    title: str = "",
) -> Figure:
    """A row of cells for each answer (T,), from its lowest word (white) to its highest (dark), − in cells below 0; what
    is no word is grey.

    `units` says which tokens make up each word (see `words.units`); None: each token is one.
    """
    units = [[k] for k in range(len(tokens))] if units is None else units
    hidden = [positions] if isinstance(positions, int) else positions
    table = np.array([np.asarray(row, dtype=float) for row in rows.values()])
    words = np.isfinite(table).all(0)
    low, high = table[:, words].min(1, keepdims=True), table[:, words].max(1, keepdims=True)
    # Where every number is below 0 (as nearness is, minus a distance), the sign says nothing.
    below = (table < 0) & (table[:, words] > 0).any(1, keepdims=True)
    table = np.where(words, (table - low) / np.where(high > low, high - low, 1), np.nan)
    figure, ax = plt.subplots(figsize=(WIDTH, 0.3 * len(rows) + 1.3), layout="constrained")
    cells(ax, table, cmap="Blues", vmin=0, vmax=1)
    ax.set_facecolor("0.85")
    shown = ["[MASK]" if k in hidden else token for k, token in enumerate(tokens)]
    token_axes(ax, shown, WIDTH - 2.5, rows=False)
    ax.set_yticks(range(len(rows)), list(rows))
    for row, values in enumerate(table):
        named = sorted((unit for unit in units if words[unit[0]]), key=lambda unit: -values[unit[0]])
        for unit in named[:2]:
            outline(ax, row, unit[0], width=len(unit))
        for unit in (unit for unit in named if below[row, unit[0]]):
            ax.text(unit[0] + (len(unit) - 1) / 2, row, "−", ha="center", va="center", fontsize=9)
    said = (
        "each row: white lowest (−: below 0), dark highest; red frames: the two words named first; grey: not compared"
    )
    ax.set_title(said, fontsize=8.5)
    figure.suptitle(title, fontsize=11)
    return figure


@plain(WIDTH)
def agreement(
    taus: dict[str, Sequence[float]], gains: dict[str, Sequence[float]], *, control: str, title: str = ""
) -> Figure:
    """Agreement of each answer with the truth, and what it has over the `control` in the same sentence (`trust.gains`).

    A dot for each sentence, a bar at the mean. Only the differences have the reach of two standard errors: the
    sentences are the same for all answers, so two bars on the left must not be compared by their ends.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 0.36 * len(taus) + 1.5), layout="constrained", sharey=True
    )
    known = control.removesuffix(" (control)")
    _dots(left, taus, "Kendall's tau\n(1: same order of words, 0: chance)", errors=0)
    _dots(right, {name: gains.get(name, ()) for name in taus}, f"tau minus that of {known} in the same sentence\n"
          f"(0: as good as {known}; bar: two standard errors)")  # fmt: skip
    figure.suptitle(title, fontsize=11)
    return figure


@plain(WIDTH)
def erasure(
    comprehensiveness: dict[str, Sequence[float]], sufficiency: dict[str, Sequence[float]], *, title: str = ""
) -> Figure:
    """Both numbers of each answer, side by side: a dot for each sentence, a bar at the mean, two standard errors."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 0.36 * len(sufficiency) + 1.3), layout="constrained", sharey=True)
    names = ("comprehensiveness: percentage points lost\nwithout its top words (more is better)",
             "sufficiency: percentage points lost\nwith nothing but them (less is better)")  # fmt: skip
    for ax, values, name in zip(axes, (comprehensiveness, sufficiency), names, strict=True):
        _dots(ax, {row: [100 * value for value in lost] for row, lost in values.items()}, name, "{:+.0f}")
    figure.suptitle(title, fontsize=11)
    return figure


@plain(WIDTH)
def interventions(maps: dict[str, np.ndarray], *, title: str = "") -> Figure:
    """Change of a probability, (L, H), in percentage points, under each intervention; one colour scale.

    The head with the largest change of each map has a frame.
    """
    points = {name: 100 * np.asarray(values) for name, values in maps.items()}
    reach = max(max(np.abs(values).max() for values in points.values()), 1e-9)
    layers = len(next(iter(points.values())))
    figure, axes = plt.subplots(
        1, len(points), figsize=(WIDTH, 0.2 * layers + 1.9), layout="constrained", squeeze=False
    )
    for ax, (name, values) in zip(axes[0], points.items(), strict=True):
        picture = cells(ax, values, cmap="RdBu", vmin=-reach, vmax=reach, write=_large)
        layers_and_heads(ax, *values.shape)
        place = np.unravel_index(np.abs(values).argmax(), values.shape)
        outline(ax, *place, edgecolor="black")
        ax.set_title(f"{name}\nmost: layer {place[0] + 1}, head {place[1] + 1}: {values[place]:+.1f}", fontsize=8.5)
    bar = figure.colorbar(
        picture, ax=axes, location="bottom", aspect=50, pad=0.01,
        label="percentage points (red: the word becomes less likely; numbers from 2.5 on)",
    )  # fmt: skip
    bar.outline.set_visible(False)
    figure.suptitle(title, fontsize=11)
    return figure


@plain(WIDTH)
def mask_by_layer(tops: Sequence[Sequence[tuple[str, float]]], right, *, token: str, title: str = "") -> Figure:
    """For each layer, from 0 on, the words the mask head reads there, the right one in orange, and its probability."""
    right = np.asarray(right)
    figure, (left, side) = plt.subplots(
        1, 2, figsize=(WIDTH, 0.24 * len(tops) + 1.1), layout="constrained", width_ratios=(2, 1), sharey=True
    )
    for layer, row in enumerate(tops):
        for place, (word, value) in enumerate(row):
            colour = COLOURS[1] if word.casefold() == token.casefold() else "black" if place == 0 else "0.45"
            left.text(place, layer, f"{word}  {value:.0%}", va="center", color=colour, fontsize=9)
    left.set(xlim=(-0.1, len(tops[0])), ylim=(len(tops) - 0.5, -0.5), xticks=range(len(tops[0])), ylabel="after layer")
    left.set_xticklabels(["on top", *(f"place {n}" for n in range(2, len(tops[0]) + 1))], ha="left", fontsize=8)
    left.set_yticks(range(len(tops)))
    left.xaxis.tick_top()
    left.tick_params(length=0)
    left.spines[:].set_visible(False)
    side.barh(range(len(right)), right, color=COLOURS[1])
    for layer, value in enumerate(right):
        side.text(value, layer, f" {value:.1%}", va="center", fontsize=8)
    side.set(xlim=(0, 1.25 * max(right.max(), 1e-6)), title=f"probability of “{token}”")
    side.xaxis.set_major_formatter(PercentFormatter(1, 0))
    figure.suptitle(title, fontsize=11)
    return figure


def _dots(ax: Axes, values: dict[str, Sequence[float]], xlabel: str, write: str = "{:+.2f}", errors: int = 2) -> None:
    for row, (name, numbers) in enumerate(values.items()):
        numbers = np.asarray(numbers, dtype=float)
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers):
            continue
        colour = "0.55" if name.endswith("(control)") else COLOURS[0]
        ax.plot(numbers, row + np.linspace(-0.22, 0.22, len(numbers)), "o", color=colour, ms=3.5, alpha=0.5, mew=0)
        reach = errors * numbers.std(ddof=1) / np.sqrt(len(numbers)) if len(numbers) > 1 else 0
        ax.errorbar(numbers.mean(), row, xerr=reach or None, fmt="|", color="black", ms=15, mew=2, capsize=3, lw=1.2)
        said = write.format(numbers.mean()) + (f" ±{write.format(reach)[1:]}" if errors else "")
        ax.text(1.01, row, said, va="center", fontsize=8.5, transform=ax.get_yaxis_transform())
    ax.axvline(0, color="black", lw=0.8, ls=":")
    ax.set_yticks(range(len(values)), list(values))
    ax.set(ylim=(len(values) - 0.5, -0.5), xlabel=xlabel)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.grid(axis="x", alpha=0.25)


def _large(value: float) -> str:
    return f"{value:+.0f}" if abs(value) >= 2.5 else ""
