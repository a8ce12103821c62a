"""What the figures of the BERT lesson share: colours, width, and a matrix as coloured cells with readable numbers."""

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np
from matplotlib import colormaps, colors
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.patches import Rectangle

from hw9.figure_text import readable

# Apart for every common kind of colour blindness (Okabe & Ito).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
WIDTH = 8.5  # inches, 816 pixels: no more than JupyterLab shows beside its file browser, so nothing is drawn smaller
SMALLEST = 7.0  # points, 9.3 pixels
INSET = 0.06  # of a cell, from its edge to a frame


def colour(number: int) -> str:
    """A colour for each of any number of things: those above, then paler and darker ones that stay apart."""
    return COLOURS[number] if number < len(COLOURS) else colors.to_hex(colormaps["tab20b"](number % 20))


def cells(
    ax: Axes, matrix, *, cmap: str = "viridis", vmin=None, vmax=None, write: Callable[[float], str] | None = None,
    size: float = SMALLEST,
) -> ScalarMappable:  # fmt: skip
    """Draw `matrix` (R, C); `write` turns a value into what is written in its cell (or ""); nan stays grey."""
    matrix = np.asarray(matrix, dtype=float)
    picture = ax.imshow(matrix, cmap=cmap, vmin=vmin, vmax=vmax, aspect="auto", interpolation="nearest")
    picture.axes.set_facecolor("0.9")
    ax.autoscale(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    if write is not None:
        for (row, column), value in np.ndenumerate(matrix):
            if np.isfinite(value) and write(value):
                ink = _ink(picture.to_rgba(value))
                ax.text(column, row, write(value), ha="center", va="center", fontsize=size, color=ink, in_layout=False)
    return picture


def outline(ax: Axes, row: float, column: float, height: float = 1, width: float = 1, **style) -> None:
    """A frame inside `height` x `width` cells, the upper left of which is (row, column).

    Inside: frames on both sides of a cell would look like one of its own.
    """
    style = {"edgecolor": "tab:red", "linewidth": 1.6} | style
    corner, size = (column - 0.5 + INSET, row - 0.5 + INSET), (width - 2 * INSET, height - 2 * INSET)
    ax.add_patch(Rectangle(corner, *size, fill=False, clip_on=False, **style))


def layers_and_heads(ax: Axes, layers: int, heads: int, *, names: bool = True) -> None:
    """Axes of a (L, H) map, counted from 1."""
    ax.set_xticks(range(heads), range(1, heads + 1), fontsize=SMALLEST)
    ax.set_yticks(range(layers), range(1, layers + 1), fontsize=SMALLEST)
    if names:
        ax.set_xlabel("head", labelpad=1)
        ax.set_ylabel("layer", labelpad=1)


def fitting(count: int, inches: float, apart: float = 1.2) -> tuple[float, int]:
    """The size in points of `count` names along so many inches, and k where only every k-th of them has room.

    `apart` is how far one name is from the next, in heights of its letters.
    """
    each = 72 * inches / count  # points
    step = ceil(SMALLEST * apart / each)
    return float(np.clip(step * each / apart, SMALLEST, 9)), step


def token_axes(ax: Axes, tokens: Sequence[str], inches: float, *, rows: bool = True) -> None:
    """Tokens below the columns, and left of the rows; Han characters stay upright, longer tokens are turned.

    Both axes are at least so many `inches` long; of more tokens than can be read there, every second has its name, or
    every third.
    """
    size, step = fitting(len(tokens), inches)
    named = {k: readable(token) for k, token in enumerate(tokens) if k % step == 0}
    ax.set_xticks(list(named), list(named.values()), fontsize=size)
    for label, token in zip(ax.get_xticklabels(), named.values(), strict=True):
        label.set_rotation(0 if len(token) == 1 else 90)
    if rows:
        ax.set_yticks(list(named), list(named.values()), fontsize=size)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def _ink(colour) -> str:
    """Black or white, whichever stands out from `colour` (relative luminance of WCAG 2)."""
    channels = np.array(colors.to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ (0.2126, 0.7152, 0.0722) > 0.179 else "white"
