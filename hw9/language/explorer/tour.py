"""The guided tour of the explorer: for one reading, what each card sets, lights up and asks about.

The cards' words are in page/strings.js, under the names given here. What they point at is chosen by the model's own
numbers, so the tour fits any text and any BERT.
"""

import torch

from hw9.language.attention import head_patterns, is_mark, words_for
from hw9.language.bert import Bert, Reading
from hw9.language.explorer.payload import GUESSES
from hw9.language.explorer.view import View

WORDS, OTHERS = 12, 24  # how many words are tried as the one to mask, and their neighbours as the second one


def tour(bert: Bert, reading: Reading, view: View) -> list[dict]:
    """The cards: `name`, `view` (settings as in View, and `sort` or `tab`), `light` (what to look at), `values`.

    A model without a mask head has no cards about masks; a text without a pair none about pairs. The card about the
    corpus is left out by a page that has none. A token pinned or masked at the start is the one that is asked about.
    """
    found = head_patterns(reading)
    patterns = {name: values.nan_to_num() for name, values in found.items()}
    beside = max(("next", "previous"), key=lambda name: float(patterns[name].max()))
    layer, head = (k + 1 for k in divmod(int(patterns[beside].argmax()), bert.heads))
    special = 1 + int((patterns["start"] + patterns["separator"]).mean(1).argmax())
    chosen = [*view.masked, *([view.pin] if view.pin is not None else [])]
    word, also = _masks(bert, reading, next((k for k in chosen if not reading.special[k]), None))
    at = {"pin": word, "side": "left"}
    cards = [
        {"name": "columns", "light": "stage", "view": {"layer": 1, **at}, "values": {"word": reading.tokens[word]}},
        {"name": "neighbour", "light": "stage", "view": {"layer": layer, "heads": [head]},
         "values": {"layer": layer, "head": head}},
        {"name": "layers", "light": "layers", "view": {"layer": 1, "heads": [bert.heads]},
         "values": {"head": bert.heads}},
        {"name": "special", "light": "gets", "view": {"layer": special}, "values": {"layer": special}},
        {"name": "hidden", "light": "special",
         "view": {"layer": special, "hide_special": True, "renormalise": True}, "values": {}},
    ]  # fmt: skip
    values = {"word": reading.tokens[word]}
    if bert.mask_head is not None:
        cards.append({"name": "mask", "light": "panel", "view": {"layer": bert.layers, "masked": [word], **at},
                      "values": values})  # fmt: skip
        if also is not None:
            both = {"layer": bert.layers, "masked": sorted([word, also]), **at}
            cards.append({"name": "masks", "light": "panel", "view": both,
                          "values": values | {"also": reading.tokens[also]}})  # fmt: skip
    cards.append({"name": "grid", "light": "grid", "view": {"layer": 1, "sort": "entropy"}, "values": {}})
    cards.append({"name": "corpus", "light": "corpus", "view": {"layer": 1, "tab": "corpus", **at}, "values": values})
    if reading.pair is not None:
        layer, head = _across(reading)
        one = {"layer": layer, "heads": [head], "query": "a", "key": "b"}
        cards.append({"name": "pair", "light": "stage", "view": one, "values": {"layer": layer, "head": head}})
    return cards


def _across(reading: Reading) -> tuple[int, int]:
    """Layer and head, from 1, with the strongest look from a word of the first text at another word of the second."""
    second, special = torch.tensor(reading.segments) == 1, torch.tensor(reading.special)
    counts = (~second & ~special)[:, None] & (second & ~special)[None] & (reading.ids[:, None] != reading.ids[None])
    best = (reading.attentions * counts).amax((-1, -2))  # (L, H)
    layer, head = divmod(int(best.argmax()), best.shape[1])
    return layer + 1, head + 1


def _masks(bert: Bert, reading: Reading, wanted: int | None) -> tuple[int, int | None]:
    """A word that the model guesses well when it is masked, and the other word whose mask costs it most.

    The page shows the likeliest guesses only, so the word stays among them with both masked where that can be had.
    """
    places = [k for k, apart in enumerate(reading.special) if not apart]
    words = [k for k in places if not is_mark(reading.tokens[k]) and reading.tokens[k] != bert.tokenizer.unk_token]
    words = words or places
    if bert.mask_head is None:
        return words[0] if wanted is None else wanted, None
    tried = words[:: -(-len(words) // WORDS)] if wanted is None else [wanted]
    alone = [_chance(bert, bert.read(reading.text, reading.pair, masked=[k]), reading, k) for k in tried]
    word = tried[max(range(len(tried)), key=alone.__getitem__)]
    others = sorted((k for k in words if k != word), key=lambda k: abs(k - word))[:OTHERS]
    if not others:
        return word, None
    ids = reading.ids.repeat(len(others), 1)  # (B, T)
    ids[:, word] = ids[range(len(others)), others] = bert.tokenizer.mask_token_id
    segments = torch.tensor(reading.segments).expand(ids.shape)
    # By its number: a token that the model does not know has no word to ask for.
    left = words_for(bert, bert.last_hidden(ids, segments)[:, word])[:, reading.ids[word]]  # (B,)
    ranked = [others[k] for k in left.argsort().tolist()]
    for also in ranked:
        both = bert.read(reading.text, reading.pair, masked=[word, also])
        if reading.ids[word] in words_for(bert, both.hidden_states[-1, word]).topk(GUESSES).indices:
            return word, also
    return word, ranked[0]


def _chance(bert: Bert, masked: Reading, reading: Reading, place: int) -> float:
    return float(words_for(bert, masked.hidden_states[-1, place])[reading.ids[place]])
