"""Train the character-level BERT that ships as checkpoints/bert-mini-zh-en, starting from tools/char_bert.py.

    PYTHONPATH=. python tools/train_bert.py --text TEXT_DIR --english ENGLISH_DIR \\
        --questions QA_DIR --minutes 110 --out runs/bert

TEXT_DIR holds *.txt.xz, one Chinese passage per line; ENGLISH_DIR *.txt, a passage per line; QA_DIR *.jsonl.xz with id,
context, question and answers [text, start]. Three losses on one encoder:
- masked characters (Devlin et al. 2019, section 3.1) in simplified and traditional script: 30 % of the text at first,
  15 % at the end (after Ankner et al. 2024, Dynamic Masking Rate Schedules for MLM Pretraining);
- until `DISTIL_UNTIL` of the time, the word-piece teacher reads the same text: the mean of the characters of a piece
  should be the teacher's vector of that piece in a few layers (after Jiao et al. 2020, TinyBERT, section 3);
- from `QUESTIONS_FROM` on, in every step, question answering (Devlin et al. 2019, section 4.2) in windows that may miss
  the answer: both ends, each by itself, and the span that they enclose.
The learning rate falls to 0 over --minutes, so the weights are good at its end only. An interrupted run goes on where
it was last saved when it is called again; --start goes on from a finished folder with a new budget.
"""

import argparse
import json
import lzma
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import opencc
import torch
from char_bert import read_teacher, student, teacher_file
from int8 import multiply_in_int8
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertForMaskedLM, BertTokenizerFast

from hw9.language.loading import LENGTH_PENALTY
from hw9.language.spans import span_scores

TOKENS = 4096  # in a step
MASKED_LAST, MASKED_BESIDE_QUESTIONS = 0.15, 0.5  # share of the tokens of text; of that share, in contexts of questions
DISTIL_UNTIL, DISTIL_WEIGHT, DISTIL_LAYERS = 0.6, 2.0, (4, 8, 12)
QUESTIONS_FROM = 0.3
SPAN_PENALTY = 1.0  # times log length, off a span's score
SAVE_EVERY = 300  # seconds
LONG = ("bedtime", "goldminer", "howtocook", "lctt", "weekly", "xwlb", "msra")  # lines of these continue each other


def is_held_out(text: str) -> bool:
    """One passage in fifty is kept for measuring; by content, so that copies stay on one side."""
    return sum(text.encode()) % 50 == 0


def read_text(folder: Path, english: Path | None) -> dict[str, list[str]]:
    """Passages of 8 to 120 characters (English: up to 400), `training` and `held out`."""
    split: dict[str, list[str]] = {"training": [], "held out": []}
    for file in sorted(folder.glob("*.txt.xz")):
        joined = ""
        for line in lzma.decompress(file.read_bytes()).decode("utf-8").split("\n"):
            joined = (joined + line.strip())[:1000]
            if len(joined) < 80 and file.name.startswith(LONG):
                continue
            for start in range(0, max(len(joined) - 7, 0), 120):
                split["held out" if is_held_out(joined) else "training"].append(joined[start : start + 120])
            joined = ""
    for file in sorted(english.glob("*.txt")) if english else ():
        for line in file.read_text(encoding="utf-8").splitlines():
            if len(line) > 40:  # twice, or a fifteenth of the text would be English
                split["held out" if is_held_out(line) else "training"] += [line[:400]] * (1 if is_held_out(line) else 2)
    return split


def read_questions(folder: Path) -> dict[str, list[dict]]:
    """CMRC2018- and DRCD-style questions; those of one context in ten are held out."""
    split: dict[str, list[dict]] = {"training": [], "held out": []}
    for file in sorted(folder.glob("*.jsonl.xz")):
        for line in filter(None, lzma.decompress(file.read_bytes()).decode("utf-8").split("\n")):
            item = json.loads(line)
            answer, start = item["answers"][0]["text"], item["answers"][0]["start"]
            if item["context"][start : start + len(answer)] == answer and answer:
                row = {"file": file.name, "context": item["context"], "question": item["question"], "answer": answer}
                row |= {"start": start, "answers": [a["text"] for a in item["answers"]]}
                split["held out" if sum(item["context"].encode()) % 10 == 0 else "training"].append(row)
    return split


