"""Value zeroing, embedding gradients, erasure and interventions against slow re-computations and known answers."""

import copy
import dataclasses
import math

import captum.attr
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from hw9.language import interventions, trust
from hw9.language.attention import masked_as_well, masked_probability, predict_masked
from hw9.language.probes import ablation_effect
from hw9.language.words import positions, spelled

# A word of two tokens and one of three, each with others of several tokens beside it.
LONG = [
    ("The unknown cat eats apples.", "unknown", [2, 3]),
    ("an unknowns sat on the fitly mat", "unknowns", [2, 3, 4]),
]
TEXT = "The cat sat on the mat, and the dog ate."


def changed(tiny):
    return dataclasses.replace(tiny, model=copy.deepcopy(tiny.model))


def hooks(bert):
    parts = [
        p for layer in bert.model.encoder.layer for p in (layer.attention.self.value, layer.attention.output.dense)
    ]
    return [hook for part in parts for hook in (*part._forward_pre_hooks, *part._forward_hooks)]


# ---- value zeroing


def test_value_zeroing_is_the_layer_computed_without_one_value(tiny):
    reading = tiny.read(TEXT, masked=[2])
    found = trust.value_zeroing(tiny, TEXT, masked=[2])
    assert found.shape == (3, 14, 14)
    torch.testing.assert_close(found.sum(-1), torch.ones(3, 14))
    for number, layer in enumerate(tiny.model.encoder.layer):
        state, after = reading.hidden_states[number], reading.hidden_states[number + 1]
        wanted = torch.empty(14, 14)
        with torch.no_grad():
            for t in range(14):
                values = layer.attention.self.value(state)
                values[t] = 0
                mixed = torch.cat(
                    [w @ v for w, v in zip(reading.attentions[number], values.split(8, -1), strict=True)], -1
                )
                inner = layer.attention.output(mixed, state)
                new = layer.output(layer.intermediate(inner), inner)
                wanted[:, t] = 1 - F.cosine_similarity(new, after, dim=-1)
        torch.testing.assert_close(found[number], wanted / wanted.sum(1, keepdim=True), rtol=1e-3, atol=1e-5)
    assert not hooks(tiny)


def test_zeroing_a_value_that_nobody_looks_at_changes_nothing(tiny):
    still, token = changed(tiny), 4
    state = tiny.read(TEXT).hidden_states[1]
    attend = still.model.encoder.layer[1].attention.self
    wish = -1e4 * F.one_hot(torch.tensor(token), len(state)).float()  # the score of each token as a key
    with torch.no_grad():
        attend.query.weight.zero_()
        attend.query.bias.copy_(torch.ones(4, 8).mul(torch.arange(8) == 0).flatten())
        attend.key.weight.copy_((torch.linalg.pinv(state) @ wish).expand(32, -1))
        attend.key.bias.zero_()
    found = trust.value_zeroing(still, TEXT)
    assert found[1, :, token].max() < 1e-12 and (found[1, :, :token] > 0).all()
    with torch.no_grad():  # nobody gets anything from anybody: every token is made of itself
        attend.value.weight.zero_()
        attend.value.bias.zero_()
    assert torch.equal(trust.value_zeroing(still, TEXT)[1], torch.eye(len(state)))


def test_flow_is_the_product_of_the_layers():
    layers = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(0)).softmax(-1)
    found = trust.flow(layers)
    torch.testing.assert_close(found[2], layers[2] @ layers[1] @ layers[0])
    assert torch.equal(found[0], layers[0])


# ---- integrated gradients


