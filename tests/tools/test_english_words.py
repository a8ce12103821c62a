"""A renewed vocabulary: whole words for pieces, everything else at its place, vectors from the old spelling."""

import collections

import pytest
import torch
from english_words import choose, count_words, means, move, renew, spell

OLD = ["[PAD]", "[UNK]", "蘋", "果", "a", "##a", "p", "##p", "##l", "##e", "##s", "pp", "##eau", "ap", "##zz", "的"]


def test_words_are_chosen_by_frequency_after_those_that_must_be_there():
    counts = count_words(["Apples and apples, and PEARS; a peeled pear 蘋果 iphone's", "and apples"])
    assert counts == {"apples": 3, "and": 3, "pears": 1, "peeled": 1, "pear": 1, "iphone": 1}
    chosen = choose(counts, ["peeled"], 6, ends=3)
    assert chosen[:3] == ["peeled", "and", "apples"]
    # What stays outside: iphone, pear, pears; the longest end that many share counts most.
    assert set(chosen[3:]) <= {"##" + w[1:k] for w in ("iphone", "pears") for k in range(3, 8)}
    with pytest.raises(ValueError, match="give more English"):
        choose(counts, [], 100, ends=50)


def test_an_end_is_what_follows_the_longest_word_that_is_listed():
    counts = collections.Counter({"paint": 9, "pain": 8, "painter": 3})
    assert choose(counts, [], 3, ends=1) == ["paint", "pain", "##er"]


def test_only_latin_pieces_leave_and_the_others_keep_their_numbers():
    old = {token: i for i, token in enumerate(OLD)}
    new = renew(old, ["apples", "ap", "##ple", "peas"])
    assert sorted(new.values()) == list(range(len(OLD)))
    assert {token for token in old if token not in new} == {"pp", "##eau", "##zz"}
    assert all(new[token] == old[token] for token in old if token in new)
    assert {new[token] for token in ("apples", "##ple", "peas")} == {old[t] for t in ("pp", "##eau", "##zz")}


def test_a_new_token_starts_as_the_mean_of_its_old_spelling():
    old = {token: i for i, token in enumerate(OLD)}
    assert [OLD[i] for i in spell("apples", old)] == ["ap", "##p", "##l", "##e", "##s"]
    assert [OLD[i] for i in spell("##ple", old)] == ["##p", "##l", "##e"]
    new, table = renew(old, ["apples", "ap", "##ple", "peas"]), torch.randn(len(OLD), 3)
    rows = means(table, old, new)
    torch.testing.assert_close(rows[new["apples"]], table[spell("apples", old)].mean(0))
    torch.testing.assert_close(rows[new["##ple"]], table[[7, 8, 9]].mean(0))
    kept = [i for token, i in new.items() if token in old]
    assert torch.equal(rows[kept], table[kept])
    assert means(table[:, 0], old, new).shape == (len(OLD),)  # the bias of the mask head


def test_rare_words_move_towards_the_teachers_vector_of_the_same_word():
    new, table = {"apple": 0, "the": 1, "##pple": 2, "pear": 3}, torch.randn(4, 3)
    pieces, vectors = ["▁apple", "apple", "▁Apple", "▁the", "▁pple"], torch.randn(5, 3)
    rows = move(table, new, {"apple", "pear", "pple"}, pieces, vectors, 0.25)
    torch.testing.assert_close(rows[0], 0.75 * table[0] + 0.25 * (vectors[0] + vectors[2]) / 2)
    assert torch.equal(rows[1:], table[1:])  # common, an end of a word, unknown to the teacher
