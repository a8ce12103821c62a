"""Head patterns, rollout and masked predictions against hand-made attentions, transformers' own model and loops."""

import dataclasses

import numpy as np
import pytest
import torch
from transformers import BertForMaskedLM

from hw9.language.attention import (
    head_patterns,
    is_mark,
    masked_as_well,
    masked_probability,
    predict_masked,
    predict_word,
    rollout,
    token_ids,
    uniform_patterns,
)

TEXT = "The cat sat on the mat, and the dog ate."


@pytest.fixture(scope="module")
def filler(tiny_folder):
    """Probabilities (T, V) for a text with masks, by transformers' own class."""
    model = BertForMaskedLM.from_pretrained(tiny_folder, attn_implementation="eager").eval()

    def fill(tiny, text, positions, pair=None):
        batch = tiny.tokenizer(text, pair, return_tensors="pt", return_token_type_ids=True)
        batch["input_ids"][0, positions] = tiny.tokenizer.mask_token_id
        with torch.no_grad():
            return model(**batch).logits[0].softmax(-1)

    return fill


def with_attentions(reading, attentions):
    return dataclasses.replace(reading, attentions=attentions)


def looking_at(tiny, text, target):
    """A reading whose only head pays all attention of token i to token target(i)."""
    reading = tiny.read(text)
    count = len(reading.tokens)
    weights = torch.zeros(1, 1, count, count)
    for k in range(count):
        weights[0, 0, k, target(k, count)] = 1
    return with_attentions(reading, weights)


# ---- masked words


@pytest.mark.parametrize("pair", [None, "it was sweet"])
def test_predictions_are_transformers(tiny, filler, pair):
    found = predict_masked(tiny, TEXT, [2, 6], 4, pair=pair)
    wanted = filler(tiny, TEXT, [2, 6], pair)
    for place, row in zip([2, 6], found, strict=True):
        values, ids = wanted[place].topk(4)
        assert [token for token, _ in row] == tiny.tokenizer.convert_ids_to_tokens(ids.tolist())
        np.testing.assert_allclose([p for _, p in row], values, rtol=1e-4)


def test_positions_are_masked_together(tiny):
    alone = predict_masked(tiny, TEXT, 2)
    assert len(alone) == 1
    assert alone == predict_masked(tiny, TEXT, [2])
    assert alone[0] != predict_masked(tiny, TEXT, [2, 6])[0]


def test_probability_of_a_word_and_with_others_masked_as_well(tiny, filler):
    dog = tiny.tokenizer.convert_tokens_to_ids("dog")
    assert masked_probability(tiny, TEXT, 10, "dog") == pytest.approx(
        float(filler(tiny, TEXT, [10])[10, dog]), rel=1e-4
    )
    wanted = float(filler(tiny, TEXT, [10, 2, 6])[10, dog])
    assert masked_probability(tiny, TEXT, 10, "dog", also=[2, 6]) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("pair", [None, "it was sweet"])
def test_each_other_word_masked_in_its_turn(tiny, pair):
    found = masked_as_well(tiny, TEXT, 2, "cat", pair=pair)
    reading = tiny.read(TEXT, pair)
    for k, special in enumerate(reading.special):
        if special:
            assert found[k].isnan()
        else:
            wanted = masked_probability(tiny, TEXT, 2, "cat", also=[k], pair=pair)
            assert float(found[k]) == pytest.approx(wanted, rel=1e-4)


def test_a_word_is_named_by_what_the_vocabulary_holds(tiny):
    assert tiny.tokenizer.convert_ids_to_tokens(
        [k for t in ("Apple", "##ing", "蘋果") for k in token_ids(tiny, t)]
    ) == [
        "apple",
        "##ing",
        "蘋",
        "果",
    ]
    for unknown in ("龘", "", "龘果"):
        with pytest.raises(ValueError, match="does not know"):
            token_ids(tiny, unknown)


PHRASES = [("今天天氣很好", "天氣", [3, 4], ["天", "氣"]), ("the unknown cat", "unknown", [2, 3], ["un", "##known"])]


