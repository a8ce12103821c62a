"""The figures show every token with its role, name the answer, and no label lies on another."""

from dataclasses import replace
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from hw9.language.embeddings import explained_variance, project, roles
from hw9.language.figures import embeddings as figures

QUESTION = "where is the dog?"
CONTEXT = "the cat is big. the dog is in paris, the capital of france. john is old and paris is big. mary is in france."


@pytest.fixture(scope="module")
def reading(tiny):
    return tiny.read(QUESTION, CONTEXT)


@pytest.fixture(scope="module")
def parts(reading):
    start = CONTEXT.find("paris")
    return roles(reading, (start, start + 5), (start - 3, start + 5))


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def places(ax, label):
    """Where a role is drawn, (n, 2)."""
    return next(np.asarray(c.get_offsets()) for c in ax.collections if c.get_label() == label)


def boxes(ax):
    ax.figure.canvas.draw()
    return {text: text.get_window_extent() for text in ax.texts}


def test_the_grid_has_a_panel_per_layer_with_its_number_and_its_share(reading, parts):
    share = explained_variance(reading)
    figure = figures.grid(project(reading), reading, parts, variance=share, title="Where?")
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == [
        f"{name}, {float(axes.sum()):.0%} of the variance"
        for name, axes in zip(("layer 0 (input)", "layer 1", "layer 2", "layer 3"), share, strict=True)
    ]
    assert figure.get_suptitle() == "Where?"
    assert sum(ax.get_legend() is not None for ax in figure.axes) == 1
    chosen = figures.grid(project(reading, layers=[1, 3]), reading, parts, layers=[1, 3])
    assert [ax.get_title() for ax in chosen.axes if ax.get_title()] == ["layer 1", "layer 3"]


def test_every_token_is_drawn_once_in_its_role_and_a_predicted_one_is_ringed(reading, parts):
    points = project(reading)
    figure = figures.grid(points, reading, parts)
    for ax, layer in zip(figure.axes, points.double().numpy(), strict=False):
        np.testing.assert_allclose(places(ax, "right answer"), layer[parts.answer])
        np.testing.assert_allclose(places(ax, "question"), layer[parts.question])
        np.testing.assert_allclose(places(ax, "context"), layer[parts.context & ~parts.answer])
        np.testing.assert_allclose(places(ax, "[CLS], [SEP]"), layer[parts.special])
        np.testing.assert_allclose(places(ax, "BERT's answer"), layer[parts.predicted])


