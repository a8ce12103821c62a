"""Can an explanation of a sentence be believed? Answers to "which word mattered?", and tests of any such answer.

All ask about one hidden word: which of the other words is its prediction made of? An answer is a tensor (T,), one
number for each token, the more the more it mattered; what is no word (or is hidden) is nan or ignored. The truth that
answers are compared with is an experiment: hide the word as well and ask again. Words count, not tokens: one of several
tokens is hidden whole, its probability is the joint one by the chain rule (`attention.masked_probability`), and all its
tokens have the same number, the sum of what was given to them (Clark et al. 2019, section 4.1).
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import kendalltau, sem
from torch import Tensor, nn
from torch.nn import functional as F

from hw9.language.attention import chain, fill, masked_as_well, rollout, wanted_at
from hw9.language.bert import Bert, Reading
from hw9.language.hooks import hooked
from hw9.language.lens import mask_by_layer as mask_by_layer
from hw9.language.lens import on_top_from as on_top_from
from hw9.language.lens import told as told
from hw9.language.words import units

Places = int | Sequence[int]  # the tokens of the word that is hidden

COPIES = 64  # of a sentence that go through the model at a time


class Shares(NamedTuple):
    """`tokens` (T,) add up to log P(word) of the sentence minus that of masks alone, but for the share `gap` of it."""

    tokens: Tensor
    gap: float


class Erasure(NamedTuple):
    """Mean fall of a probability without an answer's top words, and with nothing but them (DeYoung et al. 2020)."""

    comprehensiveness: float  # high: the words it names first were needed
    sufficiency: float  # low: they are enough


def value_zeroing(bert: Bert, text: str, *, masked: Sequence[int] = ()) -> Tensor:
    """How much each token's value changes each other in every layer, (L, T, T); rows add up to 1.

    Entry [l, i, t]: the value vector of token t is set to zero in all heads of layer l, the layer alone is computed
    again from its own input, and 1 - cos(new, old) of token i is taken (Mohebbi et al. 2023, "Quantifying Context
    Mixing in Transformers", section 3). A token that nothing changes is made of itself. `flow` puts layers together.
    """
    reading = bert.read(text, masked=masked)
    layers = []
    for number in range(bert.layers):
        before, after = reading.hidden_states[number], reading.hidden_states[number + 1].double()
        parts = torch.arange(len(before)).split(COPIES)
        changed = torch.cat([_without_values(bert, number, before, part) for part in parts])  # (t, i, D)
        layers.append(1 - F.cosine_similarity(changed.double(), after, dim=-1).T)
    mixing = torch.stack(layers).clamp_min(0)  # rounding can leave -1e-16
    total = mixing.sum(-1, keepdim=True)
    alone = torch.eye(mixing.shape[-1], dtype=mixing.dtype)
    return torch.where(total > 1e-12, mixing / total.clamp_min(1e-12), alone).float()


def flow(layers: Tensor) -> Tensor:
    """Mixing followed through the layers, (L, T, T): the product of each layer and all below, no identity added."""
    through = [layers[0]]
    for layer in layers[1:]:
        through.append(layer @ through[-1])
    return torch.stack(through)


def integrated_gradients(bert: Bert, text: str, positions: Places, word: str, *, steps: int = 48) -> Shares:
    """What each token's embedding adds to the log-probability of `word` at `positions`, masked.

    The straight way leads from the sentence in which every word is [MASK], with [CLS] and [SEP] kept, to the sentence
    (Sundararajan, Taly & Yan 2017, section 3), by `steps` Gauss-Legendre nodes; places and segments stay. The shares of
    a word of several tokens are those of the terms of the chain rule, added; its own tokens get none.
    """
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, not {steps}")
    reading = bert.read(text, masked=_list(positions))
    places, tokens = wanted_at(bert, reading, positions, word)
    emptied = ~torch.tensor(reading.special)
    emptied[places] = False
    table, shares, change = bert.model.embeddings.word_embeddings, 0, 0.0
    nodes, weights = (torch.from_numpy(part) / 2 for part in np.polynomial.legendre.leggauss(steps))
    for ids, place, token in zip(chain(reading, places, tokens), places, tokens, strict=True):
        with torch.no_grad():
            end = table(ids.to(bert.device))  # (T, D)
            start = table(ids.masked_fill(emptied, bert.tokenizer.mask_token_id).to(bert.device))
        total = torch.zeros_like(end)
        for node, weight in zip((nodes + 0.5).to(end).split(16), weights.to(end).split(16), strict=True):
            with torch.enable_grad():
                path = (start + node[:, None, None] * (end - start)).requires_grad_()  # (S, T, D)
                score = _log_probability(bert, reading, path, place, token)
                gradients = torch.autograd.grad(score.sum(), path)[0]
            total += (weight[:, None, None] * gradients).sum(0)
        with torch.no_grad():
            high, low = _log_probability(bert, reading, torch.stack([end, start]), place, token).tolist()
        shares, change = shares + (total * (end - start)).sum(-1).cpu().double(), change + high - low
    return Shares(shares.float(), abs(float(shares.sum()) - change) / max(abs(change), 1e-6))