class Batches:
    """Batches of about `tokens` tokens, of texts of like length so that hardly any padding is computed."""

    def __init__(self, tokenizer: BertTokenizerFast, teacher, texts: list[str], questions: list[dict]) -> None:
        self.tokenizer, self.teacher, self.texts, self.questions = tokenizer, teacher, texts, questions
        self.to_traditional = opencc.OpenCC("s2tw").convert
        self.unmasked = [tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id]

    def text(self, random_: random.Random, tokens: int) -> Iterator[dict]:
        """Text for masking: ids (B, T), and which characters make up which piece of the teacher."""
        while True:
            texts = random_.sample(self.texts, 1024)
            texts = [self.to_traditional(t) if random_.random() < 0.55 else t for t in texts]
            # The program's own tokenizer, without special tokens: <s> and </s> of both sides do not correspond.
            mine = self.tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
            theirs = self.teacher.encode_batch(texts)
            order = sorted(range(len(texts)), key=lambda i: len(mine[i]))
            groups, rows = [], []
            for i in order:
                if len(mine[i]) < 4:
                    continue
                if rows and (len(rows) + 1) * (len(mine[i]) + 2) > tokens:
                    groups.append(rows)
                    rows = []
                rows.append(i)
            random_.shuffle(groups)
            for rows in groups:
                yield self._text_batch([mine[i] for i in rows], [theirs[i] for i in rows])

    def _text_batch(self, mine: list, theirs: list) -> dict:
        width, breadth = (max(len(e) for e in side) + 2 for side in (mine, theirs))
        ids = np.zeros((len(mine), width), np.int64)
        pieces = np.ones((len(mine), breadth), np.int64)  # 1 is the teacher's <pad>
        tokens, members, targets = [], [], []  # flat token, number of its group, the group's flat piece
        for row, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            ids[row, : len(a) + 2] = [self.tokenizer.cls_token_id, *a.ids, self.tokenizer.sep_token_id]
            pieces[row, : len(b) + 2] = [0, *b.ids, 2]
            at = 0
            for j, (piece, (start, stop)) in enumerate(zip(b.tokens, b.offsets, strict=True)):
                if piece == "▁":
                    continue
                while at < len(a) and a.offsets[at][0] < start:
                    at += 1
                first = at
                while at < len(a) and a.offsets[at][1] <= stop:
                    at += 1
                if at > first:
                    tokens += range(row * width + first + 1, row * width + at + 1)
                    members += [len(targets)] * (at - first)
                    targets.append(row * breadth + j + 1)
        return {
            "ids": torch.from_numpy(ids),
            "pieces": torch.from_numpy(pieces),
            "tokens": torch.tensor(tokens),
            "members": torch.tensor(members),
            "targets": torch.tensor(targets),
        }

    def question(self, random_: random.Random, tokens: int) -> Iterator[dict]:
        """Question and a window of its context: ids, segments (B, T), start and end (B,), 0 where it is not inside."""
        while True:
            windows = [self._window(item, random_) for item in random_.sample(self.questions, 256)]
            windows.sort(key=lambda window: len(window[0]))
            groups, rows = [], []
            for window in windows:
                if rows and (len(rows) + 1) * len(window[0]) > tokens:
                    groups.append(rows)
                    rows = []
                rows.append(window)
            random_.shuffle(groups)
            for rows in groups:
                width = max(len(ids) for ids, *_ in rows)
                ids, segments = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width).long()
                for i, (window, first, _, _) in enumerate(rows):
                    ids[i, : len(window)] = torch.tensor(window)
                    segments[i, first : len(window)] = 1
                start, end = (torch.tensor([row[k] for row in rows]) for k in (2, 3))
                yield {"ids": ids, "segments": segments, "start": start, "end": end}

    def _window(self, item: dict, random_: random.Random) -> tuple[list[int], int, int, int]:
        context, question, start = item["context"], item["question"], item["start"]
        stop = start + len(item["answer"])
        if random_.random() < 0.4 and "drcd" not in item["file"]:
            # OpenCC keeps the number of characters except in rare phrases, which are left alone.
            converted = self.to_traditional(context)
            if len(converted) == len(context):
                context, question = converted, self.to_traditional(question)
        length = 400 if random_.random() < 0.2 else 170  # characters
        if random_.random() < 0.12 and len(context) > 2 * length:  # a window without the answer
            left, right = start - length, len(context) - stop - length
            begin = random_.randint(0, left) if left > 0 and (right <= 0 or random_.random() < 0.5) else stop
        else:
            spare = max(0, length - (stop - start))
            low, high = max(0, start - spare), max(0, min(start, len(context) - length))
            begin = random_.randint(min(low, high), max(low, high))
        window = context[begin : begin + max(length, stop - start)]
        backend = self.tokenizer.backend_tokenizer
        a = backend.encode(question, add_special_tokens=False).ids[:48]
        b = backend.encode(window, add_special_tokens=False)
        ids = [self.tokenizer.cls_token_id, *a, self.tokenizer.sep_token_id, *b.ids, self.tokenizer.sep_token_id]
        first = len(a) + 2
        inside = [i for i, (x, y) in enumerate(b.offsets) if x + begin < stop and y + begin > start]
        whole = inside and begin <= start and stop <= begin + len(window)
        return ids, first, *((first + inside[0], first + inside[-1]) if whole else (0, 0))


