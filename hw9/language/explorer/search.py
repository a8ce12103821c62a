"""Corpus search: the tokens nearest to one token, by embedding or by what heads read, and what they attend to.

Hoover, Strobelt & Gehrmann 2020, "exBERT: A Visual Analysis Tool", section 3. Similarity is the cosine: of hidden
states, or, for heads, the mean over the heads of the cosine of their context vectors (attention times values).
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hw9.language.bert import Bert, Reading
from hw9.language.explorer.corpus import Corpus, read_corpus
from hw9.language.explorer.payload import Payload
from hw9.notebook import ROOT

DEPTH = 50
CHUNK = 128  # sentences read, and then attended over, at a time


@dataclass(frozen=True, eq=False)
class Index:
    """The N tokens of a corpus of S sentences, as one model sees them; `hidden` lies in a file, of 16 bits."""

    bert: Bert
    corpus: Corpus
    hidden: np.ndarray  # (L + 1, N, D)
    norms: np.ndarray  # (L + 1, N)
    starts: np.ndarray  # (S + 1,): sentence s has the tokens starts[s]:starts[s + 1]
    offsets: np.ndarray  # (N, 2) characters of the sentence
    words: np.ndarray  # (N,) bool: no [CLS], no [SEP]


@dataclass(frozen=True, eq=False)
class Hits:
    """The nearest tokens, nearest first: sentence, position in it, position it attends to most, similarity; (K,) each."""

    sentences: np.ndarray
    positions: np.ndarray
    attended: np.ndarray
    scores: np.ndarray


def index(
    bert: Bert,
    file: str | Path | None = None,
    *,
    folder: str | Path = ROOT / ".hw9-cache",
    progress: Callable[[int, int], None] | None = None,
) -> Index:
    """The index of the corpus that ships with the project, or of a text `file` with one sentence a line.

    It is computed once for each model and corpus and kept in `folder`. `progress` is called with the number of
    sentences read and of all.
    """
    corpus = read_corpus(file)
    name = hashlib.sha256(json.dumps([_fingerprint(bert), corpus.texts]).encode()).hexdigest()[:16]
    place = Path(folder) / f"corpus-{name}"
    if not (place / "facts.npz").exists():
        _build(bert, corpus, place, progress)
    facts = np.load(place / "facts.npz")
    shape = (bert.layers + 1, len(facts["words"]), bert.width)
    hidden = np.memmap(place / "hidden.f16", np.float16, "r", shape=shape)
    return Index(bert, corpus, hidden, **{name: facts[name] for name in ("norms", "starts", "offsets", "words")})


def search(
    corpus: Index, reading: Reading, position: int, *, heads: Sequence[int] | None = None, top: int = DEPTH
) -> list[Hits]:
    """For each layer 1 to L the `top` tokens of the corpus nearest to the token at `position` of a reading.

    By the embedding after the layer; with `heads` (counted from 1), by what these heads of the layer read there.
    """
    return search_many(corpus, reading, [position], heads=heads, top=top)[0]


def search_many(
    corpus: Index, reading: Reading, positions: Sequence[int], *, heads: Sequence[int] | None = None, top: int = DEPTH
) -> list[list[Hits]]:
    """`search` for several positions of one reading, which share the work on the corpus; a list of layers for each."""
    bert = corpus.bert
    if heads is not None and not (heads and all(1 <= head <= bert.heads for head in heads)):
        raise ValueError(f"heads are numbers from 1 to {bert.heads}, at least one: not {list(heads)}")
    candidates = np.flatnonzero(corpus.words)
    found = [[] for _ in positions]
    for layer in range(1, bert.layers + 1):
        scores = _similarities(corpus, reading, positions, layer, heads)[:, candidates]  # (P, C)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        tokens = candidates[order]  # (P, K)
        attended = _most_attended(corpus, layer, tokens, heads)
        for hits, row, ranks, near, sees in zip(found, scores, order, tokens, attended, strict=True):
            sentences = np.searchsorted(corpus.starts, near, "right") - 1
            hits.append(Hits(sentences, near - corpus.starts[sentences], sees, row[ranks]))
    return found


def found_as_json(corpus: Index, layers: list[Hits]) -> dict:
    """The hits of all layers as the page reads them, with the sentences that they are in."""
    used, numbers = _used(layers)
    return {
        "sentences": [_sentence(corpus, s) for s in used],
        "layers": [
            [[numbers[s], p, a, round(v, 4)] for s, p, a, v in zip(
                *(part.tolist() for part in (hits.sentences, hits.positions, hits.attended, hits.scores)), strict=True
            )]
            for hits in layers
        ],
    }  # fmt: skip


def store_searches(payload: Payload, corpus: Index, reading: Reading) -> None:
    """Let the page carry the searches for every word of the reading: as it stands, and masked by itself."""
    places = [k for k, special in enumerate(reading.special) if not special]
    bert, found = corpus.bert, {}
    plain = dict(zip(places, search_many(corpus, reading, places), strict=True))
    every = list(range(1, bert.heads + 1))
    context = dict(zip(places, search_many(corpus, reading, places, heads=every), strict=True))
    for place in places:
        found[f"near:{place}:"] = plain[place]
        found[f"heads:{place}:"] = context[place]
        if bert.mask_head is not None:
            masked = bert.read(reading.text, reading.pair, masked=[place])
            found[f"near:{place}:{place}"] = search(corpus, masked, place)
    used, numbers = _used([hits for layers in found.values() for hits in layers])
    for name, layers in found.items():
        table = [
            np.stack(
                [[numbers[s] for s in hits.sentences.tolist()], hits.positions, hits.attended, _code(hits.scores)], 1
            )
            for hits in layers
        ]
        payload.add(name, np.stack(table).astype("<u2").tobytes())
    sentences = json.dumps([_sentence(corpus, s) for s in used], ensure_ascii=False, separators=(",", ":"))
    payload.add("sentences", sentences.encode())
    payload.meta["corpus"] = {
        "sentences": "sentences",
        "rows": list(found),
        "depth": DEPTH,
        "count": len(corpus.corpus.texts),
        "name": corpus.corpus.name,
    }


def _code(scores: np.ndarray) -> np.ndarray:
    return np.round((np.clip(scores, -1, 1) + 1) * 32767.5)


def _used(layers: list[Hits]) -> tuple[list[int], dict[int, int]]:
    used = sorted({s for hits in layers for s in hits.sentences.tolist()})
    return used, {s: k for k, s in enumerate(used)}


def _sentence(corpus: Index, number: int) -> list:
    tokens = slice(corpus.starts[number], corpus.starts[number + 1])
    return [corpus.corpus.texts[number], corpus.corpus.tags[number], corpus.offsets[tokens].tolist()]


def _similarities(
    corpus: Index, reading: Reading, positions: Sequence[int], layer: int, heads: Sequence[int] | None
) -> np.ndarray:
    """Similarity (P, N) of tokens of the reading to every token of the corpus, in a layer counted from 1."""
    if heads is None:
        asked = reading.hidden_states[layer, list(positions)].numpy()  # (P, D)
        asked = asked / np.linalg.norm(asked, axis=1, keepdims=True)
        return asked @ corpus.hidden[layer].astype(np.float32).T / corpus.norms[layer]
    chosen = [head - 1 for head in heads]
    own = _contexts(corpus.bert, reading.hidden_states[layer - 1][None], None, layer)[0][0, chosen][:, list(positions)]
    asked = torch.nn.functional.normalize(own, dim=-1)  # (heads, P, D / H)
    parts = []
    for states, lengths, _ in _padded(corpus, layer, range(len(corpus.corpus.texts))):
        contexts = _contexts(corpus.bert, states, lengths, layer)[0][:, chosen]  # (B, heads, T, D / H)
        near = torch.einsum("hpd,bhtd->pbt", asked, torch.nn.functional.normalize(contexts, dim=-1)) / len(chosen)
        inside = torch.arange(states.shape[1]) < lengths[:, None]  # (B, T)
        parts.append(near[:, inside].numpy())
    return np.concatenate(parts, 1)


def _most_attended(corpus: Index, layer: int, tokens: np.ndarray, heads: Sequence[int] | None) -> np.ndarray:
    """For tokens of the corpus, the position in their sentence to which they give most attention; same shape."""
    chosen = list(range(corpus.bert.heads)) if heads is None else [head - 1 for head in heads]
    sentences = np.searchsorted(corpus.starts, tokens, "right") - 1
    best = {}
    for states, lengths, rows in _padded(corpus, layer, np.unique(sentences).tolist()):
        weights = _contexts(corpus.bert, states, lengths, layer)[1][:, chosen].mean(1)  # (B, T, T)
        best.update(zip(rows, weights.argmax(-1).tolist(), strict=True))
    flat = [best[s][t - corpus.starts[s]] for s, t in zip(sentences.flat, tokens.flat, strict=True)]
    return np.array(flat).reshape(tokens.shape)


def _padded(corpus: Index, layer: int, sentences: Sequence[int]):
    """Batches of what the layer gets as input: states (B, T, D), lengths (B,) and the numbers of the sentences."""
    hidden = corpus.hidden[layer - 1]
    for start in range(0, len(sentences), CHUNK):
        rows = list(sentences[start : start + CHUNK])
        spans = [(corpus.starts[s], corpus.starts[s + 1]) for s in rows]
        lengths = torch.tensor([int(b - a) for a, b in spans])
        states = torch.zeros(len(rows), int(lengths.max()), hidden.shape[1])
        for k, (a, b) in enumerate(spans):
            states[k, : b - a] = torch.from_numpy(hidden[a:b].astype(np.float32))
        yield states, lengths, rows


@torch.no_grad()
def _contexts(bert: Bert, states: Tensor, lengths: Tensor | None, layer: int) -> tuple[Tensor, Tensor]:
    """What the heads of a layer read, (B, H, T, D / H), and their attention (B, H, T, T), from its input (B, T, D)."""
    own = bert.model.encoder.layer[layer - 1].attention.self
    batch, count, width = states.shape
    states = states.to(bert.device)
    query, key, value = (
        part(states).view(batch, count, bert.heads, width // bert.heads).transpose(1, 2)
        for part in (own.query, own.key, own.value)
    )
    scores = query @ key.transpose(-1, -2) / math.sqrt(width // bert.heads)
    if lengths is not None:
        outside = torch.arange(count) >= lengths[:, None]  # (B, T)
        scores = scores.masked_fill(outside[:, None, None].to(bert.device), -torch.inf)
    weights = scores.softmax(-1)
    return (weights @ value).cpu(), weights.cpu()


def _build(bert: Bert, corpus: Corpus, place: Path, progress: Callable[[int, int], None] | None) -> None:
    """Read the corpus and write the index; what was half written when it was interrupted is written again."""
    place.mkdir(parents=True, exist_ok=True)
    order = sorted(range(len(corpus.texts)), key=lambda k: len(corpus.texts[k]))
    counts, facts = np.zeros(len(order), int), {}
    parts = []
    for start in range(0, len(order), CHUNK):
        rows = order[start : start + CHUNK]
        for row, reading in zip(rows, bert.read_many([corpus.texts[k] for k in rows]), strict=True):
            counts[row] = len(reading.tokens)
            facts[row] = (reading.offsets, reading.special)
            parts.append((row, reading.hidden_states.half().numpy()))
        if progress:
            progress(min(start + CHUNK, len(order)), len(order))
    starts = np.concatenate([[0], counts.cumsum()])
    shape = (bert.layers + 1, int(starts[-1]), bert.width)
    hidden = np.memmap(place / "hidden.f16", np.float16, "w+", shape=shape)
    norms = np.zeros(shape[:2], np.float32)
    for row, states in parts:
        tokens = slice(starts[row], starts[row + 1])
        hidden[:, tokens] = states
        norms[:, tokens] = np.linalg.norm(states.astype(np.float32), axis=-1)
    hidden.flush()
    lines = [facts[k] for k in range(len(order))]
    partial = place / f"facts-{os.getpid()}.npz"
    np.savez(
        partial,
        norms=norms,
        starts=starts,
        offsets=np.concatenate([offsets for offsets, _ in lines]),
        words=~np.concatenate([special for _, special in lines]),
    )
    partial.replace(place / "facts.npz")


def _fingerprint(bert: Bert) -> list:
    """What tells one model from another: its name, sizes and sums over its weights."""
    sums = [float(part.double().abs().sum()) for part in bert.model.state_dict().values() if part.is_floating_point()]
    return [bert.name, bert.layers, bert.width, sums]
