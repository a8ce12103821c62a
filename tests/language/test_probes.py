"""Ablation against zeroed weights, and the pronoun probe against heads whose accuracy is known."""

import copy
import dataclasses
import threading

import numpy as np
import pytest
import torch
from scipy.stats import binom

from hw9.language.attention import masked_probability
from hw9.language.probes import (
    ablated,
    ablation_effect,
    baselines,
    best_by_chance,
    coreference,
    coreference_choices,
)
from hw9.language.sentences import PRONOUNS_CHINESE, PRONOUNS_ENGLISH, Pronoun
from hw9.language.words import positions

TEXT = "The cat sat on the mat, and the dog ate."
ITEMS = (
    Pronoun("mary said that peter was old because she was born", "she", ("mary", "peter"), 0),
    Pronoun("mary said that peter was old because he was born", "he", ("mary", "peter"), 1),
    Pronoun("john and anna ate because she was old", "she", ("john", "anna"), 1),
    Pronoun("john and anna ate because he was old", "he", ("john", "anna"), 0),
)


def dense(bert, layer):
    return bert.model.encoder.layer[layer].attention.output.dense


def hooks(bert):
    return [hook for module in bert.model.modules() for hook in module._forward_pre_hooks]


# ---- ablation


@pytest.mark.parametrize("heads", [{0: [2]}, {1: [0, 3]}, {0: [1], 2: [0, 1, 2, 3]}])
def test_ablation_is_zeroing_the_heads_columns_of_the_output_projection(tiny, heads):
    with ablated(tiny, heads):
        found = tiny.read(TEXT)
    without = dataclasses.replace(tiny, model=copy.deepcopy(tiny.model))
    for layer, numbers in heads.items():
        for head in numbers:
            dense(without, layer).weight.data[:, 8 * head : 8 * head + 8] = 0
    wanted = without.read(TEXT)
    torch.testing.assert_close(found.hidden_states, wanted.hidden_states)
    torch.testing.assert_close(found.attentions, wanted.attentions)
    assert not torch.allclose(found.hidden_states[-1], tiny.read(TEXT).hidden_states[-1], atol=1e-3)


def test_a_heads_own_attention_stays(tiny):
    before = tiny.read(TEXT)
    with ablated(tiny, {1: [2]}):
        inside = tiny.read(TEXT)
    assert torch.equal(inside.attentions[:2], before.attentions[:2])
    assert torch.equal(inside.hidden_states[:2], before.hidden_states[:2])
    assert not torch.equal(inside.hidden_states[2], before.hidden_states[2])


def test_hooks_are_gone_afterwards(tiny):
    before = tiny.read(TEXT).hidden_states
    with pytest.raises(KeyError, match="mine"), ablated(tiny, {0: [0], 2: [1]}):
        assert len(hooks(tiny)) == 2
        raise KeyError("mine")
    assert not hooks(tiny)
    assert torch.equal(tiny.read(TEXT).hidden_states, before)
    ablation_effect(tiny, TEXT, 2, "cat")
    assert not hooks(tiny)


def test_another_thread_reads_with_the_whole_model(tiny):
    """The explorer's, in JupyterLab, while a cell runs with heads ablated."""
    found = {}
    with ablated(tiny, {0: [0], 2: [1]}):
        thread = threading.Thread(target=lambda: found.update(other=tiny.read(TEXT)))
        thread.start()
        thread.join()
        found["own"] = tiny.read(TEXT)
    plain = tiny.read(TEXT).hidden_states
    assert torch.equal(found["other"].hidden_states, plain)
    assert not torch.allclose(found["own"].hidden_states, plain)


def test_hooks_are_gone_when_a_later_layer_is_wrong(tiny):
    with pytest.raises(IndexError, match="no layer 9"), ablated(tiny, {0: [0], 9: [1]}):
        pass
    assert not hooks(tiny)


def test_ablations_nest(tiny):
    with ablated(tiny, {0: [0]}), ablated(tiny, {0: [1]}):
        nested = tiny.read(TEXT).hidden_states
    with ablated(tiny, {0: [0, 1]}):
        assert torch.equal(tiny.read(TEXT).hidden_states, nested)


@pytest.mark.parametrize("pair", [None, "it was sweet"])
def test_the_effect_of_each_head_is_what_one_by_one_gives(tiny, pair):
    found = ablation_effect(tiny, TEXT, 2, "cat", pair=pair)
    whole = masked_probability(tiny, TEXT, 2, "cat", pair=pair)
    for layer, head in np.ndindex(3, 4):
        with ablated(tiny, {layer: [head]}):
            part = masked_probability(tiny, TEXT, 2, "cat", pair=pair)
        assert float(found[layer, head]) == pytest.approx(part - whole, abs=1e-6)
    assert found.shape == (3, 4)
    assert found.abs().max() > 1e-5


