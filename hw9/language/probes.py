"""What single heads are good for: ablation by hooks, and which head sends a pronoun to the word it stands for.

Michel, Levy & Neubig 2019, "Are Sixteen Heads Really Better than One?"; Clark et al. 2019, "What Does BERT Look At?".
Layers and heads are indexed from 0, as in `Reading.attentions[layer, head]`.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import torch
from scipy.stats import binom
from torch import Tensor, nn

from hw9.language.attention import fill
from hw9.language.bert import Bert
from hw9.language.hooks import hooked
from hw9.language.sentences import Pronoun
from hw9.language.words import positions, spans


@contextlib.contextmanager
def ablated(bert: Bert, heads: Mapping[int, Sequence[int]]) -> Iterator[None]:
    """Inside, the given heads of the given layers contribute nothing: `with ablated(bert, {0: [3], 5: [0, 1]}):`.

    A hook sets their slice of the input of the layer's output projection to zero, which removes a head's own share
    and leaves its attention as it is. Hooks are gone afterwards, also after an exception.
    """
    for layer, numbers in heads.items():
        _check(bert, layer, numbers)
    with contextlib.ExitStack() as hooks:
        for layer, numbers in heads.items():
            keep = torch.ones(1, bert.heads)
            keep[0, list(numbers)] = 0
            hooks.enter_context(_kept(bert, layer, keep))
        yield


def ablation_effect(
    bert: Bert, text: str, positions: int | Sequence[int], word: str, *, pair: str | None = None
) -> Tensor:
    """Change of the probability of `word` at `positions`, masked, when each head in its turn is ablated, (L, H).

    Below 0: without this head the word is less likely, so the head spoke for it. A word of several tokens has the
    joint probability of `attention.masked_probability`.
    """
    reading = bert.read(text, pair, masked=[positions] if isinstance(positions, int) else positions)
    whole = fill(bert, reading, reading.ids[None], positions, word)
    effects = []
    for layer in range(bert.layers):
        with _kept(bert, layer, 1 - torch.eye(bert.heads)):  # copy h is without head h
            effects.append(fill(bert, reading, reading.ids.expand(bert.heads, -1), positions, word) - whole)
    return torch.stack(effects)


def coreference_choices(bert: Bert, items: Sequence[Pronoun]) -> Tensor:
    """For each item and head, (N, L, H): 1 if the pronoun attends more to its antecedent than to the other candidate.

    A candidate of several tokens gets the sum of the attention to them (Clark et al. 2019, section 4.1); a draw is 0.5.
    """
    if not items:
        raise ValueError("give at least one item")
    choices = []
    for item, reading in zip(items, bert.read_many([i.text for i in items], attentions=True), strict=True):
        asking = reading.attentions[:, :, positions(reading, item.pronoun)].mean(2)  # (L, H, T)
        right, wrong = (
            asking[..., positions(reading, item.candidates[k])].sum(-1) for k in (item.answer, 1 - item.answer)
        )
        choices.append((right > wrong).float() + 0.5 * (right == wrong))
    return torch.stack(choices)


def coreference(bert: Bert, items: Sequence[Pronoun]) -> Tensor:
    """Share of the items in which each head sends the pronoun to its antecedent, (L, H); see `coreference_choices`."""
    return coreference_choices(bert, items).mean(0)


def baselines(items: Sequence[Pronoun]) -> dict[str, float]:
    """Share of the items that are right by place alone: always the first candidate, always the one nearest before."""
    first = nearest = 0
    for item in items:
        starts = [spans(item.text, word)[0][0] for word in item.candidates]
        first += starts.index(min(starts)) == item.answer
        nearest += starts.index(max(starts)) == item.answer
    return {"first": first / len(items), "nearest": nearest / len(items)}


def best_by_chance(items: int, heads: int, *, level: float = 0.05) -> float:
    """The share of right items that the best of so many heads, tossing coins, beats in at most `level` of all cases.

    Of so many heads some look clever on any small set: one has to lie above this before it says anything.
    """
    return float(binom.ppf((1 - level) ** (1 / heads), items, 0.5)) / items


@contextlib.contextmanager
def _kept(bert: Bert, layer: int, keep: Tensor) -> Iterator[None]:
    """Multiply the output of every head of a layer, before its projection, by `keep` (1 or B, H)."""

    def hook(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        mixed = inputs[0]  # (B, T, D), head after head
        return ((mixed.unflatten(-1, (bert.heads, -1)) * keep.to(mixed)[:, None, :, None]).flatten(-2),)

    with hooked(bert.model.encoder.layer[layer].attention.output.dense, hook, before=True):
        yield


def _check(bert: Bert, layer: int, heads: Sequence[int]) -> None:
    if isinstance(heads, int):
        raise TypeError(f"give the heads of layer {layer} as a list: {{{layer}: [{heads}]}}")
    wrong = [h for h in heads if not 0 <= h < bert.heads]
    if not 0 <= layer < bert.layers or wrong:
        what = f"head {wrong[0]}" if wrong else f"layer {layer}"
        raise IndexError(f"{bert.name} has layers 0 to {bert.layers - 1} and heads 0 to {bert.heads - 1}, no {what}")