def test_gradients_of_embeddings_are_captums_and_complete(tiny):
    found = trust.integrated_gradients(tiny, TEXT, 2, "cat", steps=32)
    reading, table = tiny.read(TEXT, masked=[2]), tiny.model.embeddings.word_embeddings
    special, cat = torch.tensor(reading.special), tiny.tokenizer.convert_tokens_to_ids("cat")
    nothing = torch.where(special, reading.ids, tiny.tokenizer.mask_token_id)

    def score(embeddings):
        states = tiny.model(inputs_embeds=embeddings).last_hidden_state[:, 2]
        return tiny.mask_head(states).log_softmax(-1)[:, cat]

    theirs = captum.attr.IntegratedGradients(score).attribute(
        table(reading.ids)[None].detach(), table(nothing)[None].detach(), n_steps=32, method="gausslegendre"
    )
    torch.testing.assert_close(found.tokens, theirs[0].sum(-1).float().detach(), rtol=1e-3, atol=1e-5)
    assert found.tokens[special | (torch.arange(14) == 2)].abs().max() == 0
    whole = masked_probability(tiny, TEXT, 2, "cat")
    empty = masked_probability(tiny, TEXT, 2, "cat", also=[k for k in range(1, 13) if k != 2])
    assert float(found.tokens.sum()) == pytest.approx(np.log(whole / empty), rel=0.02)
    assert found.gap < 0.02
    with torch.no_grad():
        assert torch.equal(trust.integrated_gradients(tiny, TEXT, 2, "cat", steps=32).tokens, found.tokens)
    with pytest.raises(ValueError, match="steps must be"):
        trust.integrated_gradients(tiny, TEXT, 2, "cat", steps=0)
    with pytest.raises(ValueError, match="no mask head"):
        trust.integrated_gradients(dataclasses.replace(tiny, mask_head=None), TEXT, 2, "cat")


# ---- the truth, and answers measured by it


def test_gradients_are_double_only_on_the_cpu(tiny, monkeypatch):
    """An Apple GPU has no float64."""
    moved, cpu, double = [], torch.Tensor.cpu, torch.Tensor.double
    monkeypatch.setattr(torch.Tensor, "cpu", lambda part: moved.append(id(part)) or cpu(part))
    monkeypatch.setattr(
        torch.Tensor, "double", lambda part: double(part) if id(part) in moved else pytest.fail("double")
    )
    trust.integrated_gradients(tiny, TEXT, 2, "cat", steps=1)


def test_the_truth_is_the_fall_when_a_word_is_hidden(tiny):
    found, probabilities = trust.hidden_as_well(tiny, TEXT, 2, "cat"), masked_as_well(tiny, TEXT, 2, "cat")
    assert found.isnan().tolist() == [k in (0, 2, 13) for k in range(14)]
    torch.testing.assert_close(found[5], probabilities[2] - probabilities[5])


def test_kendall_over_the_words():
    truth = torch.tensor([torch.nan, 1.0, 2, 3, 4, torch.nan])
    assert trust.kendall(torch.tensor([9.0, 1, 2, 3, 4, -9]), truth) == pytest.approx(1)
    assert trust.kendall(torch.tensor([0.0, 4, 3, 2, 1, 0]), truth) == pytest.approx(-1)
    assert trust.kendall(torch.tensor([0.0, 2, 1, 3, 4, 0]), truth) == pytest.approx(4 / 6)  # one of six pairs
    assert np.isnan(trust.kendall(torch.ones(6), truth))
    assert np.isnan(trust.kendall(torch.ones(2), torch.tensor([1.0, torch.nan])))
    with pytest.raises(ValueError, match="of one sentence"):
        trust.kendall(torch.ones(5), truth)


def test_answers_are_one_number_for_each_token(tiny):
    found = trust.answers(tiny, TEXT, 2, "cat", seed=3)
    assert all(answer.shape == (14,) and answer.isfinite().all() for answer in found.values())
    assert found["nearness (control)"].argmax() == 2
    again = trust.answers(tiny, TEXT, 2, "cat", seed=3)
    assert all(torch.equal(answer, again[name]) for name, answer in found.items())
    many = [
        trust.kendall(torch.rand(14, generator=torch.Generator().manual_seed(s)), found["value zeroing (mean)"])
        for s in range(60)
    ]
    assert abs(np.mean(many)) < 0.1


