"""What training the small BERT feeds to its losses: splits, masks, pieces and answers are where they should be."""

import json
import lzma
import math
import random

import pytest
import torch
import train_bert
from bert_data import Batches, read_held_out_english, read_more, read_questions, read_text
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from train_bert import Student, clipped, distil, hide, span_loss
from transformers import BertForMaskedLM, BertForQuestionAnswering, BertTokenizerFast

TEXT = "今天的苹果很好吃,我们去买一些吧"
CONTEXT = "阿明在台北开了一家面包店。他每天四点起床,做一百个红豆面包。店里的客人都说他的面包最香。" * 10


@pytest.fixture
def tokenizer():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(TEXT + CONTEXT + "誰吗？"))]
    return BertTokenizerFast(vocab={word: i for i, word in enumerate(words)})


@pytest.fixture
def pieces():
    known = ["<s>", "<pad>", "</s>", "<unk>", "▁", "今天", "苹果", "很好", "好吃", "我们", *sorted(set(TEXT))]
    unigram = Tokenizer(models.Unigram([(piece, -1.0 - len(known) * 0.01) for piece in known], unk_id=3))
    unigram.normalizer = normalizers.NFKC()
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    return unigram


def test_training_and_held_out_passages_share_nothing(tmp_path):
    lines = [f"这是第{i}条评论,东西不错,下次还会再来" for i in range(900)]
    (tmp_path / "reviews.txt.xz").write_bytes(lzma.compress("\n".join(lines + lines).encode()))
    split = read_text(tmp_path)
    assert not set(split["training"]) & set(split["held out"])
    assert set(split["training"]) | set(split["held out"]) == set(lines)
    assert 5 < len(set(split["held out"])) < 60


def test_more_text_shares_nothing_with_what_is_held_out_in_either_script(tmp_path):
    (tmp_path / "more").mkdir()
    held_out = "这家旅馆的房间很干净,服务员态度也好,下次还会再来"
    chinese = [
        "從前有一家旅館," + "這家旅館的房間很乾淨,服務員態度也好,下次還會再來" * 2,
        "山上的雪到了五月才化,溪水漲了起來",
    ]
    english = [f"The baker of {chr(97 + i % 26)}{i} opened his shop at four. " * 11 + "x" for i in range(300)]
    for name, rows in {"zh_text": chinese, "en_text": english}.items():
        (tmp_path / "more" / f"{name}.txt.xz").write_bytes(lzma.compress("\n".join(rows).encode()))
    more, measured = read_more(tmp_path, [held_out]), read_held_out_english(tmp_path)
    assert more["zh"] == chinese[1:]
    assert len(measured) > 2 and not set(measured) & set(more["en"])
    assert sorted("".join(english)) == sorted("".join(more["en"] + measured))
    assert max(map(len, more["en"])) == 400


def test_questions_of_one_context_stay_on_one_side_and_wrong_answers_are_left_out(tmp_path):
    rows = []
    for i in range(60):
        context = f"{i}号店在台北。"
        for text, start in (("台北", context.index("台北")), ("高雄", 0)):
            rows.append({"id": i, "context": context, "question": "在哪", "answers": [{"text": text, "start": start}]})
    (tmp_path / "some.jsonl.xz").write_bytes(lzma.compress("\n".join(map(json.dumps, rows)).encode()))
    split = read_questions(tmp_path)
    assert len(split["training"]) + len(split["held out"]) == 60 and split["held out"]
    assert not {item["context"] for item in split["training"]} & {item["context"] for item in split["held out"]}
    (tmp_path / "some.jsonl.xz").rename(tmp_path / "squad-en-dev.jsonl.xz")
    assert len(read_questions(tmp_path)["held out"]) == 60 and not read_questions(tmp_path)["training"]
    (tmp_path / "squad-en-dev.jsonl.xz").rename(tmp_path / "xquad-zh.jsonl.xz")
    assert read_questions(tmp_path) == {"training": [], "held out": []}


