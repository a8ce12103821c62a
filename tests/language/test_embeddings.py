"""Projections keep the distances that scikit-learn's keep, follow a rotation back, and roles go by position."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import ortho_group
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from hw9.language.embeddings import explained_variance, project, roles

QUESTION, CONTEXT = "where is the dog?", "the cat is big. the dog is in paris, the capital of france. paris is old."


@pytest.fixture(scope="module")
def reading(tiny):
    return tiny.read(QUESTION, CONTEXT)


def with_states(reading, states):
    """The same reading with other hidden states (L+1, T, D)."""
    return replace(reading, hidden_states=torch.as_tensor(states, dtype=torch.float32))


def blobs(reading, layers=4, width=24, seed=0):
    """Two groups of tokens far apart, even and odd; layers differ by a rotation or mirror and a shift alone."""
    random = np.random.default_rng(seed)
    points = random.normal(size=(len(reading.tokens), width)) * np.linspace(1, 0.2, width)
    points[::2, 0] += 12
    turned = [points @ ortho_group.rvs(width, random_state=k) + k for k in range(layers)]
    return with_states(reading, np.stack(turned))


def test_pca_keeps_the_distances_of_scikit_learn_in_every_layer(reading):
    points = project(reading)
    assert points.shape == (4, len(reading.tokens), 2)
    assert points.dtype == torch.float32
    for layer, states in zip(points, reading.hidden_states, strict=True):
        expected = PCA(2, svd_solver="full").fit_transform(states.double())
        np.testing.assert_allclose(pdist(layer), pdist(expected), rtol=1e-4, atol=1e-5)


def test_layers_that_differ_by_a_rotation_lie_on_top_of_each_other(reading):
    points = project(blobs(reading))
    for later in points[1:]:
        torch.testing.assert_close(later, points[0], rtol=0, atol=1e-3)


def test_no_turn_or_mirror_would_bring_a_layer_nearer_to_the_one_before(reading):
    _, before, after = project(reading, layers=[0, 1, 2]).double()
    distance = (after - before).square().sum()
    for degrees in np.arange(0, 360, 5):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        for mirror in (1.0, -1.0):
            other = after @ torch.tensor([[c, s], [-s * mirror, c * mirror]], dtype=torch.float64)
            assert (other - before).square().sum() >= distance - 1e-9


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_points_are_centred_and_the_same_in_every_run(reading, method):
    points = project(reading, method, layers=[0, 3])
    torch.testing.assert_close(points.mean(1), torch.zeros(2, 2), rtol=0, atol=1e-4)
    assert torch.equal(points, project(reading, method, layers=[0, 3]))


def test_tsne_keeps_neighbours_in_a_first_and_in_a_following_layer(reading):
    random = np.random.default_rng(0)
    circle = np.linspace(0, 2 * np.pi, len(reading.tokens), endpoint=False)
    ring = np.stack([np.cos(circle), np.sin(circle)], 1) @ random.normal(size=(2, 16))
    other = random.permutation(ring) + 0.01 * random.normal(size=ring.shape)  # so that the start is no help
    points = project(with_states(reading, np.stack([ring, other])), "tsne")
    assert trustworthiness(ring, points[0], n_neighbors=4) > 0.95
    assert trustworthiness(other, points[1], n_neighbors=4) > 0.9


def test_tsne_moves_only_what_has_moved(reading):
    still = blobs(reading, layers=1).hidden_states
    points = project(with_states(reading, still.expand(3, -1, -1)), "tsne")
    size = points[0].norm(dim=1).mean()
    for later, before in zip(points[1:], points[:-1], strict=True):
        assert (later - before).norm(dim=1).mean() < 0.1 * size


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_layer_whose_vectors_are_all_equal_is_one_point(reading, method):
    """A word at the same place in every sentence, at layer 0."""
    states = blobs(reading).hidden_states.clone()
    states[0] = 1.5
    points = project(states, method)
    assert not points[0].any() and points[1:].isfinite().all() and (points[1].std(0) > 0.1).all()
    torch.testing.assert_close(points[1].abs(), project(states, method, layers=[1])[0].abs())
    assert explained_variance(states)[0].tolist() == [0, 0]


def test_layers_are_the_ones_asked_for_in_their_order(reading):
    one = project(reading, layers=2)
    assert one.shape == (1, len(reading.tokens), 2)
    assert torch.equal(project(reading, layers=[2, 1])[0], one[0])
    np.testing.assert_allclose(pdist(project(reading, layers=[2, 1])[1]), pdist(project(reading)[1]), rtol=1e-4)


def test_explained_variance_is_the_share_of_the_two_axes(reading):
    random = np.random.default_rng(0)
    directions = np.linalg.qr(random.normal(size=(len(reading.tokens), 3)) - 0)[0]
    directions = np.linalg.qr(directions - directions.mean(0))[0]  # centred and orthogonal
    planted = directions * np.sqrt([5.0, 3.0, 2.0])
    share = explained_variance(with_states(reading, planted[None]))
    torch.testing.assert_close(share, torch.tensor([[0.5, 0.3]]), rtol=0, atol=1e-5)
    assert explained_variance(reading, layers=[0, 3]).shape == (2, 2)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_four_tokens_are_enough_and_three_are_not(tiny, method):
    assert project(tiny.read("the cat"), method).shape == (4, 4, 2)
    with pytest.raises(ValueError, match="at least 4 tokens, and there are 3"):
        project(tiny.read("cat"), method)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "umap"}, ValueError, "the method must be one of pca, tsne, not 'umap'"),
        ({"layers": [0, 4]}, IndexError, "there is no layer 4: 0 is the embedding layer and 3 the last"),
        ({"layers": -1}, IndexError, "there is no layer -1"),
        ({"layers": []}, ValueError, "no layers chosen"),
    ],
)
def test_a_wrong_method_or_layer_is_refused_in_one_line(reading, options, error, message):
    with pytest.raises(error, match=message):
        project(reading, **options)


def test_every_token_has_one_place_and_answers_go_by_position_not_by_word(reading):
    first = CONTEXT.find("paris")
    parts = roles(reading, (first, first + 5), (first, first + 11))
    places = torch.stack([parts.special, parts.question, parts.context]).sum(0)
    assert (places == 1).all()
    assert [reading.tokens[k] for k in parts.answer.nonzero()] == ["paris"]
    assert [reading.tokens[k] for k in parts.predicted.nonzero()] == ["paris", ",", "the"]
    assert reading.tokens.count("paris") == 2
    assert "".join(reading.tokens[k] for k in parts.question.nonzero()) == "whereisthedog?"
    assert [reading.tokens[k] for k in parts.special.nonzero()] == ["[CLS]", "[SEP]", "[SEP]"]


def test_the_second_occurrence_and_the_words_of_the_question_stay_what_they_are(reading):
    second = CONTEXT.rfind("paris")
    parts = roles(reading, (second, second + 5))
    place = [k for k, token in enumerate(reading.tokens) if token == "paris"][1]
    assert parts.answer.nonzero().tolist() == [[place]]
    assert not parts.predicted.any()
    dog = CONTEXT.find("dog")
    answer = roles(reading, (dog, dog + 3)).answer
    assert answer.sum() == 1
    assert reading.segments[int(answer.nonzero())] == 1, "the dog of the question is no answer"


def test_a_span_that_ends_inside_a_token_takes_the_token(reading):
    start = CONTEXT.find("capital")
    parts = roles(reading, (start + 2, start + 4))
    assert [reading.tokens[k] for k in parts.answer.nonzero()] == ["capital"]


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ((0, 500), "the answer 0 to 500 is no span of a context of 73 characters"),
        ((-1, 3), "no span of a context"),
        ((5, 5), "no span of a context"),
        ((3, 4), "the answer ' ' covers no token of the context"),
    ],
)
def test_a_span_outside_the_context_or_without_a_token_is_refused(reading, span, message):
    with pytest.raises(ValueError, match=message):
        roles(reading, span)


def test_roles_need_a_question_and_a_context(tiny):
    with pytest.raises(ValueError, match="roles need a question and a context"):
        roles(tiny.read(CONTEXT))
