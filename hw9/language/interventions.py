"""Is a head's attention used? Tamper with it and see what the answer loses.

Jain & Wallace 2019, "Attention is not Explanation"; Wiegreffe & Pinter 2019, "Attention is not not Explanation". That a
shuffled head changes nothing says that its weights are no explanation; that it changes much, that they are used.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from hw9.language.attention import chain, fill, wanted_at, words_for
from hw9.language.bert import Bert, Reading
from hw9.language.hooks import hooked

COPIES = 64  # of a sentence that go through the model at a time


def head_interventions(
    bert: Bert, text: str, positions: int | Sequence[int], word: str, *, draws: int = 100, seed: int = 0
) -> dict[str, Tensor]:
    """Change of P(`word`) at `positions`, masked, when one head's attention is tampered with, (L, H) each.

    "zeroed": the head gives nothing; "uniform": it looks at all words alike; "permuted": each of its rows is shuffled,
    the median change of `draws` (Jain & Wallace 2019, "Attention is not Explanation", section 4.2.1; they take the
    median of distances, which have no sign). Below 0: it was needed.
    A word of several tokens has the joint probability by the chain rule, each of its terms with the same tampering.
    """
    reading = bert.read(text, masked=[positions] if isinstance(positions, int) else positions)
    places, tokens = wanted_at(bert, reading, positions, word)
    count, inside = len(reading.tokens), ~torch.tensor(reading.special)
    numbers = torch.rand(draws, count, count, generator=torch.Generator().manual_seed(seed))
    shuffled = numbers.argsort(-1)  # (draws, T, T): each row an order of its own
    fixed = torch.stack([torch.zeros(count, count), (inside / inside.sum()).expand(count, -1)])
    joint = torch.ones(bert.layers, bert.heads, 2 + draws)
    steps = bert.variants(reading, chain(reading, places, tokens), attentions=True)
    for step, place, token in zip(steps, places, tokens, strict=True):
        for layer, head in np.ndindex(bert.layers, bert.heads):
            permuted = step.attentions[layer, head].expand(draws, -1, -1).gather(-1, shuffled)
            parts = torch.cat([fixed, permuted]).split(COPIES)
            states = torch.cat([_with_attention(bert, step, layer, head, part, place) for part in parts])
            joint[layer, head] *= words_for(bert, states)[:, token]
    changes = joint - fill(bert, reading, reading.ids[None], positions, word)
    return {"zeroed": changes[..., 0], "uniform": changes[..., 1], "permuted": changes[..., 2:].quantile(0.5, -1)}


def _with_attention(bert: Bert, reading: Reading, number: int, head: int, weights: Tensor, place: int) -> Tensor:
    """Last state (B, D) at `place` when a head of layer `number` looks as `weights` (B, T, T) say; the layers below are
    not run."""
    layer, state = bert.model.encoder.layer[number], reading.hidden_states[number].to(bert.device, bert.model.dtype)
    size = bert.width // bert.heads
    own = slice(head * size, (head + 1) * size)

    def hook(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        mixed = inputs[0].clone()  # (B, T, D), head after head
        mixed[..., own] = weights.to(mixed) @ layer.attention.self.value(state)[:, own]
        return (mixed,)

    with hooked(layer.attention.output.dense, hook, before=True), torch.no_grad():
        states = state.expand(len(weights), -1, -1)
        for above in bert.model.encoder.layer[number:]:
            states = above(states)
    return states[:, place]
