"""Figures of the tests of maps that share an axis name all rows, grey is what is no method, and ties share a shade."""

import matplotlib.pyplot as plt
import numpy as np

from hw9.vision import figures_trust


def test_every_panel_of_two_networks_has_its_rows():
    rows = {"LIME": (0.0, 1.0), "edges (control)": (0.1, 0.2), "nothing known": (float("nan"), 0.4)}
    panels = dict.fromkeys(("hit", "share", "rank"), rows)
    figure = figures_trust.two_networks(panels, dict.fromkeys(panels, 0.1), names=("yours", "hers"))
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == list(rows)
    assert [label.get_color() for label in labels] == ["black", figures_trust.GREY, "black"]
    plt.close(figure)


def test_what_reads_alike_on_the_scorecard_has_one_shade():
    nan = float("nan")
    columns = {"most": (0.812, 0.806, 0.3, nan), "least": (0.04, -0.04, 1.0, 0.1), "one": (0.0, 0.0, 0.0, 0.0)}
    names = ("LIME", "saliency", "edges (control)", "random (control)")
    card = {name: {test: values[k] for test, values in columns.items()} for k, name in enumerate(names)}
    figure = figures_trust.scorecard(card, zero=["least"])
    shades = np.asarray(figure.axes[0].images[0].get_array().filled(nan))
    np.testing.assert_equal(shades, [[1, 1, 0], [1, 1, 0], [0, 0, 0], [nan, 0.5, 0]])
    plt.close(figure)
