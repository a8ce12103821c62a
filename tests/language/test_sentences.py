"""The lesson's texts: what the figures and the probes take for granted about them."""

import itertools

import pytest

from hw9.language import sentences
from hw9.language.sentences import (
    APPLE_ENGLISH,
    APPLE_SIMPLIFIED,
    APPLE_TRADITIONAL,
    BANK_ENGLISH,
    GAPS_CHINESE,
    GAPS_ENGLISH,
    NEW_APPLE_SIMPLIFIED,
    NEW_APPLE_TRADITIONAL,
    PRONOUNS_CHINESE,
    PRONOUNS_ENGLISH,
    READ_CHINESE,
    READ_ENGLISH,
    SAME_POSITION,
    Senses,
)
from hw9.language.words import spans

SETS = {name: value for name, value in vars(sentences).items() if isinstance(value, Senses)}


@pytest.mark.parametrize("name", SETS)
def test_each_sentence_holds_the_word_once_and_each_sense_is_a_block(name):
    found = SETS[name]
    half = 10 if name.startswith("NEW") else 5
    assert [(sense, len(list(group))) for sense, group in itertools.groupby(found.senses)] == [
        (sense, half) for sense in dict.fromkeys(found.senses)
    ]
    assert len(set(found.texts)) == len(found.texts) == 2 * half
    assert all(len(spans(text, found.word)) == 1 for text in found.texts)
    if not found.word.isascii():  # each character of the word alone must be clear, too
        assert all(text.count(character) == 1 for text in found.texts for character in found.word)


@pytest.mark.parametrize(
    ("traditional", "simplified"),
    [(APPLE_TRADITIONAL, APPLE_SIMPLIFIED), (NEW_APPLE_TRADITIONAL, NEW_APPLE_SIMPLIFIED)],
)
def test_both_scripts_hold_the_same_sentences_character_for_character(traditional, simplified):
    assert simplified.senses == traditional.senses
    written = {}
    for one, two in zip(traditional.texts, simplified.texts, strict=True):
        for left, right in zip(one, two, strict=True):
            assert written.setdefault(left, right) == right  # one simplified form for each character
    assert written["蘋"] == "苹"
    assert not set(written.values()) & {left for left, right in written.items() if left != right}
    assert sum(left != right for left, right in written.items()) > 20


def test_two_of_the_ten_and_no_others_hold_the_word_at_one_position():
    for ten in (APPLE_TRADITIONAL, APPLE_SIMPLIFIED):
        places = [text.index(ten.word) for text in ten.texts]
        equal = [pair for pair in itertools.combinations(range(10), 2) if places[pair[0]] == places[pair[1]]]
        assert equal == [SAME_POSITION]
        assert ten.senses[SAME_POSITION[0]] != ten.senses[SAME_POSITION[1]]


def test_the_new_sentences_are_new():
    assert not set(APPLE_TRADITIONAL.texts) & set(NEW_APPLE_TRADITIONAL.texts)


def test_sets_of_one_word_add_up_sense_by_sense():
    thirty = APPLE_TRADITIONAL + NEW_APPLE_TRADITIONAL
    assert thirty.senses == ("fruit",) * 15 + ("company",) * 15
    assert thirty.texts[:5] == APPLE_TRADITIONAL.texts[:5]
    assert thirty.texts[15:20] == APPLE_TRADITIONAL.texts[5:]
    with pytest.raises(ValueError, match="apple and bank"):
        APPLE_ENGLISH + BANK_ENGLISH


@pytest.mark.parametrize("gap", GAPS_CHINESE + GAPS_ENGLISH, ids=lambda gap: gap.word)
def test_a_gap_is_one_word_and_its_help_another(gap):
    (word,), (help_,) = spans(gap.text, gap.word), spans(gap.text, gap.also)
    assert word[1] <= help_[0] or help_[1] <= word[0]


@pytest.mark.parametrize("items", [PRONOUNS_CHINESE, PRONOUNS_ENGLISH], ids=["Chinese", "English"])
def test_pronouns_come_in_pairs_that_differ_in_the_pronoun_alone(items):
    assert len(items) == 24
    for one, two in zip(items[::2], items[1::2], strict=True):
        assert one.candidates == two.candidates
        assert (one.answer, two.answer) == (0, 1)
        ((start, end),), ((start2, end2),) = spans(one.text, one.pronoun), spans(two.text, two.pronoun)
        assert one.text[:start] + one.text[end:] == two.text[:start2] + two.text[end2:]
        for item in (one, two):
            ends = [span for word in item.candidates for span in spans(item.text, word)]
            assert len(ends) == 2
            assert ends[0][1] <= ends[1][0] < ends[1][1] <= start  # in order, both before the pronoun
    assert sum(item.pronoun in ("她", "she") and item.answer == 0 for item in items) == 6  # as often first as second


@pytest.mark.parametrize("texts", [READ_CHINESE, READ_ENGLISH], ids=["Chinese", "English"])
def test_the_texts_for_head_patterns_repeat_words_and_hold_marks(texts):
    words = [text.lower().split() if text.isascii() else list(text.replace("，", "")) for text in texts]
    assert sum(len(set(line)) < len(line) for line in words) >= 6
    assert all(text.endswith((".", "。")) for text in texts)
