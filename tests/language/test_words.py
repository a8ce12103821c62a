"""Where a word is found, and that it is that word."""

from dataclasses import replace

import numpy as np
import pytest

from hw9.language.words import most_alike, positions, snippet, spans, spelled, units


@pytest.mark.parametrize(
    ("text", "word", "wanted"),
    [
        ("我買了蘋果", "蘋果", [(3, 5)]),
        ("水果，蘋果", "果", [(1, 2), (4, 5)]),
        ("An apple, apples, pineapple. Apple!", "apple", [(3, 8), (29, 34)]),
        ("買apple吃", "apple", [(1, 6)]),
        ("apple", "蘋果", []),
        ("it sat, it ate", "it", [(0, 2), (8, 10)]),
        ("iPhone15", "iphone", []),
        ("C++ (c++)", "c++", [(0, 3), (5, 8)]),
        ("김치를 먹었다", "김", [(0, 1)]),  # scripts that put no space between words, or particles to them
        ("りんごが好き", "りんご", [(0, 3)]),
        ("𠮷野家", "𠮷", [(0, 1)]),
        ("기 김", "기", [(0, 1)]),  # its jamo begin 김 as well
        ("a café, cafe\u0301", "café", [(2, 6), (8, 13)]),  # one character or two, for what is written the same
        ("a café", "cafe", []),
    ],
)
def test_spans(text, word, wanted):
    assert spans(text, word) == wanted


@pytest.mark.parametrize("word", ["", "  ", None, 3])
def test_no_word_to_look_for(word):
    with pytest.raises(ValueError, match="must be a character or a word"):
        spans("我買蘋果", word)


@pytest.mark.parametrize(
    ("text", "word", "occurrence", "tokens"),
    [
        ("我買了蘋果。", "蘋果", 0, ["蘋", "果"]),
        ("果汁, 蘋果", "果", 1, ["果"]),
        ("The  APPLES are sweet", "apples", 0, ["apples"]),
        ("the unknowned cat", "unknowned", 0, ["un", "##known", "##ed"]),
        ("the red apple pie", "red apple", 0, ["red", "apple"]),
        ("😀 apple", "apple", 0, ["apple"]),
        ("cafe\u0301 cat", "café", 0, ["c", "##a", "##f", "##e"]),
    ],
)
def test_the_tokens_are_those_of_the_word(tiny, text, word, occurrence, tokens):
    reading = tiny.read(text)
    assert [reading.tokens[k] for k in positions(reading, word, occurrence)] == tokens


def test_a_letter_that_is_read_in_pieces_is_found(folder_with):
    """An uncased tokenizer takes Hangul apart into jamo, each of which covers the whole syllable."""
    bert = folder_with("ᄀ", "##ᅵ", "##ᆷ", "##ᄎ", "##를")
    reading = bert.read("김을 the cat")
    assert reading.tokens[1] == "[UNK]"
    with pytest.raises(ValueError, match="does not know '김'"):
        positions(reading, "김")
    reading = bert.read("김 the cat")
    assert [reading.tokens[k] for k in positions(reading, "김")] == ["ᄀ", "##ᅵ", "##ᆷ"]
    assert units(reading) == [[0], [1, 2, 3], [4], [5], [6]]


def test_units_are_written_words(tiny):
    reading = tiny.read("unknowned 蘋果, iPhone15!", "the unknown cat")
    named = [[reading.tokens[k] for k in unit] for unit in units(reading)]
    pieces = [token for unit in named for token in unit]
    assert pieces == reading.tokens
    assert named[:5] == [["[CLS]"], ["un", "##known", "##ed"], ["蘋"], ["果"], [","]]
    assert spelled(named[5]) == "iphone15" and named[6:8] == [["!"], ["[SEP]"]]
    assert named[8:] == [["the"], ["un", "##known"], ["cat"], ["[SEP]"]]
    assert [4, 5] in units(reading, together=[4, 5]) and [4] not in units(reading, together=[4, 5])