@pytest.mark.parametrize(("text", "word", "places", "tokens"), PHRASES)
def test_a_word_of_two_tokens_has_their_joint_probability(tiny, filler, text, word, places, tokens):
    """Both hidden, then the second with the first in place; the sum over all words of two tokens is 1."""
    first, second = tiny.tokenizer.convert_tokens_to_ids(tokens)
    batch = tiny.read(text, masked=places).ids[None].repeat(2, 1)
    batch[1, places[0]] = first
    chance = tiny.mask_scores(tiny.last_hidden(batch)).softmax(-1)
    torch.testing.assert_close(chance[0], filler(tiny, text, places), rtol=1e-4, atol=1e-7)
    wanted = float(chance[0, places[0], first] * chance[1, places[1], second])
    assert masked_probability(tiny, text, places, word) == pytest.approx(wanted, rel=1e-4)
    every = predict_word(tiny, text, places, top=3, word=word)
    assert every[-1] == (word, pytest.approx(wanted, rel=1e-4))
    assert wanted < every[2][1] <= every[1][1] <= every[0][1]


def test_the_likeliest_words_of_two_tokens_are_those_of_all_pairs(tiny, monkeypatch):
    """With a beam as wide as the vocabulary the search is complete, and all probabilities add up to 1."""
    monkeypatch.setattr("hw9.language.attention.BEAM", tiny.vocabulary**2)
    places = [3, 4]
    found = predict_word(tiny, "今天天氣很好", places, top=tiny.vocabulary)
    ids = tiny.read("今天天氣很好", masked=places).ids.repeat(tiny.vocabulary, 1)
    ids[:, 3] = torch.arange(tiny.vocabulary)
    first = predict_masked(tiny, "今天天氣很好", places, top=tiny.vocabulary)[0]
    first = torch.tensor([dict(first)[token] for token in tiny.tokenizer.convert_ids_to_tokens(range(tiny.vocabulary))])
    joint = first[:, None] * tiny.mask_scores(tiny.last_hidden(ids))[:, 4].softmax(-1)
    assert float(joint.sum()) == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose([p for _, p in found], joint.flatten().topk(tiny.vocabulary).values, rtol=1e-3)


def test_one_position_is_predict_masked(tiny):
    for also in ([], [6]):
        assert predict_word(tiny, TEXT, 2, 4, also=also) == [
            (token, pytest.approx(p, rel=1e-4)) for token, p in predict_masked(tiny, TEXT, [2, *also], 4)[0]
        ]


def test_other_words_are_hidden_with_all_their_tokens(tiny):
    text = "我 unknown 今天天氣很好"  # [CLS] 我 un ##known 今 天 天 氣 很 好 [SEP]
    found = masked_as_well(tiny, text, [6, 7], "天氣")
    assert found[2] == found[3] != found[4]
    assert float(found[2]) == pytest.approx(masked_probability(tiny, text, [6, 7], "天氣", also=[2, 3]), rel=1e-4)
    assert found[6] == found[7] == pytest.approx(masked_probability(tiny, text, [6, 7], "天氣"), rel=1e-4)
    assert found[[0, -1]].isnan().all()


def test_bad_masks_get_one_line(tiny):
    with pytest.raises(ValueError, match="at least one position"):
        predict_masked(tiny, TEXT, [])
    with pytest.raises(ValueError, match="top must be from 1 to"):
        predict_masked(tiny, TEXT, 2, 0)
    with pytest.raises(ValueError, match="name one token twice"):
        predict_word(tiny, TEXT, [2, 2])
    with pytest.raises(ValueError, match=r"reads '蘋果' as \['蘋', '果'\], for 1 position"):
        masked_probability(tiny, TEXT, 2, "蘋果")
    with pytest.raises(ValueError, match=r"\[CLS\]"):
        predict_masked(tiny, TEXT, 0)
    with pytest.raises(IndexError, match="no token 99"):
        predict_masked(tiny, TEXT, [2, 99])
    with pytest.raises(IndexError, match="no token 99"):
        masked_probability(tiny, TEXT, 2, "cat", also=[99])
    with pytest.raises(ValueError, match="no mask head"):
        predict_masked(dataclasses.replace(tiny, mask_head=None), TEXT, 2)


# ---- head patterns


