"""What a layer has done with a question and its context: one number for each phase of van Aken et al. 2019.

"How Does BERT Answer Questions? A Layer-Wise Analysis of Transformer Representations" (CIKM 2019) sees four phases:
equal words lie together; then words that belong together in the context; then the question beside the part of the
context that answers it; at last the answer apart from everything else. All four numbers compare a layer with itself:
cosines are taken after the layer's mean is subtracted, or else the direction that all its vectors share (anisotropy,
Ethayarajh 2019) would decide, and ranks and ratios do not depend on the size of the vectors.
"""

import re
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from hw9.language.bert import Reading
from hw9.language.embeddings import Roles

NEAR = 3  # words to either side that count as the same phrase


def phases(readings: Sequence[Reading], parts: Sequence[Roles]) -> dict[str, Tensor]:
    """The four numbers of several questions, in the order of the phases: name -> (questions, L+1).

    A number that needs what a text lacks (a repeated word, a second sentence, an answer) is nan for that question, and
    a warning names it. Raises ValueError where there is no question at all.
    """
    if not readings:
        raise ValueError("there is no question to measure: give at least one reading")
    return {
        _name(measure): torch.stack([_or_nan(measure, *pair) for pair in zip(readings, parts, strict=True)])
        for measure in (same_word, same_phrase, question_match, answer_apart)
    }


def _name(measure: Callable) -> str:
    return measure.__name__.replace("_", " ")


def _or_nan(measure: Callable[[Reading, Roles], Tensor], reading: Reading, roles: Roles) -> Tensor:
    try:
        return measure(reading, roles)
    except ValueError as error:
        warnings.warn(f"{_name(measure)} leaves out {reading.text!r} ({error})", RuntimeWarning, stacklevel=3)
        return torch.full((len(reading.hidden_states),), torch.nan)


def tops(numbers: dict[str, Tensor]) -> dict[str, list[int]]:
    """The layers at which the mean over questions is highest, to two decimals; [] where it is never above chance.

    Questions for which a number is nan are left out of it; [] as well where none is left.
    """
    chance, found = {"question match": 0.5, "answer apart": 1.0}, {}
    for name, rows in numbers.items():
        mean = (100 * rows[rows.isfinite().all(1)].mean(0)).round()
        above = mean.max() > 100 * chance.get(name, 0)  # never of nan
        found[name] = (mean == mean.max()).nonzero()[:, 0].tolist() if above else []
    return found


def same_word(reading: Reading, roles: Roles) -> Tensor:
    """Phase 1, (L+1,): share of repeated words whose nearest word is another copy of the same; chance is about 0.02.

    Every word counts once, however often it is repeated, or the commas would decide.
    """
    similar, same = _cosines(reading, roles)
    copies = same.sum(1)  # (N,) of each word, itself included
    if (copies < 2).all():
        raise ValueError("no word occurs twice in this text: choose a longer one")
    nearest = _nearest(similar, torch.eye(len(same), dtype=torch.bool))
    found = same[torch.arange(len(same)), nearest][:, copies > 1].double()  # (L+1, repeated words)
    weight = 1 / copies[copies > 1].double()
    return (found @ weight / weight.sum()).float()


def same_phrase(reading: Reading, roles: Roles) -> Tensor:
    """Phase 2, (L+1,): share of words whose nearest other word is one of the `NEAR` before or after it.

    Copies of the word itself are left out, so that phase 1 is not counted again; chance is about 0.05.
    """
    similar, same = _cosines(reading, roles)
    nearest = _nearest(similar, same)
    close = (nearest - torch.arange(len(same))).abs() <= NEAR
    asked = roles.question[~roles.special]
    return (close & (asked[nearest] == asked)).double().mean(1).float()


