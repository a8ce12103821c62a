"""What stands between two neighbours on either side: Witten and Bell's estimate, counted again by hand."""

import collections

import pytest
import torch
from ngrams import SHARPNESS, Ngrams, count, rows
from transformers import BertTokenizerFast

SIZE = 7  # 0 is padding


@pytest.fixture(scope="module")
def tokens():
    return torch.randint(1, SIZE, (400,), generator=torch.Generator().manual_seed(0))


def estimate(tokens, around, back):
    """p(token | around), from all places but those at the edges that `around` (place: token) fits."""
    row = tokens.tolist()
    fits = [row[i] for i in range(2, len(row) - 2) if all(row[i + place] == t for place, t in around.items())]
    counts = collections.Counter(fits)
    if not fits:
        return back
    return torch.stack([(counts[t] + len(counts) * back[t]) / (len(fits) + len(counts)) for t in range(SIZE)])


def test_both_sides_and_the_token_alone_make_the_probability(tokens):
    one = torch.bincount(tokens, minlength=SIZE).double() + 0.5
    one /= one.sum()
    row = [1, 3, 5, 2, 6, 4, 1, 2]
    ids = torch.tensor([row, [*row[:5], 0, 0, 0]])  # the second ends after five tokens
    where = torch.zeros(ids.shape, dtype=torch.bool)
    where[0, :] = where[1, 4] = True
    found = Ngrams(count(tokens, SIZE)).cloze(ids, where, (1, 2), 0)
    assert found.shape == (9, SIZE)
    around = [[1, 1, *row, 2, 2]] * 8 + [[1, 1, *row[:5], 2, 2]]
    for likely, at, context in zip(found, [*range(8), 4], around, strict=True):
        l2, l1, _, r1, r2 = context[at : at + 5]
        left = estimate(tokens, {-1: l1, -2: l2}, estimate(tokens, {-1: l1}, one))
        right = estimate(tokens, {1: r1, 2: r2}, estimate(tokens, {1: r1}, one))
        wanted = (left * right / one) ** SHARPNESS
        torch.testing.assert_close(likely.double(), wanted / wanted.sum(), atol=1e-6, rtol=1e-5)


def test_neighbours_that_never_occurred_leave_the_token_alone(tokens):
    tables = count(torch.tensor([1, 1, 3, 4, 3, 4, 2, 2]), SIZE)
    likely = Ngrams(tables).cloze(torch.tensor([[5, 0, 6]]), torch.tensor([[False, True, False]]), (5, 6), 9)
    torch.testing.assert_close(likely[0], (tables["one"] * SHARPNESS).softmax(0))


def test_each_text_stands_between_two_edges_of_its_own():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    tokenizer = BertTokenizerFast(vocab={word: i for i, word in enumerate(words)})
    assert rows(["a a", "a"], tokenizer).tolist() == [2, 2, 5, 5, 3, 3, 2, 2, 5, 3, 3]