class Student(nn.Module):
    """Encoder, mask head and question head with their losses."""

    def __init__(self, model: BertForMaskedLM) -> None:
        super().__init__()
        self.model, self.answers = model, nn.Linear(model.config.hidden_size, 2)

    def forward(self, batch: dict, shown: Tensor, where: Tensor) -> tuple[Tensor, dict[str, float], tuple[Tensor, ...]]:
        """Loss, what to print and the hidden states of a batch that is read as `shown` (B, T), masked at `where`."""
        ids, asks = batch["ids"], "start" in batch
        padding = ids == self.model.config.pad_token_id
        states = self.model.bert(
            input_ids=shown,
            attention_mask=(~padding).long(),
            token_type_ids=batch.get("segments"),
            output_hidden_states=True,
        ).hidden_states
        logits = self.model.cls(states[-1][where])  # (M, V): the head runs on the masked ones alone
        loss, right = F.cross_entropy(logits.float(), ids[where]), (logits.argmax(1) == ids[where]).float().mean()
        if not asks:
            return loss, {"mask loss": loss.item(), "mask": right.item()}, states
        spans = self.answers(states[-1]).float().masked_fill(padding[..., None], -1e4)
        answering = F.cross_entropy(spans[..., 0], batch["start"]) + F.cross_entropy(spans[..., 1], batch["end"])
        jointly = span_loss(*spans.unbind(-1), batch["start"], batch["end"])
        told = {"QA": answering.item(), "QA span": jointly.item(), "QA mask": right.item()}
        return loss + answering + jointly, told, states


