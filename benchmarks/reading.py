"""Reading 32 sentences with hidden states and attentions, and answering: ours beside plain transformers.

    python benchmarks/reading.py --repeats 7

Both take the same model, tokenizer, sentences, threads and eager attention. Plain transformers goes through the
sentences in their order, each batch padded to its longest sentence, in its best batch size (swept first), and leaves
the padded layers as they are; ours also cuts out every sentence. They run in turns, and medians are compared. Ratios
are what to read: seconds depend on the machine. An answer from a context of 500 characters is compared with one plain
forward pass over the windows that it is read in.
"""

import argparse
import random
import statistics
import time

import torch

from hw9.language.bert import Bert, load
from hw9.language.questions import questions

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


def windows(bert: Bert, question: str, context: str) -> dict:
    """The windows that `Bert.answer` reads: as long as the model allows, a third of the context's room in common."""
    room = bert.limit - 3 - len(bert.tokenizer.tokenize(question))
    cut = {
        "truncation": "only_second",
        "max_length": bert.limit,
        "stride": room // 3,
        "return_overflowing_tokens": True,
    }
    encoded = bert.tokenizer(question, context, padding=True, return_tensors="pt", **cut)
    return {name: encoded[name].to(bert.device) for name in ("input_ids", "attention_mask", "token_type_ids")}


def forward(bert: Bert, encoded: dict) -> None:
    with torch.no_grad():
        bert.model(**encoded)


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
    stories = questions("zh-Hant")
    question, context = stories[-1].question, "".join(story.context for story in stories * 2)[:500]
    encoded = windows(bert, question, context)
    work |= {
        f"plain transformers, {len(encoded['input_ids'])} windows of a context": lambda: forward(bert, encoded),
        "hw9.language.bert answer, the same": lambda: bert.answer(question, context),
    }
    times = {label: [] for label in work}
    for _ in range(chosen.repeats):
        for label, way in work.items():
            times[label].append(seconds(way))
    medians = {label: statistics.median(values) for label, values in times.items()}
    print(f"{bert.name}, {len(texts)} sentences, {chosen.threads} threads, median of {chosen.repeats}")
    for label, median in medians.items():
        print(f"  {median:7.3f} s  {label}")
    theirs, ours, _, pass_alone, answered = medians.values()
    print(f"  reading: ours / plain transformers {ours / theirs:5.2f}   (at most 1.10)")
    print(f"  answering: answer / forward pass   {answered / pass_alone:5.2f}   (at most 1.30)")


if __name__ == "__main__":
    main()
