"""Where a BERT looks: what its heads do, attention through all layers, and the words it puts in place of a mask.

Clark et al. 2019, "What Does BERT Look At?"; Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers";
Devlin et al. 2019, section 3.1 (masked words). Tensors are indexed from 0: `[layer, head]`; figures count from 1.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from hw9.language.bert import Bert, Reading
from hw9.language.words import spelled, units

BEAM = 50  # words that `predict_word` follows at a time


def predict_masked(
    bert: Bert, text: str, positions: int | Sequence[int], top: int = 5, *, pair: str | None = None
) -> list[list[tuple[str, float]]]:
    """For each of `positions` (of Reading.tokens), all masked at once, the `top` likeliest tokens and probabilities.

    Raises IndexError or ValueError for positions that cannot be masked, and ValueError for a model without a mask head.
    """
    places = _places(positions)
    _check_top(bert, top)
    reading = bert.read(text, pair, masked=places)
    values, ids = words_for(bert, reading.hidden_states[-1, places]).topk(top)  # (P, top) each
    tokens = [bert.tokenizer.convert_ids_to_tokens(row) for row in ids.tolist()]
    return [list(zip(names, row, strict=True)) for names, row in zip(tokens, values.tolist(), strict=True)]


def predict_word(
    bert: Bert,
    text: str,
    positions: int | Sequence[int],
    top: int = 5,
    *,
    also: Sequence[int] = (),
    word: str | None = None,
    pair: str | None = None,
) -> list[tuple[str, float]]:
    """The `top` likeliest words in place of all `positions` together, with their probabilities.

    A word of n tokens has the joint probability of them, by the chain rule from left to right: of the first, the
    others masked, times that of the second once the first stands there, and so on. A beam of `BEAM` looks for the
    words; one position is exact. The positions `also` are masked as well; a `word` that is not among the likeliest
    comes last, with its own probability.
    """
    places = _places(positions)
    _check_top(bert, top)
    reading = bert.read(text, pair, masked=[*places, *also])
    ids, joint = reading.ids[None], torch.ones(1)
    for place in places:
        joint = joint[:, None] * words_for(bert, _last(bert, reading, ids)[:, place])  # (B, V)
        joint, best = joint.flatten().topk(min(max(top, BEAM), joint.numel()))
        ids = ids[best // bert.vocabulary]
        ids[:, place] = best % bert.vocabulary
    names = [spelled(bert.tokenizer.convert_ids_to_tokens(row)) for row in ids[:top, places].tolist()]
    found = list(zip(names, joint.tolist(), strict=False))
    if word is not None and word.casefold() not in (name.casefold() for name in names):
        found.append((word, masked_probability(bert, text, places, word, also, pair=pair)))
    return found


def masked_probability(
    bert: Bert,
    text: str,
    positions: int | Sequence[int],
    word: str,
    also: Sequence[int] = (),
    *,
    pair: str | None = None,
) -> float:
    """Probability of `word` at `positions`, all masked, while the positions `also` are masked as well.

    `word` has a token for each position, in any capitals if the model knows none; that of several is the joint
    probability by the chain rule, as in `predict_word`.
    """
    places = _places(positions)
    reading = bert.read(text, pair, masked=[*places, *also])
    return float(fill(bert, reading, reading.ids[None], places, word))


def masked_as_well(
    bert: Bert, text: str, positions: int | Sequence[int], word: str, *, pair: str | None = None
) -> Tensor:
    """Probability of `word` at `positions`, masked, while each other word is masked as well in its turn, (T,).

    All tokens of a word are masked together and get the same number. At `positions` themselves stands the probability
    with nothing else masked; at [CLS] and [SEP] stands nan.
    """
    places = _places(positions)
    reading = bert.read(text, pair, masked=places)
    words = [unit for unit in units(reading, places) if not reading.special[unit[0]]]
    ids = reading.ids.repeat(len(words), 1)  # (W, T)
    for row, unit in zip(ids, words, strict=True):
        row[unit] = bert.tokenizer.mask_token_id
    found = torch.cat([fill(bert, reading, part, places, word) for part in ids.split(16)])
    values = torch.full(reading.ids.shape, torch.nan)
    for unit, value in zip(words, found, strict=True):
        values[unit] = value
    return values


def fill(bert: Bert, reading: Reading, ids: Tensor, positions: int | Sequence[int], word: str) -> Tensor:
    """Joint probability of `word` at `positions`, by the chain rule, in each of B variants `ids` (B, T), (B,)."""
    ids, joint = ids.clone(), torch.ones(len(ids))
    for place, token in zip(*wanted_at(bert, reading, positions, word), strict=True):
        joint = joint * words_for(bert, _last(bert, reading, ids)[:, place])[:, token]
        ids[:, place] = token
    return joint


def wanted_at(bert: Bert, reading: Reading, positions: int | Sequence[int], word: str) -> tuple[list[int], list[int]]:
    """`positions` as a list, and the token of `word` that belongs at each; ValueError where they are not as many."""
    places = _places(positions)
    tokens = _standing(bert, reading, places, word) or token_ids(bert, word)
    if len(tokens) != len(places):
        cut = bert.tokenizer.convert_ids_to_tokens(tokens)
        raise ValueError(f"{bert.name} reads {word!r} as {cut}, for {len(places)} position(s): give one for each token")
    return places, tokens


def chain(reading: Reading, places: Sequence[int], tokens: Sequence[int]) -> Tensor:
    """What the chain rule asks for n tokens in turn, (n, T): the reading's tokens, with those before filled in."""
    ids = reading.ids.repeat(len(places), 1)
    for number, (place, token) in enumerate(zip(places, tokens, strict=True)):
        ids[number + 1 :, place] = token
    return ids


