"""Pictures of attention, heads and masks show the numbers they are given, at the places that their labels name."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from hw9.language.figures import attention as figures
from hw9.language.figures import cells, heads, masks, trust

pytestmark = pytest.mark.usefixtures("drawn_without_warnings")

TOKENS = ["[CLS]", "小", "貓", "吃", "fish", "[SEP]"]


def attention(*shape, seed=0):
    weights = np.random.default_rng(seed).random((*shape, 6, 6)) ** 4
    return weights / weights.sum(-1, keepdims=True)


def written(ax):
    """{(row, column): text} of the numbers in cells."""
    return {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts}


def frames(ax):
    """{(row, column, height, width): colour} of the frames, which lie inside their cells."""
    found = {}
    for p in ax.patches:
        corner = np.array([p.get_y(), p.get_x()]) + 0.5
        far = corner + np.array([p.get_height(), p.get_width()])
        assert (corner % 1 > 0.01).all() and (far % 1 < 0.99).all(), "a neighbour's frame must not look like its own"
        row, column = np.floor(corner).astype(int)
        found[row, column, *(np.ceil(far) - (row, column)).astype(int)] = to_hex(p.get_edgecolor())
    return found


def ticks(labels):
    return [label.get_text() for label in labels]


RED, BLACK = to_hex("tab:red"), "#000000"


def test_matrices_name_their_tokens():
    weights = attention(2)
    figure = figures.matrices(TOKENS, {"layer 1, head 1": weights[0], "layer 1, head 2": weights[1]})
    for ax, shown in zip(figure.axes[:2], weights, strict=True):
        np.testing.assert_allclose(ax.images[0].get_array(), shown)
        assert ticks(ax.get_xticklabels()) == ticks(ax.get_yticklabels()) == TOKENS
        assert [label.get_rotation() for label in ax.get_xticklabels()] == [90, 0, 0, 0, 90, 90]
        assert ax.images[0].get_clim() == (0, 1)
    assert figure.axes[1].get_title() == "layer 1, head 2"


def test_grid_puts_each_head_in_its_row_and_column():
    weights = attention(3, 4)
    ax = figures.grid(weights, marked=[(2, 1)]).axes[0]
    sheet = np.ma.filled(ax.images[0].get_array(), np.nan)
    across, down = ax.get_xticks(), ax.get_yticks()  # the middle of each column and row
    for layer, head in np.ndindex(3, 4):
        top, left = round(down[layer] - 2.5), round(across[head] - 2.5)
        np.testing.assert_allclose(sheet[top : top + 6, left : left + 6], weights[layer, head])
    assert ticks(ax.get_xticklabels()) == ["1", "2", "3", "4"]
    assert ticks(ax.get_yticklabels()) == ["1", "2", "3"]
    assert frames(ax) == {(down[2] - 2.5, across[1] - 2.5, 6, 6): RED}


def test_rollout_shows_one_token_through_the_layers_and_all_after_the_last():
    layers = attention(4)
    left, right = figures.rollout(TOKENS, layers, 2).axes[:2]
    np.testing.assert_allclose(left.images[0].get_array(), layers[:, 2])
    np.testing.assert_allclose(right.images[0].get_array(), layers[-1])
    assert "貓" in left.get_title()
    assert list(frames(right)) == [(2, 0, 1, 6)]


def pattern_maps():
    random = np.random.default_rng(1)
    maps = {name: random.random((3, 4)) * 0.3 for name in heads.PATTERNS}
    maps["same"][:] = np.nan
    maps["entropy"] *= 10
    return maps


def test_patterns_write_shares_from_a_tenth_on_and_frame_the_three_highest():
    maps = pattern_maps()
    uniform = dict.fromkeys(maps, 0.07) | {"entropy": 3.8}
    figure = heads.patterns(maps, uniform=uniform, head=3)
    for ax, (name, values) in zip(figure.axes, maps.items(), strict=False):
        if name == "same":
            assert (written(ax), frames(ax), ax.get_title()) == ({}, {}, "same token elsewhere")
            continue
        wanted = {(row, col): f"{100 * v:.0f}" for (row, col), v in np.ndenumerate(values) if v >= 0.1}
        if name == "entropy":
            wanted = {place: f"{v:.1f}" for place, v in np.ndenumerate(values)}
        assert written(ax) == wanted
        highest = sorted(np.ndenumerate(values), key=lambda item: -item[1])[:3]
        assert frames(ax) == {(*place, 1, 1): RED for place, _ in highest}
        assert ax.lines[0].get_xdata()[0] == 3
        assert ("even: 3.8" if name == "entropy" else "even: 7%") in ax.get_title()
    assert "▼ head 4" in figure.axes[len(maps)].texts[0].get_text()


def test_one_head_in_every_layer():
    maps = pattern_maps()
    figure = heads.one_head(maps, 2)
    ax, side = figure.axes
    names = [name for name in maps if name != "entropy"]
    shares = np.stack([maps[name][:, 2] for name in names], 1)
    assert written(ax) == {place: f"{100 * v:.0f}" for place, v in np.ndenumerate(shares) if np.isfinite(v)}
    most = np.nanmax(shares, 1, keepdims=True)
    assert set(frames(ax)) == {(*place, 1, 1) for place in np.argwhere((shares >= 0.2) & (shares >= most - 0.01))}
    alike = heads.one_head({"start": np.array([[0.48], [0.3]]), "separator": np.array([[0.475], [0.28]])}
                           | {"entropy": np.ones((2, 1))}, 0)  # fmt: skip
    assert set(frames(alike.axes[0])) == {(0, 0, 1, 1), (0, 1, 1, 1), (1, 0, 1, 1)}, "what is written alike is framed"
    assert [bar.get_width() for bar in side.patches] == list(maps["entropy"][:, 2])
    assert figure._suptitle.get_text() == "Head 3 in every layer"


def test_answers_frame_the_two_words_named_first_whole():
    row = [np.nan, 0.1, 0.5, 0.5, 0.4, np.nan, np.nan]
    figure = trust.answers([*"abcdefg"], {"answer": row}, 5, units=[[1], [2, 3], [4]])
    assert frames(figure.axes[0]) == {(0, 2, 1, 2): RED, (0, 4, 1, 1): RED}
    assert frames(trust.answers([*"abcdefg"], {"answer": row}, 5).axes[0]) == {(0, k, 1, 1): RED for k in (2, 3)}


def test_answers_mark_what_is_below_0_where_a_row_has_both_signs():
    rows = {"truth": np.array([np.nan, 0.4, -0.1, 0.2]), "nearness": np.array([np.nan, -1.0, -2.0, -3.0])}
    figure = trust.answers(["[CLS]", "a", "b", "c"], rows, 0)
    signs = [text for text in figure.axes[0].texts if text.get_text() == "−"]
    assert [text.get_position() for text in signs] == [(2, 0)]


def test_ablation_in_percentage_points_on_an_even_scale():
    effects = np.array([[0.021, -0.3, 0], [0.0004, 0.1, -0.05]])
    ax = heads.ablation(effects).axes[0]
    assert written(ax)[0, 0] == "+2.1"
    assert written(ax)[0, 1] == "-30.0"
    assert written(ax)[0, 2] == written(ax)[1, 0] == "0"
    assert ax.images[0].get_clim() == heads.ablation(-effects).axes[0].images[0].get_clim() == (-30, 30)
    assert list(frames(ax)) == [(0, 1, 1, 1)]
    assert written(heads.ablation(effects / 100).axes[0])[0, 1] == "-0.30"
    heads.ablation(np.zeros((2, 3)))


def test_coreference_frames_only_what_chance_does_not_reach():
    accuracy = np.array([[0.5, 0.83, 0.9], [0.12, 0.17, 1.0]])  # two exactly at a limit
    ax = heads.coreference(accuracy, {"first": 0.5, "nearest": 0.45}, 0.83, title="Who?").axes[0]
    assert frames(ax) == {(0, 2, 1, 1): RED, (1, 2, 1, 1): RED, (1, 0, 1, 1): BLACK}
    for said in (
        "Who?",
        "always the first noun: 50%",
        "always the nearest noun: 45%",
        "6 coins seldom beats 83%",
        "red frame: more than 83%",
        "black frame: less than 17%",
    ):
        assert said in ax.get_title()
    assert written(ax)[0, 1] == "83"


def test_predictions_side_by_side_on_one_scale():
    columns = {"only 西": [("西", 0.5), ("北", 0.2)], "東 as well": [("北", 0.3), ("西", 0.1)]}
    left, right = masks.predictions(columns, expected="西").axes
    assert ticks(left.get_yticklabels()) == ["西", "北"]
    assert [bar.get_width() for bar in left.patches] == [0.5, 0.2]
    assert left.get_xlim() == right.get_xlim()
    assert [to_hex(bar.get_facecolor()) for bar in left.patches] == [to_hex(cells.COLOURS[k]) for k in (1, 0)]
    assert [to_hex(bar.get_facecolor()) for bar in right.patches] == [to_hex(cells.COLOURS[k]) for k in (0, 1)]
    assert [text.get_text().strip() for text in right.texts] == ["30.0%", "10.0%"]


def test_masked_as_well_leaves_the_word_itself_and_the_specials_out():
    values = np.array([np.nan, 0.3, 0.1, 0.5, 0.4, np.nan])
    ax = masks.masked_as_well(TOKENS, values, 3, token="吃").axes[0]
    assert {round(b.get_x() + b.get_width() / 2): b.get_height() for b in ax.patches} == {1: 0.3, 2: 0.1, 4: 0.4}
    assert ax.lines[0].get_ydata()[0] == 0.5
    assert ticks(ax.get_xticklabels())[3] == "[MASK]"
    lowest = [b for b in ax.patches if to_hex(b.get_facecolor()) == to_hex(cells.COLOURS[1])]
    assert [b.get_height() for b in lowest] == [0.1]


def test_agreement_leaves_the_control_out_of_the_differences_and_reaches_two_standard_errors():
    taus = {"a": [0.5, 0.7, 0.9], "near (control)": [0.1, 0.5, 0.6], "unknown": [np.nan] * 3}
    figure = trust.agreement(taus, {"a": [0.4, 0.2, 0.3], "unknown": []}, control="near (control)")
    left, right = figure.axes
    assert ticks(left.get_yticklabels()) == ["a", "near (control)", "unknown"]
    assert [text.get_text() for text in left.texts] == ["+0.70", "+0.40"]
    assert [text.get_text() for text in right.texts] == ["+0.30 ±0.12"]  # standard error 0.1 / sqrt(3)
    (bar,) = [line for _, _, (line,) in right.containers]
    (ends,) = bar.get_segments()
    assert [*ends[:, 0]] == pytest.approx([0.3 - 0.2 / 3**0.5, 0.3 + 0.2 / 3**0.5]) and {*ends[:, 1]} == {0}
    assert not [line for _, _, lines in left.containers for line in lines], "no bars to be compared by their ends"
    assert "minus that of near in the same sentence" in right.get_xlabel()
