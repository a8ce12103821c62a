"""Tokens in the plane, a panel per layer or one large one, and the curves of the four phases. Points in, a figure out.

Shape and colour both tell the roles apart, so that neither colour blindness nor a grey print hides them.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from hw9.figure_text import plain, readable
from hw9.language.bert import Reading
from hw9.language.embeddings import Roles
from hw9.language.figures.cells import SMALLEST, WIDTH
from hw9.language.phases import tops

# Marker, colour (Okabe & Ito) and size of each role, drawn in this order.
STYLES = {
    "special": ("x", "#8c8c8c", 16),
    "context": ("o", "#009E73", 13),
    "question": ("^", "#D55E00", 34),
    "answer": ("D", "#0072B2", 38),
}
INK = "#333333"
# Where a label may stand, in half its width and height plus a gap: right, left, above, below, and the corners.
PLACES = np.array([(1, 0.2), (-1, 0.2), (0, 1), (0, -1), (0.8, 0.9), (-0.8, 0.9), (0.8, -0.9), (-0.8, -0.9)])
LEGEND = {"special": "[CLS], [SEP]", "context": "context", "question": "question", "answer": "right answer"}
PHASES = (
    "equal words together",
    "words of a phrase together",
    "question beside the answer's sentence",
    "answer apart",
)  # as the lesson's table and its quiz call them


@plain(WIDTH)
def grid(
    points: Tensor, reading: Reading, roles: Roles, *, layers: Sequence[int] | None = None, variance=None, title=""
) -> Figure:
    """A panel for each layer of `points` (layers, T, 2), each to its own scale.

    Named are, where there is room, the words of answer and question, and the question's words again in the context.
    `layers` are their numbers (None: 0, 1, ...); `variance` (layers, 2) puts the share of the plane in the titles.
    """
    numbers = range(len(points)) if layers is None else layers
    rows = -(-(len(points) + 1) // 4)  # one place more, for the legend
    figure, axes = plt.subplots(rows, 4, figsize=(WIDTH, 2.1 * rows + 0.4), squeeze=False)
    axes = axes.ravel()
    for place, (ax, number) in enumerate(zip(axes, numbers, strict=False)):
        _scatter(ax, points[place], roles, scale=0.7)
        share = "" if variance is None else f", {float(variance[place].sum()):.0%} of the variance"
        ax.set_title(_layer(number) + share, fontsize=SMALLEST, pad=3)
    for ax in axes[len(points) :]:
        ax.axis("off")
    axes[len(points)].legend(
        *axes[0].get_legend_handles_labels(), loc="center", frameon=False, fontsize=10, labelspacing=0.9
    )
    figure.suptitle(title, fontsize=11, y=1 - 0.06 / figure.get_figheight(), va="top")
    figure.subplots_adjust(
        0.005,
        0.01,
        0.995,
        1 - (0.45 + 0.17 * (1 + title.count("\n")) if title else 0.3) / figure.get_figheight(),
        0.04,
        0.13,
    )
    asked = {reading.tokens[k] for k in roles.question.nonzero().flatten().tolist()}
    again = torch.tensor([token in asked for token in reading.tokens]) & roles.context
    marked = roles.answer | roles.predicted | roles.question | again
    for ax, plane in zip(axes, points, strict=False):
        _label(ax, plane, reading, roles, marked, size=SMALLEST)
    return figure


@plain(WIDTH)
def plane(points: Tensor, reading: Reading, roles: Roles, *, title: str = "") -> Figure:
    """One layer's points (T, 2), large: as many tokens named as fit, the answer's and the question's first."""
    figure, ax = plt.subplots(figsize=(WIDTH, 6))
    _scatter(ax, points, roles, scale=1.2)
    ax.set_title(title, fontsize=11)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncol=5, frameon=False, fontsize=10)
    figure.subplots_adjust(0.005, 0.06, 0.995, 0.95 - 0.022 * title.count("\n"))
    _label(ax, points, reading, roles, ~roles.special, size=8)
    return figure


