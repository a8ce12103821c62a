"""When does a mask become a word? What the mask head reads in the states of every layer."""

from collections.abc import Sequence

import torch
from torch import Tensor

from hw9.language.attention import chain, wanted_at, words_for
from hw9.language.bert import Bert
from hw9.language.words import spelled

BEAM = 8  # words that are followed at a time
COPIES = 16  # of a sentence that go through the model at a time


def mask_by_layer(
    bert: Bert, text: str, positions: int | Sequence[int], word: str, *, top: int = 3
) -> tuple[list[list], Tensor]:
    """What the mask head reads in the mask's state after every layer: the `top` (word, probability), and P(`word`).

    A list of L + 1, layer 0 first, and (L + 1,). The head was trained on the last layer alone; what it reads below is
    what a state already has in the last one's directions (nostalgebraist 2020, "interpreting GPT: the logit lens"). Of
    several masks it reads words, by the chain rule as in `attention.predict_word`, with a beam of `BEAM`.
    """
    reading = bert.read(text, masked=[positions] if isinstance(positions, int) else positions)
    places, tokens = wanted_at(bert, reading, positions, word)
    right: Tensor | float = 1.0
    beams: list[dict[tuple, float]] = [{tuple(reading.ids.tolist()): 1.0} for _ in range(bert.layers + 1)]
    for filled, place, token in zip(chain(reading, places, tokens), places, tokens, strict=True):
        asked = list(dict.fromkeys([tuple(filled.tolist()), *(ids for beam in beams for ids in beam)]))
        states = {}  # (L + 1, D) of each
        for part in torch.tensor(asked).split(COPIES):
            states |= {
                tuple(one.ids.tolist()): one.hidden_states[:, place].clone() for one in bert.variants(reading, part)
            }
        right = right * words_for(bert, states[asked[0]])[:, token]
        kept = top if place == places[-1] else max(top, BEAM)
        beams = [_wider(bert, beam, states, layer, place, kept) for layer, beam in enumerate(beams)]
    names = bert.tokenizer.convert_ids_to_tokens
    tops = [[(spelled(names([ids[k] for k in places])), p) for ids, p in beam.items()] for beam in beams]
    return tops, right


def on_top_from(tops: Sequence[Sequence[tuple[str, float]]], word: str) -> int | None:
    """The layer from which on `word`, in any capitals, stays on top of `mask_by_layer`; None if it never does."""
    first = [row[0][0] for row in tops]
    wrong = [layer for layer, name in enumerate(first) if name.casefold() != word.casefold()]
    layer = wrong[-1] + 1 if wrong else 0
    return layer if layer < len(first) else None


def told(tops: Sequence[Sequence[tuple[str, float]]], word: str) -> str:
    """Which word is on top at the end of `mask_by_layer`, `word` or not, since when, and the last others before it.

    "for good": it had been on top before, and lost its place again.
    """
    first = [row[0][0] for row in tops]
    since = on_top_from(tops, first[-1])
    others = [name for name in first[:since] if name.casefold() != first[-1].casefold()]
    again = " for good" if len(others) < since else ""
    wrong = "" if first[-1].casefold() == word.casefold() else f" (not {word})"
    before = "; before: " + ", ".join(f'"{name}"' for name in dict.fromkeys(others[-4:])) if others else ""
    return f"{first[-1]}{wrong} is on top{again} from layer {since} on{before}"


def _wider(bert: Bert, beam: dict, states: dict, layer: int, place: int, kept: int) -> dict[tuple, float]:
    """The `kept` likeliest of a layer's variants {ids: probability} with every token at `place`, likeliest first."""
    rows = torch.stack([states[ids][layer] for ids in beam])  # (B, D)
    joint = torch.tensor(list(beam.values()))[:, None] * words_for(bert, rows)  # (B, V)
    values, best = joint.flatten().topk(min(kept, joint.numel()))
    before = list(beam)
    found = {}
    for value, number in zip(values.tolist(), best.tolist(), strict=True):
        ids = list(before[number // bert.vocabulary])
        ids[place] = number % bert.vocabulary
        found[tuple(ids)] = value
    return found