def test_erasure_by_hand(tiny):
    answer = torch.tensor([9.0, 1, 9, 5, 3, 2, 8, 7, 0, -1, -2, -3, -4, 9])  # [CLS], the mask and [SEP] do not count
    order = [6, 7, 3, 4, 5, 1, 8, 9, 10, 11, 12]
    whole = masked_probability(tiny, TEXT, 2, "cat")
    without = [whole - masked_probability(tiny, TEXT, 2, "cat", also=order[:k]) for k in range(1, 6)]
    only = [whole - masked_probability(tiny, TEXT, 2, "cat", also=order[k:]) for k in range(1, 6)]
    found = trust.erasure(tiny, TEXT, 2, "cat", answer)
    assert found.comprehensiveness == pytest.approx(np.mean(without), abs=1e-6)
    assert found.sufficiency == pytest.approx(np.mean(only), abs=1e-6)
    with pytest.raises(ValueError, match="shape"):
        trust.erasure(tiny, TEXT, 2, "cat", answer[1:])
    with pytest.raises(ValueError, match="fewer than two words"):
        trust.erasure(tiny, "the cat", 2, "cat", torch.zeros(4))


def test_erasures_add_the_controls(tiny):
    answer = torch.arange(14.0)
    found = trust.erasures(tiny, TEXT, 2, "cat", {"mine": answer, "random (control)": answer}, draws=4, seed=1)
    assert found["mine"] == pytest.approx(trust.erasure(tiny, TEXT, 2, "cat", answer))
    alone = trust.hidden_as_well(tiny, TEXT, 2, "cat")
    assert found["hidden one by one"] == pytest.approx(trust.erasure(tiny, TEXT, 2, "cat", alone))
    assert found["one by one, reversed (control)"] == pytest.approx(trust.erasure(tiny, TEXT, 2, "cat", -alone))
    orders = torch.rand(4, 14, generator=torch.Generator().manual_seed(1))
    wanted = np.mean([trust.erasure(tiny, TEXT, 2, "cat", order) for order in orders], 0)
    np.testing.assert_allclose(found["random (control)"], wanted, atol=1e-6)


# ---- words of several tokens, against every step done by hand


def joint(bert, ids, places, tokens, layer=-1):
    """P of `tokens` at `places` by the chain rule, of what the mask head reads in the states of a layer."""
    ids, product = ids.clone(), 1.0
    for place, token in zip(places, tokens, strict=True):
        with torch.no_grad():
            states = bert.model(ids[None], output_hidden_states=True).hidden_states[layer]
            product *= float(bert.mask_head(states).softmax(-1)[0, place, token])
        ids[place] = token
    return product


def masked(bert, text, places):
    ids = torch.tensor(bert.tokenizer(text)["input_ids"])
    tokens = ids[places].tolist()
    ids[places] = bert.tokenizer.mask_token_id
    return ids, tokens


@pytest.mark.parametrize(("text", "word", "places"), LONG)
def test_the_truth_hides_words_whole(tiny, text, word, places):
    reading = tiny.read(text)
    others = [unit for unit in trust.words(reading, places) if len(unit) > 1]
    assert others and positions(reading, word) == places
    ids, tokens = masked(tiny, text, places)
    found = trust.hidden_as_well(tiny, text, places, word)
    for unit in trust.words(reading, places):
        hidden = ids.clone()
        hidden[unit] = tiny.tokenizer.mask_token_id
        fall = joint(tiny, ids, places, tokens) - joint(tiny, hidden, places, tokens)
        assert found[unit].tolist() == pytest.approx([fall] * len(unit), rel=1e-3, abs=1e-9)
    assert found.isnan().nonzero()[:, 0].tolist() == [0, *places, len(ids) - 1]


@pytest.mark.parametrize(("text", "word", "places"), LONG)
def test_answers_about_and_of_words_of_several_tokens(tiny, text, word, places):
    reading = tiny.read(text, masked=places)
    found, others = trust.answers(tiny, text, places, word), trust.words(reading, places)
    rows, zeroed = reading.attentions.mean((0, 1)), trust.value_zeroing(tiny, text, masked=places).mean(0)
    for unit in others:
        assert all(len(set(answer[unit].tolist())) == 1 for answer in found.values())
        for name, matrix in {"attention (mean)": rows, "value zeroing (mean)": zeroed}.items():
            wanted = np.mean([sum(float(matrix[row, k]) for k in unit) for row in places])
            assert float(found[name][unit[0]]) == pytest.approx(wanted, rel=1e-4)
        nearest = min(abs(k - place) for k in unit for place in places)
        assert float(found["nearness (control)"][unit[0]]) == -nearest
    truth = trust.hidden_as_well(tiny, text, places, word)
    firsts = [unit[0] for unit in others]
    tau = trust.kendall(found["attention (mean)"], truth, others)
    assert tau == pytest.approx(trust.kendall(found["attention (mean)"][firsts], truth[firsts]))


