"""Search results as the page reads them: JSON for the live notebook, compact blocks for a saved page."""

import json
from collections.abc import Sequence

import numpy as np

from hw9.language.bert import Reading
from hw9.language.explorer.corpus import Corpus
from hw9.language.explorer.index import Index
from hw9.language.explorer.payload import Payload
from hw9.language.explorer.search import DEPTH, Hits, search_many


def as_json(corpus: Index, layers: list[Hits]) -> dict:
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
    bert = corpus.bert
    places = [k for k, special in enumerate(reading.special) if not special]
    asked = {f"near:{k}:": (reading, k) for k in places}
    if bert.mask_head is not None:
        asked |= {f"near:{k}:{k}": (bert.read(reading.text, reading.pair, masked=[k]), k) for k in places}
    found = dict(zip(asked, search_many(corpus, list(asked.values())), strict=True))
    every = list(range(1, bert.heads + 1))
    for place, layers in zip(places, search_many(corpus, [(reading, k) for k in places], heads=every), strict=True):
        found[f"heads:{place}:"] = layers
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
    payload.meta["corpus"] = corpus_facts(corpus.corpus, list(found))


def corpus_facts(corpus: Corpus, stored: Sequence[str] = ()) -> dict:
    """What the page says of the corpus, and the names of the searches that it carries."""
    return {
        "sentences": "sentences",
        "rows": list(stored),
        "depth": DEPTH,
        "count": len(corpus.texts),
        "name": corpus.name,
    }


def _code(scores: np.ndarray) -> np.ndarray:
    return np.round((np.clip(scores, -1, 1) + 1) * 32767.5)


def _used(layers: list[Hits]) -> tuple[list[int], dict[int, int]]:
    used = sorted({s for hits in layers for s in hits.sentences.tolist()})
    return used, {s: k for k, s in enumerate(used)}


def _sentence(corpus: Index, number: int) -> list:
    tokens = slice(corpus.starts[number], corpus.starts[number + 1])
    return [corpus.corpus.texts[number], corpus.corpus.tags[number], corpus.offsets[tokens].tolist()]
