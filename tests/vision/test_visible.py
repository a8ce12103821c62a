"""What an eye sees, as numbers: known answers."""

import math
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from hw9.vision import visible
from hw9.vision.figures_lime import AGAINST, FOR, overlay, stability
from hw9.vision.lime import _empty


def explanation(weights, segments=None):
    weights = np.array(weights, float)
    segments = np.arange(len(weights))[None] if segments is None else segments
    empty = _empty(torch.zeros(3, 1, 1), 0, "paper")
    return replace(empty, weights=weights, segments=segments)


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [
        ([0.4, -0.1, 0.2], 0.25),  # orange is the weaker
        ([-0.5, 0.2], 0.4),  # blue is
        ([0.3, 0.2], 0),  # blue alone
        ([-0.3], 0),
        ([1.0, -0.09], 0),  # too faint to be painted
        ([0.0, 0.0], 0),
        ([9, 8, 7, 6, 5, 4, 3, 2, -1], 0),  # the ninth is not painted
    ],
)
def test_the_weaker_of_two_colours(weights, wanted):
    assert visible.both_colours(explanation(weights)) == pytest.approx(wanted)


def test_both_colours_are_painted_exactly_where_it_says_so():
    rng = np.random.default_rng(0)
    segments = np.kron(np.arange(16).reshape(4, 4), np.ones((6, 6), int))
    for _ in range(20):
        found = explanation(rng.normal(size=16) + rng.choice([-2, 0, 2]), segments)
        painted = overlay(np.full((3, 24, 24), 0.5, np.float32), found).transpose(1, 2, 0)
        tint = painted - painted.mean(2, keepdims=True)
        blue, orange = ((tint @ (c - c.mean()) > 0.05).any() for c in (FOR, AGAINST))
        assert (visible.both_colours(found) > 0) == (blue and orange)


def test_an_overlay_is_drawn_by_the_recipe_of_its_explanation():
    weights, grey = np.array([0.04, *np.linspace(0.5, 1, 12)]), np.full((3, 1, 13), 0.5, np.float32)
    found = explanation(weights)
    course = overlay(grey, replace(found, recipe="course"))[1, 1::4, 1::4]  # green, but for the yellow of the edges
    assert (course[0] == 1).tolist() == [False, False, *[True] * 11]  # the course's 11, none below 0.05
    paper = overlay(grey, found)[:, 1::4, 1::4]
    assert (paper[2, 0] - paper[0, 0] > 0.1).sum() == 8 and (paper[:, 0, :5] == paper[0, 0, 0]).all()


def test_paint_has_one_colour_on_whatever_it_lies():
    """On a red and on a blue half of one brightness, one weight looks the same."""
    segments = np.kron(np.arange(16).reshape(4, 4), np.ones((6, 6), int))
    picture = np.zeros((3, 24, 24), np.float32)
    picture[0, :, :12] = picture[2, :, 12:] = 0.9
    weights = np.array([0.01, 0.8, 0.8, 0.02, *[0.01] * 8, 0.03, -0.8, -0.8, 0.02])
    found = explanation(weights, segments)
    painted = overlay(picture, found)
    for left, right, sign in ((1, 2, 1), (13, 14, -1)):
        one, other = (painted[:, 24 * (k // 4) + 12, 24 * (k % 4) + 12] for k in (left, right))  # their middles
        np.testing.assert_allclose(one, other, atol=1e-6)
        assert sign * (one[2] - one[0]) > 0.2, "blue is for, orange against"


def test_every_painted_superpixel_has_its_number_and_its_weights_below():
    segments = np.kron(np.arange(16).reshape(4, 4), np.ones((6, 6), int))
    one, other = np.repeat([0.5, 0], [4, 12]), np.repeat([0, 1, 0], [4, 6, 6])  # by the mean, 0 to 3 are in the middle
    figure = stability(np.zeros((3, 24, 24)), [explanation(w, segments) for w in (one, other, other)], 0, top=4)
    *pictures, weights = figure.axes
    columns = [int(text.get_text()) for text in weights.get_xticklabels()]
    assert set(columns[:8]) == set(range(8)) and len(columns) == 8 + 5, "painted under some seed; then 5 near 0"
    for column, k in enumerate(columns):
        drawn = weights.collections[column].get_offsets()
        np.testing.assert_allclose(drawn[:, 0], column)
        np.testing.assert_allclose(drawn[:, 1], [one[k], other[k], other[k]])
    assert all({int(text.get_text()) for text in ax.texts} == set(columns) for ax in pictures)
    plt.close(figure)


def test_half_of_the_brightness():
    even, spot = torch.ones(1, 10, 10), torch.zeros(1, 10, 10)
    spot[0, 3, 4] = 1
    two = torch.zeros(1, 10, 10)
    two[0, 0], two[0, 1:] = 9, 1  # 90 of 180 in the first row
    found = visible.half_area(torch.cat([even, spot, two, torch.zeros(1, 10, 10)]))
    assert found[:3].tolist() == pytest.approx([0.5, 0, 0.1], abs=0.011) and found[3].isnan()


def test_a_filter_follows_brightness_or_darkness_or_neither():
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    bright = torch.nn.functional.avg_pool2d(images.mean(1), 4)
    assert visible.follows_brightness(bright * 5 - 1, images) == pytest.approx(1)
    assert visible.follows_brightness(-bright, images) == pytest.approx(-1)
    other = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1))
    assert abs(visible.follows_brightness(other, images)) < 0.2
    assert math.isnan(visible.follows_brightness(torch.zeros(3, 4, 4), images))


def test_zeros_of_a_relu():
    maps = torch.randn(2, 20, 20, generator=torch.Generator().manual_seed(0))
    assert visible.at_the_bottom(maps) == pytest.approx(1 / 800)
    assert visible.at_the_bottom(maps.relu()) == pytest.approx(float((maps <= 0).float().mean()))


def test_on_the_object():
    masks = torch.zeros(2, 4, 4, dtype=torch.bool)
    masks[:, :2] = True
    inside, even = masks.float(), torch.ones(2, 4, 4)
    assert visible.on_object(inside, masks) == pytest.approx(2)
    assert visible.on_object(even, masks) == pytest.approx(1)
    assert visible.on_object(1 - inside, masks) == pytest.approx(0)
    assert math.isnan(visible.on_object(even, None))


def test_rank_correlation():
    rising = torch.tensor([0.1, 0.2, 5.0])
    assert visible.rank_correlation(rising, rising**3) == pytest.approx(1)
    assert visible.rank_correlation(rising, -rising) == pytest.approx(-1)
    assert math.isnan(visible.rank_correlation(rising, torch.ones(3)))