def test_attention_rows_add_up_to_one(tiny):
    sums = tiny.read(TEXT).attentions.sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums))


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("next", lambda k, n: min(k + 1, n - 1)),
        ("previous", lambda k, n: max(k - 1, 0)),
        ("self", lambda k, n: k),
        ("start", lambda k, n: 0),
        ("separator", lambda k, n: n - 1),
        ("punctuation", lambda k, n: n - 2),
    ],
)
def test_a_head_that_does_one_thing(tiny, name, target):
    text = "the cat sat on a mat ."
    found = head_patterns(looking_at(tiny, text, target))
    assert found[name].tolist() == [[1.0]]
    assert found["entropy"].tolist() == [[0.0]]
    assert found["same"].isnan().all()  # no word is there twice
    assert head_patterns(tiny.read("😀 龘 cat"))["same"].isnan().all()  # these are two words, both unknown
    others = {"next", "previous", "self", "start", "separator"} - {name}
    if name != "punctuation":
        assert all(found[other].item() <= 1 / 7 + 1e-6 for other in others)  # at an end, by one word of seven


def test_the_same_word_elsewhere_is_a_mean_over_words_with_a_double(tiny):
    # [CLS] the cat the dog [SEP]: the first "the" looks at the second, all others at themselves
    found = head_patterns(looking_at(tiny, "the cat the dog", lambda k, n: 3 if k == 1 else k))
    assert found["same"].item() == 0.5
    assert found["self"].item() == 0.75


def test_uniform_attention(tiny):
    text = "the cat ate, the dog ate"
    reading = tiny.read(text)
    count = len(reading.tokens)  # [CLS] the cat ate , the dog ate [SEP]
    assert count == 9
    found = head_patterns(with_attentions(reading, torch.full((2, 3, count, count), 1 / count)))
    for name, share in uniform_patterns(reading).items():
        torch.testing.assert_close(found[name], torch.full((2, 3), share))
        wanted = np.log2(count) if name == "entropy" else 1 / count
        assert share == pytest.approx(wanted, rel=1e-5)


def test_patterns_of_several_readings_weigh_words(tiny):
    texts = ["the cat", "the dog sat on a mat.", "我買蘋果, 蘋果好吃"]
    readings = tiny.read_many(texts, attentions=True)
    words = torch.tensor([sum(not s for s in r.special) for r in readings])
    single = [head_patterns(r) for r in readings]
    together = head_patterns(readings)
    for name in ("next", "previous", "self", "start", "separator", "entropy"):
        wanted = sum(w * s[name] for w, s in zip(words, single, strict=True)) / words.sum()
        torch.testing.assert_close(together[name], wanted)
    torch.testing.assert_close(together["same"], single[2]["same"])  # only there a word has a double
    marked = [single[k]["punctuation"] * words[k] for k in (1, 2)]
    torch.testing.assert_close(together["punctuation"], sum(marked) / words[1:].sum())


def test_marks_in_any_script():
    assert all(is_mark(c) for c in ".,!?;:'\"()，。！？「」、…—")
    assert not any(is_mark(c) for c in ("a", "果", "3", "[CLS]", "##s", "+", "[UNK]"))


def test_patterns_need_attentions(tiny):
    with pytest.raises(ValueError, match="attentions=True"):
        head_patterns(tiny.read_many([TEXT]))


# ---- rollout


def test_rollout_of_identity_is_identity(tiny):
    reading = tiny.read(TEXT)
    identity = torch.eye(len(reading.tokens))
    layers = rollout(with_attentions(reading, identity.expand(3, 4, -1, -1)))
    torch.testing.assert_close(layers, identity.expand(3, -1, -1))
    assert torch.equal(rollout(reading, residual=1), identity.expand(3, -1, -1))


@pytest.mark.parametrize("residual", [0.5, 0.0, 0.2])
def test_rollout_adds_up_all_paths(tiny, residual):
    """Entry [l, i, j] of the last layer is the sum over all paths from i down to j of the products of their steps."""
    reading = tiny.read("the cat sat")
    steps = reading.attentions.double().mean(1).numpy()
    steps = residual * np.eye(steps.shape[-1]) + (1 - residual) * steps
    wanted = np.einsum("ab,bc,cd->ad", steps[2], steps[1], steps[0])
    found = rollout(reading, residual=residual)
    assert found.shape == (3, 5, 5)
    np.testing.assert_allclose(found[2], wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[0], steps[0], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.sum(-1), torch.ones(3, 5))


def test_rollout_bad_input(tiny):
    with pytest.raises(ValueError, match="residual must be"):
        rollout(tiny.read(TEXT), residual=1.5)
    with pytest.raises(ValueError, match="no attentions"):
        rollout(tiny.read_many([TEXT])[0])