def question_match(reading: Reading, roles: Roles) -> Tensor:
    """Phase 3, (L+1,): how often a word of the answer's sentence is nearer to a question word than one elsewhere is.

    For each question word the share of pairs of a word of the sentence with the answer and a word of another sentence,
    then the mean over question words; equal words are left out, so that phase 1 is not counted again. Chance is 0.5.
    """
    similar, same = _cosines(reading, roles)
    inside = _sentence(reading, roles)[~roles.special]
    asked, context = roles.question[~roles.special], roles.context[~roles.special]
    won = []
    for word in asked.nonzero()[:, 0]:
        there, elsewhere = (similar[:, word, context & ~same[word] & part] for part in (inside, ~inside))
        won.append((there[:, :, None] > elsewhere[:, None]).double().mean((1, 2)))
    if not won:
        raise ValueError("the question has no word: ask one")
    return torch.stack(won).mean(0).float()


def answer_apart(reading: Reading, roles: Roles) -> Tensor:
    """Phase 4, (L+1,): distance of the answer's mean from the mean of all other words, divided by their spread, and
    that again divided by what other spans of the context of the same length get on average. Chance is 1.

    The mean of a few neighbouring words is some way off in any layer; the second division takes that out. A silhouette
    would not do: it is not defined for an answer of one word.
    """
    answer, words = (
        _answer(roles)[~roles.special],
        reading.hidden_states[:, ~roles.special].double(),
    )  # (N,), (.., N, D)
    places, length = roles.context[~roles.special].nonzero()[:, 0], int(answer.sum())
    spans = torch.stack([_window(len(answer), int(start), length) for start in places[: len(places) - length + 1]])
    spans = spans[~(spans & answer).any(1)]
    if not len(spans):
        raise ValueError("the context is too short to compare its answer with other spans: give a longer one")
    distance = _distance(words, torch.cat([answer[None], spans]))  # (L+1, 1 + spans)
    return (distance[:, 0] / distance[:, 1:].mean(1)).float()


def _distance(words: Tensor, spans: Tensor) -> Tensor:
    """How far the mean of each span (S, N) of `words` (L, N, D) is from the mean of the rest, in its spread: (L, S)."""
    inside = spans.double() / spans.sum(1, keepdim=True)
    rest = (~spans).double() / (~spans).sum(1, keepdim=True)
    centre = rest @ words  # (L, S, D)
    variance = words.square().sum(-1) @ rest.T - centre.square().sum(-1)  # (L, S)
    return (inside @ words - centre).norm(dim=-1) / variance.sqrt()


def _window(size: int, start: int, length: int) -> Tensor:
    places = torch.arange(size)
    return (places >= start) & (places < start + length)


def _cosines(reading: Reading, roles: Roles) -> tuple[Tensor, Tensor]:
    """Cosines (L+1, N, N) between the N words, their layer's mean subtracted, and which of them are equal (N, N)."""
    words = reading.hidden_states[:, ~roles.special].double()
    directions = F.normalize(words - words.mean(1, keepdim=True), dim=-1)
    ids, unknown = reading.ids[~roles.special], torch.tensor(reading.unknown)[~roles.special]
    itself = torch.eye(len(ids), dtype=torch.bool)  # of two words that are not known nobody can say that they are equal
    return directions @ directions.mT, (ids[:, None] == ids) & ~unknown | itself


def _nearest(similar: Tensor, left_out: Tensor) -> Tensor:
    return similar.masked_fill(left_out, -torch.inf).argmax(-1)  # (L+1, N)


def _answer(roles: Roles) -> Tensor:
    if not roles.answer.any():
        raise ValueError("these roles have no answer: give roles() the answer's span")
    return roles.answer


def _sentence(reading: Reading, roles: Roles) -> Tensor:
    """The context's words in the sentence (or sentences) that the answer lies in, (T,)."""
    covered = [span for span, inside in zip(reading.offsets, _answer(roles), strict=True) if inside]
    ends = [0, *(match.end() for match in re.finditer(r"[。！？!?]|\.(?=\s|$)", reading.pair)), len(reading.pair)]
    first = max(end for end in ends if end <= covered[0][0])
    last = min(end for end in ends if end >= covered[-1][1])
    inside = roles.context & torch.tensor([first <= start < last for start, _ in reading.offsets])
    if (inside == roles.context).all():
        raise ValueError("the context is a single sentence: give one with sentences beside the answer's")
    return inside