def hidden_as_well(bert: Bert, text: str, positions: Places, word: str) -> Tensor:
    """The truth: how far P(`word`) at `positions` falls when each other word is hidden as well, (T,); nan: no word."""
    places, probabilities = _list(positions), masked_as_well(bert, text, positions, word)
    falls = probabilities[places[0]] - probabilities
    falls[places] = torch.nan
    return falls


def answers(bert: Bert, text: str, positions: Places, word: str, *, seed: int = 0) -> dict[str, Tensor]:
    """What each method answers, (T,), and two controls that have not looked inside: nearness to the mask, and chance.

    Attention and value zeroing come twice, followed through the layers and as the mean over layers; of several masks
    they are the mean (Clark et al. 2019, section 4.1).
    """
    places = _list(positions)
    reading = bert.read(text, masked=places)
    mixing, place = value_zeroing(bert, text, masked=places), torch.arange(len(reading.tokens))
    given = {
        "attention (rollout)": rollout(reading)[-1, places].mean(0),
        "attention (mean)": reading.attentions.mean((0, 1))[places].mean(0),
        "value zeroing (rollout)": flow(mixing)[-1, places].mean(0),
        "value zeroing (mean)": mixing.mean(0)[places].mean(0),
        "integrated gradients": integrated_gradients(bert, text, positions, word).tokens,
    }
    distance = (place[:, None] - torch.tensor(places)).abs().amin(1)
    chance = torch.rand(len(place), generator=torch.Generator().manual_seed(seed))
    found = {name: _whole(reading, places, answer, torch.sum) for name, answer in given.items()}
    return found | {
        "nearness (control)": _whole(reading, places, -distance.float(), torch.amax),
        "random (control)": _whole(reading, places, chance, lambda numbers: numbers[0]),
    }


def words(reading: Reading, positions: Places) -> list[list[int]]:
    """The tokens of each word but the one at `positions`: what answers are about, and what `kendall` compares.

    Raises ValueError where there are fewer than two, which have no order.
    """
    hidden = _list(positions)
    others = [unit for unit in units(reading, hidden) if not reading.special[unit[0]] and unit[0] not in hidden]
    if len(others) < 2:
        raise ValueError("the sentence has fewer than two words beside the mask: give a longer one")
    return others


def kendall(answer: Tensor, truth: Tensor, words: Sequence[Sequence[int]] | None = None) -> float:
    """Kendall's tau (b) between two answers over what is finite in `truth`: 1 same order, 0 none, nan: there is none.

    It compares the `words`, by the number of the first token of each; None: every token for itself.
    """
    answer, truth = torch.as_tensor(answer), torch.as_tensor(truth)
    if answer.shape != truth.shape or truth.ndim != 1:
        raise ValueError(f"give two answers (T,) of one sentence, not {tuple(answer.shape)} and {tuple(truth.shape)}")
    places = [word[0] for word in words] if words is not None else list(range(len(truth)))
    places = [place for place in places if truth[place].isfinite()]
    if len(places) < 2:
        return float("nan")
    return float(kendalltau(answer[places].numpy(), truth[places].numpy()).statistic)


def gains(taus: dict[str, Sequence[float]], control: str) -> dict[str, list[float]]:
    """What each answer has over the `control` in the same sentence: tau(answer) - tau(control), for the others by name.

    Some sentences are harder than others, for every answer: that cancels in a difference of pairs. A sentence without
    one of the two numbers is left out.
    """
    pairs = {name: zip(values, taus[control], strict=True) for name, values in taus.items() if name != control}
    return {name: [a - b for a, b in rows if math.isfinite(a - b)] for name, rows in pairs.items()}


