"""Measure a BERT folder on what tools/train_bert.py held out: masked characters, questions, senses of one word.

    PYTHONPATH=. python tools/evaluate_bert.py checkpoints/bert-mini-zh-en \\
        --text TEXT_DIR --questions QA_DIR [--beside]

Prints one JSON object. Masks: 15 % of the characters of held-out passages, all replaced by [MASK], most probable
token compared with the hidden one (English passages are those of TEXT_DIR/more/en_*). Questions: F1 and exact match;
Chinese ones as CMRC2018 counts them (Cui et al. 2019, section 3: characters and English words without punctuation,
longest common run), English ones as SQuAD does (words without punctuation and articles, in any order). Senses: for each
layer the share of sentences whose nearest neighbour (cosine) uses the word in the same sense. With --beside other
passages and questions are measured, as many that are held out too.
"""

import argparse
import collections
import json
import random
import re
import string
import time
from pathlib import Path

import opencc
import torch
from bert_data import read_held_out_english, read_questions, read_text

from hw9.language import bert as bert_module
from hw9.language import sentences, similarity

SENSES = ("APPLE_TRADITIONAL", "APPLE_SIMPLIFIED", "NEW_APPLE_TRADITIONAL", "NEW_APPLE_SIMPLIFIED")
SENSES += ("APPLE_ENGLISH", "BANK_ENGLISH")


def mask_accuracy(bert: bert_module.Bert, texts: list[str], seed: int = 0) -> float:
    """Share of masked tokens found, over all `texts`."""
    generator, right, count = torch.Generator().manual_seed(seed), 0, 0
    tokenizer = bert.tokenizer
    texts = sorted(texts, key=len)
    for start in range(0, len(texts), 32):
        ids = tokenizer(texts[start : start + 32], padding=True, truncation=True, return_tensors="pt")["input_ids"]
        words = ~torch.isin(ids, torch.tensor([tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id]))
        hidden = (torch.rand(ids.shape, generator=generator) < 0.15) & words
        shown = torch.where(hidden, tokenizer.mask_token_id, ids)
        guesses = bert.mask_scores(bert.last_hidden(shown)[hidden]).argmax(1)
        right, count = right + int((guesses == ids[hidden]).sum()), count + int(hidden.sum())
    return right / max(count, 1)


def units(text: str) -> list[str]:
    """Characters and English words of an answer, lower case, without punctuation and spaces."""
    return re.findall(r"[a-z0-9]+|[^\W_]", text.lower())


def common_run(a: list[str], b: list[str]) -> int:
    """Length of the longest run of units that both answers contain."""
    best, row = 0, [0] * (len(b) + 1)
    for x in a:
        row = [0] + [row[j] + 1 if x == y else 0 for j, y in enumerate(b)]
        best = max(best, *row)
    return best


def f1(said: str, wanted: str) -> float:
    """CMRC2018's F1 of one answer."""
    a, b = units(said), units(wanted)
    shared = common_run(a, b)
    return 2 * shared / (len(a) + len(b)) if shared else 0.0


def words(text: str) -> list[str]:
    """Words of an English answer, lower case, without punctuation and articles."""
    return re.sub(r"\b(a|an|the)\b", " ", "".join(c for c in text.lower() if c not in string.punctuation)).split()


def word_f1(said: str, wanted: str) -> float:
    """SQuAD's F1 of one answer."""
    a, b = collections.Counter(words(said)), collections.Counter(words(wanted))
    return 2 * (a & b).total() / (a.total() + b.total()) if a & b else 0.0


def answers(bert: bert_module.Bert, items: list[dict], english: bool = False) -> dict[str, float]:
    """Mean F1 and exact match, best of the accepted answers of each question."""
    split, closeness = (words, word_f1) if english else (units, f1)
    pairs = [(bert.answer(item["question"], item["context"]).text, item["answers"]) for item in items]
    exact = [any(split(said) == split(answer) for answer in accepted) for said, accepted in pairs]
    close = [max(closeness(said, answer) for answer in accepted) for said, accepted in pairs]
    return {"questions": len(items), "f1": sum(close) / len(close), "exact": sum(exact) / len(exact)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--text", type=Path, required=True)
    options.add_argument("--questions", type=Path, required=True)
    options.add_argument("--passages", type=int, default=1000)
    options.add_argument("--items", type=int, default=300, help="questions of each kind")
    options.add_argument("--beside", action="store_true", help="measure on as many others that are held out")
    chosen = options.parse_args()
    bert, start = bert_module.load(chosen.folder), time.perf_counter()
    skipped = (chosen.passages, chosen.items) if chosen.beside else (0, 0)
    chinese, english = read_text(chosen.text)["held out"], read_held_out_english(chosen.text)
    for texts in (chinese, english):
        random.Random(0).shuffle(texts)
    chinese, english = (texts[skipped[0] : skipped[0] + chosen.passages] for texts in (chinese, english))
    traditional = [opencc.OpenCC("s2tw").convert(text) for text in chinese]
    masks = {"simplified": chinese, "traditional": traditional, "english": english}
    found: dict = {"mask": {name: round(mask_accuracy(bert, texts), 4) for name, texts in masks.items()}}
    items = read_questions(chosen.questions)["held out"]
    for name, files in {"cmrc2018": ("cmrc", "drcd"), "drcd": ("cmrc", "drcd"), "squad": ("squad",)}.items():
        rows = [item for item in items if item["file"].startswith(files)]
        random.Random(0).shuffle(rows)
        # One held-out question of CMRC2018 is empty.
        rows = [item for item in rows if item["file"].startswith(name) and item["question"].strip()]
        rows = rows[skipped[1] : skipped[1] + chosen.items]
        found[name] = {key: round(value, 4) for key, value in answers(bert, rows, name == "squad").items()}
    found["senses"] = {}
    for name in SENSES:
        group = getattr(sentences, name)
        for token in (group.word, "果") if "果" in group.word else (group.word,):
            shares = similarity.layer_curves(bert, group.texts, group.senses, token).accuracy
            found["senses"][f"{name} {token}"] = " ".join(f"{share:.2f}" for share in shares)
    print(json.dumps(found | {"seconds": round(time.perf_counter() - start)}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