def test_vowel_signs_and_accents_stored_apart_belong_to_their_word(tiny):
    text = "मुझे किताबें पसंद हैं"
    assert spans(text, "किताब") == [] and spans(text, "किताबें") == [(5, 12)]
    assert spans("une e\u0301te", "te") == spans("une \u00e9te", "te") == []
    reading = tiny.read("the cat sat on")
    offsets = [(0, 0), (0, 2), (2, 4), (4, 6), (7, 9), (0, 0)]
    assert units(replace(reading, text="हिन्दी है", offsets=offsets)) == [[0], [1, 2, 3], [4], [5]]


def test_tokens_are_spelled_as_words():
    for tokens, word in ((["天", "氣"], "天氣"), (["un", "##known"], "unknown"), (["new", "york"], "new york"),
                         (["c", "a", "t"], "cat"), (["don", "'", "t"], "don't"), (["##ing"], "##ing")):  # fmt: skip
        assert spelled(tokens) == word


def test_only_the_first_text_of_a_pair_counts(tiny):
    reading = tiny.read("the cat sat", "apple pie")
    with pytest.raises(ValueError, match="'apple' is not in 'the cat sat'"):
        positions(reading, "apple")
    assert positions(tiny.read("apple pie", "apple pie"), "apple") == [1]


def test_what_cannot_be_found_is_named(tiny):
    reading = tiny.read("水果和蘋果")
    with pytest.raises(ValueError, match=r"'苹果' is not in .* .traditional and simplified"):
        positions(reading, "苹果")
    with pytest.raises(ValueError, match=r"'果' is in .* 2 times: .* not 2"):
        positions(reading, "果", 2)
    with pytest.raises(ValueError, match=r"'蘋果' is in .* once: occurrence must be 0, .*not -1"):
        positions(reading, "蘋果", -1)


def test_an_unknown_token_is_refused(tiny):
    with pytest.raises(ValueError, match="does not know '龘'"):
        positions(tiny.read("我買龘"), "龘")


def test_the_space_before_a_word_may_belong_to_its_token(tiny):
    reading = tiny.read("the red dog")
    spaced = [(max(0, first - 1), last) if last else (0, 0) for first, last in reading.offsets]  # as in byte-level BPE
    assert positions(replace(reading, offsets=spaced), "dog") == [3]


def test_part_of_a_token_is_refused(tiny, monkeypatch):
    reading = tiny.read("the apples")
    monkeypatch.setattr("hw9.language.words.spans", lambda text, word: [(4, 9)])
    with pytest.raises(ValueError, match=r"\['apples'\] are not 'apple' and nothing else"):
        positions(reading, "apple")


@pytest.mark.parametrize(
    ("text", "word", "around", "wanted"),
    [
        ("蘋果富含維生素，飯後吃一顆。", "蘋果", 4, "【蘋果】富含維生…"),
        ("今天早上我買了蘋果。", "蘋果", 3, "…我買了【蘋果】"),
        ("秋天到了，蘋果，都紅了，好吃", "蘋果", 1, "…【蘋果】…"),
        ("He took a bite of the sweet red Apple and smiled.", "apple", 5, "…red 【Apple】 and…"),
        ("An apple a day", "apple", 20, "An 【apple】 a day"),
    ],
)
def test_snippets_mark_the_word_and_cut_no_words(text, word, around, wanted):
    assert snippet(text, word, around) == wanted


def test_rows_to_spare_are_like_no_token(folder_with):
    bert = folder_with("blue")
    table = bert.model.embeddings.word_embeddings.weight
    table[-1] = table[bert.tokenizer.convert_tokens_to_ids("dog")]
    assert None not in most_alike(bert, bert.read("dog"), 3)[1]


def test_the_tokens_most_alike_are_those_of_the_table_and_never_the_token_itself(tiny):
    reading = tiny.read("the dog 😀 ate")
    table = tiny.model.embeddings.word_embeddings.weight.detach().numpy()
    names = tiny.tokenizer.convert_ids_to_tokens(range(len(table)))
    found = dict(zip(reading.tokens, most_alike(tiny, reading, 3), strict=True))
    assert found["[CLS]"] == found["[SEP]"] == found["[UNK]"] == []
    for token in ("the", "dog", "ate"):
        own = table[names.index(token)]
        cosines = table @ own / np.linalg.norm(table, axis=1).clip(1e-9) / np.linalg.norm(own)
        assert found[token] == [names[k] for k in np.argsort(-cosines) if names[k] != token][:3]
