"""One token in many sentences: its vectors, how far apart they are, and what that says about its senses.

Ethayarajh 2019, "How Contextual are Contextualized Word Representations?"; the lesson's exercise is `euclidean` and
`cosine`. Layer 0 is the embedding layer, layers 1 to L are the blocks.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hw9.language.bert import Bert, Reading
from hw9.language.words import positions, spans


def euclidean(vectors: Tensor) -> Tensor:
    """Distance of every vector (N, D) to every other, (N, N): the length of a - b."""
    vectors = _checked(vectors)
    return torch.stack([(vectors - vector).square().sum(1).sqrt() for vector in vectors])


def cosine(vectors: Tensor) -> Tensor:
    """Cosine of the angle between every two of the vectors (N, D), (N, N): 1 same direction, 0 at a right angle."""
    vectors = _checked(vectors)
    lengths = vectors.square().sum(1).sqrt()  # (N,)
    if not lengths.all():
        raise ValueError(f"vector {int(lengths.argmin())} is all zeros and has no direction: leave it out")
    directions = vectors / lengths[:, None]
    return (directions @ directions.T).clamp(-1, 1)


def token_vectors(
    bert: Bert,
    sentences: Sequence[str],
    token: str,
    layer: int,
    *,
    occurrence: int | Sequence[int] | None = None,
) -> Tensor:
    """The vector of `token` in each of N sentences at one layer, (N, D) float32.

    `token` is a character, or a word of several tokens, whose vector is their mean. It is found by the tokenizer's
    offsets, whatever its capitals. Where a sentence holds it several times, the first is taken, with a warning that
    says how many there are; `occurrence`, one number for all sentences or a list of N, chooses without a warning.
    Raises IndexError for a layer that is not there, and ValueError for a sentence without the token, or too long.
    """
    if not 0 <= layer <= bert.layers:
        raise IndexError(f"{bert.name} has layers 0 (embeddings) to {bert.layers}, not {layer}")
    return all_layers(bert, sentences, token, occurrence=occurrence)[layer]


def all_layers(
    bert: Bert, sentences: Sequence[str], token: str, *, occurrence: int | Sequence[int] | None = None
) -> Tensor:
    """What `token_vectors` gives at every layer, (L + 1, N, D), read only once."""
    readings, places = locate(bert, sentences, token, occurrence=occurrence)
    return torch.stack([r.hidden_states[:, k].mean(1) for r, k in zip(readings, places, strict=True)], 1)


def locate(
    bert: Bert, sentences: Sequence[str], token: str, *, occurrence: int | Sequence[int] | None = None
) -> tuple[list[Reading], list[list[int]]]:
    """The sentences as read, and in each the positions of the tokens that make up `token`."""
    if isinstance(sentences, str) or not sentences:
        raise ValueError("give a list of at least one sentence")
    chosen = [occurrence or 0] * len(sentences) if occurrence is None or isinstance(occurrence, int) else occurrence
    if len(chosen) != len(sentences):
        raise ValueError(f"occurrence has {len(chosen)} numbers for {len(sentences)} sentences: give one for each")
    readings = bert.read_many(sentences)
    for number, reading in enumerate(readings):
        several = len(spans(reading.text, token))
        if occurrence is None and several > 1:
            warnings.warn(
                f"{token!r} is {several} times in sentence {number} and its first is taken: choose with occurrence=",
                stacklevel=3,
            )
    return readings, [positions(r, token, which) for r, which in zip(readings, chosen, strict=True)]


def equal_at_layer_0(vectors: Tensor, readings: Sequence[Reading], places: Sequence[Sequence[int]]) -> Tensor:
    """Which pairs of vectors (N, D) of the embedding layer are equal, (N, N); asserted: those of a token and a place.

    The embedding layer adds up token, position and segment: the same token at the same position is the same vector,
    whatever the sentence; "Apple" and "apple" may be two tokens. `readings` and `places` are what `locate` gives.
    Raises AssertionError where that does not hold.
    """
    equal = euclidean(vectors) == 0
    found = [(list(place), reading.ids[place].tolist()) for reading, place in zip(readings, places, strict=True)]
    same = torch.tensor([[a == b for a in found] for b in found])
    assert torch.equal(equal, same), "layer 0 depends on more than token and position"
    return equal


@dataclass(frozen=True)
class Curves:
    """Mean cosine similarities and accuracies per layer, each (L + 1,)."""

    within: Tensor  # of two sentences with one sense
    between: Tensor  # of two sentences with different senses
    anisotropy: Tensor  # of two tokens drawn at random from different sentences: what similarity costs nothing
    accuracy: Tensor  # how often a sentence's nearest neighbour has its sense
    chance: float  # the accuracy of a neighbour drawn at random

    @property
    def gap(self) -> Tensor:
        return self.within - self.between


def layer_curves(bert: Bert, sentences: Sequence[str], senses: Sequence[str], token: str, **options) -> Curves:
    """How the senses separate from layer to layer; similarities minus `anisotropy` are Ethayarajh's corrected ones.

    `senses` names the sense in each sentence, at least two sentences for each of two senses. `options`: occurrence.
    """
    readings, places = locate(bert, sentences, token, **options)
    vectors = [r.hidden_states[:, k].mean(1) for r, k in zip(readings, places, strict=True)]
    similar = torch.stack([cosine(layer) for layer in torch.stack(vectors, 1)])  # (L + 1, N, N)
    same, other = _pairs(senses, len(sentences))
    return Curves(
        within=similar[:, same].mean(1),
        between=similar[:, other].mean(1),
        anisotropy=anisotropy(readings),
        accuracy=neighbour_accuracy(similar, senses),
        chance=float(same.sum() / (same.sum() + other.sum())),
    )


def anisotropy(readings: Sequence[Reading], *, pairs: int = 1000, seed: int = 0) -> Tensor:
    """Mean cosine of `pairs` random pairs of tokens from different sentences, per layer, (L + 1,) (section 3.4).

    Were the directions spread evenly it would be 0; as they are not, a similarity means little until this is
    subtracted. [CLS] and [SEP] are left out.
    """
    owner = torch.tensor([number for number, r in enumerate(readings) for special in r.special if not special])
    if len(owner.unique()) < 2:
        raise ValueError("random pairs come from different sentences: give at least two")
    hidden = torch.cat([r.hidden_states[:, ~torch.tensor(r.special)] for r in readings], 1)  # (L + 1, all tokens, D)
    random = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(owner), (2, 20 * pairs), generator=random)
    left, right = drawn[:, owner[drawn[0]] != owner[drawn[1]]][:, :pairs]
    return torch.nn.functional.cosine_similarity(hidden[:, left], hidden[:, right], dim=-1).mean(1)


def neighbour_accuracy(similar: Tensor, senses: Sequence[str]) -> Tensor:
    """Share of the N sentences whose most similar other sentence has the same sense; `similar` (..., N, N).

    Among neighbours that are equally near (to 1e-6), the share of those with the right sense counts.
    """
    same, other = _pairs(senses, similar.shape[-1])
    candidates = similar.masked_fill(~(same | other), -torch.inf)
    nearest = candidates >= candidates.amax(-1, keepdim=True) - 1e-6
    return ((nearest & same).sum(-1) / nearest.sum(-1)).mean(-1)


def _pairs(senses: Sequence[str], count: int) -> tuple[Tensor, Tensor]:
    """Masks (N, N) of the pairs of different sentences with one sense, and with two."""
    if len(senses) != count:
        raise ValueError(f"{len(senses)} senses for {count} sentences: give one for each")
    if len(set(senses)) < 2 or min(map(list(senses).count, set(senses))) < 2:
        raise ValueError("give at least two senses, and two sentences of each")
    same = torch.tensor([[a == b for a in senses] for b in senses])
    return same & ~torch.eye(count, dtype=torch.bool), ~same


def _checked(vectors: Tensor) -> Tensor:
    vectors = torch.as_tensor(vectors)
    if vectors.ndim != 2 or not vectors.numel():
        raise ValueError(f"vectors must be (N, D), one in each row, not {tuple(vectors.shape)}")
    return vectors if vectors.is_floating_point() else vectors.float()
