"""Figures of the tests of maps that share an axis name all rows, and grey those that are controls."""

import matplotlib.pyplot as plt

from hw9.vision import figures_trust


def test_every_panel_of_two_networks_has_its_rows():
    rows = {"LIME": (0.0, 1.0), "edges (control)": (0.1, 0.2), "nothing known": (float("nan"), 0.4)}
    panels = dict.fromkeys(("hit", "share", "rank"), rows)
    figure = figures_trust.two_networks(panels, dict.fromkeys(panels, 0.1), names=("yours", "hers"))
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == list(rows)
    assert [label.get_color() for label in labels] == ["black", figures_trust.GREY, "black"]
    plt.close(figure)
