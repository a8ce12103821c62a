"""Text in the figures of pictures is what a person wrote, and numbers of classes that do not fit are one line."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from hw9.vision import figures

NAMES = ["$x_1^2$.jpg\nBread", r"$\frac{a.png", "a_b^c 🍜.jpg"]


@pytest.mark.parametrize("draw", [figures.rows, figures.side_by_side])
def test_names_of_files_are_no_mathematics(draw):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a letter that no font has
        figure = draw(NAMES, {"": (np.zeros((3, 3, 8, 8)), None, ["$1", "2$", "_"])})
        figure.canvas.draw()  # where one is no formula, matplotlib would raise
    shown = [text.get_text() for text in figure.findobj(plt.Text)]
    assert all(name in shown for name in NAMES[:2]) and "$1" in shown
    assert "a_b^c 🍜.jpg" in shown or "a_b^c ‹steaming bowl›.jpg" in shown
    assert not any(text.get_parse_math() for text in figure.findobj(plt.Text))
    plt.close(figure)


@pytest.mark.parametrize("kind", [{"dtype": torch.bfloat16}, {"requires_grad": True}], ids=str)
def test_tensors_that_numpy_does_not_take_are_drawn(kind):
    """A GPU's are another such kind."""
    picture, maps = torch.full((1, 3, 8, 8), 0.5, **kind), torch.eye(8, **kind)[None]
    shown = figures.captions(torch.tensor([1]), torch.eye(2, **kind)[1:], ["a", "b"])
    assert shown == ["0: b\n✓ b 100%"] and figures.unit(maps).max() == 1
    figure = figures.rows(shown, {"picture": (picture, None), "map": (maps, "hot")})
    assert [float(ax.images[0].get_array().max()) for ax in figure.axes] == [0.5, 1.0]
    plt.close(figure)


def test_other_pictures_than_the_lessons_go_by_letters():
    chances = np.array([[0.1, 0.9], [0.2, 0.8]])
    assert figures.captions([1, 0], chances, ["a", "b"], letters=True) == ["A: b\n✓ b 90%", "B: a\n✗ b 80%"]


def test_training_shows_the_finished_networks_accuracies_beside_its_curves():
    epochs = [{"epoch": 1, "loss": 2.0, "accuracy": 0.5}, {"epoch": 2, "loss": 1.0, "accuracy": 0.75}]
    accuracy = figures.history(epochs, finished={"validation": 0.7, "unseen": 0.4}).axes[1]
    curve, *dashed = accuracy.lines
    assert list(curve.get_ydata()) == [0.5, 0.75]
    assert [line.get_ydata()[0] for line in dashed] == [0.7, 0.4] and dashed[0].get_color() == curve.get_color()
    assert [line.get_label().split(", ")[1] for line in dashed] == ["validation: 70.0%", "unseen: 40.0%"]
    plt.close("all")


def test_gaps_are_read_in_per_cent():
    figure = figures.completeness([4, 8], torch.tensor([[10.0, 1.0, 20.0], [0.01, 0.001, 0.02]]))
    (ax,) = figure.axes
    assert list(ax.lines[0].get_ydata()) == pytest.approx([10, 0.01])
    form = ax.yaxis.get_major_formatter()
    assert [form(gap, 0) for gap in (10, 1, 0.001)] == ["1,000 %", "100 %", "0.1 %"]
    plt.close(figure)


def test_another_number_of_classes_than_names_is_one_line():
    with pytest.raises(ValueError, match="tells 1000 classes apart, and there are 11 names: give one whose last layer"):
        figures.captions([0], np.zeros((1, 1000)), ["food"] * 11)
    with pytest.raises(ValueError, match="tells 3 classes apart"):
        figures.confusion({"validation": np.eye(3)}, ["food"] * 11)
