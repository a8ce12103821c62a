"""The student's own distance: right ones pass, whatever they are written in; wrong ones are told what is wrong."""

import math
import re

import numpy as np
import pytest
import scipy.spatial.distance
import torch

from hw9.language import similarity
from hw9.language.exercise import SLIPS, check_distance, judged, pairwise


def by_hand(a, b):
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += (float(x) - float(y)) ** 2
    return math.sqrt(total)


def with_options(a, b, squared=False):
    return np.sum((a - b) ** 2) ** (1 if squared else 0.5)


RIGHT = {
    "euclidean": [
        similarity.euclidean,
        scipy.spatial.distance.euclidean,
        lambda a, b: np.sqrt(np.sum((a - b) ** 2)),
        lambda a, b: np.linalg.norm(a - b),
        lambda a, b: torch.dist(a, b),
        lambda a, b: ((a - b) ** 2).sum(0, keepdim=True).sqrt(),
        lambda vectors: torch.cdist(vectors, vectors),
        lambda vectors: scipy.spatial.distance.cdist(vectors, vectors),
        by_hand,
        with_options,
    ],
    "cosine": [
        similarity.cosine,
        lambda a, b: 1 - scipy.spatial.distance.cosine(a, b),
        lambda a, b: np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b),
        lambda a, b: torch.nn.functional.cosine_similarity(a, b, dim=0),
        lambda v: (v @ v.T) / (np.linalg.norm(v, axis=1)[:, None] * np.linalg.norm(v, axis=1)),
    ],
}


@pytest.mark.parametrize(("name", "number"), [(n, k) for n, functions in RIGHT.items() for k in range(len(functions))])
def test_right_ones_pass(name, number):
    line = check_distance(RIGHT[name][number], name)
    assert line.startswith("Right")
    other = {"euclidean": "cosine", "cosine": "euclidean"}[name]
    assert check_distance(RIGHT[name][number], other).startswith("Not yet: this is the")


@pytest.mark.parametrize(("name", "slip"), [(name, slip) for name, slips in SLIPS.items() for slip in slips])
def test_every_known_slip_is_named(name, slip):
    wrong = SLIPS[name][slip]
    assert check_distance(wrong, name) == f"Not yet: {slip}."
    matrix = lambda vectors: torch.stack([torch.stack([wrong(a, b) for b in vectors]) for a in vectors])  # noqa: E731
    assert check_distance(matrix, name) == f"Not yet: {slip}."


def changes_its_input(a, b):
    a -= b
    return (a**2).sum() ** 0.5


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (lambda a, b: a - b, r"array of shape \(7,\), and one number is wanted"),
        (None, "there is no function my_euclidean: keep this name"),
        (lambda a, b: ..., r"returns the three dots it came with: write your code in their place\.$"),
        (lambda a, b: None, r"returns nothing \(is there a return\?\), and a number"),
        (lambda a, b: "far", "returns a str, and a number"),
        (lambda vectors: None, "returns nothing .* a matrix"),
        (lambda vectors: vectors, r"of 9 vectors with 7 numbers it makes \(9, 7\), and \(9, 9\) is wanted"),
        (lambda vectors: torch.cdist(vectors.T, vectors.T), r"makes \(7, 7\)"),
        (lambda a, b: a.nonsense, "raises AttributeError"),
        (lambda a, b, c: 0, "raises TypeError"),
        (3, "raises TypeError"),
        (changes_its_input, "changes the vectors that it is given"),
        (
            lambda a, b: 2 * torch.dist(a, b),
            r"for these two vectors, \[3.0, 4.0\] and \[0.0, 1.0\], it gives 8.485, and",
        ),
        (lambda a, b: torch.dist(a, b) + 1e-2, "it gives .* is right"),
        (lambda a, b: torch.dist(a, b) / torch.dist(a, b) * torch.dist(a, b), "it gives nan, and 0 is right"),
        (lambda a, b: torch.dist(a[:7], b[:7]), "for long vectors it gives"),
        (lambda a, b: torch.dist(a, b).round() if len(a) == 1 else abs(a[0] - b[0]), "it gives"),
    ],
)
def test_wrong_ones_are_told(function, line):
    answer = check_distance(function)
    assert answer.startswith("Not yet: ")
    assert "\n" not in answer
    assert re.search(line, answer), answer


def test_the_name_must_be_one_of_two():
    with pytest.raises(ValueError, match="'euclidean' or 'cosine', not 'manhattan'"):
        check_distance(by_hand, "manhattan")


@pytest.mark.parametrize("function", RIGHT["euclidean"])
def test_a_students_function_makes_the_matrix(function):
    vectors = torch.randn(5, 9, generator=torch.Generator().manual_seed(2))
    found = pairwise(function, vectors)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, similarity.euclidean(vectors), rtol=1e-4, atol=1e-4)


def mistyped(a, b):
    return torch.norn(a - b)


@pytest.mark.parametrize("name", ["euclidean", "cosine"])
@pytest.mark.parametrize("slip", [None, mistyped, lambda a, b: ..., lambda a, b: None, "its sign is wrong", "it takes"])
def test_until_a_function_is_right_the_lessons_own_is_used(name, slip):
    function = (
        next(f for clause, f in SLIPS[name].items() if clause.startswith(slip)) if isinstance(slip, str) else slip
    )
    vectors = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    line, distance = judged(function, name)
    assert torch.equal(distance(vectors), getattr(similarity, name)(vectors))
    assert line.startswith("Not yet: ") and line.endswith("Until then the lesson's own is used.")


def test_a_right_function_is_used_in_silence_and_dropped_where_it_fails_after_all(capsys):
    def nine_at_most(vectors):
        print("here I am")
        assert len(vectors) < 10
        return torch.cdist(vectors, vectors) + 0.0

    line, distance = judged(nine_at_most, "euclidean")
    assert line.startswith("Right")
    vectors = torch.randn(12, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(distance(vectors[:9]), similarity.euclidean(vectors[:9]), atol=1e-4, rtol=1e-4)
    assert capsys.readouterr().out == ""
    assert torch.equal(distance(vectors), similarity.euclidean(vectors))
    assert "my_euclidean: " in (said := capsys.readouterr().out) and "own is used" in said


def test_a_function_without_a_matrix_is_refused():
    with pytest.raises(ValueError, match="cannot be used: it returns nothing"):
        pairwise(lambda a, b: None, torch.eye(3))
