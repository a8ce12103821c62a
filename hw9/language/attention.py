"""Where a BERT looks: what its heads do, attention through all layers, and the words it puts in place of a mask.

Clark et al. 2019, "What Does BERT Look At?"; Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers";
Devlin et al. 2019, section 3.1 (masked words). Tensors are indexed from 0: `[layer, head]`; figures count from 1.
"""

import math
import unicodedata
from collections.abc import Sequence

import torch
from torch import Tensor

from hw9.language.bert import Bert, Reading


def predict_masked(
    bert: Bert, text: str, positions: int | Sequence[int], top: int = 5, *, pair: str | None = None
) -> list[list[tuple[str, float]]]:
    """For each of `positions` (of Reading.tokens), all masked at once, the `top` likeliest tokens and probabilities.

    Raises IndexError or ValueError for positions that cannot be masked, and ValueError for a model without a mask head.
    """
    places = [positions] if isinstance(positions, int) else list(positions)
    if not places:
        raise ValueError("give at least one position to mask")
    if not 1 <= top <= bert.model.config.vocab_size:
        raise ValueError(f"top must be from 1 to {bert.model.config.vocab_size}, not {top}")
    reading = bert.read(text, pair, masked=places)
    values, ids = words_for(bert, reading.hidden_states[-1, places]).topk(top)  # (P, top) each
    tokens = [bert.tokenizer.convert_ids_to_tokens(row) for row in ids.tolist()]
    return [list(zip(names, row, strict=True)) for names, row in zip(tokens, values.tolist(), strict=True)]


def masked_probability(
    bert: Bert, text: str, position: int, token: str, also: Sequence[int] = (), *, pair: str | None = None
) -> float:
    """Probability of `token` at `position`, masked, while the positions `also` are masked as well.

    `token` is one of the vocabulary, in any capitals if the model knows none.
    """
    reading = bert.read(text, pair, masked=[position, *also])
    return float(words_for(bert, reading.hidden_states[-1, position])[token_id(bert, token)])


def masked_as_well(bert: Bert, text: str, position: int, token: str, *, pair: str | None = None) -> Tensor:
    """Probability of `token` at `position`, masked, while each other token is masked as well in its turn, (T,).

    At `position` itself stands the probability with nothing else masked; at [CLS] and [SEP] stands nan.
    """
    reading = bert.read(text, pair, masked=[position])
    places = [k for k, special in enumerate(reading.special) if not special]
    ids = reading.ids.repeat(len(places), 1)  # (P, T)
    ids[range(len(places)), places] = bert.tokenizer.mask_token_id
    values = torch.full(reading.ids.shape, torch.nan)
    values[places] = torch.cat([fill(bert, reading, part, position, token) for part in ids.split(16)])
    return values


def fill(bert: Bert, reading: Reading, ids: Tensor, position: int, token: str) -> Tensor:
    """Probability of `token` at `position` in each of B variants `ids` (B, T) of a reading, (B,)."""
    segments = torch.tensor(reading.segments, device=bert.device).expand(ids.shape)
    with torch.no_grad():
        out = bert.model(input_ids=ids.to(bert.device), token_type_ids=segments).last_hidden_state  # no padding here
    return words_for(bert, out[:, position])[:, token_id(bert, token)]


def words_for(bert: Bert, vectors: Tensor) -> Tensor:
    """Probabilities (..., V) of all tokens of the vocabulary, by the mask head, for last hidden states (..., D)."""
    if bert.mask_head is None:
        raise ValueError(f"{bert.name} has no mask head and cannot fill masks: load() the embedded model instead")
    with torch.no_grad():
        return bert.mask_head(vectors.to(bert.device)).softmax(-1).cpu()


def token_id(bert: Bert, token: str) -> int:
    """The number of a token of the vocabulary; ValueError for what is not one token of it."""
    vocabulary = bert.tokenizer.get_vocab()
    pieces = [token] if token in vocabulary else bert.tokenizer.tokenize(token)
    if len(pieces) != 1 or pieces[0] == bert.tokenizer.unk_token:
        raise ValueError(f"{token!r} is not one token of {bert.name}, which reads it as {pieces}: give one token")
    return vocabulary[pieces[0]]


