"""What a page carries: attentions of 8 bits for the sentence and its masked variants, and the words predicted."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hw9.language.attention import head_patterns, words_for
from hw9.language.bert import Bert, Reading
from hw9.language.explorer.view import encode

GUESSES = 5
# Masked variants are stored as differences from the plain sentence, in the finest step with which all fit.
STEPS = (1, 2, 3, 4, 6, 8)
BUDGET = 720_000  # bytes of all masked variants together: with base64 and the rest, a page below 1.5 MB


@dataclass
class Payload:
    """`meta` becomes JSON; `blob` holds the compressed blocks that it names with their start and length."""

    meta: dict
    blob: bytearray = field(default_factory=bytearray)

    def add(self, name: str, content: bytes) -> str:
        packed = zlib.compress(content, 6)
        self.meta["blocks"][name] = [len(self.blob), len(packed)]
        self.blob += packed
        return name


def build(bert: Bert, reading: Reading, masks: Sequence[Sequence[int]]) -> Payload:
    """The payload of a reading with the variants in which the sets of positions `masks` are masked."""
    words: dict[str, int] = {}
    codes = encode(reading.attentions)
    payload = Payload(
        {
            "model": bert.name,
            "load": bert.given,
            "text": reading.text,
            "pair": reading.pair,
            "tokens": reading.tokens,
            "segments": list(reading.segments),
            "special": list(reading.special),
            "maskToken": bert.tokenizer.mask_token,
            "layers": codes.shape[0],
            "heads": codes.shape[1],
            "variants": [],
            "blocks": {},
            "patterns": {
                name: np.round(values.numpy().astype(float), 4).tolist()
                for name, values in head_patterns(reading).items()
                if not values.isnan().any()
            },
            "corpus": None,
            "canMask": bert.mask_head is not None,
        }
    )
    variants = [variant(bert, reading, masked) for masked in masks]  # (codes, guesses) each
    changes = [masked.astype(np.int16) - codes for masked, _ in variants]
    step = next((step for step in STEPS if not changes or _size(changes, step) <= BUDGET), STEPS[-1])
    add(payload, (), codes.tobytes(), 0, guesses(bert, reading), words)
    for masked, change, (_, found) in zip(masks, changes, variants, strict=True):
        add(payload, masked, _in_steps(change, step), step, found, words)
    payload.meta["words"] = list(words)
    return payload


def add(payload: Payload, masked: Sequence[int], codes: bytes, step: int, found: list | None, words: dict) -> None:
    """Append a variant and the words predicted in it."""
    name = ",".join(map(str, masked))
    entry = {"masked": list(masked), "block": payload.add(f"codes:{name}", codes), "step": step, "guesses": None}
    if found is not None:
        entry["guesses"] = payload.add(f"guesses:{name}", pack_guesses(found, words))
    payload.meta["variants"].append(entry)


def variant(bert: Bert, reading: Reading, masked: Sequence[int]) -> tuple[np.ndarray, list | None]:
    """Codes (L, H, T, T) and predicted words of the same text with some tokens masked."""
    again = bert.read(reading.text, reading.pair, masked=masked)
    return encode(again.attentions), guesses(bert, again)


def guesses(bert: Bert, reading: Reading) -> list[list[tuple[str, float]]] | None:
    """The likeliest tokens with their probabilities at every position; None for a model without a mask head."""
    if bert.mask_head is None:
        return None
    values, ids = words_for(bert, reading.hidden_states[-1]).topk(GUESSES)  # (T, 5) each
    names = [bert.tokenizer.convert_ids_to_tokens(row) for row in ids.tolist()]
    return [list(zip(*pair, strict=True)) for pair in zip(names, values.tolist(), strict=True)]


def pack_guesses(found: list, words: dict[str, int]) -> bytes:
    """Numbers of words, then probabilities in 65,535ths, 16 bits each; new words are added to `words`."""
    flat = [guess for row in found for guess in row]
    numbers = np.array([words.setdefault(word, len(words)) for word, _ in flat])
    if len(words) > 65_535:
        raise ValueError("the masked variants predict over 65,535 different words: ask for fewer combinations")
    return np.concatenate([numbers, np.round([65_535 * p for _, p in flat])]).astype("<u2").tobytes()


def _in_steps(change: np.ndarray, step: int) -> bytes:
    """Differences of codes, -255 to 255, as bytes: in single steps modulo 256, in larger ones rounded."""
    if step == 1:
        return change.astype(np.int8).tobytes()
    return np.minimum(np.round(change / step), 127).astype(np.int8).tobytes()


def _size(changes: list[np.ndarray], step: int) -> float:
    """About how many bytes the changes take: their entropy, and a tenth more for what deflate falls short of it."""
    counts = sum(
        (np.bincount(np.frombuffer(_in_steps(change, step), np.uint8), minlength=256) for change in changes), 0
    )
    share = counts[counts > 0] / counts.sum()
    return 1.1 / 8 * counts.sum() * -(share * np.log2(share)).sum()