def test_a_grid_names_the_questions_words_again_where_the_text_repeats_them(reading, parts):
    number = torch.arange(len(reading.tokens))
    apart = torch.stack([number % 6, number // 6], 1).double()[None]  # there is room for all
    named = [text.get_text() for text in boxes(figures.grid(apart, reading, parts).axes[0])]
    wanted = {"where": 1, "is": 6, "the": 4, "dog": 2, "paris": 1, "capital": 0, "john": 0}  # question and text
    assert {word: named.count(word) for word in wanted} == wanted


def test_words_are_in_the_frame_and_a_far_special_token_does_not_squeeze_them(reading, parts):
    points = project(reading)
    before = figures.plane(points[2], reading, parts).axes[0].get_xlim()
    points[2, 0] = 1e4
    ax = figures.plane(points[2], reading, parts).axes[0]
    assert ax.get_xlim() == before
    words = points[2][~parts.special].numpy()
    assert (words[:, 0] > before[0]).all()
    assert (words[:, 0] < before[1]).all()


@pytest.mark.parametrize("method", ["pca", "crowd"])
def test_labels_lie_inside_the_frame_and_never_on_each_other(reading, parts, method):
    points = project(reading, layers=2)[0]
    if method == "crowd":  # all tokens in one place: only what fits around it is named
        points = 1e-3 * points
        points[1] = 10.0
    figure = figures.plane(points, reading, parts)
    drawn = boxes(figure.axes[0])
    assert 4 <= len(drawn) <= int((~parts.special).sum())
    for one, other in combinations(drawn.values(), 2):
        width = min(one.x1, other.x1) - max(one.x0, other.x0)
        height = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert width < 0.5 or height < 0.5
    frame = figure.axes[0].bbox
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in drawn.values())


def test_the_answer_is_named_first_and_beside_its_point(reading, parts):
    points = 1e-3 * project(reading, layers=2)[0]
    points[1] = 10.0
    ax = figures.plane(points, reading, parts).axes[0]
    drawn = boxes(ax)
    named = [text.get_text() for text in drawn]
    assert named[:2] == ["in", "paris"], "gold and predicted answer come first where there is no room for all"
    paris = next(box for text, box in drawn.items() if text.get_text() == "paris")
    point = ax.transData.transform(points[parts.answer].numpy())[0]
    assert np.abs(point - [(paris.x0 + paris.x1) / 2, (paris.y0 + paris.y1) / 2]).max() < 60


def test_the_answers_labels_are_joined_to_their_points_and_no_other_hides_one(reading, parts):
    ax = figures.plane(project(reading, layers=2)[0], reading, parts).axes[0]
    points, drawn = project(reading, layers=2)[0].double().numpy(), boxes(ax)
    (answer,) = np.flatnonzero(parts.answer)
    ends = [line.get_xydata() for line in ax.lines]
    assert {tuple(begin) for begin, _ in ends} == {tuple(points[k]) for k in np.flatnonzero(parts.predicted)}
    joined = next(line for line in ax.lines if tuple(line.get_xydata()[0]) == tuple(points[answer]))
    assert joined.get_color() == figures.STYLES["answer"][1]
    x, y = ax.transData.transform(joined.get_xydata()[1])
    label = next(box for text, box in drawn.items() if text.get_text() == "paris" and box.padded(1).contains(x, y))
    marked = np.flatnonzero(parts.answer | parts.question)
    for box in set(drawn.values()) - {label}:
        assert not any(box.contains(*ax.transData.transform(points[k])) for k in marked)


def test_a_label_that_could_only_hide_an_answer_stays_out_but_the_answers_own_does_not(reading, parts):
    """The answer's label gives way to nothing; another has eight places, all of them over points that matter."""
    half, centre = np.array([10.0, 5.0]), np.array([100.0, 100.0])
    centres = centre + figures.PLACES * (half + 4)
    nothing, frame = np.empty((0, 4)), (0, 0, 200, 200)
    on_all = [figures._place(centres, half, nothing, centres, np.full(8, weight), frame, 3) for weight in (5, 3)]
    assert on_all == [None, None]
    assert figures._place(centres, half, nothing, centres, np.full(8, 1.0), frame, 3) is not None
    assert figures._place(centres, half, nothing, centres, np.full(8, 5.0), frame, np.inf) is not None
    free = figures._place(centres, half, nothing, centres[:1], np.array([5.0]), frame, 3)
    assert free is not None and free[0] != centres[0, 0] - half[0], "the first place hides a point, another does not"


def test_a_dollar_sign_is_a_token_and_no_formula(reading, parts):
    tokens = ["$x^2$" if token == "john" else token for token in reading.tokens]
    ax = figures.plane(project(reading, layers=1)[0], replace(reading, tokens=tokens), parts).axes[0]
    text = next(text for text in ax.texts if text.get_text() == "$x^2$")
    assert not text.get_parse_math()


def shaded(ax):
    """The layers with a coloured stripe of width 1."""
    return [patch.get_x() + 0.5 for patch in ax.patches if patch.get_width() == 1]


def test_the_curves_show_every_question_their_mean_and_its_highest_layers():
    numbers = {
        "same word": torch.tensor([[1.0, 1.0, 0.5], [1.0, 1.0, 0.7]]),
        "same phrase": torch.tensor([[0.2, 0.6, 0.1], [0.2, 0.8, 0.1]]),
        "question match": torch.tensor([[0.5, 0.5, 0.7], [0.5, 0.4, 0.5]]),
        "answer apart": torch.tensor([[1.0, 1.1, 2.0], [1.0, 1.1, 3.0]]),
    }
    figure = figures.phase_curves(numbers, title="Two questions")
    assert [shaded(ax) for ax in figure.axes] == [[0, 1], [1], [2], [2]]
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == [f"{k}. {name}" for k, name in enumerate(figures.PHASES, 1)], "no title gives the layer away"
    for ax, rows in zip(figure.axes, numbers.values(), strict=True):
        lines = [line.get_ydata() for line in ax.lines]
        np.testing.assert_allclose(lines[:2], rows)
        np.testing.assert_allclose(lines[2], rows.mean(0))


def test_questions_without_a_number_are_left_out_of_its_panel():
    rows = torch.tensor([[0.1, 0.9], [torch.nan] * 2])
    numbers = {"same word": rows, "same phrase": rows, "question match": rows, "answer apart": rows * torch.nan}
    figure = figures.phase_curves(numbers)
    np.testing.assert_allclose(figure.axes[0].lines[1].get_ydata(), rows[0])
    assert shaded(figure.axes[0]) == [1] and not shaded(figure.axes[3])
    assert figure.axes[3].get_title().endswith("answer apart (no question has what it needs)")


def test_a_number_at_chance_has_no_highest_layer():
    flat = {"same word": 0.9, "same phrase": 0.3, "question match": 0.49, "answer apart": 1.0}
    figure = figures.phase_curves({name: torch.full((2, 3), value) for name, value in flat.items()})
    assert all(ax.get_title().endswith(" (never above chance)") and not shaded(ax) for ax in figure.axes[2:])
