"""Every picture of the CNN lesson. Nothing is computed here but colours and places: arrays in, a figure out.

Pictures are (N, 3, H, W) in [0, 1], maps (N, H, W) in [0, 1]; tensors and arrays both do.
"""

from collections.abc import Sequence
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from skimage.segmentation import find_boundaries

from hw9.figure_text import plain, readable

# Blue and orange stay apart for every common kind of colour blindness; red and green do not.
FOR, AGAINST = np.array([0.10, 0.45, 0.95]), np.array([1.00, 0.55, 0.00])
OUTLINE = [withStroke(linewidth=1.6, foreground="black")]  # white numbers stay legible on any picture
COURSE_FOR, COURSE_AGAINST = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])


def _hwc(picture) -> np.ndarray:
    return np.asarray(picture, dtype=np.float32).transpose(1, 2, 0).clip(0, 1)


def _off(axes) -> None:
    for ax in np.ravel(axes):
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_visible(False)


def _title(figure: Figure, title: str) -> None:
    """Lay the figure out, with its title (if any) above everything else."""
    inches = figure.get_figheight()
    figure.suptitle(title, fontsize=11, y=1 - 0.08 / inches, va="top")
    figure.tight_layout(pad=0.3, w_pad=0.3, h_pad=0.4, rect=(0, 0, 1, 1 - (0.3 / inches if title else 0)))


def _wrapped(note: str) -> str:
    return "\n".join(fill(line, 24) for line in note.split("\n"))


def _name(ax, text: str, size: float = 9) -> None:
    """A row's name, left of its first picture."""
    ax.set_ylabel(text, rotation=0, ha="right", va="center", labelpad=6, fontsize=size)


