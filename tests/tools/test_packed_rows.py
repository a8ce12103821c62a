"""Passages that share a row are read as if each stood alone."""

import random

import pytest
import torch
import train_bert
from bert_data import PACKED, WINDOWS, Batches
from packed import encode, first_fit, packed
from train_bert import Student
from transformers import BertForMaskedLM, BertTokenizerFast

CONTEXT = "阿明在台北开了一家面包店。他每天四点起床,做一百个红豆面包。" * 30


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    model = BertForMaskedLM(tiny)
    for weight in model.parameters():  # biases and norms count as well
        torch.nn.init.normal_(weight, std=0.3)
    return model


def passages(count: int, longest: int) -> list[list[int]]:
    random_ = random.Random(0)
    return [[random_.randint(1, 39) for _ in range(random_.randint(3, longest))] for _ in range(count)]


def test_each_passage_stands_in_one_row_and_rows_are_nearly_full():
    lengths = [len(passage) for passage in passages(400, 70)] + [65]
    rows = first_fit(lengths, 64)
    assert sorted(i for row in rows for i in row) == [i for i, n in enumerate(lengths) if n <= 64]
    filled = [sum(lengths[i] for i in row) for row in rows]
    assert max(filled) <= 64 and sum(filled) > 0.97 * 64 * len(rows)
    assert first_fit([5, 3, 4, 2], 8) == [[0, 1], [2, 3]]


def test_a_passage_is_read_as_if_it_stood_alone(model):
    given, seen = passages(30, 20), 0
    for ids, part in packed(given, 32, 2, 0, random.Random(0)):
        assert ids.shape == part.shape == (2, 32) and bool(((part == 0) == (ids == 0)).all())
        segments = torch.randint(0, 2, ids.shape)
        states = encode(model.bert, ids, segments, part)
        for row in range(2):
            for number in range(1, int(part[row].max()) + 1):
                there = part[row] == number
                alone = ids[row][there]
                assert alone.tolist() in given
                wanted = model.bert(input_ids=alone[None], token_type_ids=segments[row][there][None])
                torch.testing.assert_close(states[row][there], wanted.last_hidden_state[0], rtol=1e-4, atol=1e-5)
                seen += 1
    assert seen > 20


def test_losses_of_packed_rows_are_those_of_padded_ones(model):
    learner = Student(model)
    ids = torch.randint(5, 40, (3, 12), generator=torch.Generator().manual_seed(1))
    ids[1, 9:] = 0
    where = torch.zeros_like(ids, dtype=torch.bool)
    where[:, 2:7:2] = True
    batch = {"ids": ids, "segments": (torch.arange(12) > 4).long().expand(3, 12)}
    batch |= {"start": torch.tensor([0, 6, 9]), "end": torch.tensor([0, 8, 9])}
    padded, *_ = learner(batch, ids.masked_fill(where, 4), where)
    rows, *_ = learner(batch | {"part": (ids != 0).long()}, ids.masked_fill(where, 4), where)
    torch.testing.assert_close(rows, padded, rtol=1e-4, atol=1e-5)


def test_batches_have_one_shape_a_width():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(CONTEXT))]
    tokenizer = BertTokenizerFast(vocab={word: i for i, word in enumerate(words)})
    item = {"context": CONTEXT, "question": "谁", "answer": "红豆面包", "file": "cmrc"}
    item["start"] = CONTEXT.index("红豆面包", 60)
    batches = Batches(tokenizer, None, {"zh": [CONTEXT[:50], CONTEXT[:70]]}, {"zh": [item]}, 0, 0)
    batches.to_traditional = str
    text, windows = batches.packed_text(random.Random(0), 512), batches.windows(random.Random(0), 900)
    for _ in range(3):
        batch = next(text)
        assert batch["ids"].shape == batch["part"].shape == (512 // PACKED, PACKED)
        begins = torch.nn.functional.pad(batch["part"][:, :-1], (1, 0)) != batch["part"]
        assert (batch["ids"][begins & (batch["part"] > 0)] == tokenizer.cls_token_id).all()
    shapes = set()
    for _ in range(20):
        batch = next(windows)
        shapes.add(batch["ids"].shape)
        assert ((batch["part"] == 1) == (batch["ids"] != tokenizer.pad_token_id)).all()
        for ids, start, end in zip(batch["ids"], batch["start"], batch["end"], strict=True):
            assert not start or "".join(tokenizer.convert_ids_to_tokens(ids[start : end + 1])) == "红豆面包"
    assert shapes == {(900 // width, width) for width in WINDOWS}
    # Fewer tokens than a row has are one row.
    assert next(batches.windows(random.Random(0), 100))["ids"].shape[0] == 1
    assert next(batches.packed_text(random.Random(0), 100))["ids"].shape == (1, PACKED)


@pytest.mark.parametrize("further", [[], ["--distil-until", "0", "--int8"], ["--distil-until", "0", "--ngrams", "d"]])
def test_what_packed_rows_cannot_do_is_said(monkeypatch, capsys, further):
    given = ["--text", "a", "--questions", "b", "--minutes", "1", "--start", "c", "--packed"]
    begun = []
    monkeypatch.setattr(train_bert, "train", begun.append)
    monkeypatch.setattr("sys.argv", ["train_bert", *given, *further])
    with pytest.raises(SystemExit):
        train_bert.main()
    assert "--distil-until 0" in capsys.readouterr().err and not begun
    monkeypatch.setattr("sys.argv", ["train_bert", *given, "--distil-until", "0"])
    train_bert.main()
    assert len(begun) == 1