def head_patterns(readings: Reading | Sequence[Reading]) -> dict[str, Tensor]:
    """What each head looks at, (L, H) each: mean share of attention that the words of all `readings` pay to ...

    "next", "previous": the neighbouring token; "self": the token itself; "same": the same token elsewhere, over the
    tokens that have such a double (nan if none has); "start": [CLS]; "separator": [SEP]; "punctuation": the marks, over
    the readings that have any. "entropy": spread of the attention, in bits (Clark et al. 2019, sections 3.1 to 3.3).
    Rows of [CLS] and [SEP] are left out of all means.
    """
    readings = [readings] if isinstance(readings, Reading) else list(readings)
    sums, counts = {}, {}
    for reading in readings:
        weights = _attentions(reading)[:, :, ~torch.tensor(reading.special)]  # (L, H, Q, T)
        for name, target in _targets(reading).items():
            asking = target.any(1)  # (Q,)
            looked = (weights * target).sum(-1)[..., asking].sum(-1)  # (L, H)
            sums[name] = sums.get(name, 0) + looked
            counts[name] = counts.get(name, 0) + int(asking.sum())
        bits = torch.special.entr(weights).sum((-1, -2)) / math.log(2)  # (L, H)
        sums["entropy"] = sums.get("entropy", 0) + bits
        counts["entropy"] = counts.get("entropy", 0) + weights.shape[2]
    return {name: sums[name] / counts[name] if counts[name] else sums[name] * torch.nan for name in sums}


def uniform_patterns(readings: Reading | Sequence[Reading]) -> dict[str, float]:
    """What `head_patterns` would be for a head that pays the same attention to every token."""
    readings = [readings] if isinstance(readings, Reading) else list(readings)
    flat = [Reading(**{**vars(r), "attentions": torch.full_like(r.attentions[:1, :1], 1 / len(r.tokens))})
            for r in readings]  # fmt: skip
    return {name: float(value) for name, value in head_patterns(flat).items()}


def rollout(reading: Reading, *, residual: float = 0.5) -> Tensor:
    """Attention followed through the layers, (L, T, T): entry [l, i, j] is how much of token j is in token i.

    Layer by layer, the mean over heads is mixed with the share `residual` of the identity, for the residual
    connection, its rows are made to add up to 1, and it is multiplied onto the layers below (Abnar & Zuidema 2020).
    """
    if not 0 <= residual <= 1:
        raise ValueError(f"residual must be from 0 to 1, not {residual}")
    identity = torch.eye(len(reading.tokens))
    through, layers = identity, []
    for heads in _attentions(reading):  # (H, T, T)
        mixed = (1 - residual) * heads.mean(0) + residual * identity
        through = mixed / mixed.sum(-1, keepdim=True) @ through
        layers.append(through)
    return torch.stack(layers)


def _targets(reading: Reading) -> dict[str, Tensor]:
    """Which tokens (T) count as looked at, by name of the pattern, for each word that looks (Q): (Q, T) bool."""
    count, ids = len(reading.tokens), reading.ids
    itself = torch.eye(count, dtype=torch.bool)
    place = torch.arange(count)
    first, last = reading.tokens[0], reading.tokens[-1]
    targets = {
        "next": place[None] == place[:, None] + 1,
        "previous": place[None] == place[:, None] - 1,
        "self": itself,
        "same": (ids[None] == ids[:, None]) & ~itself,
        "start": torch.tensor([token == first for token in reading.tokens]),
        "separator": torch.tensor([token == last for token in reading.tokens]),
        "punctuation": torch.tensor([is_mark(token) for token in reading.tokens]),
    }
    words = ~torch.tensor(reading.special)
    return {name: target.expand(count, count)[words] for name, target in targets.items()}


def is_mark(token: str) -> bool:
    """Whether a token is punctuation, in any script."""
    return all(unicodedata.category(c).startswith("P") for c in token)


def _attentions(reading: Reading) -> Tensor:
    if reading.attentions.shape[-1] != len(reading.tokens):
        raise ValueError("this reading has no attentions: use read, or read_many(..., attentions=True)")
    return reading.attentions