@plain(9.4)
def rows(
    names: Sequence[str], content: dict[str, tuple], *, title: str = "", width: float = 9.4, across: int = 5
) -> Figure:
    """A table of pictures: one column per name; each row is (pictures or maps, colour map or None).

    `content` maps a row's name to `(array, colour map)`: (N, 3, H, W) pictures take None, (N, H, W) maps a name such
    as "hot", drawn from 0 to 1. A third entry, a list of N strings, is written below the pictures of the row. More
    than `across` columns continue below, so that pictures stay large beside a file browser.
    """
    count, blocks = min(across, len(names)), -(-len(names) // across)
    left, gap = (0.85 if any(content) else 0.05), 0.05  # inches
    side = (width - left) / count - gap
    above = 0.05 + 0.15 * max(name.count("\n") + 1 for name in names)
    notes = {label: [_wrapped(note) for note in row[2]] if len(row) > 2 else [] for label, row in content.items()}
    below = {label: gap + 0.14 * max((n.count("\n") + 1 for n in notes[label]), default=0) for label in content}
    high = blocks * (above + sum(side + below[label] for label in content) + gap) + (0.3 if title else 0)
    figure = plt.figure(figsize=(width, high))
    top = high - (0.3 if title else 0)
    for block in range(blocks):
        top -= above
        for number, (label, row) in enumerate(content.items()):
            top -= side
            for place, column in enumerate(range(block * across, min((block + 1) * across, len(names)))):
                x = left + place * (side + gap)
                ax = figure.add_axes((x / width, top / high, side / width, side / high))
                _off(ax)
                _draw(ax, row[0][column], row[1])
                if number == 0:
                    ax.set_title(names[column], fontsize=7.6, pad=3)  # "✓ Dairy product 91%" beside its like
                if place == 0:
                    _name(ax, label)
                if notes[label]:
                    ax.set_xlabel(notes[label][column], fontsize=7.5, labelpad=2)
            top -= below[label]
        top -= gap
    figure.suptitle(title, fontsize=11, y=1 - 0.04 / high, va="top")
    return figure


def _draw(ax, item, colours: str | None) -> None:
    """One picture (3, H, W), or a map (H, W) from 0 to 1 in the colour map `colours`."""
    item = np.asarray(item)
    if item.ndim == 3:
        ax.imshow(_hwc(item), interpolation="antialiased")
    else:
        # Fine maps are smoothed as photographs are; of coarse ones the cells are to be seen.
        smooth = "bilinear" if len(item) >= 48 else "nearest"
        ax.imshow(item, cmap=colours, vmin=0, vmax=1, interpolation=smooth)


def unit(maps) -> np.ndarray:
    """Maps of any range (N, h, w), together scaled to [0, 1] for drawing."""
    maps = np.asarray(maps)
    low, high = maps.min(), maps.max()
    return (maps - low) / (high - low or 1)


def captions(labels, probabilities, class_names: Sequence[str]) -> list[str]:
    """For each picture its number and true class, and below them what the network says and how sure it is."""
    probabilities = np.asarray(probabilities)
    _check_classes(probabilities.shape[1], class_names)
    said, sure = probabilities.argmax(1), probabilities.max(1)
    return [
        f"{i}: {class_names[label]}\n{'✓' if said[i] == label else '✗'} {class_names[said[i]]} {sure[i]:.0%}"
        for i, label in enumerate(np.asarray(labels))
    ]


def _check_classes(count: int, class_names: Sequence[str]) -> None:
    if count != len(class_names):
        advice = "give one whose last layer has as many outputs, or names for all of them"
        raise ValueError(f"the network tells {count} classes apart, and there are {len(class_names)} names: {advice}")


def classes(pictures, labels, class_names: Sequence[str], *, each: int = 5, title: str = "") -> Figure:
    """The first `each` pictures of every class, a row per class in two columns of classes."""
    labels = np.asarray(labels)
    half = (len(class_names) + 1) // 2
    shape = {"width_ratios": [1] * each + [1.9] + [1] * each, "wspace": 0.04, "hspace": 0.06}
    figure, grid = plt.subplots(half, 2 * each + 1, figsize=(9.8, half * 0.74 + 0.4), squeeze=False, gridspec_kw=shape)
    _off(grid)
    for number, name in enumerate(class_names):
        line = grid[number % half][(number // half) * (each + 1) :][:each]
        for ax, row in zip(line, np.flatnonzero(labels == number), strict=False):
            ax.imshow(_hwc(pictures[row] / 255), interpolation="antialiased")
        _name(line[0], f"{number} {name.replace('/', '/' + chr(10))}", 8)
    figure.suptitle(title, fontsize=11, y=1.0)
    figure.subplots_adjust(left=0.125, right=0.995, top=0.93, bottom=0.01)
    return figure


def history(epochs: list[dict], *, others: dict[str, float] | None = None) -> Figure:
    """Loss and validation accuracy over the epochs; `others` are further accuracies, drawn as dashed lines."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.8))
    number = [epoch["epoch"] for epoch in epochs]
    left.plot(number, [epoch["loss"] for epoch in epochs], "o-", color="tab:gray", ms=3)
    left.set(xlabel="epoch", ylabel="training loss (smoothed, mixed labels)", title="Loss")
    right.plot(number, [epoch["accuracy"] for epoch in epochs], "o-", color="tab:blue", ms=3, label="validation")
    for colour, (name, value) in zip(("tab:orange", "tab:green"), (others or {}).items(), strict=False):
        right.axhline(value, color=colour, ls="--", lw=1.2, label=f"{name}: {value:.1%}")
    right.set(xlabel="epoch", ylim=(0, 1.02), title="Accuracy")
    right.yaxis.set_major_formatter("{x:.0%}")
    right.legend(loc="lower right", frameon=False)
    for ax in (left, right):
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.25)
    figure.tight_layout()
    return figure


def confusion(matrices: dict[str, np.ndarray], class_names: Sequence[str]) -> Figure:
    """One confusion matrix (true x predicted counts) per name, in per cent of the true class."""
    for matrix in matrices.values():
        _check_classes(len(matrix), class_names)
    wide = (4.6 * len(matrices) + 0.9, 5.2)
    figure, axes = plt.subplots(1, len(matrices), figsize=wide, squeeze=False, sharey=True)
    for ax, (name, matrix) in zip(axes[0], matrices.items(), strict=True):
        share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
        ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for i, j in np.ndindex(*share.shape):
            if share[i, j] >= 0.005:
                ax.text(j, i, f"{100 * share[i, j]:.0f}", ha="center", va="center", fontsize=7.8,
                        color="white" if share[i, j] > 0.55 else "black")  # fmt: skip
        ax.set_xticks(range(len(class_names)), class_names, rotation=45, ha="right")
        ax.set_yticks(range(len(class_names)), class_names)
        ax.set(xlabel="predicted class", ylabel="true class", title=f"{name}: % of each true class")
        ax.label_outer()
        ax.spines[:].set_visible(False)
    figure.tight_layout()
    return figure


def lime_overlay(picture, segments: np.ndarray, weights: np.ndarray, *, top: int = 8, recipe: str = "paper"):
    """The picture, grey, with its `top` superpixels of largest weight painted; (H, W, 3) in [0, 1], enlarged 4 times.

    Paper: blue speaks for the class, orange against it, the stronger the more opaque; a dark line with a light rim
    bounds each, so that it is seen on white and on dark pictures. Course: every superpixel of at least 0.05 in full
    green or red, as `get_image_and_mask` of the lime package draws it.
    """
    scale = 4
    base = np.kron(_hwc(picture), np.ones((scale, scale, 1), np.float32))
    big = np.kron(segments, np.ones((scale, scale), int))
    order = np.argsort(-np.abs(weights))[:top]
    if recipe == "course":
        for k in (k for k in order if abs(weights[k]) >= 0.05):
            base[big == k, 1 if weights[k] > 0 else 0] = 1.0
        base[find_boundaries(big, mode="inner")] = (1.0, 1.0, 0.0)
        return base
    grey = base.mean(2, keepdims=True)
    painted = 0.25 * base + 0.75 * (0.25 + 0.6 * grey)  # dimmed, so that paint stands out on white and on black
    largest = np.abs(weights).max() or 1.0
    chosen = np.zeros(big.shape, int)
    for rank, k in enumerate(order, 1):
        strength = abs(weights[k]) / largest
        if strength < 0.1:
            continue
        inside = big == k
        paint = FOR if weights[k] > 0 else AGAINST
        opacity = 0.25 + 0.6 * strength
        painted[inside] = (1 - opacity) * base[inside] + opacity * paint
        chosen[inside] = rank
    painted[find_boundaries(chosen, mode="outer")] = 1.0
    painted[find_boundaries(chosen, mode="inner")] = 0.1
    return painted


def lime(names: Sequence[str], pictures, explanations, *, top: int = 8, recipe: str = "paper") -> Figure:
    """Pictures, and below them what speaks for and against the class LIME was asked about, with R^2."""
    overlays = [
        lime_overlay(p, e.segments, e.weights, top=top, recipe=recipe).transpose(2, 0, 1)
        for p, e in zip(pictures, explanations, strict=True)
    ]
    notes = ["left out" if e.score != e.score else f"R² = {e.score:.2f}" for e in explanations]
    figure = rows(names, {"picture": (pictures, None), "LIME": (overlays, None, notes)})
    colours = (FOR, AGAINST) if recipe == "paper" else (COURSE_FOR, COURSE_AGAINST)
    parts = [Patch(color=c, label=t) for c, t in zip(colours, ("for the class", "against it"), strict=True)]
    figure.legend(handles=parts, loc="upper center", ncol=2, frameon=False, bbox_to_anchor=(0.5, 0.0))
    return figure


def lime_stability(picture, explanations: Sequence, overlap: float, *, top: int = 5) -> Figure:
    """The same picture under several seeds, and the weights of the superpixels most often on top, numbered in both."""
    count = len(explanations)
    figure = plt.figure(figsize=(9.4, 4.5))
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.15))
    axes = above.subplots(1, count)
    _off(axes)
    weights = np.stack([e.weights for e in explanations])  # (seeds, K)
    order = np.argsort(-np.abs(weights).mean(0))[: 2 * top]
    for number, (ax, e) in enumerate(zip(axes, explanations, strict=True)):
        ax.imshow(lime_overlay(picture, e.segments, e.weights, top=top))
        ax.set_title(f"seed {number}, R² = {e.score:.2f}", fontsize=8)
        for k in order:
            y, x = 4 * np.argwhere(e.segments == k).mean(0)
            ax.text(x, y, str(k), fontsize=7.5, ha="center", va="center", color="white", path_effects=OUTLINE)
    ax = below.subplots()
    ax.axhline(0, color="black", lw=0.6)
    for place, k in enumerate(order):
        colour = FOR if weights[:, k].mean() > 0 else AGAINST
        ax.plot([place] * count, weights[:, k], "o", color=colour, ms=5, alpha=0.7)
    ax.set_xticks(range(len(order)), order)
    ax.set(xlabel="superpixel (its number stands in the pictures)", ylabel="weight")
    ax.set_title(f"a dot per seed; mean overlap of the top {top}: {overlap:.0%}", fontsize=9)
    above.subplots_adjust(left=0.01, right=0.99, top=0.87, bottom=0.02, wspace=0.05)
    below.subplots_adjust(left=0.08, right=0.99, top=0.88, bottom=0.22)
    return figure


def completeness(steps: Sequence[int], gaps: dict[str, np.ndarray]) -> Figure:
    """How far integrated gradients miss their sum, against the number of steps: a band per rule, median inside."""
    figure, ax = plt.subplots(figsize=(7.5, 3.4))
    for colour, (name, gap) in zip(("tab:blue", "tab:orange", "tab:green"), gaps.items(), strict=False):
        gap = np.asarray(gap)  # (steps, N)
        ax.fill_between(steps, gap.min(1), gap.max(1), color=colour, alpha=0.15, lw=0)
        ax.plot(steps, np.median(gap, 1), "o-", color=colour, ms=4, label=name)
    ax.axhline(1e-3, color="black", lw=0.8, ls=":")
    ax.text(steps[0], 1.15e-3, "one thousandth", fontsize=8)
    ax.set(xscale="log", yscale="log", xlabel="steps along the path", ylabel="completeness gap (share of the sum)")
    ax.set_xticks(steps, [str(s) for s in steps])
    ax.minorticks_off()
    ax.grid(alpha=0.25)
    ax.legend(frameon=False)
    figure.tight_layout()
    return figure


def filters(layers: dict[str, np.ndarray], channels: Sequence[int], *, title: str = "") -> Figure:
    """Visualised filters: a row per layer, (C, 3, H, W) each, a column per channel."""
    content = {name: (pictures, None) for name, pictures in layers.items()}
    return rows([f"filter {c}" for c in channels], content, title=title, across=len(channels))


def filter_and_crops(
    channels: Sequence[int], visualised, crops: Sequence, values: Sequence, *, title: str = ""
) -> Figure:
    """For each channel, its visualisation and, right of it, the real crops that activate it most with their values."""
    count = min(len(c) for c in crops)
    figure, grid = plt.subplots(len(channels), count + 1, figsize=(9.4, 1.12 * len(channels) + 0.5), squeeze=False)
    _off(grid)
    for line, channel, picture, found, height in zip(grid, channels, visualised, crops, values, strict=True):
        _name(line[0], f"filter {channel}")
        line[0].imshow(_hwc(picture))
        for ax, crop, value in zip(line[1:], found, height, strict=False):
            ax.imshow(_hwc(crop), interpolation="antialiased")
            ax.set_xlabel(f"{float(value):.1f}", fontsize=7.5, labelpad=1)
    grid[0][0].set_title("visualised", fontsize=8)
    grid[0][1].set_title("real crops →", fontsize=8)
    _title(figure, title)
    return figure


def activation_maps(names: Sequence[str], pictures, maps: dict[str, np.ndarray], *, title: str = "") -> Figure:
    """Pictures and, a row per name, one filter's activation maps (N, h, w), each scaled by the row's own maximum."""
    content = {"picture": (pictures, None)}
    for name, row in maps.items():
        content[name] = (unit(row), "viridis")
    return rows(names, content, title=title)


def strip(frames, steps: Sequence[int], *, title: str = "") -> Figure:
    """Frames (T, 3, H, W) of one optimisation, left to right."""
    return rows([f"step {s}" for s in steps], {"": (frames, None)}, title=title, across=len(steps))


def agreement(names: Sequence[str], matrix: np.ndarray, *, title: str = "") -> Figure:
    """Mean rank correlations between methods, (M, M), as an annotated heat map."""
    figure, ax = plt.subplots(figsize=(0.85 * len(names) + 1.8, 0.72 * len(names) + 1.4))
    picture = ax.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    for i, j in np.ndindex(*matrix.shape):
        ax.text(
            j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", color="white" if abs(matrix[i, j]) > 0.6 else "black"
        )
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    figure.colorbar(picture, label="rank correlation", shrink=0.8)
    figure.tight_layout()
    return figure


@plain(9.8)
def side_by_side(names: Sequence[str], columns: dict[str, tuple], *, title: str = "") -> Figure:
    """A row per picture, a column per method: `columns` as the `content` of `rows`."""
    count = len(names)
    figure, grid = plt.subplots(
        count, len(columns), figsize=(9.8, (9.8 - 1.3) / len(columns) * count + 0.5), squeeze=False
    )
    _off(grid)
    for i, line in enumerate(grid):
        _name(line[0], readable(names[i]), 8)  # the layout measures it, before `plain` is done
        for ax, (items, colours, *notes) in zip(line, columns.values(), strict=True):
            _draw(ax, items[i], colours)
            if notes:
                ax.set_xlabel(notes[0][i], fontsize=7.5, labelpad=1)
    for ax, name in zip(grid[0], columns, strict=True):
        ax.set_title(name, fontsize=9)
    _title(figure, title)
    return figure


def bars(
    values: dict[str, np.ndarray], names: Sequence[str], *, chance=None, ylabel: str = "", title: str = ""
) -> Figure:
    """Grouped bars: a group per picture, a bar per method; `chance` (N,) is drawn as a black line in each group."""
    figure, ax = plt.subplots(figsize=(9.4, 3.2))
    width = 0.8 / len(values)
    place = np.arange(len(names))
    chance = None if chance is None else np.asarray(chance)
    for number, (name, heights) in enumerate(values.items()):
        heights = np.asarray(heights)
        ax.bar(
            place - 0.4 + (number + 0.5) * width,
            heights,
            width * 0.92,
            label=f"{name} (mean {np.nanmean(heights):.2f})",
        )
    if chance is not None:
        ax.hlines(
            chance, place - 0.45, place + 0.45, color="black", lw=1.4, label=f"chance (mean {np.nanmean(chance):.2f})"
        )
    ax.set_xticks(place, names, fontsize=8)
    ax.set(ylabel=ylabel, title=title)
    ax.legend(frameon=False, ncol=len(values) + 1, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    figure.tight_layout()
    return figure


def curves(by_name: dict[str, np.ndarray], *, reference: str, xlabel: str, ylabel: str, title: str = "") -> Figure:
    """Mean over pictures of curves (N, T) over a share from 0 to 1, a line per name; `reference` is drawn dashed."""
    figure, ax = plt.subplots(figsize=(7.5, 3.4))
    for name, values in by_name.items():
        values = np.asarray(values)
        style = {"color": "black", "ls": "--"} if name == reference else {}
        ax.plot(np.linspace(0, 1, values.shape[1]), values.mean(0), label=name, lw=1.8, **style)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.grid(alpha=0.25)
    ax.legend(frameon=False)
    figure.tight_layout()
    return figure
