"""How maps fare in the tests of `hw9.vision.trust`: arrays in, a figure out, nothing is computed but means.

Names that end in "(control)" belong to maps that make no use of the model, "(upper limit)" to the truth; both are grey.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import rankdata

from hw9.vision.figures import _draw, _name, _off, _title

WIDTH = 9.4  # inches, as in the other figures
BECOMES = {"mean": "the mean colour", "blur": "a blurred copy", "black": "black"}
COLOURS = ("tab:blue", "tab:orange", "0.35")  # of the baselines mean, blur and black
GREY = "0.5"
NO_METHOD = ("(control)", "(upper limit)")


def srg(
    scores: dict[str, dict[str, np.ndarray]], example: str, most, least, *, baselines: Sequence[str], title: str = ""
) -> Figure:
    """SRG of each map: a bar at the mean over pictures (with its standard error) for each baseline.

    `scores[name][baseline]` is (N,). On the left the two curves (N, T) of the `example` for the first baseline, whose
    area apart is its SRG.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 0.36 * len(scores) + 1.5), width_ratios=(1, 1.5), layout="constrained"
    )
    share = np.linspace(0, 1, len(most[0]))
    low, high = np.asarray(most).mean(0), np.asarray(least).mean(0)
    left.fill_between(share, low, high, color="tab:blue", alpha=0.15, lw=0)
    left.plot(share, high, color="tab:blue", ls="--", label="least important first")
    left.plot(share, low, color="tab:blue", label="most important first")
    left.set(xlabel="share of pixels removed", ylabel="probability of the class", ylim=(0, 1))
    left.set_title(f"{example}; removed pixels become: {BECOMES.get(baselines[0], baselines[0])}", fontsize=9)
    left.xaxis.set_major_formatter("{x:.0%}")
    left.legend(frameon=False, fontsize=7.5, loc="upper right")
    for number, baseline in enumerate(baselines):
        values = [scores[name][baseline] for name in scores]
        place = np.arange(len(scores)) + 0.24 * (number - (len(baselines) - 1) / 2)
        _bars(right, values, place, COLOURS[number % len(COLOURS)], BECOMES.get(baseline, baseline))
    _rows(right, list(scores))
    right.set_xlabel("SRG: area between the curves (1: best, 0: chance)")
    handles, labels = right.get_legend_handles_labels()
    labels[0] = f"removed pixels become: {labels[0]}"
    figure.legend(handles, labels, loc="outside lower right", ncol=3, frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=11)
    return figure


def strip(
    names: Sequence[str], rows: dict[str, Sequence], alike: dict[str, Sequence[float]], *, picture, title: str = ""
) -> Figure:
    """One picture's maps while weights are randomised: a row for each method, a column for each stage.

    `rows[name]` holds maps (H, W) in [0, 1], the first of the trained network; below each stands how alike it is to
    the first (`alike[name]`, a mean over pictures).
    """
    side = WIDTH / (len(names) + 1.2)
    figure, grid = plt.subplots(len(rows), len(names), figsize=(WIDTH, (side + 0.17) * len(rows) + 0.5), squeeze=False)
    _off(grid)
    for line, (name, maps) in zip(grid, rows.items(), strict=True):
        _name(line[0], name, 8)
        for ax, item, value in zip(line, maps, alike[name], strict=True):
            _draw(ax, item, "hot")
            ax.set_xlabel("–" if np.isnan(value) else f"{value:.2f}", fontsize=7.5, labelpad=1)
    for ax, name in zip(grid[0], names, strict=True):
        ax.set_title(name, fontsize=7.5)
    _title(figure, title)
    first = grid[0][0].get_position()
    corner = figure.add_axes((0.01, first.y1 - 0.1 * first.height, 0.6 * first.width, 0.6 * first.height))
    _draw(corner, picture, None)
    _off([corner])
    return figure


def spread(values: dict[str, np.ndarray], *, chance: float, xlabel: str, title: str = "") -> Figure:
    """A row for each map: a dot for each scene, a bar at the mean with its standard error; nan is left out."""
    figure, ax = plt.subplots(figsize=(WIDTH * 0.8, 0.34 * len(values) + 1.0), layout="constrained")
    for row, (name, numbers) in enumerate(values.items()):
        numbers = np.asarray(numbers, float)
        numbers = numbers[np.isfinite(numbers)]
        offset = np.linspace(-0.25, 0.25, len(numbers))
        ax.plot(numbers, row + offset, "o", color=_colour(name), ms=4, alpha=0.5, mew=0)
        ax.errorbar(numbers.mean(), row, xerr=_error(numbers), fmt="|", color="black", ms=15, mew=2, capsize=3, lw=1.2)
        ax.text(1.01, row, f"{numbers.mean():.2f}", va="center", fontsize=8.5, transform=ax.get_yaxis_transform())
    ax.axvline(chance, color="black", lw=0.8, ls=":")
    _rows(ax, list(values), zero=False)
    ax.set_xlabel(xlabel)
    figure.suptitle(title, fontsize=11)
    return figure


