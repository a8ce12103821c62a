"""The questions point at their answers, share words with their contexts, and tell one story in three languages."""

import re

import pytest

from hw9.language.questions import LANGUAGES, QUESTIONS, Question, questions


def words(text: str) -> list[str]:
    """Words in lower case; Han characters one by one; no punctuation."""
    return re.findall(r"[a-z0-9]+|[\u4e00-\u9fff]", text.lower())


def repeated(text: str) -> set[str]:
    return {word for word in words(text) if words(text).count(word) > 1}


@pytest.mark.parametrize("item", QUESTIONS, ids=lambda q: f"{q.name}-{q.language}")
def test_an_item_is_fit_for_the_figures(item):
    assert item.context[item.start : item.end] == item.answer
    assert (80 <= len(item.context) <= 160) if item.language != "en" else (50 <= len(words(item.context)) <= 110)
    assert len(set(words(item.question)) & set(words(item.context))) >= 4, (
        "too little for question and context to match"
    )
    assert len(repeated(item.context) - set(words(item.answer))) >= 4, "too few repeated words beside the answer"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_tells_the_three_stories_in_the_same_order(language):
    assert [item.name for item in questions(language)] == ["soup", "battery", "pianist"]


def test_traditional_and_simplified_are_the_same_text_character_by_character():
    for traditional, simplified in zip(questions("zh-Hant"), questions("zh-Hans"), strict=True):
        assert traditional.start == simplified.start
        assert len(traditional.context) == len(simplified.context)
        assert len(traditional.question) == len(simplified.question)
        differ = sum(a != b for a, b in zip(traditional.context, simplified.context, strict=True))
        assert 10 <= differ <= 50, "the scripts differ in some characters and share the others"


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_answer_occurs_twice_and_the_first_occurrence_is_gold(language):
    item = questions(language)[2]
    assert item.context.count(item.answer) == 2
    assert item.context.find(item.answer) == item.start


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": 3}, r"one: context\[3:5\] is 'de', not 'ab'"),
        ({"start": -6}, "give an answer and where it starts"),
        ({"answer": ""}, "give an answer and where it starts"),
        ({"language": "zh"}, "the language must be one of zh-Hant, zh-Hans, en, not 'zh'"),
    ],
)
def test_a_wrong_item_is_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message):
        Question(
            **{"name": "one", "language": "en", "question": "?", "context": "abcdef", "answer": "ab", "start": 0}
            | change
        )


def test_an_unknown_language_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="there are questions in zh-Hant, zh-Hans, en, not in 'fr'"):
        questions("fr")
