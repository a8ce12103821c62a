from dataclasses import replace

import pytest

from hw9.language.attention import masked_probability
from hw9.language.explorer import explorer
from hw9.language.explorer.page import FOLDER
from hw9.language.explorer.tour import tour
from hw9.language.explorer.view import View

TEXT = "the dog ate the sweet red apple."


def by_name(bert, reading, **view) -> dict[str, dict]:
    return {card["name"]: card for card in tour(bert, reading, View(**view))}


def test_the_cards_name_the_heads_that_do_what_they_say(tiny):
    reading = tiny.read(TEXT)
    planted = reading.attentions.clone()
    planted[1, 2] = 0
    planted[1, 2, range(1, 10), range(9)] = 1  # layer 2, head 3 looks at the token before
    planted[2, :, :] = 0
    planted[2, :, :, 9] = 1  # layer 3 looks at [SEP]
    cards = by_name(tiny, replace(reading, attentions=planted))
    assert cards["neighbour"]["view"] == {"layer": 2, "heads": [3]}
    assert cards["special"]["view"] == {"layer": 3}
    assert cards["layers"]["values"] == {"head": 4}


def test_the_last_card_opens_the_head_that_looks_across_at_another_word(tiny):
    reading = tiny.read("who ate the apple?", "the dog ate.")
    planted = reading.attentions.clone() * 0.1
    planted[0, 1, 1, 8] = 0.9  # who -> dog
    planted[1, 1, 2, 9] = planted[1, 2, 1, 3] = planted[1, 3, 8, 1] = 1  # ate -> ate; within one text; from the second
    assert [reading.tokens[k] for k in (1, 8, 2, 9)] == ["who", "dog", "ate", "ate"]
    card = by_name(tiny, replace(reading, attentions=planted))["pair"]
    assert card["view"] == {"layer": 1, "heads": [2], "query": "a", "key": "b"}


def test_the_word_to_mask_is_the_one_guessed_best_and_the_other_costs_it_most(tiny):
    reading = tiny.read(TEXT)
    chances = {k: masked_probability(tiny, TEXT, k, reading.tokens[k]) for k in range(1, 8)}  # 8 is the full stop
    word = max(chances, key=chances.get)
    left = {k: masked_probability(tiny, TEXT, word, reading.tokens[word], [k]) for k in range(1, 8) if k != word}
    cards = by_name(tiny, reading)
    assert cards["mask"]["view"]["masked"] == [word]
    assert cards["masks"]["view"]["masked"] == sorted([word, min(left, key=left.get)])
    assert by_name(tiny, reading, pin=2)["mask"]["view"] == {"layer": 3, "masked": [2], "pin": 2, "side": "left"}


@pytest.mark.parametrize(
    ("text", "pair", "bare", "lacking"),
    [
        (TEXT, None, False, {"pair"}),
        (TEXT, "it was new.", False, set()),
        (TEXT, None, True, {"pair", "mask", "masks"}),
        ("apple", None, False, {"pair", "masks"}),
        (".", None, False, {"pair", "masks"}),
    ],
)
def test_cards_stand_only_where_the_reading_can_answer_them(tiny, text, pair, bare, lacking):
    bert = replace(tiny, mask_head=None) if bare else tiny
    names = ["columns", "neighbour", "layers", "special", "hidden", "mask", "masks", "grid", "corpus", "pair"]
    cards = tour(bert, bert.read(text, pair), View())
    assert [card["name"] for card in cards] == [name for name in names if name not in lacking]
    strings = (FOLDER / "strings.js").read_text(encoding="utf-8")
    assert all(strings.count(f"    {kind}_{name}: ") == 2 for name in names for kind in ("tour", "ask"))


def test_a_page_has_the_card_about_the_corpus_and_the_masks_only_where_it_carries_them(tiny, corpus):
    shown = explorer(tiny, TEXT)
    for page, there in ((shown, False), (explorer(tiny, TEXT, corpus=corpus), True)):
        meta = page.payload(singles=False).meta
        assert ("corpus" in [card["name"] for card in meta["tour"]]) == there
        carried = [variant["masked"] for variant in meta["variants"]]
        assert all(card["view"].get("masked", []) in carried for card in meta["tour"])


def test_a_token_that_the_model_does_not_know_can_be_pinned_and_masked(tiny):
    for text, view in (("the dog 😀 ate the apple", {"pin": 3}), ("the dog 😀 ate", {"masked": [3]}), ("😀 😀", {})):
        reading = tiny.read(text)
        assert any(reading.unknown)
        cards = tour(tiny, reading, View(**view))
        assert {"mask", "masks"} <= {card["name"] for card in cards}
        assert explorer(tiny, text, **view).html
