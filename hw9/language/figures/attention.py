"""Attention between tokens, drawn. Nothing is computed here but colours and places; layers and heads count from 1.

Tensors and arrays both do. A matrix of attention has a row for each token that looks, a column for each looked at.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from hw9.figure_text import plain
from hw9.language.figures.cells import WIDTH, fitting, outline, token_axes

NAMES = 0.6  # inches beside a matrix for the names of its rows


@plain(WIDTH)
def matrices(tokens: Sequence[str], heads: dict[str, np.ndarray], *, title: str = "") -> Figure:
    """Attention (T, T) of one or more heads, by name, with the tokens on both axes; one colour scale from 0 to 1.

    The heads stand side by side, three to a row, or fewer where the names of that many tokens need the room.
    """
    columns = min(len(heads), 3)
    while columns > 1 and fitting(len(tokens), (WIDTH - 1) / columns - NAMES)[1] > 1:
        columns -= 1
    rows = -(-len(heads) // columns)
    side = min((WIDTH - 1) / columns, NAMES + max(5.0, 0.12 * len(tokens)))
    shape = (side * columns + 1, (side + 0.5) * rows)
    figure, axes = plt.subplots(rows, columns, figsize=shape, squeeze=False, layout="constrained")
    for ax in axes.flat[len(heads) :]:
        ax.axis("off")
    for ax, (name, weights) in zip(axes.flat, heads.items(), strict=False):
        picture = ax.imshow(np.asarray(weights), cmap="viridis", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
        token_axes(ax, tokens, side - NAMES)
        ax.set_title(name)
        ax.set_xlabel("is looked at")
    for ax in axes[:, 0]:
        ax.set_ylabel("looks")
    _share_bar(figure, picture, axes, "attention")
    figure.suptitle(title, fontsize=11)
    return figure


@plain(WIDTH)
def grid(attentions, *, marked: Sequence[tuple[int, int]] = (), title: str = "") -> Figure:
    """All heads (L, H, T, T) as thumbnails, a row for each layer, a column for each head.

    `marked` heads (layer, head), from 0, get a frame.
    """
    attentions = np.asarray(attentions)
    layers, heads, count, _ = attentions.shape
    gap = max(1, round(0.08 * count))
    step = count + gap
    # One picture of all tiles is drawn forty times faster than 144 axes.
    sheet = np.full((layers * step - gap, heads * step - gap), np.nan)
    for layer, head in np.ndindex(layers, heads):
        sheet[layer * step : layer * step + count, head * step : head * step + count] = attentions[layer, head]
    figure, ax = plt.subplots(figsize=(WIDTH, (WIDTH - 0.9) * layers / heads + 0.6), layout="constrained")
    picture = ax.imshow(sheet, cmap="viridis", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    ax.set_xticks(np.arange(heads) * step + (count - 1) / 2, range(1, heads + 1))
    ax.set_yticks(np.arange(layers) * step + (count - 1) / 2, range(1, layers + 1))
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set(xlabel="head", ylabel="layer")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    for layer, head in marked:
        outline(ax, layer * step, head * step, count, count)
    _share_bar(figure, picture, ax, "attention")
    figure.suptitle(title, fontsize=11)
    return figure


@plain(WIDTH)
def rollout(tokens: Sequence[str], layers, position: int, *, title: str = "") -> Figure:
    """Rollout (L, T, T): what the token at `position` is made of after each layer, and all tokens after the last."""
    layers = np.asarray(layers)
    beside = fitting(len(tokens), 3.2)[1] == 1
    shape, inches = ((1, 2), 3.2) if beside else ((2, 1), WIDTH - 2)
    high = (4.9,) if beside else (0.2 * len(layers) + 1.3, 0.12 * min(len(tokens), 60) + 1.3)
    ratios = {} if beside else {"height_ratios": high}
    figure, (left, right) = plt.subplots(*shape, figsize=(WIDTH, sum(high)), layout="constrained", **ratios)
    norm = PowerNorm(0.5, 0, 1)
    picture = left.imshow(layers[:, position], cmap="viridis", norm=norm, aspect="auto", interpolation="nearest")
    left.set_yticks(range(len(layers)), range(1, len(layers) + 1))
    left.set(ylabel="after layer", title=f"“{tokens[position]}”, layer by layer")
    right.imshow(layers[-1], cmap="viridis", norm=norm, aspect="auto", interpolation="nearest")
    right.set_title(f"every token after layer {len(layers)} (framed: “{tokens[position]}”)")
    outline(right, position, 0, 1, len(tokens))
    for ax in (left, right):
        token_axes(ax, tokens, inches, rows=ax is right)
        ax.set_xlabel("comes from")
    _share_bar(figure, picture, [left, right], "share (rollout)")
    figure.suptitle(title, fontsize=11)
    return figure


def _share_bar(figure: Figure, picture, axes, label: str) -> None:
    bar = figure.colorbar(
        picture, ax=axes, label=f"{label}, square-root scale", ticks=[0, 0.05, 0.2, 0.5, 1], fraction=0.03, pad=0.01
    )
    bar.outline.set_visible(False)
