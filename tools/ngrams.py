"""A teacher that counts: what token stands between two tokens on its left and two on its right?

    PYTHONPATH=. python tools/ngrams.py checkpoints/bert-mini-zh-en --text TEXT_DIR --out runs/ngrams.safetensors

tools/train_bert.py --ngrams mixes its probabilities with the tokens that were hidden. It has read the whole text, of
which a short training sees a small part: with its four neighbours at hand it finds 41 % of held-out English tokens (48
and 49 % of Chinese ones in both scripts), where the network that shipped before found 24 % of those hidden.

p(token | left, right) is proportional to (p(token | left) p(token | right) / p(token)) ** SHARPNESS: both sides
independent, given the token. Each side is a trigram that falls back to the bigram and that to the single token by
Witten and Bell's estimate (1991; Chen and Goodman 1999, section 2.4): (count + kinds * back) / (total + kinds), where a
context was followed by `kinds` different tokens. For a token that was seen this is 1 + count / (kinds * back) times
what it is for one that was not: all that is kept is the logarithm of that factor, the gain; 0 if none was seen.
"""

import argparse
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import opencc
import torch
from bert_data import TRADITIONAL, read_more, read_text
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertTokenizerFast

CONTEXTS = {"left": (-1,), "left two": (-1, -2), "right": (1,), "right two": (1, 2)}  # places, the nearest first
SHARPNESS = 0.8  # of 0.7 to 1.0 the one that finds held-out tokens the most probable
ROWS = 32  # at a time: the processor's cache holds their probabilities


def count(tokens: Tensor, size: int) -> dict[str, Tensor]:
    """Tables from one long row of token numbers below `size`: texts, each between two tokens of its own kind.

    For each kind of context the codes of those that occur, in order; the place of the first token of each in `tokens`
    and `gains`; and these.
    """
    inner = torch.arange(2, len(tokens) - 2)
    one = torch.bincount(tokens, minlength=size) + 0.5
    one = one / one.sum()
    tables = {"one": one.log().float()}
    for side in ("left", "right"):
        back = nearer = None
        for name in (side, f"{side} two"):
            pairs = encode([tokens[inner + place] for place in CONTEXTS[name]], size) * size + tokens[inner]
            pairs, counts = torch.unique(pairs, return_counts=True)
            contexts, following = pairs // size, pairs % size
            known, which, kinds = torch.unique_consecutive(contexts, return_inverse=True, return_counts=True)
            if nearer is None:
                expected = one[following]
            else:  # what the nearer token alone makes of it
                expected = back[torch.searchsorted(nearer, contexts % size * size + following)]
            totals = torch.zeros(len(known), dtype=torch.double).index_add(0, which, counts.double())
            back = (counts + kinds[which] * expected) / (totals + kinds)[which]
            nearer = pairs
            rows = {"contexts": known, "first": torch.cat([torch.zeros(1).long(), kinds.cumsum(0)])}
            rows |= {"tokens": following.int(), "gains": (counts / (kinds[which] * expected)).log1p().float()}
            tables |= {f"{name} {key}": value for key, value in rows.items()}
    return tables


def encode(tokens: list[Tensor], size: int) -> Tensor:
    """One number for the neighbours of each token, the first of them in its last digit."""
    return sum(part * size**power for power, part in enumerate(tokens))


class Ngrams:
    """Probabilities of a token between its neighbours, from the tables of `count`."""

    def __init__(self, tables: dict[str, Tensor]) -> None:
        self.tables = tables

    def cloze(self, ids: Tensor, where: Tensor, edges: tuple[int, int], padding: int) -> Tensor:
        """(M, V) for the M tokens `where` of `ids` (B, T), whose rows stand between `edges`, padded at their end."""
        left, right = edges
        ids = torch.where(ids == padding, right, ids)
        wide = torch.nn.functional.pad(torch.nn.functional.pad(ids, (2, 0), value=left), (0, 2), value=right)
        rows, columns = where.nonzero(as_tuple=True)
        around = {place: wide[rows, columns + 2 + place] for place in (-2, -1, 1, 2)}
        likely = torch.empty(len(rows), len(self.tables["one"]))
        for part in torch.arange(len(rows)).split(ROWS):
            scores = self.tables["one"].repeat(len(part), 1)
            for name, places in CONTEXTS.items():
                self._add(scores, name, encode([around[place][part] for place in places], scores.shape[1]))
            likely[part] = scores.mul_(SHARPNESS).softmax(1)
        return likely

    def _add(self, scores: Tensor, name: str, contexts: Tensor) -> None:
        """Add the gains of the tokens seen in `contexts` (M,) to `scores` (M, V)."""
        known, first, tokens, gains = (self.tables[f"{name} {k}"] for k in ("contexts", "first", "tokens", "gains"))
        at = torch.searchsorted(known, contexts).clamp(max=len(known) - 1)
        kinds = torch.where(known[at] == contexts, first[at + 1] - first[at], 0)
        row = torch.repeat_interleave(torch.arange(len(contexts)), kinds)
        entry = torch.arange(len(row)) + (first[at] - kinds.cumsum(0) + kinds)[row]
        scores.view(-1).index_add_(0, row * scores.shape[1] + tokens[entry], gains[entry])


def read(file: Path) -> Ngrams:
    return Ngrams(load_file(file))


def rows(texts: Iterable[str], tokenizer: BertTokenizerFast) -> Tensor:
    """The texts as one row of token numbers, two [CLS] before and two [SEP] after each."""
    texts, found = list(texts), []
    before, after = [tokenizer.cls_token_id] * 2, [tokenizer.sep_token_id] * 2
    for start in range(0, len(texts), 1000):
        batch = tokenizer.backend_tokenizer.encode_batch_fast(texts[start : start + 1000], add_special_tokens=False)
        found += [np.array([*before, *encoded.ids, *after], np.int32) for encoded in batch]
    return torch.from_numpy(np.concatenate(found)).long()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("source", type=Path, help="the folder of the tokenizer")
    options.add_argument("--text", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--chinese", type=int, default=200_000, help="passages; English ones are all read")
    chosen = options.parse_args()
    text, random_ = read_text(chosen.text), random.Random(0)
    more = read_more(chosen.text, text["held out"])
    chinese = random_.sample(text["training"] + more["zh"], chosen.chinese)
    to_traditional = opencc.OpenCC("s2tw").convert
    chinese = [to_traditional(passage) if random_.random() < TRADITIONAL else passage for passage in chinese]
    tokenizer = BertTokenizerFast.from_pretrained(chosen.source)
    tokens = rows(chinese + more["en"], tokenizer)
    tables = count(tokens, len(tokenizer))
    save_file(tables, chosen.out)
    print(f"{len(tokens):,} tokens, {len(tables['left two tokens']):,} different trigrams")


if __name__ == "__main__":
    main()
