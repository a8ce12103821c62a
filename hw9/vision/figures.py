"""The pictures of the CNN lesson, but for LIME's and its tests'. Nothing is computed here but colours and places.

Pictures are (N, 3, H, W) in [0, 1], maps (N, H, W) in [0, 1]; tensors and arrays both do.
"""

from collections.abc import Sequence
from string import ascii_uppercase
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from hw9.figure_text import plain, readable
from hw9.vision.predictions import as_array


def _hwc(picture) -> np.ndarray:
    return as_array(picture).astype(np.float32, copy=False).transpose(1, 2, 0).clip(0, 1)


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
    above = 0.3 + 0.17 * title.count("\n") if title else 0  # inches
    figure.tight_layout(pad=0.3, w_pad=0.3, h_pad=0.4, rect=(0, 0, 1, 1 - above / inches))


def _wrapped(note: str) -> str:
    return "\n".join(fill(line, 24) for line in note.split("\n"))


def _name(ax, text: str, size: float = 9) -> None:
    """A row's name, left of its first picture."""
    ax.set_ylabel(text, rotation=0, ha="right", va="center", labelpad=6, fontsize=size)


@plain(9.4)
def rows(names: Sequence[str], content: dict[str, tuple], *, title: str = "", across: int = 5) -> Figure:
    """A table of pictures: one column per name; each row is (pictures or maps, colour map or None).

    `content` maps a row's name to `(array, colour map)`: (N, 3, H, W) pictures take None, (N, H, W) maps a name such
    as "hot", drawn from 0 to 1. A third entry, a list of N strings, is written below the pictures of the row. More
    than `across` columns continue below, so that pictures stay large beside a file browser.
    """
    width, count, blocks = 9.4, min(across, len(names)), -(-len(names) // across)
    left, gap = (0.85 if any(content) else 0.05), 0.05  # inches
    side = (width - left) / count - gap
    above = 0.05 + 0.15 * max(name.count("\n") + 1 for name in names)
    notes = {label: [_wrapped(note) for note in row[2]] if len(row) > 2 else [] for label, row in content.items()}
    below = {label: gap + 0.14 * max((n.count("\n") + 1 for n in notes[label]), default=0) for label in content}
    headed = 0.3 + 0.17 * title.count("\n") if title else 0
    high = blocks * (above + sum(side + below[label] for label in content) + gap) + headed
    figure = plt.figure(figsize=(width, high))
    top = high - headed
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
    item = as_array(item)
    if item.ndim == 3:
        ax.imshow(_hwc(item), interpolation="antialiased")
    else:
        # Fine maps are smoothed as photographs are; of coarse ones the cells are to be seen.
        smooth = "bilinear" if len(item) >= 48 else "nearest"
        ax.imshow(item, cmap=colours, vmin=0, vmax=1, interpolation=smooth)


def unit(maps) -> np.ndarray:
    """Maps of any range (N, h, w), together scaled to [0, 1] for drawing."""
    maps = as_array(maps)
    low, high = maps.min(), maps.max()
    return (maps - low) / (high - low or 1)


def captions(labels, probabilities, class_names: Sequence[str], *, letters: bool = False) -> list[str]:
    """For each picture its number and true class, and below them what the network says and how sure it is.

    `letters` (A, B, …; 26 at most) instead of numbers tell other pictures from the lesson's ten.
    """
    probabilities = as_array(probabilities)
    _check_classes(probabilities.shape[1], class_names)
    said, sure = probabilities.argmax(1), probabilities.max(1)
    marks = ascii_uppercase[: len(said)] if letters else range(len(said))
    return [
        f"{mark}: {class_names[label]}\n{'✓' if says == label else '✗'} {class_names[says]} {how:.0%}"
        for mark, label, says, how in zip(marks, as_array(labels), said, sure, strict=True)
    ]


def _check_classes(count: int, class_names: Sequence[str]) -> None:
    if count != len(class_names):
        advice = "give one whose last layer has as many outputs, or names for all of them"
        raise ValueError(f"the network tells {count} classes apart, and there are {len(class_names)} names: {advice}")


def classes(pictures, labels, class_names: Sequence[str], *, each: int = 5, title: str = "") -> Figure:
    """The first `each` pictures of every class, a row per class in two columns of classes."""
    labels = as_array(labels)
    half = (len(class_names) + 1) // 2
    shape = {"width_ratios": [1] * each + [1.9] + [1] * each, "wspace": 0.04, "hspace": 0.06}
    figure, grid = plt.subplots(half, 2 * each + 1, figsize=(9.8, half * 0.74 + 0.4), squeeze=False, gridspec_kw=shape)
    _off(grid)
    for number, name in enumerate(class_names):
        line = grid[number % half][(number // half) * (each + 1) :][:each]
        for ax, row in zip(line, np.flatnonzero(labels == number), strict=False):
            ax.imshow(_hwc(pictures[row] / 255), interpolation="antialiased")
        _name(line[0], name.replace("/", "/\n"), 8)
    figure.suptitle(title, fontsize=11, y=1.0)
    figure.subplots_adjust(left=0.125, right=0.995, top=0.93, bottom=0.01)
    return figure


def history(epochs: list[dict], *, finished: dict[str, float]) -> Figure:
    """Loss and validation accuracy over the epochs; dashed: accuracies of the `finished` network, validation first."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.8))
    number = [epoch["epoch"] for epoch in epochs]
    left.plot(number, [epoch["loss"] for epoch in epochs], "o-", color="tab:gray", ms=3)
    left.set(xlabel="epoch", ylabel="training loss", title="Loss")
    right.plot(number, [epoch["accuracy"] for epoch in epochs], "o-", color="tab:blue", ms=3, label="validation")
    for colour, (name, value) in zip(("tab:blue", "tab:orange", "tab:green"), finished.items(), strict=False):
        right.axhline(value, color=colour, ls="--", lw=1.2, label=f"finished network, {name}: {value:.1%}")
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


def completeness(steps: Sequence[int], gaps) -> Figure:
    """How far integrated gradients miss their sum, gaps (steps, N) against steps: their median and each picture's."""
    figure, ax = plt.subplots(figsize=(7.5, 3.4))
    gaps = as_array(gaps)
    ax.plot(steps, np.median(gaps, 1), "o-", color="tab:blue", ms=4, label=f"median of {gaps.shape[1]} pictures")
    each = ax.plot(steps, gaps, color="tab:blue", alpha=0.35, lw=0.8)
    each[0].set_label("each picture")
    ax.axhline(0.05, color="black", lw=0.8, ls=":", label="5 % (Sundararajan et al.)")
    label = "completeness gap\n(share of the score difference)"
    low = (
        min(1e-4, np.median(gaps, 1).min() / 2) or 1e-12
    )  # one picture that hits its sum by chance must not set the scale
    ax.set(xscale="log", yscale="log", ylim=(low, None), xlabel="steps along the path", ylabel=label)
    ax.yaxis.set_major_formatter(lambda gap, _: f"{100 * gap:,.9g} %")
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
    channels: Sequence[int], visualised, excited: Sequence, crops: Sequence, values: Sequence, *, title: str = ""
) -> Figure:
    """For each channel the part of its visualisation that activates it most, and right of it real crops as wide.

    `excited` and `values` are the activations of those parts and of the crops.
    """
    count = min(len(c) for c in crops)
    figure, grid = plt.subplots(len(channels), count + 1, figsize=(9.4, 1.12 * len(channels) + 0.5), squeeze=False)
    _off(grid)
    for line, channel, picture, own, found, height in zip(
        grid, channels, visualised, excited, crops, values, strict=True
    ):
        _name(line[0], f"filter {channel}")
        line[0].imshow(_hwc(picture))
        line[0].set_xlabel(f"{float(own):.1f}", fontsize=7.5, labelpad=1)
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
