"""Reading 32 sentences with hidden states and attentions: ours beside plain transformers.

    python benchmarks/reading.py --repeats 7

Both take the same model, tokenizer, sentences, threads and eager attention. Plain transformers goes through the
sentences in their order, each batch padded to its longest sentence, in its best batch size (swept first), and leaves
the padded layers as they are; ours also cuts out every sentence. They run in turns, and medians are compared. Ratios
are what to read: seconds depend on the machine.
"""

import argparse
import random
import statistics
import time

import torch

from hw9.language.bert import Bert, load

BATCHES = (1, 4, 8, 16, 32)
PHRASES = (
    "我昨天在市場買了兩個紅蘋果，",
    "苹果公司发布了新手机，",
    "the cat sat on the mat, ",
    "因為他今天想吃蘋果派，",
)


def sentences(count: int) -> list[str]:
    """Chinese and English of one to five phrases, about 12 to 60 tokens, in random order."""
    chosen = random.Random(0)
    return ["".join(chosen.choices(PHRASES, k=chosen.randint(1, 5))) for _ in range(count)]


def plain(bert: Bert, texts: list[str], batch: int) -> None:
    for start in range(0, len(texts), batch):
        encoded = bert.tokenizer(texts[start : start + batch], padding=True, return_tensors="pt")
        with torch.no_grad():
            bert.model(**encoded.to(bert.device), output_hidden_states=True, output_attentions=True)


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--sentences", type=int, default=32)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--model", help="a folder or a name on the hub; default: the embedded model")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    bert, texts = load(chosen.model, device="cpu"), sentences(chosen.sentences)
    sweep = {size: min(seconds(lambda size=size: plain(bert, texts, size)) for _ in range(2)) for size in BATCHES}
    best = min(sweep, key=sweep.get)
    work = {
        f"plain transformers (batches of {best})": lambda: plain(bert, texts, best),
        "hw9.language.bert read_many (as it comes)": lambda: bert.read_many(texts, attentions=True),
        "hw9.language.bert read, one by one": lambda: [bert.read(text) for text in texts],
    }
    times = {label: [] for label in work}
    for _ in range(chosen.repeats):
        for label, way in work.items():
            times[label].append(seconds(way))
    medians = {label: statistics.median(values) for label, values in times.items()}
    print(f"{bert.name}, {len(texts)} sentences, {chosen.threads} threads, median of {chosen.repeats}")
    for label, median in medians.items():
        print(f"  {median:7.3f} s  {label}")
    theirs, ours, _ = medians.values()
    print(f"  ours / plain transformers {ours / theirs:5.2f}   (at most 1.10)")


if __name__ == "__main__":
    main()