def two_networks(
    panels: dict[str, dict[str, tuple[float, float]]], chance: dict[str, float], *, names: Sequence[str],
    title: str = "",
) -> Figure:  # fmt: skip
    """A panel for each measure: for every map its value under both networks (`names`), joined; dotted: chance."""
    figure, axes = plt.subplots(
        1,
        len(panels),
        figsize=(WIDTH, 0.3 * len(next(iter(panels.values()))) + 1.5),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, (measure, rows) in zip(axes[0], panels.items(), strict=True):
        for row, (name, (first, second)) in enumerate(rows.items()):
            ax.plot((first, second), (row, row), color="0.75", lw=1.5, zorder=1)
            ax.plot(first, row, "o", mfc="white", mec=_colour(name), ms=7, label=names[0] if row == 0 else None)
            ax.plot(second, row, "o", color=_colour(name), ms=7, label=names[1] if row == 0 else None)
        ax.axvline(chance[measure], color="black", lw=1, ls=":", label="chance")
        ax.set(xlim=(-0.03, 1.03), title=measure)
        ax.xaxis.set_major_formatter("{x:.0%}")
        _rows(ax, list(rows), zero=False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncol=3, frameon=False)
    figure.suptitle(title, fontsize=11)
    return figure


def scorecard(rows: dict[str, dict[str, float]], *, zero: Sequence[str] = (), title: str = "") -> Figure:
    """Maps x tests: every number, and the shade of its rank within the test, the best dark; nan: not measured.

    What reads alike ("0.81" twice) has one shade. Tests in `zero` are best at 0, on either side.
    """
    tests, names = list(next(iter(rows.values()))), list(rows)
    table = np.array([[rows[name][test] for test in tests] for name in names], float)
    signed = np.where([test in zero for test in tests], -np.abs(table), table).round(2)
    ranks = np.full(table.shape, np.nan)
    for column in range(len(tests)):
        known = np.isfinite(signed[:, column])
        places = rankdata(signed[known, column], method="dense") - 1  # from 0, without gaps
        ranks[known, column] = places / max(places.max(initial=0), 1)
    figure, ax = plt.subplots(figsize=(WIDTH, 0.32 * len(names) + 1.3), layout="constrained")
    ax.imshow(ranks, cmap="Blues", vmin=0, vmax=1.4, aspect="auto", interpolation="nearest")
    for (row, column), value in np.ndenumerate(table):
        text = "–" if np.isnan(value) else f"{value:.2f}"
        ax.text(column, row, text, ha="center", va="center", fontsize=9)
    ax.set_xticks(range(len(tests)), tests, fontsize=8)
    ax.set_yticks(range(len(names)), names)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    first = next((k for k, name in enumerate(names) if name.endswith("(control)")), None)
    if first:
        ax.axhline(first - 0.5, color="black", lw=1)
    figure.suptitle(title, fontsize=11)
    return figure


def _bars(ax: Axes, values: Sequence[np.ndarray], place: np.ndarray, colour: str, label: str) -> None:
    values = [np.asarray(numbers, float) for numbers in values]
    style = {"height": 0.22, "color": colour, "label": label, "error_kw": {"lw": 0.8}}
    ax.barh(place, [v.mean() for v in values], xerr=[_error(v) for v in values], **style)


def _rows(ax: Axes, names: list[str], *, zero: bool = True) -> None:
    ax.set_yticks(range(len(names)), names)
    for label, name in zip(ax.get_yticklabels(), names, strict=False):  # none on a panel that shares its neighbour's
        label.set_color(GREY if name.endswith(NO_METHOD) else "black")
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(axis="x", alpha=0.25)
    if zero:
        ax.axvline(0, color="black", lw=0.8)


def _colour(name: str) -> str:
    return GREY if name.endswith(NO_METHOD) else COLOURS[0]


def _error(numbers: np.ndarray) -> float:
    return numbers.std(ddof=1) / np.sqrt(len(numbers)) if len(numbers) > 1 else 0.0
