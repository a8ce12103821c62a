"""Planted clusters give the numbers that they were planted for, and shared directions and sizes change nothing."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from hw9.language.embeddings import roles
from hw9.language.phases import NEAR, answer_apart, phases, question_match, same_phrase, same_word, tops

QUESTION, CONTEXT = "where is the dog?", "the cat is big. the dog is in paris, the capital of france. john is old."
ANSWER = (CONTEXT.find("paris"), CONTEXT.find("paris") + 5)
WIDTH = 64


@pytest.fixture(scope="module")
def reading(tiny):
    return tiny.read(QUESTION, CONTEXT)


@pytest.fixture(scope="module")
def parts(reading):
    return roles(reading, ANSWER)


def noise(reading, size=1.0, seed=0):
    return size * torch.randn(1, len(reading.tokens), WIDTH, generator=torch.Generator().manual_seed(seed))


def direction(seed):
    return F.normalize(torch.randn(WIDTH, generator=torch.Generator().manual_seed(1000 + seed)), dim=0)


def planted(reading, states):
    return replace(reading, hidden_states=states)


def by_word(reading):
    return torch.stack([direction(int(token)) for token in reading.ids])[None]


def test_equal_words_that_lie_together_give_one_and_scattered_ones_about_nothing(reading, parts):
    assert same_word(planted(reading, by_word(reading) + noise(reading, 0.01)), parts).item() == 1
    scattered = [same_word(planted(reading, noise(reading, seed=k)), parts).item() for k in range(20)]
    assert sum(scattered) / 20 < 0.15


def test_every_repeated_word_counts_once_however_often_it_occurs(reading, parts):
    states = noise(reading)
    of_dog = [k for k, token in enumerate(reading.tokens) if token == "dog"]
    states[0, of_dog] = direction(1) * 8
    repeated = {t for k, t in enumerate(reading.tokens) if reading.tokens.count(t) > 1 and not reading.special[k]}
    assert {"the", "is", "dog", "."} <= repeated
    got = same_word(planted(reading, states), parts).item()
    states[0, of_dog] = noise(reading)[0, of_dog]
    assert got - same_word(planted(reading, states), parts).item() == pytest.approx(1 / len(repeated), abs=1e-6)


def test_unknown_words_are_not_equal(tiny):
    reading = tiny.read("where is 😀?", "龘 lives in paris.")
    assert reading.tokens.count("[UNK]") == 2
    with pytest.raises(ValueError, match="no word occurs twice"):
        same_word(reading, roles(reading, (11, 16)))


def test_neighbours_in_the_text_that_lie_together_give_one_even_if_copies_lie_nearer(reading, parts):
    place = torch.arange(len(reading.tokens))[:, None] - torch.arange(WIDTH)
    path = noise(reading, 0.02)[0] + torch.exp(-(place**2) / 8.0)  # a smooth curve along the text
    path[torch.tensor(reading.segments) == 1] += 3 * direction(2)
    assert same_phrase(planted(reading, path[None]), parts).item() > 0.95
    copies = 20 * F.one_hot(reading.ids)[:, reading.ids.unique()]  # at right angles, so only the path ranks other words
    states = torch.cat([path, copies], 1)[None]
    assert same_word(planted(reading, states), parts).item() == 1
    assert same_phrase(planted(reading, states), parts).item() > 0.8
    scattered = [same_phrase(planted(reading, noise(reading, seed=k)), parts).item() for k in range(20)]
    assert sum(scattered) / 20 < 2 * 2 * NEAR / int((~parts.special).sum())


def test_the_end_of_the_question_and_the_start_of_the_context_are_no_phrase(reading, parts):
    last, first = int(parts.question.nonzero()[-1]), int(parts.context.nonzero()[0])
    states = noise(reading)
    states[0, [last, first]] = 8 * direction(5)  # each other's nearest
    as_one = torch.arange(len(reading.tokens)) == last
    joined = replace(parts, question=parts.question & ~as_one, context=parts.context | as_one)
    gained = same_phrase(planted(reading, states), joined) - same_phrase(planted(reading, states), parts)
    assert gained.item() > 1.99 / int((~parts.special).sum()), "both count once they are of one text"


def test_a_question_beside_the_sentence_of_the_answer_gives_one_and_beside_another_nothing(reading, parts):
    sentence = torch.tensor([k == 1 and CONTEXT.find("the dog") <= a < CONTEXT.find(" john")
                             for k, (a, _) in zip(reading.segments, reading.offsets, strict=True)])  # fmt: skip
    for beside, expected in ((sentence & parts.context, 1.0), (~sentence & parts.context, 0.0)):
        states = noise(reading, 0.01)
        states[0, parts.question | beside] += direction(3)
        assert question_match(planted(reading, states), parts).item() == pytest.approx(expected, abs=0.02)
    scattered = [question_match(planted(reading, noise(reading, seed=k)), parts).item() for k in range(20)]
    assert sum(scattered) / 20 == pytest.approx(0.5, abs=0.05)


def test_question_match_is_the_share_of_triples_counted_one_by_one(reading, parts):
    words = [k for k, special in enumerate(reading.special) if not special]
    sentence = range(CONTEXT.find("the dog"), CONTEXT.find(" john"))
    states = reading.hidden_states.double()
    centred = states - states[:, words].mean(1, keepdim=True)
    for layer, got in zip(centred, question_match(reading, parts), strict=True):
        shares = []
        for q in (k for k in words if parts.question[k]):
            others = [k for k in words if parts.context[k] and reading.tokens[k] != reading.tokens[q]]
            cosine = {k: F.cosine_similarity(layer[q], layer[k], dim=0).item() for k in others}
            there = [cosine[k] for k in others if reading.offsets[k][0] in sentence]
            elsewhere = [cosine[k] for k in others if reading.offsets[k][0] not in sentence]
            shares.append(sum(a > b for a in there for b in elsewhere) / (len(there) * len(elsewhere)))
        assert got.item() == pytest.approx(sum(shares) / len(shares), abs=1e-6)


def test_a_question_without_a_word_is_one_line(tiny):
    read = tiny.read("[SEP]", CONTEXT)
    with pytest.raises(ValueError, match="the question has no word"):
        question_match(read, roles(read, ANSWER))


def test_an_answer_moved_away_stands_apart_and_others_do_not(reading, parts):
    scattered = [answer_apart(planted(reading, noise(reading, seed=k)), parts).item() for k in range(20)]
    assert sum(scattered) / 20 == pytest.approx(1, abs=0.1)
    states = noise(reading, 0.1)
    before = answer_apart(planted(reading, states), parts).item()
    states[0, parts.answer] += 10 * direction(4)
    assert answer_apart(planted(reading, states), parts).item() > 10 * before


def test_the_distance_of_an_answer_of_two_words_is_the_one_computed_by_hand(reading):
    start = CONTEXT.find("in paris")
    parts = roles(reading, (start, start + 8))
    words, answer = reading.hidden_states[:, ~parts.special], parts.answer[~parts.special]
    first = int(answer.nonzero()[0])

    def by_hand(start):
        inside = torch.zeros_like(answer)
        inside[start : start + 2] = True
        rest = words[:, ~inside]
        spread = rest.var(1, unbiased=False).sum(-1).sqrt()
        return (words[:, inside].mean(1) - rest.mean(1)).norm(dim=-1) / spread

    context = parts.context[~parts.special].nonzero()[:, 0].tolist()
    others = [by_hand(k) for k in context[:-1] if abs(k - first) > 1]
    expected = by_hand(first) / torch.stack(others).mean(0)
    torch.testing.assert_close(answer_apart(reading, parts), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("measure", [same_word, same_phrase, question_match, answer_apart])
def test_a_direction_that_all_share_and_the_size_of_the_vectors_change_nothing(reading, parts, measure):
    shared = planted(reading, 7 * (reading.hidden_states + 50 * torch.ones(32)))
    torch.testing.assert_close(measure(shared, parts), measure(reading, parts), rtol=0, atol=2e-3)


def test_specials_take_no_part(reading, parts):
    moved = reading.hidden_states.clone()
    moved[:, parts.special] = 1000.0
    for measure in (same_word, same_phrase, question_match, answer_apart):
        assert torch.equal(measure(planted(reading, moved), parts), measure(reading, parts))


def test_phases_are_four_in_their_order_a_row_per_question(tiny, reading, parts):
    other = tiny.read("who is old?", "the cat is red. mary is old and john is a doctor. the dog is big.")
    start = other.pair.find("mary")
    numbers = phases([reading, other], [parts, roles(other, (start, start + 4))])
    assert list(numbers) == ["same word", "same phrase", "question match", "answer apart"]
    assert all(rows.shape == (2, 4) for rows in numbers.values())
    torch.testing.assert_close(numbers["answer apart"][0], answer_apart(reading, parts))


def test_a_question_without_what_a_number_needs_is_left_out_of_that_number(tiny, reading, parts):
    single = tiny.read("who is it?", "john bought the big dog")
    with pytest.warns(RuntimeWarning) as said:
        numbers = phases([reading, single], [parts, roles(single, (0, 4))])
    assert [str(one.message) for one in said] == [
        "same word leaves out 'who is it?' (no word occurs twice in this text: choose a longer one)",
        "question match leaves out 'who is it?' (the context is a single sentence: give one with sentences beside the "
        "answer's)",
    ]
    assert [int(rows.isnan().any(1).sum()) for rows in numbers.values()] == [1, 0, 1, 0]
    torch.testing.assert_close(numbers["same word"][0], same_word(reading, parts))


def test_what_cannot_be_measured_is_said_in_one_line(tiny, reading):
    with pytest.raises(ValueError, match="no question to measure"):
        phases([], [])
    for measure in (question_match, answer_apart):
        with pytest.raises(ValueError, match="these roles have no answer"):
            measure(reading, roles(reading))
    single = tiny.read("who is it?", "john bought the big dog")
    with pytest.raises(ValueError, match="the context is a single sentence"):
        question_match(single, roles(single, (0, 4)))
    with pytest.raises(ValueError, match="no word occurs twice"):
        same_word(single, roles(single, (0, 4)))
    short = tiny.read("who?", "john. mary")
    with pytest.raises(ValueError, match="too short to compare its answer"):
        answer_apart(short, roles(short, (0, 10)))


def test_tops_are_the_highest_layers_to_two_decimals_above_chance():
    numbers = {
        "same word": torch.tensor([[0.9, 1.0, 0.2], [1.0, 0.902, 0.2]]),  # means 0.95, 0.951
        "same phrase": torch.tensor([[0.1, 0.3, 0.2]]),
        "question match": torch.tensor([[0.5, 0.49, 0.502]]),
        "answer apart": torch.tensor([[1.0, 1.1, 2.0], [1.0, 1.1, 1.0]]),
    }
    assert tops(numbers) == {"same word": [0, 1], "same phrase": [1], "question match": [], "answer apart": [2]}
