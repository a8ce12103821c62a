"""Can an explanation of a sentence be believed? Answers to "which word mattered?", and tests of any such answer.

All ask about one mask: which of the other tokens is its prediction made of? An answer is a tensor (T,), one number for
each token, the more the more it mattered; what is no word (or is the mask itself) is nan or ignored. The truth that
answers are compared with is an experiment: hide the word as well and ask again.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import kendalltau, sem
from torch import Tensor, nn
from torch.nn import functional as F

from hw9.language.attention import fill, masked_as_well, rollout, token_id, words_for
from hw9.language.bert import Bert, Reading

COPIES = 64  # of a sentence that go through the model at a time


class Shares(NamedTuple):
    """`words` (T,) add up to log P(token) of the sentence minus that of masks alone, but for the share `gap` of it."""

    words: Tensor
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


def integrated_gradients(bert: Bert, text: str, position: int, token: str, *, steps: int = 48) -> Shares:
    """What each word embedding adds to the log-probability of `token` at `position`, masked.

    The straight way leads from the sentence in which every word is [MASK], with [CLS] and [SEP] kept, to the sentence
    (Sundararajan, Taly & Yan 2017, section 3), by `steps` Gauss-Legendre nodes; positions and segments stay.
    """
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, not {steps}")
    reading, wanted = bert.read(text, masked=[position]), token_id(bert, token)
    words = ~torch.tensor(reading.special)
    table = bert.model.embeddings.word_embeddings
    with torch.no_grad():
        end = table(reading.ids.to(bert.device))  # (T, D)
        start = table(reading.ids.masked_fill(words, bert.tokenizer.mask_token_id).to(bert.device))
    nodes, weights = (torch.from_numpy(part).to(end) / 2 for part in np.polynomial.legendre.leggauss(steps))
    total = torch.zeros_like(end)
    for node, weight in zip((nodes + 0.5).split(16), weights.split(16), strict=True):
        places = (start + node[:, None, None] * (end - start)).requires_grad_()  # (S, T, D)
        score = _log_probability(bert, reading, places, position, wanted)
        total += (weight[:, None, None] * torch.autograd.grad(score.sum(), places)[0]).sum(0)
    shares = (total * (end - start)).sum(-1).double().cpu()
    with torch.no_grad():
        high, low = _log_probability(bert, reading, torch.stack([end, start]), position, wanted).tolist()
    gap = abs(float(shares.sum()) - (high - low)) / max(abs(high - low), 1e-6)
    return Shares(shares.float(), gap)


def hidden_as_well(bert: Bert, text: str, position: int, token: str) -> Tensor:
    """The truth: how far P(`token`) at `position` falls when each word is hidden as well, (T,); nan: not a word."""
    probabilities = masked_as_well(bert, text, position, token)
    falls = probabilities[position] - probabilities
    falls[position] = torch.nan
    return falls


def answers(bert: Bert, text: str, position: int, token: str, *, seed: int = 0) -> dict[str, Tensor]:
    """What each method answers, (T,), and two controls that have not looked inside: nearness to the mask, and chance.

    Attention and value zeroing come twice, followed through the layers and as the mean over layers.
    """
    reading = bert.read(text, masked=[position])
    mixing, place = value_zeroing(bert, text, masked=[position]), torch.arange(len(reading.tokens))
    return {
        "attention (rollout)": rollout(reading)[-1, position],
        "attention (mean)": reading.attentions.mean((0, 1))[position],
        "value zeroing (rollout)": flow(mixing)[-1, position],
        "value zeroing (mean)": mixing.mean(0)[position],
        "integrated gradients": integrated_gradients(bert, text, position, token).words,
        "nearness (control)": -(place - position).abs().float(),
        "random (control)": torch.rand(len(place), generator=torch.Generator().manual_seed(seed)),
    }


def kendall(answer: Tensor, truth: Tensor) -> float:
    """Kendall's tau (b) between two answers over the tokens that are finite in `truth`: 1 same order, 0 none.

    nan where one of them has no order.
    """
    answer, truth = torch.as_tensor(answer), torch.as_tensor(truth)
    if answer.shape != truth.shape or truth.ndim != 1:
        raise ValueError(f"give two answers (T,) of one sentence, not {tuple(answer.shape)} and {tuple(truth.shape)}")
    words = truth.isfinite()
    return float(kendalltau(answer[words].numpy(), truth[words].numpy()).statistic)


def clear_of(taus: dict[str, Sequence[float]], control: str) -> float:
    """How far the bar (mean with its standard error) of the best answer in `taus` lies above that of the `control`.

    Below 0 they overlap. Other names that end in "(control)" are left out; nan where there are too few numbers.
    """
    known = {name: [value for value in values if value == value] for name, values in taus.items()}
    bars = {name: (np.mean(values), sem(values)) for name, values in known.items() if len(values) > 1}
    answers = [name for name in bars if not name.endswith("(control)")]
    if not answers or control not in bars:
        return float("nan")
    mean, error = max(bars[name] for name in answers)
    return float(mean - error - sum(bars[control]))


def erasure(bert: Bert, text: str, position: int, token: str, answer: Tensor) -> Erasure:
    """Comprehensiveness and sufficiency of an answer (T,) to why `token` stands at `position`, masked.

    Means over k = 1 .. half the words of p - p(without the top k) and p - p(only the top k) (DeYoung et al. 2020,
    "ERASER", section 4). A word that is left out is replaced by [MASK], never cut out: the others keep their places.
    """
    reading = bert.read(text, masked=[position])
    if answer.shape != reading.ids.shape:
        raise ValueError(f"the answer has shape {tuple(answer.shape)}, the sentence {len(reading.tokens)} tokens")
    words = [k for k, special in enumerate(reading.special) if not special and k != position]
    if len(words) < 2:
        raise ValueError("the sentence has fewer than two words beside the mask: give a longer one")
    order = torch.tensor(words)[torch.argsort(answer[words].float(), descending=True, stable=True)]
    taken = torch.arange(len(words)) < torch.arange(1, len(words) // 2 + 1)[:, None]  # (K, W), in that order
    ids = reading.ids.repeat(2 * len(taken) + 1, 1)
    mask = bert.tokenizer.mask_token_id
    ids[1:, order] = ids[1:, order].masked_fill(torch.cat([taken, ~taken]), mask)
    found = torch.cat([fill(bert, reading, part, position, token) for part in ids.split(COPIES)])
    without, only = (found[0] - found[1:]).chunk(2)
    return Erasure(float(without.mean()), float(only.mean()))


def erasures(
    bert: Bert, text: str, position: int, token: str, found: dict[str, Tensor], *, draws: int = 20, seed: int = 0
) -> dict[str, Erasure]:
    """`erasure` of the answers `found` and of three more: each word's own fall alone, its reverse, and random orders.

    Of `draws` random orders the mean.
    """
    alone = hidden_as_well(bert, text, position, token)
    numbers = torch.rand(draws, len(alone), generator=torch.Generator().manual_seed(seed))
    orders = {name: [answer] for name, answer in found.items()} | {"hidden one by one": [alone]}
    orders |= {"that reversed (control)": [-alone], "random (control)": list(numbers)}
    scores = {name: [erasure(bert, text, position, token, order) for order in some] for name, some in orders.items()}
    return {name: Erasure(*np.mean(some, 0).tolist()) for name, some in scores.items()}


def mask_by_layer(bert: Bert, text: str, position: int, token: str, *, top: int = 3) -> tuple[list[list], Tensor]:
    """What the mask head reads in the mask's state after every layer: the `top` (token, probability), and P(`token`).

    A list of L + 1, layer 0 first, and (L + 1,). The head was trained on the last layer alone; what it reads below is
    what a state already has in the last one's directions (nostalgebraist 2020, "interpreting GPT: the logit lens").
    """
    reading = bert.read(text, masked=[position])
    probabilities = words_for(bert, reading.hidden_states[:, position])  # (L + 1, V)
    values, ids = probabilities.topk(top)
    names = [bert.tokenizer.convert_ids_to_tokens(row) for row in ids.tolist()]
    tops = [list(zip(row, p, strict=True)) for row, p in zip(names, values.tolist(), strict=True)]
    return tops, probabilities[:, token_id(bert, token)]


def on_top_from(tops: Sequence[Sequence[tuple[str, float]]], token: str) -> int | None:
    """The layer from which on `token` stays on top of `mask_by_layer`, or None if it is not there at the end."""
    first = [row[0][0] for row in tops]
    wrong = [layer for layer, name in enumerate(first) if name != token]
    layer = wrong[-1] + 1 if wrong else 0
    return layer if layer < len(first) else None


def _without_values(bert: Bert, number: int, state: Tensor, places: Tensor) -> Tensor:
    """The output (P, T, D) of a layer for its input (T, D), with the value of one of `places` (P,) zeroed in each."""
    layer = bert.model.encoder.layer[number]

    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        output = output.clone()
        output[range(len(places)), places] = 0
        return output

    handle = layer.attention.self.value.register_forward_hook(hook)
    try:
        with torch.no_grad():
            return layer(state.to(bert.device, bert.model.dtype).expand(len(places), -1, -1)).cpu()
    finally:
        handle.remove()


def _log_probability(bert: Bert, reading: Reading, embeddings: Tensor, position: int, wanted: int) -> Tensor:
    """log P (S,) of a token at `position` for word embeddings (S, T, D); gradients go through."""
    if bert.mask_head is None:
        raise ValueError(f"{bert.name} has no mask head and cannot fill masks: load() the embedded model instead")
    segments = torch.tensor(reading.segments, device=bert.device).expand(embeddings.shape[:2])
    states = bert.model(inputs_embeds=embeddings, token_type_ids=segments).last_hidden_state[:, position]
    return bert.mask_head(states).log_softmax(-1)[:, wanted]
