"""A training step of the small BERT on a CPU: products in 32 bits (also compiled), 8 bits (compiled) and 16 bits (also
through the compiled encoder of tools/packed.py).

    PYTHONPATH=tools python benchmarks/training_step.py --repeats 5

One model's shape, one batch (32 passages of 128 tokens, 22 % masked), forward, backward and AdamW. They take turns
and medians are compared. Compiling takes minutes and a C++ compiler, comes first and is not counted; so this one is not
part of `make bench`. Ratios are what to read: seconds depend on the machine; int8 wants AVX512-VNNI, bfloat16 AMX.
"""

import argparse
import statistics
import time

import torch
from int8 import multiply_in_int8
from packed import encode
from torch.nn import functional as F
from transformers import BertConfig, BertForMaskedLM

WAYS = ("float32", "float32, compiled", "int8, compiled", "bfloat16", "bfloat16, packed")


def step(way: str):
    """A function that takes one training step, after it was called twice."""
    torch.manual_seed(0)
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = BertConfig(vocab_size=19830, hidden_size=384, intermediate_size=1536, **none)
    model = BertForMaskedLM(config)
    if way == "bfloat16":  # as tools/train_bert.py
        model.set_attn_implementation("eager")
    if way.startswith("int8"):
        multiply_in_int8(model.bert.encoder)
    if way.endswith("compiled"):
        model.bert.compile(dynamic=True)
    read = torch.compile(encode, dynamic=False)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    ids = torch.randint(5, config.vocab_size, (32, 128))
    where = torch.rand(ids.shape) < 0.22

    def work() -> float:
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=way.startswith("bfloat16")):
            if way.endswith("packed"):
                states = read(model.bert, ids, torch.zeros_like(ids), torch.ones_like(ids))
            else:
                states = model.bert(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
            logits = model.cls(states[where])
        F.cross_entropy(logits.float(), ids[where]).backward()
        optimizer.step()
        return time.perf_counter() - start

    work(), work()
    return work


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--threads", type=int, default=2)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    steps = {way: step(way) for way in WAYS}
    times = {way: [] for way in WAYS}
    for _ in range(chosen.repeats):
        for way, work in steps.items():
            times[way].append(work())
    medians = {way: statistics.median(values) for way, values in times.items()}
    print(f"{chosen.threads} threads, median of {chosen.repeats}")
    for way, median in medians.items():
        print(f"  {median:6.3f} s  {medians[WAYS[0]] / median:5.2f} times as fast as {WAYS[0]}  {way}")


if __name__ == "__main__":
    main()
