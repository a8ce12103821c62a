"""One number for each head: maps of layers by heads. Layers and heads count from 1 in what is written."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from hw9.figure_text import plain
from hw9.language.figures.cells import WIDTH, cells, layers_and_heads, outline

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


@plain(WIDTH)
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
        cells(ax, values, vmin=0, vmax=None if bits else 1, write=(lambda v: f"{v:.1f}") if bits else _tenth)
        layers_and_heads(ax, *values.shape, names=False)
        bare = uniform is None or np.isnan(values).all()
        even = "" if bare else f" (even: {uniform[name]:.1f})" if bits else f" (even: {uniform[name]:.0%})"
        ax.set_title(PATTERNS.get(name, name) + even, fontsize=8.5, pad=8)
        for place in np.argsort(np.nan_to_num(values, nan=-1), axis=None)[-3:]:
            if not np.isnan(values.flat[place]):
                outline(ax, *np.unravel_index(place, values.shape))
        if head is not None:
            ax.plot(head, -0.85, marker="v", color="black", ms=4, clip_on=False)
    key = [
        "Numbers: mean share of",
        "attention, in per cent,",
        "from 10 on.",
        "",
        "(Entropy: bits, all of them.)",
        "Brighter: more.",
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


@plain(WIDTH * 0.8)
def one_head(maps: dict[str, np.ndarray], head: int, *, title: str = "") -> Figure:
    """What one head (from 0) does in every layer: a row for each layer, a column for each pattern, in per cent.

    The pattern that a layer's head follows most has a frame, where it takes a fifth of the attention, and so has one
    within a hundredth of it; entropy, in bits, stands beside.
    """
    names = [name for name in maps if name != "entropy"]
    shares = np.stack([np.asarray(maps[name])[:, head] for name in names], 1)  # (L, patterns)
    figure, (ax, side) = plt.subplots(
        1, 2, figsize=(WIDTH * 0.8, 0.27 * len(shares) + 1.5), layout="constrained", width_ratios=(len(names), 1.3)
    )
    cells(ax, shares, vmin=0, vmax=1, write=_percent, size=8)
    for layer, row in enumerate(np.nan_to_num(shares, nan=-1)):
        for place in np.flatnonzero((row >= 0.2) & (row >= row.max() - 0.01)):
            outline(ax, layer, place)
    ax.set_xticks(range(len(names)), [PATTERNS[name].replace(" ", "\n") for name in names], fontsize=8)
    ax.set_yticks(range(len(shares)), range(1, len(shares) + 1))
    ax.set(ylabel="layer", title="attention, in per cent, to ... (framed: most, if 20 or more)")
    bits = np.asarray(maps["entropy"])[:, head]
    side.barh(range(len(bits)), bits, color="0.6")
    side.set(ylim=ax.get_ylim(), yticks=[], xlabel="bits", title="entropy")
    figure.suptitle(title or f"Head {head + 1} in every layer", fontsize=11)
    return figure


@plain(WIDTH * 0.7)
def ablation(effects, *, title: str = "") -> Figure:
    """Change of a probability without each head, (L, H), in percentage points; red: the head spoke for the word."""
    points = 100 * np.asarray(effects)
    reach = max(np.abs(points).max(), 1e-9)
    figure, ax = plt.subplots(figsize=(WIDTH * 0.8, 0.3 * len(points) + 1.2), layout="constrained")
    digits = 1 if reach >= 0.95 else 2
    picture = cells(ax, points, cmap="RdBu", vmin=-reach, vmax=reach, write=lambda v: _signed(v, digits))
    layers_and_heads(ax, *points.shape)
    ax.set_xlabel("head (framed: the largest change)", labelpad=1)
    outline(ax, *np.unravel_index(np.abs(points).argmax(), points.shape), edgecolor="black")
    bar = figure.colorbar(picture, ax=ax, label="percentage points (red: the head spoke for the word)", pad=0.01)
    bar.outline.set_visible(False)
    ax.set_title(title, fontsize=10)
    return figure


@plain(WIDTH * 0.7)
def coreference(accuracy, baselines: dict[str, float], limit: float, *, title: str = "") -> Figure:
    """Accuracy (L, H) of each head in finding a pronoun's antecedent, in per cent.

    `limit` is what the best of so many coins seldom beats, `baselines` what place alone reaches; the title has both.
    Heads above `limit` have a red frame, and those as far below 50 %, which prefer the other candidate, a black one; a
    head exactly at a limit has none.
    """
    accuracy = np.asarray(accuracy)
    figure, ax = plt.subplots(figsize=(WIDTH * 0.8, 0.3 * len(accuracy) + 1.6), layout="constrained")
    picture = cells(ax, accuracy, cmap="PuOr", vmin=0, vmax=1, write=_percent, size=7.5)
    layers_and_heads(ax, *accuracy.shape)
    above, below = np.argwhere(accuracy > limit + 1e-6), np.argwhere(accuracy < 1 - limit - 1e-6)  # but for rounding
    for layer, head in above:
        outline(ax, layer, head)
    for layer, head in below:
        outline(ax, layer, head, edgecolor="black")
    bar = figure.colorbar(picture, ax=ax, pad=0.01, label="sentences in which the head looks more at the right noun")
    names = ["0%", f"{1 - limit:.0%}", "50%\nchance", f"{limit:.0%}\nseldom beaten\nby {accuracy.size} coins", "100%"]
    bar.set_ticks([0, 1 - limit, 0.5, limit, 1], labels=names)
    bar.outline.set_visible(False)
    known = ", ".join(f"always the {name} noun: {value:.0%}" for name, value in baselines.items())
    note = (
        f"right without looking: {known}; the best of {accuracy.size} coins seldom beats {limit:.0%}\n"
        f"red frame: more than {limit:.0%}; black frame: less than {1 - limit:.0%}"
    )
    ax.set_title(f"{title}\n{note}" if title else note, fontsize=8.5)
    return figure


def _percent(value: float) -> str:
    return f"{100 * value:.0f}"


def _tenth(value: float) -> str:
    return _percent(value) if value >= 0.1 else ""


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}"
    return text if text.strip("+-0.") else "0"
