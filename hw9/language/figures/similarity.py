"""Every picture of one token in many sentences: matrices, labels and curves in, a figure out. Layer 0 is embeddings."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hw9.figure_text import plain
from hw9.language.figures.cells import SMALLEST, WIDTH, cells, colour, fitting, outline
from hw9.language.similarity import Curves

SIDE_BY_SIDE = 12  # sentences: of more, two matrices with their numbers have no room beside each other
MOST_NUMBERS = 22  # sentences: of more, not even one has
# Of the first senses, and of the curves; apart for every colour blindness.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")


@plain(WIDTH)
def heat_maps(
    matrices: dict[str, np.ndarray], labels: Sequence[str], senses: Sequence[str], *, title: str = ""
) -> Figure:
    """Matrices (N, N) side by side, with their numbers; blocks of one sense have a frame in the sense's colour.

    Matrices whose name holds "distance" are drawn with small values bright, others with large ones: bright is alike.
    The colours leave the diagonal out, a sentence beside itself. In each row, a thin frame marks the most alike other.
    """
    count, names = len(labels), list(matrices)
    apart = ~np.eye(count, dtype=bool)
    numbered = [f"{label}  {k + 1}" for k, label in enumerate(labels)]
    columns = len(names) if count <= SIDE_BY_SIDE else 1
    rows, high = len(names) // columns, 2.7 if count <= SIDE_BY_SIDE else min(5.8, max(5, 0.12 * count))
    shape = (WIDTH, (high + 0.9) * rows + 0.8)
    figure, axes = plt.subplots(rows, columns, figsize=shape, layout="constrained", squeeze=False)
    size, step = fitting(count, high)
    wide, leap = fitting(count, high, 0.7 * len(str(count)) + 0.5)  # numbers, with a gap
    tints, left, below = _tints(senses), range(0, count, step), range(0, count, leap)
    for ax, name in zip(axes.flat, names, strict=True):
        matrix = np.asarray(matrices[name])
        scale = {"vmin": matrix[apart].min(), "vmax": matrix[apart].max()}
        write = _three_digits(scale["vmax"] - scale["vmin"]) if count <= MOST_NUMBERS else None
        drawn = cells(ax, matrix, cmap=_bright_is_alike(name), write=write, **scale)
        ax.set_aspect("equal")
        ax.set_xticks(below, [k + 1 for k in below], fontsize=wide)
        ax.set_yticks(left, [numbered[k] if ax in axes[:, 0] else k + 1 for k in left], fontsize=size)
        ax.set_title(name)
        _blocks(ax, senses)
        for row, nearest in enumerate(_nearest(matrix, name)):
            outline(ax, row, nearest, edgecolor="black", linewidth=1.1)
        for labels, numbers in ((ax.get_xticklabels(), below), (ax.get_yticklabels(), left)):
            for label, k in zip(labels, numbers, strict=True):
                label.set_color(tints[senses[k]])
        bar = figure.colorbar(drawn, ax=ax, location="bottom", fraction=0.04, pad=0.02, aspect=40)
        bar.outline.set_visible(False)
    _name_senses(
        figure, senses, also=[Line2D([], [], marker="s", ls="", mfc="none", mec="black", label="nearest of a row")]
    )
    figure.suptitle(title, fontsize=11)
    return figure


@plain(WIDTH)
def all_layers(matrices, senses: Sequence[str], *, name: str, shared: bool = True, title: str = "") -> Figure:
    """A matrix (N, N) for each layer of (L + 1, N, N), with frames around the senses; `name` as in `heat_maps`.

    With `shared`, one colour scale for all layers shows how they differ; without, each layer has its own, which shows
    the blocks, and its range in the title. Both leave the diagonal out of the scale. The first panel numbers the rows.
    """
    matrices = np.asarray(matrices)
    layers, count = matrices.shape[:2]
    apart = ~np.eye(count, dtype=bool)
    columns = min(layers, 5)
    rows = -(-layers // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 1.95 * rows + 0.7), layout="constrained", squeeze=False)
    for ax in axes.flat[layers:]:
        ax.axis("off")
    for layer, (ax, matrix) in enumerate(zip(axes.flat, matrices, strict=False)):
        scale = matrices[:, apart] if shared else matrix[apart]
        drawn = cells(ax, matrix, cmap=_bright_is_alike(name), vmin=scale.min(), vmax=scale.max())
        ax.set_aspect("equal")
        ax.set(xticks=[], yticks=[])
        extent = "" if shared else f": {matrix[apart].min():.3g} to {matrix[apart].max():.3g}"
        ax.set_title(("layer 0" if layer == 0 else str(layer)) + extent, fontsize=8)
        _blocks(ax, senses, linewidth=1.3)
    if count <= SIDE_BY_SIDE:
        axes[0, 0].set_yticks(range(count), range(1, count + 1), fontsize=SMALLEST)
    if shared:
        bar = figure.colorbar(drawn, ax=axes, fraction=0.02, pad=0.01, label=name)
        bar.outline.set_visible(False)
    _name_senses(figure, senses)
    figure.suptitle(title, fontsize=11)
    return figure


@plain(WIDTH * 0.8)
def curves(found: Curves, *, title: str = "") -> Figure:
    """Similarity within and between senses, corrected for anisotropy, the gap of the two, nearest-neighbour accuracy.

    The first panel's axis does not begin at 0: on one that does, the gap could not be seen.
    """
    figure, axes = plt.subplots(
        3, 1, figsize=(WIDTH * 0.85, 7.0), sharex=True, layout="constrained", height_ratios=(1.5, 1, 1)
    )
    corrected, gap, accuracy = axes
    floor, layers = np.asarray(found.anisotropy), np.arange(len(found.within))
    corrected.plot(layers, np.asarray(found.within) - floor, "o-", color=COLOURS[0], ms=4, label="same sense")
    corrected.plot(layers, np.asarray(found.between) - floor, "s-", color=COLOURS[1], ms=4, label="different senses")
    taken = f"minus that of random pairs ({floor.min():.2f} to {floor.max():.2f}, by layer)"
    corrected.set(ylabel="cosine − random pairs\n(axis not from 0)", title=f"Cosine similarity, {taken}")
    gap.plot(layers, np.asarray(found.gap), "^-", color=COLOURS[3], ms=4, label="same − different")
    gap.axhline(0, color="black", lw=0.8)
    gap.set(ylabel="difference", title="The gap between these two curves")
    accuracy.plot(layers, np.asarray(found.accuracy), "D-", color=COLOURS[2], ms=4, label="nearest neighbour")
    accuracy.axhline(found.chance, color="black", ls=":", lw=1.2, label=f"chance {found.chance:.0%}")
    accuracy.set(ylim=(0, 1.05), xlabel="layer (0: embeddings)", title="The nearest sentence has the same sense")
    accuracy.yaxis.set_major_formatter("{x:.0%}")
    accuracy.set_xticks(layers)
    for ax in axes:
        ax.grid(alpha=0.25)
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(title, fontsize=11)
    return figure


@plain(WIDTH)
def planes(
    points, senses: Sequence[str], *, layers: Sequence[int], variance: Sequence[float], title: str = ""
) -> Figure:
    """The sentences' vectors as points (layers, N, 2), numbered from 1 and in their sense's colour, a panel a layer.

    Sentences at one and the same place are written beside each other, those of several senses in black. `variance`: the
    share of its layer's variance that each plane shows.
    """
    points, tints, ends = np.asarray(points), _tints(senses), np.array([-1, 1])
    columns = min(len(points), 4)
    rows = -(-len(points) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 2.4 * rows + 0.7), layout="constrained", squeeze=False)
    for ax in axes.flat[len(points) :]:
        ax.axis("off")
    for ax, plane, layer, share in zip(axes.flat, points, layers, variance, strict=False):
        together: dict[tuple, list[int]] = {}  # sentences at one and the same place, as at layer 0
        for number, place in enumerate(plane):
            together.setdefault(tuple(np.round(place / (np.ptp(plane) or 1), 4)), []).append(number)
        for numbers in together.values():
            text, tint = ", ".join(str(k + 1) for k in numbers), tints[senses[numbers[0]]]
            mixed = len({senses[k] for k in numbers}) > 1
            ax.text(*plane[numbers[0]], text, color="black" if mixed else tint, ha="center", va="center", fontsize=10)
        middle, reach = (plane.min(0) + plane.max(0)) / 2, 0.6 * np.ptp(plane, 0).max() or 1.0
        ax.set(xlim=middle[0] + reach * ends, ylim=middle[1] + reach * ends, xticks=[], yticks=[])
        ax.set_aspect("equal")
        ax.spines[:].set(visible=True, color="#bbbbbb")
        ax.set_title(f"layer {layer} ({share:.0%} of the variance)", fontsize=9)
    _name_senses(figure, senses)
    figure.suptitle(title, fontsize=11)
    return figure


def _bright_is_alike(name: str) -> str:
    return "viridis_r" if "distance" in name else "viridis"


def _nearest(matrix: np.ndarray, name: str) -> np.ndarray:
    """For each row the column of the sentence that is most alike, itself left out."""
    worth = np.where(np.eye(len(matrix), dtype=bool), -np.inf, -matrix if "distance" in name else matrix)
    return worth.argmax(1)


def _tints(senses: Sequence[str]) -> dict[str, str]:
    return {sense: COLOURS[k] if k < len(COLOURS) else colour(k) for k, sense in enumerate(dict.fromkeys(senses))}


def _blocks(ax: Axes, senses: Sequence[str], linewidth: float = 2.2) -> None:
    """A frame around each block of sentences with one sense."""
    start = 0
    for stop in range(1, len(senses) + 1):
        if stop == len(senses) or senses[stop] != senses[start]:
            edge = {"edgecolor": _tints(senses)[senses[start]], "linewidth": linewidth}
            outline(ax, start, start, stop - start, stop - start, **edge)
            start = stop


def _name_senses(figure: Figure, senses: Sequence[str], also: Sequence[Line2D] = ()) -> None:
    keys = [Line2D([], [], marker="s", ls="", color=c, label=s) for s, c in _tints(senses).items()]
    keys += also
    figure.legend(handles=keys, loc="outside lower center", ncol=min(len(keys), 5), frameon=False)


def _three_digits(extent: float) -> Callable[[float], str]:
    """How to write numbers of about 1 that differ by `extent`: .974 where they are all alike, 0.97, or 11.8."""

    def write(value: float) -> str:
        if extent < 0.1 and 0 <= value < 0.9995:
            return f"{value:.3f}".lstrip("0")
        return f"{value:.2f}" if abs(value) < 9.995 else f"{value:.1f}"

    return write
