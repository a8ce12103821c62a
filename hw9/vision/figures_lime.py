"""What LIME found, painted on the pictures: superpixels that speak for a class and against it."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from skimage.segmentation import find_boundaries

from hw9.vision.figures import _hwc, _off, rows
from hw9.vision.lime import FAINT, RECIPES, TOP, Explanation

# Blue and orange stay apart for every common kind of colour blindness; red and green do not.
FOR, AGAINST = np.array([0.10, 0.45, 0.95]), np.array([1.00, 0.55, 0.00])
SIGNED = LinearSegmentedColormap.from_list("signed", [AGAINST, (1.0, 1.0, 1.0), FOR])  # 0.5: neither
OUTLINE = [withStroke(linewidth=1.6, foreground="black")]  # white numbers stay legible on any picture
COURSE_FOR, COURSE_AGAINST = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])


def overlay(picture, explanation: Explanation, *, top: int | None = None) -> np.ndarray:
    """The picture, grey, with its superpixels of largest weight painted; (3, 4H, 4W) in [0, 1].

    Paper: blue speaks for the class, orange against it, the stronger the more opaque; a dark line with a light rim
    bounds each, so that it is seen on white and on dark pictures. Course: every superpixel of at least 0.05 in full
    green or red, as `get_image_and_mask` of the lime package draws it. `top` are painted at most (the recipe's number).
    """
    scale, weights, how = 4, explanation.weights, RECIPES[explanation.recipe]
    base = np.kron(_hwc(picture), np.ones((scale, scale, 1), np.float32))
    big = np.kron(explanation.segments, np.ones((scale, scale), int))
    order = explanation.top(top or how.shown or TOP)
    if explanation.recipe == "course":
        for k in (k for k in order if abs(weights[k]) >= how.min_weight):
            base[big == k, 1 if weights[k] > 0 else 0] = 1.0
        base[find_boundaries(big, mode="inner")] = (1.0, 1.0, 0.0)
        return base.transpose(2, 0, 1)
    grey = 0.25 + 0.6 * base.mean(2, keepdims=True)
    painted = 0.25 * base + 0.75 * grey  # dimmed, so that paint stands out on white and on black
    largest = np.abs(weights).max() or 1.0
    chosen = np.zeros(big.shape, int)
    for rank, k in enumerate(order, 1):
        strength = abs(weights[k]) / largest
        if strength < FAINT:
            continue
        inside = big == k
        paint = FOR if weights[k] > 0 else AGAINST
        opacity = 0.25 + 0.6 * strength
        painted[inside] = (1 - opacity) * grey[inside] + opacity * paint  # on a colour it would look stronger or weaker
        chosen[inside] = rank
    painted[find_boundaries(chosen, mode="outer")] = 1.0
    painted[find_boundaries(chosen, mode="inner")] = 0.1
    return painted.transpose(2, 0, 1)


def lime(names: Sequence[str], pictures, explanations: Sequence[Explanation]) -> Figure:
    """Pictures, and below them what speaks for and against the class LIME was asked about, with R^2."""
    overlays = [overlay(picture, one) for picture, one in zip(pictures, explanations, strict=True)]
    notes = ["left out" if e.score != e.score else f"R² = {e.score:.2f}" for e in explanations]
    figure = rows(names, {"picture": (pictures, None), "LIME": (overlays, None, notes)})
    colours = (FOR, AGAINST) if explanations[0].recipe == "paper" else (COURSE_FOR, COURSE_AGAINST)
    _legend(figure, colours, ("for the class", "against it"))
    return figure


def signed(
    names: Sequence[str], content: dict[str, tuple], meaning: Sequence[str], *, title: str = "", across: int = 0
) -> Figure:
    """`figures.rows` (0: all in one line), some maps in the colours SIGNED; `meaning`: what blue, what orange says."""
    figure = rows(names, content, title=title, across=across or len(names))
    _legend(figure, (FOR, AGAINST), meaning)
    return figure


def _legend(figure: Figure, colours: Sequence, texts: Sequence[str]) -> None:
    parts = [Patch(color=colour, label=text) for colour, text in zip(colours, texts, strict=True)]
    figure.legend(handles=parts, loc="upper center", ncol=2, frameon=False, bbox_to_anchor=(0.5, 0.0))


def stability(picture, explanations: Sequence, overlap: float, *, top: int = 5, title: str = "") -> Figure:
    """The same picture under several seeds, and the weights of its superpixels: all that are painted, some near 0.

    Under each seed its own `top` are painted. Superpixels are numbered in the pictures where their weights are drawn.
    """
    count = len(explanations)
    figure = plt.figure(figsize=(9.4, 4.5))
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.15))
    axes = above.subplots(1, count)
    _off(axes)
    weights = np.stack([e.weights for e in explanations])  # (seeds, K)
    order = np.argsort(-np.abs(weights).mean(0))
    painted = np.isin(order, [e.top(top) for e in explanations])
    few = painted.sum()
    order = np.concatenate([order[painted], order[~painted][-top - 1 :]])
    for number, (ax, e) in enumerate(zip(axes, explanations, strict=True)):
        ax.imshow(_hwc(overlay(picture, e, top=top)))
        ax.set_title(f"seed {number}, R² = {e.score:.2f}", fontsize=8)
        for k in order:
            y, x = 4 * np.argwhere(e.segments == k).mean(0)
            ax.text(x, y, str(k), fontsize=7.5, ha="center", va="center", color="white", path_effects=OUTLINE)
    ax = below.subplots()
    ax.axhline(0, color="black", lw=0.6)
    ax.axvline(few - 0.5, color="0.7", lw=0.8)
    for place, k in enumerate(order):
        ax.scatter(
            [place] * count, weights[:, k], c=[FOR if w > 0 else AGAINST for w in weights[:, k]], s=22, alpha=0.7
        )
    ax.set_xticks(range(len(order)), order)
    ax.set(xlabel="superpixel (its number stands in the pictures)", ylabel="weight")
    what = "painted under some seed | nearest to 0; blue: for, orange: against"
    ax.set_title(f"{what}; mean overlap of the top {top}: {overlap:.0%}", fontsize=9)
    figure.suptitle(title, fontsize=11, y=1.04)
    above.subplots_adjust(left=0.01, right=0.99, top=0.87, bottom=0.02, wspace=0.05)
    below.subplots_adjust(left=0.08, right=0.99, top=0.88, bottom=0.22)
    return figure
