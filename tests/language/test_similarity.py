"""Distances against SciPy, vectors of a named token, curves against slow loops, layer 0."""

import dataclasses
import itertools
import warnings

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from hw9.language.sentences import APPLE_TRADITIONAL, SAME_POSITION
from hw9.language.similarity import (
    all_layers,
    anisotropy,
    cosine,
    equal_at_layer_0,
    euclidean,
    layer_curves,
    locate,
    neighbour_accuracy,
    token_vectors,
)

FRUIT = ["我吃蘋果", "蘋果汁好喝。", "紅蘋果是甜的"]
COMPANY = ["蘋果公司在美國", "他買蘋果的手機", "蘋果的股價上來了"]
TEXTS, SENSES = FRUIT + COMPANY, ["fruit"] * 3 + ["company"] * 3


def random_vectors(count=6, width=10, seed=0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


# ---- distances


@pytest.mark.parametrize(("count", "width"), [(6, 10), (1, 3), (4, 1), (40, 384)])
def test_distances_are_scipys(count, width):
    vectors = random_vectors(count, width)
    np.testing.assert_allclose(euclidean(vectors), cdist(vectors, vectors), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(cosine(vectors), 1 - cdist(vectors, vectors, "cosine"), rtol=1e-4, atol=1e-6)


def test_known_distances():
    vectors = torch.tensor([[3, 4], [0, 0]])
    assert euclidean(vectors).tolist() == [[0, 5], [5, 0]]
    turned = cosine(torch.tensor([[2.0, 0], [0, 3], [-1, 0], [5, 5]]))
    expected = [[1, 0, -1, 0.5**0.5], [0, 1, 0, 0.5**0.5], [-1, 0, 1, -(0.5**0.5)]]
    torch.testing.assert_close(turned[:3], torch.tensor(expected))


def test_equal_vectors_are_at_no_distance_at_all():
    vectors = (1e3 * random_vectors(1, 384)).repeat(3, 1)
    assert euclidean(vectors).tolist() == [[0.0] * 3] * 3
    assert all(cosine(random_vectors(40, 384, seed=seed)).max() <= 1 for seed in range(3))


def test_bad_vectors():
    with pytest.raises(ValueError, match="vector 1 is all zeros"):
        cosine(torch.tensor([[1.0, 0], [0, 0]]))
    for wrong in (torch.zeros(3), torch.zeros(0, 4), torch.zeros(2, 3, 4)):
        for measure in (euclidean, cosine):
            with pytest.raises(ValueError, match=r"vectors must be \(N, D\)"):
                measure(wrong)


# ---- the vectors of a token


@pytest.mark.parametrize("layer", [0, 1, 3])
def test_vectors_are_the_named_tokens(tiny, layer):
    found = token_vectors(tiny, TEXTS, "果", layer)
    assert found.shape == (6, 32)
    for text, vector in zip(TEXTS, found, strict=True):
        reading = tiny.read(text)
        assert reading.tokens.count("果") == 1
        torch.testing.assert_close(vector, reading.hidden_states[layer, reading.tokens.index("果")])


def test_a_word_of_several_tokens_is_their_mean(tiny):
    found = token_vectors(tiny, ["我吃蘋果", "an unknowned apple"][:1], "蘋果", 2)
    both = [token_vectors(tiny, ["我吃蘋果"], c, 2) for c in "蘋果"]
    torch.testing.assert_close(found, (both[0] + both[1]) / 2)
    reading = tiny.read("an unknowned apple")
    wanted = reading.hidden_states[2, 2:5].mean(0)
    torch.testing.assert_close(token_vectors(tiny, ["an unknowned apple"], "unknowned", 2)[0], wanted)


def test_capitals_do_not_matter(tiny):
    found = token_vectors(tiny, ["Apple is sweet", "apple is sweet"], "apple", 3)
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-5)  # rows of one batch may round differently


def test_all_layers_at_once(tiny):
    found = all_layers(tiny, TEXTS, "蘋")
    assert found.shape == (4, 6, 32)
    for layer in range(4):
        assert torch.equal(found[layer], token_vectors(tiny, TEXTS, "蘋", layer))


def test_several_occurrences(tiny):
    texts = ["水果和蘋果", "我吃蘋果"]
    with pytest.warns(UserWarning, match=r"'果' is 2 times in sentence 0 and its first is taken"):
        first = token_vectors(tiny, texts, "果", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(token_vectors(tiny, texts, "果", 1, occurrence=0), first)
        second = token_vectors(tiny, texts, "果", 1, occurrence=[1, 0])
    reading = tiny.read(texts[0])
    torch.testing.assert_close(second[0], reading.hidden_states[1, 5])
    assert reading.tokens[5] == "果"
    assert torch.equal(second[1], first[1])


def test_what_cannot_be_compared_gets_one_line(tiny):
    with pytest.raises(ValueError, match=r"'蘋果' is not in '我吃苹果': .*traditional and simplified"):
        token_vectors(tiny, ["我吃蘋果", "我吃苹果"], "蘋果", 1)
    with pytest.raises(ValueError, match=r"'果' is in .* once: occurrence must be 0"):
        token_vectors(tiny, ["我吃蘋果"], "果", 1, occurrence=1)
    with pytest.raises(ValueError, match="1 numbers for 2 sentences"):
        token_vectors(tiny, ["蘋果", "蘋果"], "果", 1, occurrence=[0])
    with pytest.raises(ValueError, match=r"tokens, and .* 128 at most"):
        token_vectors(tiny, ["我吃蘋果", "蘋果" * 100], "果", 1, occurrence=0)
    for layer in (-1, 4):
        with pytest.raises(IndexError, match=r"layers 0 \(embeddings\) to 3"):
            token_vectors(tiny, TEXTS, "果", layer)
    for wrong in ("我吃蘋果", []):
        with pytest.raises(ValueError, match="a list of at least one sentence"):
            token_vectors(tiny, wrong, "果", 1)


# ---- layer 0


def test_layer_0_knows_token_and_position_alone(tiny):
    texts = ["我吃蘋果", "他賣蘋果的公司", "紅蘋果", "是蘋果"]
    readings, places = locate(tiny, texts, "果")
    assert places == [[4], [4], [3], [3]]
    equal = equal_at_layer_0(token_vectors(tiny, texts, "果", 0), readings, places)
    assert equal.int().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    with pytest.raises(AssertionError, match="token and position"):
        equal_at_layer_0(token_vectors(tiny, texts, "果", 1), readings, places)


def test_the_lessons_pair_is_at_distance_0_in_layer_0(tiny):
    """In the ten 蘋果 sentences, exactly the pair that sentences.py names."""
    apart = euclidean(token_vectors(tiny, APPLE_TRADITIONAL.texts, "果", 0))
    pairs = [pair for pair in itertools.combinations(range(10), 2) if apart[pair] == 0]
    assert pairs == [SAME_POSITION]
    assert euclidean(token_vectors(tiny, APPLE_TRADITIONAL.texts, "果", 3))[SAME_POSITION] > 0


# ---- curves


def test_curves_against_loops(tiny):
    found = layer_curves(tiny, TEXTS, SENSES, "蘋果")
    vectors = all_layers(tiny, TEXTS, "蘋果").double().numpy()
    for layer in range(4):
        similar = 1 - cdist(vectors[layer], vectors[layer], "cosine")
        within, between, right = [], [], 0
        for i in range(6):
            others = [j for j in range(6) if j != i]
            right += SENSES[max(others, key=lambda j: similar[i, j])] == SENSES[i]
            for j in others:
                (within if SENSES[i] == SENSES[j] else between).append(similar[i, j])
        assert float(found.within[layer]) == pytest.approx(np.mean(within), abs=1e-5)
        assert float(found.between[layer]) == pytest.approx(np.mean(between), abs=1e-5)
        if layer:  # in layer 0 several are equally near
            assert float(found.accuracy[layer]) == pytest.approx(right / 6)
    torch.testing.assert_close(found.gap, found.within - found.between)
    assert found.chance == pytest.approx(2 / 5)


def test_anisotropy_is_0_for_even_directions_and_1_for_a_single_one(tiny):
    readings = tiny.read_many(TEXTS)
    random = torch.Generator().manual_seed(1)
    width = 64
    even = [
        dataclasses.replace(r, hidden_states=torch.randn(2, len(r.tokens), width, generator=random)) for r in readings
    ]
    assert anisotropy(even).abs().max() < 0.05
    single = torch.randn(width, generator=random)
    one = [dataclasses.replace(r, hidden_states=(r.ids[None, :, None] + 1) * single) for r in readings]
    torch.testing.assert_close(anisotropy(one), torch.ones(1))


def test_anisotropy_takes_no_pair_from_one_sentence(tiny):
    readings = [
        dataclasses.replace(r, hidden_states=torch.eye(6)[k].expand(4, len(r.tokens), 6))
        for k, r in enumerate(tiny.read_many(TEXTS))
    ]
    assert anisotropy(readings).tolist() == [0.0] * 4  # alike in a sentence, at right angles between two


def test_anisotropy_is_the_mean_over_all_pairs_of_different_sentences(tiny):
    readings = tiny.read_many(TEXTS)
    total, count = torch.zeros(4), 0
    for one, two in itertools.permutations(readings, 2):
        for i, j in itertools.product(range(1, len(one.tokens) - 1), range(1, len(two.tokens) - 1)):
            total += torch.cosine_similarity(one.hidden_states[:, i], two.hidden_states[:, j], dim=-1)
            count += 1
    found = anisotropy(readings, pairs=20_000)
    torch.testing.assert_close(found, total / count, atol=0.02, rtol=0)
    assert torch.equal(found, anisotropy(readings, pairs=20_000))
    assert not torch.equal(found, anisotropy(readings, pairs=20_000, seed=1))
    with pytest.raises(ValueError, match="at least two"):
        anisotropy(readings[:1])


def test_nearest_neighbours():
    near = torch.zeros(2, 4, 4)
    near[0, 0, 1] = near[0, 1, 0] = near[0, 2, 3] = near[0, 3, 2] = 1  # every sense finds itself
    near[1, 0, 1] = near[1, 1, 2] = near[1, 2, 1] = near[1, 3, 0] = 1  # only the first does
    near += 5 * torch.eye(4)  # itself does not count
    assert neighbour_accuracy(near, ["a", "a", "b", "b"]).tolist() == [1.0, 0.25]
    assert neighbour_accuracy(torch.ones(4, 4), ["a", "a", "b", "b"]).item() == pytest.approx(
        1 / 3
    )  # all alike: chance


@pytest.mark.parametrize(
    ("senses", "line"),
    [(["a"] * 6, "two senses"), (["a"] * 5 + ["b"], "two sentences of each"), (["a", "b"], "2 senses for 6 sentences")],
)
def test_senses_that_cannot_be_compared(tiny, senses, line):
    with pytest.raises(ValueError, match=line):
        layer_curves(tiny, TEXTS, senses, "果")