def test_each_piece_is_matched_by_its_own_characters(tokenizer, pieces):
    batches = Batches(tokenizer, pieces, {"zh": [TEXT]}, {}, 0, 0)
    batches.to_traditional = str
    batch = next(batches.text(random.Random(0), 2048))
    of_teacher = [pieces.id_to_token(i) for i in batch["pieces"].flatten()[batch["targets"]].tolist()]
    characters = tokenizer.convert_ids_to_tokens(batch["ids"].flatten()[batch["tokens"]].tolist())
    joined = [""] * len(of_teacher)
    for character, member in zip(characters, batch["members"].tolist(), strict=True):
        joined[member] += character
    assert joined == of_teacher and "苹果" in joined
    assert "".join(joined[: joined.index("吧") + 1]) == TEXT


def test_distillation_is_0_where_the_mean_of_the_characters_is_the_piece(tokenizer, pieces, monkeypatch):
    batches = Batches(tokenizer, pieces, {"zh": [TEXT]}, {}, 0, 0)
    batches.to_traditional = str
    batch = next(batches.text(random.Random(0), 2048))
    goal = torch.randn(*batch["pieces"].shape, 8)
    states = torch.randn(*batch["ids"].shape, 8)
    flat = states.flatten(0, 1)
    flat[batch["tokens"]] = goal.flatten(0, 1)[batch["targets"]][batch["members"]]
    monkeypatch.setattr(train_bert, "DISTIL_LAYERS", (0,))

    class Teach:
        def __call__(self, **_):
            return type("Out", (), {"hidden_states": (goal,)})

    assert distil(Teach(), batch, (states,)) < 1e-9
    assert distil(Teach(), batch, (states + 1,)) > 0.1


def test_windows_hold_the_answer_or_point_to_the_first_token(tokenizer):
    start = CONTEXT.index("红豆面包", 200)
    item = {"context": CONTEXT, "question": "做什么面包吗？", "answer": "红豆面包", "start": start, "file": "drcd"}
    batches, seen = Batches(tokenizer, None, {}, {"zh": [item]}, 0, 0), set()
    for seed in range(60):
        ids, first, begin, end = batches._window(item, random.Random(seed))
        assert tokenizer.convert_ids_to_tokens(ids[first - 1]) == "[SEP]"
        if begin:
            assert "".join(tokenizer.convert_ids_to_tokens(ids[begin : end + 1])) == "红豆面包" and begin >= first
        else:
            assert end == 0
        seen.add(bool(begin))
    assert seen == {True, False}


def test_an_english_window_begins_at_a_word_and_a_share_of_the_batch_is_english(tokenizer):
    words = [*["the", "old", "mill", "by", "river", "was", "sold", "to", "a", "baker", "in", "spring"]]
    english = BertTokenizerFast(vocab={word: i for i, word in enumerate([*tokenizer.all_special_tokens, *words])})
    context = " ".join(words * 60)
    item = {"context": context, "question": "the baker", "answer": "by river", "file": "squad"}
    item["start"] = context.index("by river", 1500)
    batches = Batches(english, None, {"zh": [TEXT], "en": [context]}, {"zh": [], "en": [item]}, 0.25, 1.0)
    for seed in range(30):
        ids, first, begin, end = batches._window(item, random.Random(seed))
        shown = english.convert_ids_to_tokens(ids[first:-1])
        assert "[UNK]" not in shown[:-1]  # the last may be cut
        assert not begin or english.convert_ids_to_tokens(ids[begin : end + 1]) == ["by", "river"]
    english.model_max_length = 60  # an answer that lies beyond is none
    short = [batches._window(item, random.Random(seed)) for seed in range(30)]
    assert all(len(ids) <= 60 and end < len(ids) - 1 for ids, _, _, end in short)
    assert {bool(begin) for _, _, begin, _ in short} == {True, False}
    texts = batches._sample(random.Random(0), batches.texts, 40, batches.english)
    assert texts.count(context) == 10 and texts.count(TEXT) == 30
    assert len(next(batches.question(random.Random(0), 4096))["ids"]) > 1  # there is none in Chinese: all are English


def test_only_chosen_places_change_and_four_fifths_of_them_are_masked():
    ids = torch.full((200, 50), 7)
    where = torch.zeros_like(ids, dtype=torch.bool)
    where[:, ::2] = True
    shown = hide(ids, where, 4, 100, torch.Generator().manual_seed(0))
    assert (shown[~where] == 7).all()
    assert abs((shown[where] == 4).float().mean() - 0.8) < 0.02
    assert abs((shown[where] == 7).float().mean() - 0.1) < 0.02