def clear_of(taus: dict[str, Sequence[float]], control: str) -> float:
    """How far the best answer in `taus` is above the `control`: mean(d) - 2 sd(d) / sqrt(n), d its n `gains`.

    That is the lower end of a bar of two standard errors around the mean of paired differences, about the 95 %
    interval of the paired t-test (Student 1908, "The Probable Error of a Mean"). Below 0 the bar reaches 0. The best
    has the highest mean; other names that end in "(control)" are left out; nan where there are too few numbers.
    """
    known = {name: values for name, values in gains(taus, control).items() if not name.endswith("(control)")}
    bars = [(np.mean(values), sem(values)) for values in known.values() if len(values) > 1]
    mean, error = max(bars, default=(math.nan, math.nan))
    return float(mean - 2 * error)


def erasure(bert: Bert, text: str, positions: Places, word: str, answer: Tensor) -> Erasure:
    """Comprehensiveness and sufficiency of an answer (T,) to why `word` stands at `positions`, masked.

    Means over k = 1 .. half the words of p - p(without the top k) and p - p(only the top k) (DeYoung et al. 2020,
    "ERASER", section 4). A word that is left out is replaced by [MASK]s, never cut out: the others keep their places. A
    word of several tokens is ranked by the number of its first.
    """
    reading = bert.read(text, masked=_list(positions))
    if answer.shape != reading.ids.shape:
        raise ValueError(f"the answer has shape {tuple(answer.shape)}, the sentence {len(reading.tokens)} tokens")
    others = words(reading, positions)
    order = torch.argsort(answer[[other[0] for other in others]].float(), descending=True, stable=True).tolist()
    ids = reading.ids.repeat(2 * (len(others) // 2) + 1, 1)
    for k in range(1, len(others) // 2 + 1):
        for row, hidden in ((k, order[:k]), (k + len(others) // 2, order[k:])):
            ids[row, [place for number in hidden for place in others[number]]] = bert.tokenizer.mask_token_id
    found = torch.cat([fill(bert, reading, part, positions, word) for part in ids.split(COPIES)])
    without, only = (found[0] - found[1:]).chunk(2)
    return Erasure(float(without.mean()), float(only.mean()))


def erasures(
    bert: Bert, text: str, positions: Places, word: str, found: dict[str, Tensor], *, draws: int = 20, seed: int = 0
) -> dict[str, Erasure]:
    """`erasure` of the answers `found` and of three more: each word's own fall alone, its reverse, and random orders.

    Of `draws` random orders the mean.
    """
    alone = hidden_as_well(bert, text, positions, word)
    numbers = torch.rand(draws, len(alone), generator=torch.Generator().manual_seed(seed))
    orders = {name: [answer] for name, answer in found.items()} | {"hidden one by one": [alone]}
    orders |= {"one by one, reversed (control)": [-alone], "random (control)": list(numbers)}
    scores = {name: [erasure(bert, text, positions, word, order) for order in some] for name, some in orders.items()}
    return {name: Erasure(*np.mean(some, 0).tolist()) for name, some in scores.items()}


def _list(positions: Places) -> list[int]:
    return [positions] if isinstance(positions, int) else list(positions)


def _whole(reading: Reading, places: Sequence[int], values: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    """`values` (T,) with one number for all tokens of a word: what `of` makes of theirs."""
    values = values.clone()
    for unit in units(reading, places):
        values[unit] = of(values[unit])
    return values


def _without_values(bert: Bert, number: int, state: Tensor, places: Tensor) -> Tensor:
    """The output (P, T, D) of a layer for its input (T, D), with the value of one of `places` (P,) zeroed in each."""
    layer = bert.model.encoder.layer[number]

    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        output = output.clone()
        output[range(len(places)), places] = 0
        return output

    with hooked(layer.attention.self.value, hook), torch.no_grad():
        return layer(state.to(bert.device, bert.model.dtype).expand(len(places), -1, -1)).cpu()


def _log_probability(bert: Bert, reading: Reading, embeddings: Tensor, position: int, wanted: int) -> Tensor:
    """log P (S,) of a token at `position` for word embeddings (S, T, D); gradients go through."""
    if bert.mask_head is None:
        raise ValueError(f"{bert.name} has no mask head and cannot fill masks: load() the embedded model instead")
    segments = torch.tensor(reading.segments, device=bert.device).expand(embeddings.shape[:2])
    states = bert.model(inputs_embeds=embeddings, token_type_ids=segments).last_hidden_state[:, position]
    return bert.mask_head(states).log_softmax(-1)[:, wanted]