@pytest.mark.parametrize(("text", "word", "places"), LONG)
def test_shares_of_a_word_of_several_tokens_are_captums_of_each_term(tiny, text, word, places):
    ids, tokens = masked(tiny, text, places)
    outside = [k for k in range(1, len(ids) - 1) if k not in places]
    empty = ids.clone()
    empty[outside] = tiny.tokenizer.mask_token_id
    found = trust.integrated_gradients(tiny, text, places, word, steps=32)
    whole = np.log(joint(tiny, ids, places, tokens)) - np.log(joint(tiny, empty, places, tokens))
    assert float(found.tokens.sum()) == pytest.approx(whole, rel=0.02) and found.gap < 0.02
    table, total = tiny.model.embeddings.word_embeddings, 0
    for number, (place, token) in enumerate(zip(places, tokens, strict=True)):

        def term(embeddings, place=place, token=token):
            states = tiny.model(inputs_embeds=embeddings).last_hidden_state[:, place]
            return tiny.mask_head(states).log_softmax(-1)[:, token]

        ends = []
        for row in (ids, empty):
            filled = row.clone()
            filled[places[:number]] = torch.tensor(tokens[:number], dtype=torch.long)
            ends.append(table(filled)[None].detach())
        theirs = captum.attr.IntegratedGradients(term).attribute(*ends, n_steps=32, method="gausslegendre")
        total = total + theirs[0].sum(-1).detach()
    torch.testing.assert_close(found.tokens, total.float(), rtol=1e-3, atol=1e-5)
    assert not found.tokens[places].any()


