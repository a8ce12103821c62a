"""Every picture of attention. Nothing is computed here but colours and places; layers and heads are counted from 1.

Tensors and arrays both do. A matrix of attention has a row for each token that looks, a column for each looked at.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import PowerNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from hw9.language.figures.cells import cells, layers_and_heads, outline, token_axes

# Apart for every common kind of colour blindness (Okabe & Ito).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
PATTERNS = {
    "next": "next token",
    "previous": "previous token",
    "self": "the token itself",
    "same": "same token elsewhere",
    "start": "[CLS]",
    "separator": "[SEP]",
    "punctuation": "punctuation",
    "entropy": "entropy (bits)",
}
WIDTH = 9.0  # inches: as wide as a notebook's column


def matrices(tokens: Sequence[str], heads: dict[str, np.ndarray], *, title: str = "") -> Figure:
    """Attention (T, T) of one or more heads, by name, with the tokens on both axes; one colour scale from 0 to 1."""
    count = len(heads)
    side = min((WIDTH - 1) / count, 6.0)
    figure, axes = plt.subplots(1, count, figsize=(side * count + 1, side + 0.5), squeeze=False, layout="constrained")
    size = np.clip(68 * side / len(tokens) / 2.2, 5, 9)
    for ax, (name, weights) in zip(axes[0], heads.items(), strict=True):
        picture = ax.imshow(np.asarray(weights), cmap="viridis", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
        token_axes(ax, tokens, size=size)
        ax.set_title(name)
        ax.set_xlabel("is looked at")
    axes[0, 0].set_ylabel("looks")
    _share_bar(figure, picture, axes, "attention")
    figure.suptitle(title, fontsize=11)
    return figure


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


def lines(
    tokens: Sequence[str],
    heads: dict[str, np.ndarray],
    *,
    focus: int | None = None,
    least: float = 0.05,
    title: str = "",
) -> Figure:
    """Tokens that look on the left, looked at on the right; a curve for each attention of at least `least`.

    `heads` maps names to (T, T); each has its colour, and a curve is the wider and darker the more attention it is.
    `focus` shows only what that token looks at.
    """
    count = len(tokens)
    figure, ax = plt.subplots(figsize=(5.5, 0.27 * count + 0.9), layout="constrained")
    along = np.linspace(0, 1, 40)
    bend = along**2 * (3 - 2 * along)
    for colour, weights in zip(COLOURS, map(np.asarray, heads.values()), strict=False):
        shown = [(i, j) for i, j in np.argwhere(weights >= least) if focus is None or i == focus]
        strength = np.array([weights[i, j] for i, j in shown])
        curves = [np.column_stack([along, i + (j - i) * bend]) for i, j in shown]
        tints = [(*to_rgb(colour), 0.15 + 0.8 * s) for s in strength]
        ax.add_collection(LineCollection(curves, linewidths=0.4 + 4.5 * strength, colors=tints, capstyle="round"))
    for k, token in enumerate(tokens):
        ax.text(-0.03, k, token, ha="right", va="center", color="black" if focus in (None, k) else "0.6")
        ax.text(1.03, k, token, ha="left", va="center")
    ax.set(xlim=(-0.35, 1.35), ylim=(count - 0.4, -1.2))
    ax.text(-0.03, -1, "looks", ha="right", va="center", color="0.4")
    ax.text(1.03, -1, "is looked at", ha="left", va="center", color="0.4")
    ax.axis("off")
    keys = [Line2D([], [], color=c, lw=3, label=n) for c, n in zip(COLOURS, heads, strict=False)]
    ax.legend(handles=keys, loc="upper center", bbox_to_anchor=(0.5, 0), ncol=3, frameon=False)
    figure.suptitle(title, fontsize=11)
    return figure


def rollout(tokens: Sequence[str], layers, position: int, *, title: str = "") -> Figure:
    """Rollout (L, T, T): what the token at `position` is made of after each layer, and all tokens after the last."""
    layers = np.asarray(layers)
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 4.9), layout="constrained", width_ratios=(1, 1))
    size = np.clip(68 * 4 / len(tokens) / 2.2, 5, 9)
    norm = PowerNorm(0.5, 0, 1)
    picture = left.imshow(layers[:, position], cmap="viridis", norm=norm, aspect="auto", interpolation="nearest")
    left.set_yticks(range(len(layers)), range(1, len(layers) + 1))
    left.set(ylabel="after layer", title=f"“{tokens[position]}”, layer by layer")
    right.imshow(layers[-1], cmap="viridis", norm=norm, aspect="auto", interpolation="nearest")
    right.set_title(f"every token after layer {len(layers)}")
    outline(right, position, 0, 1, len(tokens))
    for ax in (left, right):
        token_axes(ax, tokens, rows=ax is right, size=size)
        ax.set_xlabel("comes from")
    _share_bar(figure, picture, [left, right], "share (rollout)")
    figure.suptitle(title, fontsize=11)
    return figure


def patterns(
    maps: dict[str, np.ndarray], *, uniform: dict[str, float] | None = None, head: int | None = None, title: str = ""
) -> Figure:
    """What every head looks at: a (L, H) map for each pattern of `head_patterns`, in per cent; entropy in bits.

    The three highest cells of each map have a red frame; `head` (from 0) gets a mark above its column. `uniform`
    puts into each title what a head has that pays the same attention to every token.
    """
    rows = -(-(len(maps) + 1) // 3)
    figure, axes = plt.subplots(rows, 3, figsize=(WIDTH, 3.0 * rows + 0.4), layout="constrained", squeeze=False)
    for ax in axes.flat[len(maps) :]:
        ax.axis("off")
    for ax, (name, values) in zip(axes.flat, maps.items(), strict=False):
        values = np.asarray(values)
        bits = name == "entropy"
        cells(ax, values, vmin=0, vmax=None if bits else 1, write=(lambda v: f"{v:.1f}") if bits else _tenth, size=6.5)
        layers_and_heads(ax, *values.shape, names=False, size=6.5)
        even = "" if uniform is None else f" (even: {uniform[name]:.1f})" if bits else f" (even: {uniform[name]:.0%})"
        ax.set_title(PATTERNS.get(name, name) + even, fontsize=8.5, pad=8)
        for place in np.argsort(np.nan_to_num(values, nan=-1), axis=None)[-3:]:
            outline(ax, *np.unravel_index(place, values.shape))
        if head is not None:
            ax.plot(head, -0.85, marker="v", color="black", ms=4, clip_on=False)
    key = [
        "Numbers: mean share of",
        "attention, in per cent,",
        "from 10 on.",
        "",
        "Red frames: the three",
        "highest of each map.",
    ]
    key += ["", "even: a head that pays the", "same attention to every token."] if uniform is not None else []
    key += ["", f"▼ head {head + 1}"] if head is not None else []
    axes.flat[len(maps)].text(0, 0.95, "\n".join(key), va="top", fontsize=8.5)
    figure.supxlabel("head", fontsize=9)
    figure.supylabel("layer", fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def one_head(maps: dict[str, np.ndarray], head: int, *, title: str = "") -> Figure:
    """What one head (from 0) does in every layer: a row for each layer, a column for each pattern, in per cent.

    The pattern that a layer's head follows most has a frame, where it takes a fifth of the attention; entropy, in
    bits, stands beside.
    """
    names = [name for name in maps if name != "entropy"]
    shares = np.stack([np.asarray(maps[name])[:, head] for name in names], 1)  # (L, patterns)
    figure, (ax, side) = plt.subplots(
        1, 2, figsize=(WIDTH * 0.8, 0.27 * len(shares) + 1.5), layout="constrained", width_ratios=(len(names), 1.3)
    )
    cells(ax, shares, vmin=0, vmax=1, write=_percent, size=8)
    for layer, best in enumerate(np.nan_to_num(shares, nan=-1).argmax(1)):
        if shares[layer, best] >= 0.2:
            outline(ax, layer, best)
    ax.set_xticks(range(len(names)), [PATTERNS[name].replace(" ", "\n") for name in names], fontsize=8)
    ax.set_yticks(range(len(shares)), range(1, len(shares) + 1))
    ax.set(ylabel="layer", title="attention, in per cent, to ...")
    bits = np.asarray(maps["entropy"])[:, head]
    side.barh(range(len(bits)), bits, color="0.6")
    side.set(ylim=ax.get_ylim(), yticks=[], xlabel="bits", title="entropy")
    figure.suptitle(title or f"Head {head + 1} in every layer", fontsize=11)
    return figure


def ablation(effects, *, title: str = "") -> Figure:
    """Change of a probability without each head, (L, H), in percentage points; red: the head spoke for the word."""
    points = 100 * np.asarray(effects)
    reach = max(np.abs(points).max(), 1e-9)
    figure, ax = plt.subplots(figsize=(WIDTH * 0.8, 0.3 * len(points) + 1.2), layout="constrained")
    digits = 1 if reach >= 0.95 else 2
    picture = cells(ax, points, cmap="RdBu", vmin=-reach, vmax=reach, write=lambda v: _signed(v, digits), size=7)
    layers_and_heads(ax, *points.shape)
    outline(ax, *np.unravel_index(np.abs(points).argmax(), points.shape), edgecolor="black")
    bar = figure.colorbar(picture, ax=ax, label="percentage points (red: the head spoke for the word)", pad=0.01)
    bar.outline.set_visible(False)
    ax.set_title(title, fontsize=10)
    return figure


def coreference(accuracy, baselines: dict[str, float], limit: float, *, title: str = "") -> Figure:
    """Accuracy (L, H) of each head in finding a pronoun's antecedent, in per cent.

    `limit` is what the best of so many coins reaches, `baselines` what place alone reaches; both go into the title.
    Heads above `limit` have a red frame, and those as far below 50 %, which prefer the other candidate, a black one.
    """
    accuracy = np.asarray(accuracy)
    figure, ax = plt.subplots(figsize=(WIDTH * 0.8, 0.3 * len(accuracy) + 1.6), layout="constrained")
    picture = cells(ax, accuracy, cmap="PuOr", vmin=0, vmax=1, write=_percent, size=7.5)
    layers_and_heads(ax, *accuracy.shape)
    above, below = np.argwhere(accuracy > limit), np.argwhere(accuracy < 1 - limit)
    for layer, head in above:
        outline(ax, layer, head)
    for layer, head in below:
        outline(ax, layer, head, edgecolor="black")
    bar = figure.colorbar(picture, ax=ax, pad=0.01)
    bar.set_ticks(
        [0, 0.5, limit, 1], labels=["0%", "50%\nchance", f"{limit:.0%}\nbest of\n{accuracy.size} coins", "100%"]
    )
    bar.outline.set_visible(False)
    known = ", ".join(f"always the {name} {value:.0%}" for name, value in baselines.items())
    note = (
        f"by place alone: {known}; best of {accuracy.size} coins: {limit:.0%}\n"
        f"heads above that: {len(above)} (red); as far below 50%: {len(below)} (black)"
    )
    ax.set_title(f"{title}\n{note}" if title else note, fontsize=8.5)
    return figure


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


def _percent(value: float) -> str:
    return f"{100 * value:.0f}"


def _tenth(value: float) -> str:
    return _percent(value) if value >= 0.1 else ""


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}"
    return text if text.strip("+-0.") else "0"


def _share_bar(figure: Figure, picture, axes, label: str) -> None:
    bar = figure.colorbar(picture, ax=axes, label=label, ticks=[0, 0.05, 0.2, 0.5, 1], fraction=0.03, pad=0.01)
    bar.outline.set_visible(False)
