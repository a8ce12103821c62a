"""Rows of one width for training the small BERT, and an encoder that reads them: compiled once a width.

Whole passages share a row, and attention stays inside each (Krell et al. 2021, Efficient Sequence Packing without
Cross-contamination, section 3), so hardly any padding is computed and every batch has one shape. The encoder is
transformers' own, module by module; what stands between its products is fused, and in bfloat16 where autocast is on.
benchmarks/training_step.py measures it.
"""

import random
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import BertModel

APART = -1e4  # added to the score of a token of another passage


def first_fit(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Which passages share a row of `width`: longest first, each into the fullest row that has room for it.

    Passages longer than a row are left out.
    """
    rows: list[list[int]] = []
    open_: list[list[int]] = [[] for _ in range(width + 1)]  # rows by what is free in them
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        size = lengths[i]
        if size > width:
            continue
        free = next((free for free in range(size, width + 1) if open_[free]), None)
        if free is None:
            free, row = width, len(rows)
            rows.append([])
        else:
            row = open_[free].pop()
        rows[row].append(i)
        open_[free - size].append(row)
    return rows


def packed(
    passages: list[list[int]], width: int, count: int, pad: int, random_: random.Random
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of `count` rows in random order: ids, and of which passage of its row a token is, from 1 (0: padding).

    Both are (count, width). Rows that fill no batch are left out.
    """
    rows = first_fit([len(passage) for passage in passages], width)
    random_.shuffle(rows)
    for at in range(0, len(rows) - count + 1, count):
        ids, part = torch.full((count, width), pad), torch.zeros(count, width, dtype=torch.long)
        for place, row in enumerate(rows[at : at + count]):
            together = [passages[i] for i in row]
            filled = torch.tensor([token for passage in together for token in passage])
            ids[place, : len(filled)] = filled
            sizes = torch.tensor([len(passage) for passage in together])
            part[place, : len(filled)] = torch.repeat_interleave(torch.arange(1, len(sizes) + 1), sizes)
        yield ids, part


def encode(bert: BertModel, ids: Tensor, segments: Tensor, part: Tensor) -> Tensor:
    """Last hidden states (B, T, D) of tokens that read only those of their own `part` (B, T), its first at position 0.

    Without dropout.
    """
    (count, width), heads = ids.shape, bert.config.num_attention_heads
    at = torch.arange(width, device=ids.device).expand_as(ids)
    begins = F.pad(part[:, :-1], (1, 0), value=-1) != part
    places = at - torch.where(begins, at, 0).cummax(1).values
    tables = bert.embeddings
    x = tables.word_embeddings(ids) + tables.position_embeddings(places) + tables.token_type_embeddings(segments)
    device = ids.device.type
    kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    x = tables.LayerNorm(x).to(kind)
    apart = torch.where(part[:, None, :, None] == part[:, None, None, :], 0.0, APART).to(kind)
    for layer in bert.encoder.layer:
        own, joined = layer.attention.self, layer.attention.output
        weight = torch.cat([own.query.weight, own.key.weight, own.value.weight])
        bias = torch.cat([own.query.bias, own.key.bias, own.value.bias])
        q, k, v = F.linear(x, weight, bias).view(count, width, 3, heads, -1).permute(2, 0, 3, 1, 4)
        looks = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + apart, -1).to(kind)
        x = joined.LayerNorm(x + joined.dense((looks @ v).transpose(1, 2).flatten(2))).to(kind)
        x = layer.output.LayerNorm(x + layer.output.dense(layer.intermediate(x))).to(kind)
    return x
