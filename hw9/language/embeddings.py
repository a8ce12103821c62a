"""The tokens of one text as points in a plane, layer by layer, and the part that each token plays in a question.

Van Aken et al. 2019, "How Does BERT Answer Questions?", section 4.3: what a layer has done shows in which tokens lie
together. PCA keeps the plane of largest variance, so distances far apart are true and near ones may be shadows; t-SNE
(van der Maaten & Hinton 2008) keeps near neighbours, and its large distances and sizes mean nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import orthogonal_procrustes
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor

from hw9.language.bert import Reading

METHODS = ("pca", "tsne")
FEWEST = 4  # tokens; a perplexity of 1 needs that many


def project(reading: Reading | Tensor, method: str = "pca", layers: int | Sequence[int] | None = None) -> Tensor:
    """Every token in 2-D in every layer of `layers` (None: 0, the embedding layer, to L); float32 (layers, T, 2).

    Instead of a reading, vectors (L + 1, T, D) of any T tokens, one from each of several sentences for instance. Each
    layer is projected by itself, specials included, and then turned and mirrored, never scaled, onto the layer before
    it (orthogonal Procrustes), so that no point moves with the arbitrary axes alone; a later plane may show other
    directions. Points are centred on 0. t-SNE starts from the plane of the PCA, a later layer from the one before
    it, so that nothing is left to chance; its perplexity is 30, or a third of the tokens where they are few. Raises
    ValueError or IndexError with one line.
    """
    if method not in METHODS:
        raise ValueError(f"the method must be one of {', '.join(METHODS)}, not {method!r}")
    points = None
    aligned = []
    for states in _states(reading, layers):
        new = _pca(states)[0] if method == "pca" else _tsne(states, points)
        points = new if points is None else new @ orthogonal_procrustes(new, points)[0]
        aligned.append(points)
    return torch.from_numpy(np.stack(aligned)).float()


def explained_variance(reading: Reading | Tensor, layers: int | Sequence[int] | None = None) -> Tensor:
    """Share of a layer's variance on each of the two axes that PCA keeps, larger one first; (layers, 2)."""
    return torch.from_numpy(np.stack([_pca(states)[1] for states in _states(reading, layers)])).float()


def _pca(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not np.ptp(states, axis=0).any():  # one point: a word at one place in every sentence, at layer 0
        return np.zeros((len(states), 2)), np.zeros(2)
    model = PCA(2, svd_solver="full")
    return model.fit_transform(states), model.explained_variance_ratio_


def _tsne(states: np.ndarray, previous: np.ndarray | None) -> np.ndarray:
    if not np.ptp(states, axis=0).any():
        return np.zeros((len(states), 2))
    if previous is not None and not previous.any():  # from one point t-SNE finds no way out
        previous = None
    # A layer that starts from the one before it needs neither a coarse phase (exaggeration) nor many steps: the same
    # divergence and neighbours as 1000 steps from a small start, with a third of the movement and of the time.
    start = (
        {"init": "pca", "max_iter": 1000}
        if previous is None
        else {"init": previous.astype(np.float32), "max_iter": 300, "early_exaggeration": 1.0}
    )
    # Barnes-Hut adds its threads' sums in any order, which chaos then makes visible; "exact" repeats itself.
    model = TSNE(2, perplexity=min(30.0, (len(states) - 1) / 3), method="exact", random_state=0, **start)
    points = model.fit_transform(states).astype(np.float64)
    return points - points.mean(0)


def _states(reading: Reading | Tensor, layers: int | Sequence[int] | None) -> np.ndarray:
    """The hidden states (layers, T, D) that were asked for, in double precision."""
    hidden = reading if isinstance(reading, Tensor) else reading.hidden_states
    last = len(hidden) - 1
    chosen = range(last + 1) if layers is None else [layers] if isinstance(layers, int) else list(layers)
    if not chosen:
        raise ValueError("no layers chosen: give at least one, or None for all")
    for layer in chosen:
        if not 0 <= layer <= last:
            raise IndexError(f"there is no layer {layer}: 0 is the embedding layer and {last} the last")
    if (count := hidden.shape[1]) < FEWEST:
        raise ValueError(f"a plane needs at least {FEWEST} tokens, and there are {count}: give a longer text")
    return hidden[list(chosen)].double().numpy()


@dataclass(frozen=True, eq=False)
class Roles:
    """The part of each token, as masks (T,): every token is special, of the question or of the context.

    `answer` (gold) and `predicted` lie inside the context; a token can be both, or neither.
    """

    special: Tensor
    question: Tensor
    context: Tensor
    answer: Tensor
    predicted: Tensor


def roles(reading: Reading, answer: tuple[int, int] | None = None, predicted: tuple[int, int] | None = None) -> Roles:
    """Roles by position: segment 0 is the question, segment 1 the context, spans are characters of the context.

    A token belongs to the span (start, end) when it covers a character of it; the same word elsewhere, in the question
    too, does not. Raises ValueError for a reading of one text only, and for a span outside the context or without a
    token.
    """
    if reading.pair is None:
        raise ValueError("roles need a question and a context: read(question, context)")
    special = torch.tensor(reading.special)
    second = torch.tensor(reading.segments) == 1
    context = second & ~special
    return Roles(
        special=special,
        question=~second & ~special,
        context=context,
        answer=_covered(reading, context, answer, "answer"),
        predicted=_covered(reading, context, predicted, "predicted answer"),
    )


def _covered(reading: Reading, context: Tensor, span: tuple[int, int] | None, name: str) -> Tensor:
    if span is None:
        return torch.zeros_like(context)
    start, end = span
    if not 0 <= start < end <= len(reading.pair):
        raise ValueError(f"the {name} {start} to {end} is no span of a context of {len(reading.pair)} characters")
    covered = context & torch.tensor([first < end and start < last for first, last in reading.offsets])
    if not covered.any():
        raise ValueError(f"the {name} {reading.pair[start:end]!r} covers no token of the context")
    return covered