@pytest.mark.parametrize(("text", "word", "places"), LONG)
def test_erasure_hides_words_whole(tiny, text, word, places):
    ids, tokens = masked(tiny, text, places)
    others = trust.words(tiny.read(text), places)
    answer = torch.rand(len(ids), generator=torch.Generator().manual_seed(2))
    order = sorted(others, key=lambda unit: -float(answer[unit[0]]))
    falls = {}
    for name, part in (("without", lambda k: order[:k]), ("only", lambda k: order[k:])):
        falls[name] = []
        for k in range(1, len(order) // 2 + 1):
            hidden = ids.clone()
            hidden[[place for unit in part(k) for place in unit]] = tiny.tokenizer.mask_token_id
            falls[name].append(joint(tiny, ids, places, tokens) - joint(tiny, hidden, places, tokens))
    found = trust.erasure(tiny, text, places, word, answer)
    assert found.comprehensiveness == pytest.approx(np.mean(falls["without"]), rel=1e-3, abs=1e-9)
    assert found.sufficiency == pytest.approx(np.mean(falls["only"]), rel=1e-3, abs=1e-9)


@pytest.mark.parametrize(("text", "word", "places"), LONG)
def test_heads_and_a_word_of_several_tokens(tiny, text, word, places):
    layer, head = 1, 2
    ids, tokens = masked(tiny, text, places)
    found = interventions.head_interventions(tiny, text, places, word, draws=1, seed=7)
    torch.testing.assert_close(found["zeroed"], ablation_effect(tiny, text, places, word), rtol=1e-3, atol=1e-9)
    count = len(ids)
    orders = torch.rand(1, count, count, generator=torch.Generator().manual_seed(7)).argsort(-1)[0]

    def shuffled(module, inputs, output):  # the attention of this very pass, in which earlier tokens are filled in
        used = torch.stack([row[order] for row, order in zip(output[1][0, head], orders, strict=True)])
        context = output[0].clone()
        context[0, :, 16:24] = used @ module.value(inputs[0])[0, :, 16:24]
        return (context, *output[1:])

    handle = tiny.model.encoder.layer[layer].attention.self.register_forward_hook(shuffled)
    part = joint(tiny, ids, places, tokens)
    handle.remove()
    change = part - joint(tiny, ids, places, tokens)
    assert float(found["permuted"][layer, head]) == pytest.approx(change, rel=1e-3)
    assert not hooks(tiny)


def test_layers_and_words_of_several_tokens(tiny):
    for text, word, places in LONG:
        ids, tokens = masked(tiny, text, places)
        right = trust.mask_by_layer(tiny, text, places, word)[1]
        assert right.tolist() == pytest.approx([joint(tiny, ids, places, tokens, k) for k in range(4)], rel=1e-3)
    text, word, (first, second) = LONG[0]
    ids, layer = masked(tiny, text, [first, second])[0], 2
    every = ids.repeat(tiny.vocabulary, 1)
    every[:, first] = torch.arange(tiny.vocabulary)
    with torch.no_grad():
        before, after = (
            tiny.mask_head(tiny.model(rows, output_hidden_states=True).hidden_states[layer][:, place]).softmax(-1)
            for rows, place in ((ids[None], first), (every, second))
        )
    pairs = (before[0, :, None] * after).flatten().topk(3)
    tops = trust.mask_by_layer(tiny, text, [first, second], word)[0][layer]
    assert [p for _, p in tops] == pytest.approx(pairs.values.tolist(), rel=1e-3)
    named = [tiny.tokenizer.convert_ids_to_tokens(list(divmod(n, tiny.vocabulary))) for n in pairs.indices.tolist()]
    assert [name for name, _ in tops] == [spelled(pair) for pair in named]


@pytest.mark.parametrize("ask", [trust.answers, trust.hidden_as_well, trust.mask_by_layer, trust.integrated_gradients])
def test_a_word_with_too_few_places_is_one_line(tiny, ask):
    with pytest.raises(ValueError, match=r"reads 'unknown' as \['un', '##known'\], for 1 position"):
        ask(tiny, TEXT, 2, "unknown")


# ---- heads


def test_heads_zeroed_are_the_heads_ablated(tiny):
    found = interventions.head_interventions(tiny, TEXT, 2, "cat", draws=3)
    torch.testing.assert_close(found["zeroed"], ablation_effect(tiny, TEXT, 2, "cat"), rtol=1e-3, atol=1e-6)
    assert {part.shape for part in found.values()} == {(3, 4)}
    assert not hooks(tiny)
    assert not torch.allclose(found["uniform"], found["zeroed"], atol=1e-4)
    again = interventions.head_interventions(tiny, TEXT, 2, "cat", draws=3)
    assert all(torch.equal(part, again[name]) for name, part in found.items())


def test_tampered_attention_is_what_the_whole_model_then_uses(tiny):
    layer, head = 1, 2
    found = interventions.head_interventions(tiny, TEXT, 2, "cat", draws=1, seed=7)
    shuffled = torch.rand(1, 14, 14, generator=torch.Generator().manual_seed(7)).argsort(-1)[0]
    reading, attend = tiny.read(TEXT, masked=[2]), tiny.model.encoder.layer[layer].attention.self
    weights = reading.attentions[layer, head]
    permuted = torch.stack([row[order] for row, order in zip(weights, shuffled, strict=True)])
    words = ~torch.tensor(reading.special)
    for name, used in {"permuted": permuted, "uniform": (words / words.sum()).expand(14, 14)}.items():

        def instead(module, inputs, output, used=used):
            context = output[0].clone()
            context[0, :, 16:24] = used @ module.value(inputs[0])[0, :, 16:24]
            return (context, *output[1:])

        handle = attend.register_forward_hook(instead)
        part = masked_probability(tiny, TEXT, 2, "cat")
        handle.remove()
        assert float(found[name][layer, head]) == pytest.approx(
            part - masked_probability(tiny, TEXT, 2, "cat"), abs=1e-6
        )


def test_the_median_of_two_draws_lies_between_them(tiny, monkeypatch):
    numbers = torch.rand(2, 14, 14, generator=torch.Generator().manual_seed(0))
    found = []
    for drawn in (numbers[:1], numbers[1:], numbers):
        monkeypatch.setattr(torch, "rand", lambda *_, drawn=drawn, **__: drawn)
        found.append(interventions.head_interventions(tiny, TEXT, 2, "cat", draws=len(drawn))["permuted"])
    torch.testing.assert_close(found[2], (found[0] + found[1]) / 2)


def test_shuffling_a_head_that_looks_everywhere_alike_changes_nothing(tiny):
    still = changed(tiny)
    attend = still.model.encoder.layer[0].attention.self
    with torch.no_grad():
        attend.query.weight[8:16] = 0
        attend.query.bias[8:16] = 0
    found = interventions.head_interventions(still, TEXT, 2, "cat", draws=5)["permuted"]
    assert abs(float(found[0, 1])) < 1e-7 < 1e-6 < float(found[0].abs().max())


# ---- layers


def test_the_mask_after_the_last_layer_is_the_prediction(tiny):
    tops, right = trust.mask_by_layer(tiny, TEXT, 2, "cat", top=4)
    assert len(tops) == len(right) == 4
    for (name, value), (wanted, p) in zip(tops[-1], predict_masked(tiny, TEXT, 2, 4)[0], strict=True):
        assert name == wanted and value == pytest.approx(p, rel=1e-4)
    assert float(right[-1]) == pytest.approx(masked_probability(tiny, TEXT, 2, "cat"), rel=1e-4)


@pytest.mark.parametrize(
    ("best", "layer"), [("xxyY", 2), ("yxyy", 2), ("yyyy", 0), ("xxxy", 3), ("yyyx", None), ("xxxx", None)]
)
def test_the_layer_from_which_on_a_word_is_on_top(best, layer):
    assert trust.on_top_from([[(name, 0.5), ("z", 0.1)] for name in best], "y") == layer


@pytest.mark.parametrize(
    ("best", "line"),
    [
        ("xzyY", 'Y is on top from layer 2 on; before: "x", "z"'),
        ("xyxyy", 'y is on top for good from layer 3 on; before: "x"'),
        ("ayabcdecx", 'x (not y) is on top from layer 8 on; before: "c", "d", "e"'),
        ("yyy", "y is on top from layer 0 on"),
    ],
)
def test_how_a_word_came_on_top_is_told_without_the_word_itself_before(best, line):
    assert trust.told([[(name, 0.5), ("z", 0.1)] for name in best], "y") == line


TAUS = {
    "a": [0.5, 0.7, 0.9],
    "b": [0.2, 0.8, math.nan],
    "nearness (control)": [0.1, 0.5, 0.6],
    "random (control)": [9, 9, 9],
}


def test_gains_are_differences_within_a_sentence():
    found = trust.gains(TAUS, "nearness (control)")
    assert list(found) == ["a", "b", "random (control)"]
    assert found["a"] == pytest.approx([0.4, 0.2, 0.3])
    assert found["b"] == pytest.approx([0.1, 0.3]), "the pair without a number is left out"


def test_how_far_the_best_answer_is_clear_of_a_control():
    # of "a": differences 0.4, 0.2, 0.3, mean 0.3, standard deviation 0.1
    assert trust.clear_of(TAUS, "nearness (control)") == pytest.approx(0.3 - 2 * 0.1 / 3**0.5)
    # a constant lead over sentences as different as may be is as clear as can be
    assert trust.clear_of({"a": [-0.4, 1.0], "n (control)": [-0.6, 0.8]}, "n (control)") == pytest.approx(0.2)
    # the same numbers in another order: differences 1.6 and -1.2, mean 0.2, standard error 1.4
    assert trust.clear_of({"a": [1.0, -0.4], "n (control)": [-0.6, 0.8]}, "n (control)") == pytest.approx(0.2 - 2.8)
    assert np.isnan(trust.clear_of({"a": [0.5, math.nan], "n (control)": [0.2, 0.3]}, "n (control)"))
    assert np.isnan(trust.clear_of({"n (control)": [0.2, 0.3]}, "n (control)"))