@plain(WIDTH)
def phase_curves(numbers: dict[str, Tensor], *, title: str = "") -> Figure:
    """The four numbers of `phases` over the layers: a thin line per question, a thick mean, its highest layers shaded.

    Questions for which a number is nan are left out of it.
    """
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 5.4))
    chance = (None, None, 0.5, 1.0)
    marked = tops(numbers)
    for number, (ax, (name, rows)) in enumerate(zip(axes.flat, numbers.items(), strict=True)):
        rows, top = np.asarray(rows), marked[name]
        rows, layers = rows[np.isfinite(rows).all(1)], np.arange(rows.shape[1])
        mean = rows.mean(0) if len(rows) else np.full(len(layers), np.nan)
        colour = ("#CC79A7", "#009E73", "#D55E00", "#0072B2")[number]
        ax.plot(layers, rows.T, color=colour, lw=0.8, alpha=0.4)
        ax.plot(layers, mean, "o-", color=colour, lw=2, ms=3.5)
        found = "no question has what it needs" if not len(rows) else "" if top else "never above chance"
        for layer in top:
            ax.axvspan(layer - 0.5, layer + 0.5, color=colour, alpha=0.15, lw=0)
        if chance[number] is not None:
            ax.axhline(chance[number], color="black", lw=0.8, ls=":")
        ax.set_title(f"{number + 1}. {PHASES[number]}" + (f" ({found})" if found else ""), fontsize=9)
        ax.set_xlabel("layer")
        ax.set_xticks(layers[:: -(-len(layers) // 13)])  # every one of 13, every second of 25
        if number < 2:
            ax.set_ylim(0, 1.03)
            ax.yaxis.set_major_formatter("{x:.0%}")
        ax.grid(alpha=0.25)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(w_pad=1.2)
    return figure


def _layer(number: int) -> str:
    return f"layer {number}" if number else "layer 0 (input)"


def _scatter(ax: Axes, points: Tensor, roles: Roles, scale: float = 1.0) -> None:
    """Points by role, the frame around the words; a special token outside of it is not drawn."""
    x, y = np.asarray(points, dtype=np.float64).T
    words = np.asarray(~roles.special)
    for name, (marker, colour, size) in STYLES.items():
        chosen = np.asarray(getattr(roles, name) & (~roles.answer if name == "context" else True))
        faint = 0.65 if name in ("special", "context") else 1.0
        width = 0.8 if marker == "x" else 0
        ax.scatter(x[chosen], y[chosen], size * scale, colour, marker=marker, alpha=faint, lw=width, label=LEGEND[name])
    chosen = np.asarray(roles.predicted)
    ax.scatter(x[chosen], y[chosen], 110 * scale, "none", marker="o", edgecolors="black", lw=1.1, label="BERT's answer")
    for values, limit in ((x[words], ax.set_xlim), (y[words], ax.set_ylim)):
        low, high = values.min(), values.max()
        room = 0.09 * (high - low) or 1.0
        limit(low - room, high + room)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set(visible=True, color="#bbbbbb")


def _label(ax: Axes, points: Tensor, reading: Reading, roles: Roles, marked: Tensor, size: float) -> None:
    """Write the tokens `marked` (T,) beside their points, the answer's first, and join those to their points.

    What finds no free place stays out, and, but for the answer's, what would hide a point of question or answer.
    """
    points = np.asarray(points, dtype=np.float64)
    pixels, pixel = ax.transData.transform(points), ax.figure.dpi / 72  # (T, 2); pixels of a point of type
    special, question, answer, predicted = (
        np.asarray(mask) for mask in (roles.special, roles.question, roles.answer, roles.predicted)
    )
    rank = np.where(answer | predicted, 0, np.where(question, 1, 2))
    weight = np.where(special, 0.3, np.array([5, 3, 1])[rank])  # what it costs to hide this point
    taken = np.empty((0, 4))
    for token in sorted(np.flatnonzero(marked), key=lambda k: rank[k]):
        colour = STYLES["answer" if answer[token] else "question"][1] if (answer | question)[token] else INK
        text = ax.text(*points[token], readable(reading.tokens[token]), fontsize=size, color=colour,
                       ha="center", va="center")  # fmt: skip
        box = text.get_window_extent()
        gap = np.array([1.0, 0.7]) * pixel * (size * 0.45 + (4, 2, 0)[rank[token]])
        centres = pixels[token] + PLACES * (np.array([box.width, box.height]) / 2 + gap)
        most = np.inf if rank[token] == 0 else 3
        place = _place(centres, np.array([box.width, box.height]) / 2, taken, pixels, weight, ax.bbox.extents, most)
        if place is None:
            text.remove()
            continue
        taken = np.vstack([taken, place])
        back = ax.transData.inverted().transform
        text.set_position(back((place[:2] + place[2:]) / 2))
        if rank[token] == 0:
            ends = np.stack([points[token], back(np.clip(pixels[token], place[:2], place[2:]))])
            ax.plot(*ends.T, color=colour, lw=0.8)


def _place(centres, half, taken, pixels, weight, frame, most: float) -> np.ndarray | None:
    """Of boxes around `centres` (K, 2), in the frame and off `taken` (n, 4), the one that hides least: (4,) or None.

    None, too, where that one hides points of a `weight` of `most` or more.
    """
    low, high = centres - half, centres + half  # (K, 2) each
    inside = (low >= frame[:2]).all(1) & (high <= frame[2:]).all(1)
    apart = (low[:, None] >= taken[:, 2:]) | (high[:, None] <= taken[:, :2])  # (K, n, 2)
    free = np.flatnonzero(inside & apart.any(2).all(1))
    if not len(free):
        return None
    covers = ((pixels > low[free, None] - 3) & (pixels < high[free, None] + 3)).all(2)  # a point is not a dot: 3 pixels
    cost = covers @ weight
    best = free[np.argmin(cost)]
    return np.concatenate([low[best], high[best]]) if cost.min() < most else None