def test_the_effect_on_a_word_of_two_tokens_is_that_on_its_joint_probability(tiny):
    found = ablation_effect(tiny, "the unknown cat", [2, 3], "unknown")
    whole = masked_probability(tiny, "the unknown cat", [2, 3], "unknown")
    with ablated(tiny, {1: [2]}):
        part = masked_probability(tiny, "the unknown cat", [2, 3], "unknown")
    assert float(found[1, 2]) == pytest.approx(part - whole, abs=1e-9) and part != whole


def test_a_head_without_output_has_no_effect(tiny):
    still = dataclasses.replace(tiny, model=copy.deepcopy(tiny.model))
    dense(still, 1).weight.data[:, 16:24] = 0
    found = ablation_effect(still, TEXT, 2, "cat")
    assert abs(float(found[1, 2])) < 1e-7
    assert found[1, 1].abs() > 1e-7


@pytest.mark.parametrize(
    ("heads", "error", "line"),
    [
        ({3: [0]}, IndexError, "layers 0 to 2 .* no layer 3"),
        ({-1: [0]}, IndexError, "no layer -1"),
        ({0: [4]}, IndexError, "heads 0 to 3, no head 4"),
        ({0: 2}, TypeError, r"as a list: \{0: \[2\]\}"),
    ],
)
def test_heads_that_are_not_there(tiny, heads, error, line):
    with pytest.raises(error, match=line), ablated(tiny, heads):
        pass


# ---- pronouns


class KnownHeads:
    """Reads like the tiny BERT, with one layer of heads that look at: the first candidate, the nearest, the right one,
    the wrong one, and everything alike."""

    def __init__(self, tiny, items):
        self.tiny, self.items = tiny, items

    def read_many(self, texts, *, attentions):
        assert attentions
        assert list(texts) == [item.text for item in self.items]
        readings = []
        for item, reading in zip(self.items, self.tiny.read_many(texts), strict=True):
            count = len(reading.tokens)
            places = [positions(reading, word)[0] for word in item.candidates]
            weights = torch.zeros(1, 5, count, count)
            asking = positions(reading, item.pronoun)[0]
            chosen = (min(places), max(places), places[item.answer], places[1 - item.answer])
            for head, place in enumerate(chosen):
                weights[0, head, asking, place] = 1
            weights[0, 4] = 1 / count
            readings.append(dataclasses.replace(reading, attentions=weights))
        return readings


def test_known_heads_get_their_accuracy(tiny):
    known = KnownHeads(tiny, ITEMS)
    assert coreference(known, ITEMS).tolist() == [[0.5, 0.5, 1.0, 0.0, 0.5]]
    assert coreference_choices(known, ITEMS)[:, 0, 0].tolist() == [1, 0, 0, 1]
    assert baselines(ITEMS) == {"first": 0.5, "nearest": 0.5}


def test_unbalanced_items_show_in_the_baselines(tiny):
    assert baselines(ITEMS[:1]) == {"first": 1.0, "nearest": 0.0}
    assert baselines(ITEMS[:3]) == {"first": 1 / 3, "nearest": 2 / 3}


def test_choices_by_hand(tiny):
    """The attention to a candidate of several tokens ("unknowned": un ##known ##ed) is added up."""
    item = Pronoun("the unknowned and mary ate because she was old", "she", ("unknowned", "mary"), 1)
    reading = tiny.read(item.text)
    assert reading.tokens[2:5] == ["un", "##known", "##ed"]
    asking, mary = reading.tokens.index("she"), reading.tokens.index("mary")
    row = reading.attentions[:, :, asking]
    wanted = (row[..., mary] > row[..., 2:5].sum(-1)).float()
    assert torch.equal(coreference(tiny, [item]), wanted)
    with pytest.raises(ValueError, match="at least one item"):
        coreference(tiny, [])


@pytest.mark.parametrize("items", [PRONOUNS_CHINESE, PRONOUNS_ENGLISH], ids=["Chinese", "English"])
def test_place_alone_is_right_in_half_of_the_lessons_items(items):
    assert baselines(items) == {"first": 0.5, "nearest": 0.5}


@pytest.mark.parametrize(("items", "heads"), [(24, 144), (12, 12), (10, 1)])
def test_what_the_best_of_many_coins_reaches(items, heads):
    limit = round(best_by_chance(items, heads) * items)
    above = 1 - binom.cdf(limit, items, 0.5) ** heads  # at least one head has more right than `limit`
    at_least = 1 - binom.cdf(limit - 1, items, 0.5) ** heads
    assert above <= 0.05 < at_least
    tosses = np.random.default_rng(0).binomial(items, 0.5, (4000, heads)).max(1)
    assert (tosses > limit).mean() < 0.06
