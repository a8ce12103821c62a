"""Corpus search: the tokens nearest to one token, by embedding or by what heads read, and what they attend to.

Hoover, Strobelt & Gehrmann 2020, "exBERT: A Visual Analysis Tool", section 3. Similarity is the cosine: of hidden
states, or, for heads, the mean over the heads of the cosine of their context vectors (attention times values).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from hw9.files import replacing
from hw9.language.bert import Bert, Reading
from hw9.language.explorer.index import BUILDING, Index

DEPTH = 50
CHUNK = 128  # sentences attended over at a time


@dataclass(frozen=True, eq=False)
class Hits:
    """The K nearest tokens, nearest first: sentence, position in it, the word it attends to most, similarity.

    [CLS] and [SEP], on which heads rest that have nothing to say (Clark et al. 2019, section 3.2), are no words.
    """

    sentences: np.ndarray
    positions: np.ndarray
    attended: np.ndarray
    scores: np.ndarray


def search(
    corpus: Index, reading: Reading, position: int, *, heads: Sequence[int] | None = None, top: int = DEPTH
) -> list[Hits]:
    """For each layer 1 to L the `top` tokens of the corpus nearest to the token at `position` of a reading.

    By the embedding after the layer; with `heads` (counted from 1), by what these heads of the layer read there.
    """
    return search_many(corpus, [(reading, position)], heads=heads, top=top)[0]


def search_many(
    corpus: Index, asked: Sequence[tuple[Reading, int]], *, heads: Sequence[int] | None = None, top: int = DEPTH
) -> list[list[Hits]]:
    """`search` for several (reading, position), which share the work on the corpus; a list of layers for each."""
    bert = corpus.bert
    if heads is not None and not (heads and all(1 <= head <= bert.heads for head in heads)):
        raise ValueError(f"heads are numbers from 1 to {bert.heads}, at least one: not {list(heads)}")
    chosen = range(bert.heads) if heads is None else sorted({head - 1 for head in heads})
    candidates = np.flatnonzero(corpus.words)
    found = [[] for _ in asked]
    for layer in range(1, bert.layers + 1):
        if heads is None:
            scores = _by_embedding(corpus, asked, layer)[:, candidates]  # (Q, C)
        else:
            scores = _by_heads(corpus, asked, layer, chosen)[:, candidates]
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        tokens = candidates[order]  # (Q, K)
        if len(chosen) == bert.heads:
            attended = corpus.attended[layer - 1, tokens]
        else:
            attended = _most_attended(corpus, layer, tokens, chosen)
        for hits, row, ranks, near, sees in zip(found, scores, order, tokens, attended, strict=True):
            sentences = np.searchsorted(corpus.starts, near, "right") - 1
            hits.append(Hits(sentences, near - corpus.starts[sentences], sees, row[ranks]))
    return found


def _by_embedding(corpus: Index, asked: Sequence[tuple[Reading, int]], layer: int) -> np.ndarray:
    """Cosine (Q, N) of hidden states of a layer counted from 1."""
    vectors = np.stack([reading.hidden_states[layer, position].numpy() for reading, position in asked])  # (Q, D)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors @ corpus.hidden[layer].astype(np.float32).T / corpus.norms[layer]


def _by_heads(corpus: Index, asked: Sequence[tuple[Reading, int]], layer: int, heads: Sequence[int]) -> np.ndarray:
    """Mean over `heads`, counted from 0, of the cosine (Q, N) of what they read in a layer counted from 1."""
    own = {id(reading): reading for reading, _ in asked}
    for key, reading in own.items():
        own[key] = _attend(corpus.bert, reading.hidden_states[layer - 1][None], None, layer)[0][0]  # (H, T, D / H)
    vectors = normalize(torch.stack([own[id(reading)][heads, position] for reading, position in asked]), dim=-1)
    known = _contexts(corpus, layer).reshape(len(corpus.words), corpus.bert.heads, -1)  # (N, H, D / H)
    return sum(
        vectors[:, k].numpy() @ known[:, head].astype(np.float32).T for k, head in enumerate(heads)
    ) / len(heads)  # fmt: skip


def _contexts(corpus: Index, layer: int) -> np.ndarray:
    """What each head of a layer reads at each token of the corpus, of length 1 per head, (N, D); kept in a file."""
    path, shape = corpus.folder / f"contexts-{layer}.f16", corpus.hidden.shape[1:]
    with BUILDING:
        if not path.exists():
            _write_contexts(corpus, layer, path, shape)
    return np.memmap(path, np.float16, "r", shape=shape)


def _write_contexts(corpus: Index, layer: int, path: Path, shape: tuple[int, int]) -> None:
    """What `_contexts` keeps: each sentence read from what the layer below made of it."""
    with replacing(path) as partial:
        table = np.memmap(partial, np.float16, "w+", shape=shape)
        for states, lengths, rows in _padded(corpus, layer, range(len(corpus.corpus.texts))):
            vectors = normalize(_attend(corpus.bert, states, lengths, layer)[0], dim=-1).transpose(1, 2).flatten(2)
            for s, length, part in zip(rows, lengths.tolist(), vectors.half().numpy(), strict=True):
                table[corpus.starts[s] : corpus.starts[s + 1]] = part[:length]
        table.flush()
        del table  # Windows moves no file that is in use


def _most_attended(corpus: Index, layer: int, tokens: np.ndarray, heads: Sequence[int]) -> np.ndarray:
    """For tokens of the corpus, the word of their sentence to which `heads` give most attention; same shape."""
    sentences = np.searchsorted(corpus.starts, tokens, "right") - 1
    best = {}
    for states, lengths, rows in _padded(corpus, layer, np.unique(sentences).tolist()):
        weights = _attend(corpus.bert, states, lengths, layer)[1][:, list(heads)].mean(1)  # (B, T, T)
        for weight, s in zip(weights, rows, strict=True):
            words = corpus.words[corpus.starts[s] : corpus.starts[s + 1]]
            weight[:, : len(words)].masked_fill_(~torch.from_numpy(words), -1)
        best.update(zip(rows, weights.argmax(-1).tolist(), strict=True))
    flat = [best[s][t - corpus.starts[s]] for s, t in zip(sentences.flat, tokens.flat, strict=True)]
    return np.array(flat).reshape(tokens.shape)


def _padded(corpus: Index, layer: int, sentences: Sequence[int]) -> Iterator[tuple[Tensor, Tensor, list[int]]]:
    """Batches of what the layer gets as input: states (B, T, D), lengths (B,) and the numbers of the sentences."""
    hidden, lengths = corpus.hidden[layer - 1], np.diff(corpus.starts)
    ordered = sorted(sentences, key=lambda s: lengths[s])
    for start in range(0, len(ordered), CHUNK):
        rows = ordered[start : start + CHUNK]
        states = torch.zeros(len(rows), int(lengths[rows].max()), hidden.shape[1])
        for k, s in enumerate(rows):
            states[k, : lengths[s]] = torch.from_numpy(
                hidden[corpus.starts[s] : corpus.starts[s + 1]].astype(np.float32)
            )
        yield states, torch.from_numpy(lengths[rows]), rows


@torch.no_grad()
def _attend(bert: Bert, states: Tensor, lengths: Tensor | None, layer: int) -> tuple[Tensor, Tensor]:
    """What the heads of a layer read, (B, H, T, D / H), and their attention (B, H, T, T), from its input (B, T, D)."""
    own = bert.model.encoder.layer[layer - 1].attention.self
    batch, count, width = states.shape
    states = states.to(bert.device, bert.model.dtype)
    query, key, value = (
        part(states).view(batch, count, bert.heads, width // bert.heads).transpose(1, 2)
        for part in (own.query, own.key, own.value)
    )
    scores = query @ key.transpose(-1, -2) / math.sqrt(width // bert.heads)
    if lengths is not None:
        outside = torch.arange(count) >= lengths[:, None]  # (B, T)
        scores = scores.masked_fill(outside[:, None, None].to(bert.device), -torch.inf)
    weights = scores.softmax(-1)
    return (weights @ value).cpu().float(), weights.cpu().float()