def test_the_losses_are_those_of_transformers(tiny):
    torch.manual_seed(0)
    masked, asked = BertForMaskedLM(tiny), BertForQuestionAnswering(tiny)
    asked.bert.load_state_dict(masked.bert.state_dict())
    learner = Student(masked)
    learner.answers.load_state_dict(asked.qa_outputs.state_dict())
    ids = torch.randint(5, 40, (3, 12))
    ids[1, 9:] = 0  # padding
    where = (torch.rand(ids.shape) < 0.4) & (ids > 0)
    shown, there = ids.masked_fill(where, 4), (ids > 0).long()
    loss, told, states = learner({"ids": ids}, shown, where)
    wanted = masked(input_ids=shown, attention_mask=there, labels=ids.masked_fill(~where, -100))
    torch.testing.assert_close(loss, wanted.loss)
    assert told["mask"] == pytest.approx((wanted.logits.argmax(-1) == ids)[where].float().mean().item())
    assert len(states) == 3
    counted = torch.rand(int(where.sum()), 40).softmax(1)
    loss, _, _ = learner({"ids": ids, "expected": counted}, shown, where)
    further = -(counted * wanted.logits[where].log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(loss, (wanted.loss + further) / 2)
    batch = {"ids": ids, "segments": (torch.arange(12) > 4).long().expand(3, 12)}
    batch |= {"start": torch.tensor([0, 6, 9]), "end": torch.tensor([0, 8, 9])}
    loss, told, _ = learner(batch, shown, where)
    seen = {"input_ids": shown, "attention_mask": there, "token_type_ids": batch["segments"]}
    spans = asked(**seen, start_positions=batch["start"], end_positions=batch["end"])
    filled = masked(**seen, labels=ids.masked_fill(~where, -100))
    # transformers takes the mean of the two ends, and lets padding be an answer.
    ends = [logits.masked_fill(there == 0, -1e4) for logits in (spans.start_logits, spans.end_logits)]
    answering = sum(torch.nn.functional.cross_entropy(e, batch[k]) for e, k in zip(ends, ("start", "end"), strict=True))
    assert told["QA"] == pytest.approx(answering.item(), rel=1e-5)
    span = span_loss(*ends, batch["start"], batch["end"])
    assert told["QA span"] == pytest.approx(span.item(), rel=1e-5)
    torch.testing.assert_close(loss, filled.loss + answering + span)


def test_span_loss_against_a_plain_loop():
    random_ = torch.Generator().manual_seed(0)
    start, end = torch.randn(2, 3, 7, generator=random_)
    first, last = torch.tensor([0, 2, 4]), torch.tensor([0, 5, 4])
    lost = []
    for b in range(3):
        spans = [(i, j) for i in range(7) for j in range(i, 7)]
        scores = torch.stack([start[b, i] + end[b, j] - math.log(j - i + 1) for i, j in spans])
        lost.append(-scores.log_softmax(0)[spans.index((int(first[b]), int(last[b])))])
    torch.testing.assert_close(span_loss(start, end, first, last), torch.stack(lost).mean())


def test_each_batch_has_its_share_of_the_gradient_however_long_its_own_is(tiny):
    torch.manual_seed(0)
    learner = Student(BertForMaskedLM(tiny))
    ids = torch.randint(5, 40, (3, 12))
    where = torch.rand(ids.shape) < 0.4
    (1000 * learner({"ids": ids}, ids.masked_fill(where, 4), where)[0]).backward()
    before = [None if p.grad is None else p.grad.clone() for p in learner.parameters()]
    found = clipped(learner, 0.2)
    assert all(p.grad is None for p in learner.parameters())  # the next batch begins anew
    scale = 0.2 / torch.stack([g.norm() for g in before if g is not None]).norm()
    for mine, old in zip(found, before, strict=True):
        torch.testing.assert_close(mine, torch.zeros_like(mine) if old is None else old * scale)
    assert any(g is None for g in before)  # the head for answers
