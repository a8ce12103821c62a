"""The picture that stands in for the explorer where scripts do not run: two columns of tokens and their curves."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from PIL import Image

from hw9.figure_text import families, readable

BLUE, INK, MUTED = "#0a63a8", "#18202c", "#5a6575"


def draw(tokens: list[str], weights: np.ndarray, shown: np.ndarray, title: str) -> bytes:
    """A PNG of the curves `shown` (T, T) between the tokens, as wide as their `weights` (T, T)."""
    count = len(tokens)
    figure = Figure(figsize=(7.5, 0.23 * count + 0.6), dpi=105)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.18, 0.02, 0.64, 1 - 0.5 / figure.get_figheight()))
    axes.set(xlim=(0, 1), ylim=(count, 0))
    axes.axis("off")
    font = {"family": list(families()), "color": INK, "parse_math": False}
    figure.text(0.5, 1 - 0.08 / figure.get_figheight(), readable(title), ha="center", va="top", **font)
    for query, key in sorted(np.argwhere(shown).tolist(), key=lambda pair: weights[tuple(pair)]):
        weight, start, end = weights[query, key], query + 0.5, key + 0.5
        path = Path([(0, start), (0.45, start), (0.55, end), (1, end)], [Path.MOVETO] + 3 * [Path.CURVE4])
        alpha = min(1, 0.16 + 0.84 * weight**0.5)
        axes.add_patch(PathPatch(path, fill=False, color=BLUE, lw=0.4 + 8 * weight, alpha=alpha, capstyle="butt"))
    for place, token in enumerate(tokens):
        for x, side in ((-0.015, "right"), (1.015, "left")):
            axes.text(x, place + 0.5, readable(token), ha=side, va="center", fontsize=9, **font)
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, facecolor="white")
    Image.open(drawn).convert("RGB").quantize(64).save(small, "PNG", optimize=True)
    return small.getvalue()