def span_loss(start: Tensor, end: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Cross-entropy of the span `first` to `last` (B,) among all spans, from scores (B, T) of starts and ends.

    Trained apart, starts and ends know nothing of each other, and the best sum of both is often too long (Fajcik et
    al. 2021, "Rethinking the Objectives of Extractive Question Answering", section 3, adds this loss to theirs).
    """
    return F.cross_entropy(span_scores(start, end, SPAN_PENALTY).flatten(1), first * start.shape[1] + last)


def hide(ids: Tensor, where: Tensor, mask: int, words: int, generator: torch.Generator) -> Tensor:
    """`ids` with 80 % of `where` masked, 10 % another token, 10 % left (Devlin et al. 2019, section 3.1)."""
    dice = torch.rand(ids.shape, generator=generator)
    hidden = torch.where(where & (dice < 0.8), mask, ids)
    return torch.where(where & (dice > 0.9), torch.randint(5, words, ids.shape, generator=generator), hidden)


def train(chosen: argparse.Namespace) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    text, questions = read_text(chosen.text, chosen.english), read_questions(chosen.questions)
    sizes = {name: len(rows) for name, rows in text.items()} | {f"QA {n}": len(r) for n, r in questions.items()}
    print(json.dumps(sizes), flush=True)
    teacher = read_teacher(teacher_file())
    model, tokenizer = student(teacher)
    teach, pieces = teacher.model().to(device), teacher.tokenizer()
    learner = Student(model)
    if chosen.start:
        load_heads(learner, chosen.start)
    learner.to(device)
    if chosen.int8:
        multiply_in_int8(model.bert.encoder)
        model.bert.compile(dynamic=True)
    new = [p for n, p in learner.named_parameters() if "encoder" not in n]
    old = [p for n, p in learner.named_parameters() if "encoder" in n]
    rates = (2 * chosen.learning_rate, chosen.learning_rate)
    groups = [{"params": p, "lr": r, "peak": r} for p, r in zip((new, old), rates, strict=True)]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), weight_decay=0.01, fused=True)
    spent, step, tokens = 0.0, 0, 0
    chosen.out.mkdir(parents=True, exist_ok=True)
    state = chosen.out / "state.pt"
    if state.is_file():
        saved = torch.load(state, map_location=device, weights_only=True)
        learner.load_state_dict(saved["learner"])
        optimizer.load_state_dict(saved["optimizer"])
        spent, step, tokens = saved["spent"], saved["step"], saved["tokens"]
        print(f"going on at step {step}", flush=True)
    random_, generator = random.Random(step), torch.Generator().manual_seed(step)
    # CMRC's twice: DRCD's answers are short, and after the third run were exact twice as often.
    asked = [q for q in questions["training"] for _ in range(1 if q["file"].startswith("drcd") else 2)]
    batches = Batches(tokenizer, pieces, text["training"], asked)
    of_text = batches.text(random_, TOKENS)
    beside_questions = batches.text(random_, round(TOKENS * (1 - chosen.question_share)))
    of_questions = batches.question(random_, round(TOKENS * chosen.question_share))
    budget, saved_at, told_at = chosen.minutes * 60, spent, spent
    seen: dict[str, list[float]] = {}
    while spent < budget:
        began, progress = time.perf_counter(), spent / budget
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(1.0, (step + 1) / 100) * (1 - progress)
        optimizer.zero_grad(set_to_none=True)
        # Both in one step once there are questions, so that no step follows those alone.
        asking = progress >= chosen.questions_from
        for batch in [next(beside_questions), next(of_questions)] if asking else [next(of_text)]:
            ids, asks = batch["ids"], "start" in batch
            share = chosen.masked + (MASKED_LAST - chosen.masked) * progress
            where = torch.rand(ids.shape, generator=generator) < share * (MASKED_BESIDE_QUESTIONS if asks else 1)
            where &= ~torch.isin(ids, torch.tensor(batches.unmasked))
            if asks:
                place = torch.arange(ids.shape[1])
                answer = (place >= batch["start"][:, None]) & (place <= batch["end"][:, None])
                where &= (batch["segments"] == 1) & ~answer
            shown = hide(ids, where, tokenizer.mask_token_id, len(tokenizer), generator).to(device)
            batch, where = {name: part.to(device) for name, part in batch.items()}, where.to(device)
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                loss, told, states = learner(batch, shown, where)
                if not asks and progress < chosen.distil_until:
                    far = distil(teach, batch, states)
                    loss, told = loss + DISTIL_WEIGHT * far, told | {"distil": far.item()}
            loss.backward()
            tokens += int((ids != 0).sum())
            for name, value in told.items():
                seen.setdefault(name, []).append(value)
        nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimizer.step()
        step, spent = step + 1, spent + time.perf_counter() - began
        if spent - told_at > 30 or spent >= budget:
            line = "  ".join(f"{name} {sum(v) / len(v):.3f}" for name, v in sorted(seen.items()))
            print(f"{spent / 60:6.1f} min  step {step}  {tokens / 1e6:.3f} M tokens  {line}", flush=True)
            told_at, seen = spent, {}
        if spent - saved_at > SAVE_EVERY or spent >= budget:
            saved_at = spent
            save(learner, tokenizer, chosen.out / "plain")
            rest = {"optimizer": optimizer.state_dict(), "spent": spent, "step": step, "tokens": tokens}
            torch.save({"learner": learner.state_dict(), **rest}, state.with_suffix(".part"))
            state.with_suffix(".part").replace(state)
    print(json.dumps({"steps": step, "tokens": tokens, "minutes": round(spent / 60, 1)}), flush=True)


def distil(teach: nn.Module, batch: dict, states: tuple[Tensor, ...]) -> Tensor:
    """Squared distance of the characters' mean from the teacher's piece, in units of the pieces' variance."""
    with torch.no_grad():
        pieces = batch["pieces"]
        wanted = teach(input_ids=pieces, attention_mask=(pieces != 1).long(), output_hidden_states=True).hidden_states
    count = torch.bincount(batch["members"], minlength=len(batch["targets"]))[:, None]
    total = 0.0
    for layer in DISTIL_LAYERS:
        goal = wanted[layer].flatten(0, 1)[batch["targets"]].float()  # (G, D)
        characters = states[layer].flatten(0, 1)[batch["tokens"]].float()
        mean = torch.zeros_like(goal).index_add(0, batch["members"], characters) / count
        total = total + (mean - goal).square().sum(1).mean() / goal.var(0).sum()
    return total / len(DISTIL_LAYERS)


def save(learner: Student, tokenizer: BertTokenizerFast, folder: Path) -> None:
    """A plain folder for transformers: encoder, mask head and question head."""
    learner.model.qa_outputs = learner.answers
    setattr(learner.model.config, LENGTH_PENALTY, SPAN_PENALTY)
    learner.model.save_pretrained(folder)
    del learner.model.qa_outputs
    tokenizer.save_pretrained(folder)


def load_heads(learner: Student, folder: Path) -> None:
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    learner.answers.load_state_dict(
        {k.split(".")[1]: weights.pop(k) for k in list(weights) if k.startswith("qa_outputs")}
    )
    missing = learner.model.load_state_dict(weights, strict=False).missing_keys
    if any("decoder" not in key for key in missing):
        raise ValueError(f"{folder} lacks weights: {', '.join(missing[:3])}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--text", type=Path, required=True)
    options.add_argument("--english", type=Path)
    options.add_argument("--questions", type=Path, required=True)
    options.add_argument("--minutes", type=float, required=True, help="of computing, over which the rate falls to 0")
    options.add_argument("--learning-rate", type=float, default=3e-4)
    options.add_argument("--questions-from", type=float, default=QUESTIONS_FROM)
    options.add_argument("--distil-until", type=float, default=DISTIL_UNTIL)
    options.add_argument("--question-share", type=float, default=0.6, help="of a step's tokens, once they are asked")
    options.add_argument("--masked", type=float, default=0.3, help=f"share of the text at first; {MASKED_LAST} at last")
    options.add_argument("--int8", action="store_true", help="8-bit products, compiled: quicker on a CPU with VNNI")
    options.add_argument("--start", type=Path, help="a plain folder to go on from")
    options.add_argument("--out", type=Path, default=Path("runs/bert"))
    torch.manual_seed(0)
    train(options.parse_args())


if __name__ == "__main__":
    main()
