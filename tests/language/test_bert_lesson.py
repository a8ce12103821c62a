"""What a person brings: sentences that cannot be read, senses that are missing; each is named, none stops the rest."""

import pytest

from hw9.language.lesson import each, own


def test_one_that_cannot_be_done_is_left_out_and_named(tiny, capsys):
    texts = ["the cat", "", 3, "蘋果" * 200, "the dog"]
    assert [text for text, _ in each(tiny.read, texts)] == ["the cat", "the dog"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line.startswith("left out: ") for line in lines)
    assert "the text is empty" in lines[0] and "must be a str, not int" in lines[1] and "402 tokens" in lines[2]
    with pytest.raises(RuntimeError):  # only what cannot be read is left out, not what is broken
        each(lambda _: (_ for _ in ()).throw(RuntimeError), ["x"])


@pytest.mark.parametrize(
    ("senses", "kept", "line"),
    [
        (["fruit", "company", "fruit"], ["company", "fruit", "fruit"], ""),
        (
            ["fruit", "company"],
            ["company", "fruit", "?"],
            "3 sentences and 2 senses: those without a sense are marked ?",
        ),
        ([], ["?", "?", "?"], "3 sentences and 0 senses"),
        (["fruit"] * 4, ["fruit"] * 3, "3 sentences and 4 senses: the last senses are not used"),
        ([1, 2, 1], ["1", "1", "2"], ""),
    ],
)
def test_every_sentence_is_compared_whatever_senses_there_are(tiny, capsys, senses, kept, line):
    texts = ["我吃蘋果", "蘋果公司", "紅蘋果"]
    found = own(tiny, "蘋果", texts, senses)
    said = capsys.readouterr().out
    assert sorted(found.texts) == sorted(texts) and list(found.senses) == kept
    assert said.startswith(line) and bool(said) == bool(line)


def test_sentences_without_the_word_are_named(tiny, capsys):
    found = own(tiny, "蘋果", "\n我吃蘋果\n我吃水果\n  \n紅蘋果\n", "a b c")  # as between three quotation marks
    assert found.texts == ("我吃蘋果", "紅蘋果") and found.senses == ("a", "c")
    assert capsys.readouterr().out.startswith("left out: 我吃水果 ('蘋果' is not in")
    assert own(tiny, "龘", ["我吃龘", "龘好"], ["a", "b"]).texts == ()
    said = capsys.readouterr().out
    assert said.count("does not know '龘'") == 2 and "give at least two sentences with '龘'" in said