def words_for(bert: Bert, vectors: Tensor) -> Tensor:
    """Probabilities (..., V) of all tokens of the vocabulary, by the mask head, for last hidden states (..., D)."""
    return bert.mask_scores(vectors).softmax(-1)[..., : bert.vocabulary]  # a model may have rows to spare


def token_ids(bert: Bert, word: str) -> list[int]:
    """The numbers of the tokens that make up a word (or of a piece, "##ing"); ValueError for what is not known."""
    vocabulary = bert.tokenizer.get_vocab()
    pieces = [word] if word in vocabulary else bert.tokenizer.tokenize(word)
    if not pieces or bert.tokenizer.unk_token in pieces:
        raise ValueError(f"{bert.name} does not know {word!r} and reads it as {pieces}: give another word")
    return [vocabulary[piece] for piece in pieces]


def _standing(bert: Bert, reading: Reading, places: Sequence[int], word: str) -> list[int]:
    """The tokens at `places` before they were masked, if it is `word` that stands there: its pieces may be others
    than those of the word alone."""
    text = reading.pair if reading.segments[places[0]] else reading.text
    if text[reading.offsets[places[0]][0] : reading.offsets[places[-1]][1]] != word:
        return []
    ids = bert.tokenizer(reading.text, reading.pair, verbose=False)["input_ids"]
    found = [ids[place] for place in places]
    return [] if bert.tokenizer.unk_token_id in found else found


def _last(bert: Bert, reading: Reading, ids: Tensor) -> Tensor:
    """Last hidden states (B, T, D) of variants `ids` (B, T) of a reading."""
    return bert.last_hidden(ids, torch.tensor(reading.segments).expand(ids.shape))


def _places(positions: int | Sequence[int]) -> list[int]:
    places = [positions] if isinstance(positions, int) else list(positions)
    if not places:
        raise ValueError("give at least one position to mask")
    if len(set(places)) < len(places):
        raise ValueError(f"the positions {places} name one token twice: give each once")
    return places


def _check_top(bert: Bert, top: int) -> None:
    if not 1 <= top <= bert.vocabulary:
        raise ValueError(f"top must be from 1 to {bert.vocabulary}, not {top}")


def head_patterns(readings: Reading | Sequence[Reading]) -> dict[str, Tensor]:
    """What each head looks at, (L, H) each: mean share of attention that the words of all `readings` pay to ...

    "next", "previous": the neighbouring token; "self": the token itself; "same": the same token elsewhere, over the
    tokens that have such a double (nan if none has; two unknown words are not the same); "start": [CLS]; "separator":
    [SEP]; "punctuation": the marks, over the readings that have any. "entropy": spread of the attention, in bits (Clark
    et al. 2019, sections 3.1 to 3.3). Rows of [CLS] and [SEP] are left out of all means.
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
    flat = [replace(r, attentions=torch.full_like(r.attentions[:1, :1], 1 / len(r.tokens))) for r in readings]
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
        "same": (ids[None] == ids[:, None]) & ~itself & ~torch.tensor(reading.unknown),
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
