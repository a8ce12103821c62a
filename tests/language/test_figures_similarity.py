"""The pictures of one token in many sentences show the numbers they are given, with sentences and senses named."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from hw9.language.figures import similarity as figures
from hw9.language.figures.cells import cells
from hw9.language.similarity import Curves, cosine, euclidean

pytestmark = pytest.mark.usefixtures("drawn_without_warnings")

SENSES = ["fruit", "fruit", "company", "company", "company"]
LABELS = ["我吃【蘋果】", "紅【蘋果】", "【蘋果】公司", "【苹果】手机", "【apple】"]
VECTORS = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
FRUIT, COMPANY = figures.COLOURS[:2]


def frames(ax):
    """(x, y, width, height, colour) of the cells that each frame lies in."""
    found = []
    for p in ax.patches:
        corner = np.floor(np.array(p.get_xy()) + 0.5)
        size = np.ceil(np.array(p.get_xy()) + (p.get_width(), p.get_height()) + 0.5) - corner
        found.append((*(corner - 0.5), *size, to_hex(p.get_edgecolor())))
    return found


BLOCKS = [(-0.5, -0.5, 2, 2, to_hex(FRUIT)), (1.5, 1.5, 3, 3, to_hex(COMPANY))]


def brightness(ax, row, column):
    picture = ax.images[0]
    return picture.to_rgba(picture.get_array()[row, column])[:3] @ np.array([0.2, 0.7, 0.1])


def test_heat_maps_write_every_number_and_name_every_sentence():
    matrices = {"Euclidean distance": euclidean(VECTORS[0]), "cosine similarity": cosine(VECTORS[0])}
    left, right = figures.heat_maps(matrices, LABELS, SENSES).axes[:2]
    for ax, matrix in ((left, matrices["Euclidean distance"]), (right, matrices["cosine similarity"])):
        assert [t.get_text() for t in ax.texts] == [f"{v:.2f}" for v in matrix.flatten().tolist()]
        others = [
            [abs(float(v) - float(matrix[k, k])) + (k == j) * 9e9 for j, v in enumerate(matrix[k])] for k in range(5)
        ]
        nearest = [(others[k].index(min(others[k])) - 0.5, k - 0.5, 1, 1, "#000000") for k in range(5)]
        assert frames(ax) == BLOCKS + nearest, "black is drawn over the colours"
        assert ax.get_title() in matrices
        for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
            assert [label.get_color() for label in labels] == [FRUIT] * 2 + [COMPANY] * 3
    named = [label.get_text() for label in left.get_yticklabels()]
    assert all(
        label in name and name.endswith(str(k + 1)) for k, (label, name) in enumerate(zip(LABELS, named, strict=True))
    )


def test_bright_is_alike_in_both_maps():
    vectors = torch.tensor([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1], [-1, 1]])
    maps = {"Euclidean distance": euclidean(vectors), "cosine similarity": cosine(vectors)}
    for ax in figures.heat_maps(maps, LABELS, SENSES).axes[:2]:
        assert brightness(ax, 0, 1) > brightness(ax, 0, 2)
        assert brightness(ax, 0, 0) >= brightness(ax, 0, 1)


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(0.95, 0.98, [".950", ".980"]), (0.2, 0.8, ["0.20", "0.80"]), (9.5, 25.86, ["9.50", "25.9"])],
)
def test_numbers_have_three_digits(low, high, shown):
    matrix = np.full((5, 5), low)
    matrix[0, 1] = matrix[1, 0] = high
    np.fill_diagonal(matrix, 1)
    texts = {t.get_text() for t in figures.heat_maps({"similarity": matrix}, LABELS, SENSES).axes[0].texts}
    assert texts == {*shown, "1.00"}


@pytest.mark.parametrize("shared", [True, False])
def test_all_layers_on_one_scale_or_each_on_its_own(shared):
    matrices = torch.stack([cosine(layer) for layer in VECTORS]) * torch.tensor([1.0, 0.5, 0.1])[:, None, None]
    figure = figures.all_layers(matrices, SENSES, name="cosine similarity", shared=shared)
    panels = [ax for ax in figure.axes if ax.images and ax.patches]
    assert len(panels) == 3
    limits = {panel.images[0].get_clim() for panel in panels}
    assert len(limits) == (1 if shared else 3)
    apart = ~torch.eye(5, dtype=torch.bool)
    for ax, matrix in zip(panels, matrices, strict=True):
        np.testing.assert_allclose(ax.images[0].get_array(), matrix)
        assert frames(ax) == BLOCKS
        assert (f"{matrix[apart].min():.3g}" in ax.get_title()) is not shared


def test_curves_corrected_and_the_gap_between_them():
    within, between, floor = torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0.9, 0.7, 0.4]), torch.tensor([0.1, 0.2, 0.3])
    found = Curves(within, between, floor, torch.tensor([0.5, 0.7, 1.0]), 0.44)
    corrected, gap, accuracy = figures.curves(found).axes
    for ax, wanted in (
        (corrected, [within - floor, between - floor]),
        (gap, [within - between]),
        (accuracy, [found.accuracy]),
    ):
        for line, values in zip(ax.lines, wanted, strict=False):
            np.testing.assert_allclose(line.get_ydata(), values)
    assert "0.10 to 0.30" in corrected.get_title()
    low, high = corrected.get_ylim()
    assert 0 < low < 0.1 and 0.8 < high < 1, "no more than what the curves need"
    assert accuracy.lines[1].get_ydata()[0] == 0.44
    assert "chance 44%" in [text.get_text() for text in accuracy.get_legend().get_texts()]


def test_planes_number_each_sentence_where_its_vector_lies_in_the_colour_of_its_sense():
    points = VECTORS[:2, :, :2]
    figure = figures.planes(points, SENSES, layers=[0, 7], variance=[0.5, 0.25])
    for ax, plane, title in zip(figure.axes, points, ("layer 0 (50%", "layer 7 (25%"), strict=True):
        assert [text.get_text() for text in ax.texts] == list("12345") and ax.get_title().startswith(title)
        assert [text.get_color() for text in ax.texts] == [FRUIT] * 2 + [COMPANY] * 3
        np.testing.assert_allclose([text.get_position() for text in ax.texts], plane)
        (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
        assert all(left < x < right and low < y < high for x, y in plane.tolist())


def test_sentences_at_one_place_stand_beside_each_other_and_are_black_where_senses_meet():
    points = torch.tensor([[[0.0, 0.0], [1, 0], [1, 0], [0, 0], [0, 2]]])
    (ax,) = figures.planes(points, [*SENSES[:2], "fruit", *SENSES[3:]], layers=[0], variance=[1.0]).axes
    found = {text.get_text(): (text.get_position(), text.get_color()) for text in ax.texts}
    assert found == {"1, 4": ((0, 0), "black"), "2, 3": ((1, 0), FRUIT), "5": ((0, 2), COMPANY)}


def test_numbers_stand_out_from_their_cell_and_nan_stays_empty():
    _, ax = plt.subplots()
    cells(ax, [[0.0, 0.3, 0.6, 1.0, np.nan]], cmap="gray", vmin=0, vmax=1, write=lambda v: f"{v:.1f}")
    inks = [(t.get_text(), t.get_color()) for t in ax.texts]
    assert inks == [("0.0", "white"), ("0.3", "white"), ("0.6", "black"), ("1.0", "black")]
