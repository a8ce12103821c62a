"""Train the character-level BERT that ships as checkpoints/bert-mini-zh-en, starting from tools/char_bert.py.

    PYTHONPATH=. python tools/train_bert.py --text TEXT_DIR --questions QA_DIR --minutes 110 --out runs/bert

What is read is in tools/bert_data.py. Three losses on one encoder:
- masked tokens (Devlin et al. 2019, section 3.1) of English and of Chinese in simplified and traditional script: 30 %
  of the text at first, 15 % at the end (after Ankner et al. 2024, Dynamic Masking Rate Schedules for MLM Pretraining);
  with --ngrams, half of what masked text should say is what tools/ngrams.py expects between the neighbours;
- until `DISTIL_UNTIL` of the time, the word-piece teacher reads the same text: the mean of the characters of a piece
  should be the teacher's vector of that piece in a few layers (after Jiao et al. 2020, TinyBERT, section 3);
- from `QUESTIONS_FROM` on, in every step, question answering (Devlin et al. 2019, section 4.2) in windows that may miss
  the answer: both ends, each by itself, and the span that they enclose.
The learning rate falls to 0 over --minutes of the clock, however slow the machine is meanwhile, so the weights are good
at its end only. An interrupted run goes on where it was last saved when it is called again; --start goes on from a
finished folder, with its vocabulary, with a new budget.
With --packed the encoder is compiled and reads rows of one width (tools/packed.py), with the same losses.
On Linux jemalloc (Debian's libjemalloc2) made a step on two CPU cores 1.2 to 1.5 times as fast: glibc gives large
blocks back after each use. LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=thp:always,oversize_threshold:0 (with a
decay of -1 nothing is given back, and 24 GB were full after an hour).
"""

import argparse
import json
import random
import time
from pathlib import Path

import ngrams
import torch
from bert_data import Batches, read_more, read_questions, read_text
from char_bert import read_teacher, student, teacher_file
from int8 import multiply_in_int8
from packed import encode
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

from hw9.files import replacing
from hw9.language.loading import LENGTH_PENALTY
from hw9.language.spans import span_scores

MASKED_LAST, MASKED_BESIDE_QUESTIONS = 0.15, 0.5  # share of the tokens of text; of that share, in contexts of questions
DISTIL_UNTIL, DISTIL_WEIGHT, DISTIL_LAYERS = 0.6, 2.0, (4, 8, 12)
QUESTIONS_FROM = 0.3
NGRAM_WEIGHT = 0.5
SPAN_PENALTY = 1.0  # times log length, off a span's score
SAVE_EVERY = 300  # seconds


class Student(nn.Module):
    """Encoder, mask head and question head with their losses."""

    def __init__(self, model: BertForMaskedLM) -> None:
        super().__init__()
        self.model, self.answers = model, nn.Linear(model.config.hidden_size, 2)
        self.encode = encode

    def forward(self, batch: dict, shown: Tensor, where: Tensor) -> tuple[Tensor, dict[str, float], tuple[Tensor, ...]]:
        """Loss, what to print and the hidden states of a batch that is read as `shown` (B, T), masked at `where`."""
        ids, asks = batch["ids"], "start" in batch
        padding = ids == self.model.config.pad_token_id
        if "part" in batch:
            segments = batch.get("segments", torch.zeros_like(shown))
            states = (self.encode(self.model.bert, shown, segments, batch["part"]),)
        else:
            states = self.model.bert(
                input_ids=shown,
                attention_mask=(~padding).long(),
                token_type_ids=batch.get("segments"),
                output_hidden_states=True,
            ).hidden_states
        logits = self.model.cls(states[-1][where]).float()  # (M, V): the head runs on the masked ones alone
        wanted, right = ids[where], (logits.argmax(1) == ids[where]).float().mean()
        if "expected" in batch:
            share = batch["expected"] * NGRAM_WEIGHT
            wanted = share.scatter_add(1, wanted[:, None], share.new_full((len(wanted), 1), 1 - NGRAM_WEIGHT))
        loss = F.cross_entropy(logits, wanted)
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
    text, questions = read_text(chosen.text), read_questions(chosen.questions)
    more = read_more(chosen.text, text["held out"])
    texts = {"zh": text["training"] + more["zh"], "en": more["en"]}
    # CMRC's twice: DRCD's answers are short, and after the third run were exact twice as often.
    asked = {"zh": [], "en": []}
    for item in questions["training"]:
        asked["en" if item["file"].startswith("squad") else "zh"] += [item] * (2 if "cmrc" in item["file"] else 1)
    print(json.dumps({name: [len(rows[name]) for rows in (texts, asked)] for name in texts}), flush=True)
    teach = pieces = None
    if chosen.distil_until > 0 or not chosen.start:
        teacher = read_teacher(teacher_file())
        teach, pieces = teacher.model().to(device), teacher.tokenizer()
    if chosen.start:
        model = BertForMaskedLM(BertConfig.from_pretrained(chosen.start))
        tokenizer = BertTokenizerFast.from_pretrained(chosen.start)
    else:
        model, tokenizer = student(teacher)
    learner = Student(model)
    if chosen.start:
        load_heads(learner, chosen.start)
    learner.to(device)
    if chosen.int8:
        multiply_in_int8(model.bert.encoder)
        model.bert.compile(dynamic=True)
    if chosen.bfloat16:  # on a CPU the fused attention's backward pass is slower than three products
        model.set_attn_implementation("eager")
    if chosen.packed:
        learner.encode = torch.compile(encode, dynamic=False)
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
    batches = Batches(tokenizer, pieces, texts, asked, chosen.english, chosen.english_questions)
    counted = ngrams.read(chosen.ngrams) if chosen.ngrams else None
    text_of, questions_of = (
        (batches.packed_text, batches.windows) if chosen.packed else (batches.text, batches.question)
    )
    of_text = text_of(random_, chosen.tokens)
    beside_questions = text_of(random_, round(chosen.tokens * (1 - chosen.question_share)))
    of_questions = questions_of(random_, round(chosen.tokens * chosen.question_share))
    budget, saved_at, told_at, began = chosen.minutes * 60, spent, spent, time.monotonic() - spent
    seen: dict[str, list[float]] = {}
    while spent < budget:
        progress = spent / budget
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(1.0, (step + 1) / 100) * (1 - progress)
        # Both in one step once there are questions, so that no step follows those alone.
        asking = progress >= chosen.questions_from
        learnt = []
        for batch in [next(beside_questions), next(of_questions)] if asking else [next(of_text)]:
            ids, asks = batch["ids"], "start" in batch
            share = chosen.masked + (MASKED_LAST - chosen.masked) * progress
            where = torch.rand(ids.shape, generator=generator) < share * (MASKED_BESIDE_QUESTIONS if asks else 1)
            where &= ~torch.isin(ids, torch.tensor(batches.unmasked))
            if asks:
                place = torch.arange(ids.shape[1])
                answer = (place >= batch["start"][:, None]) & (place <= batch["end"][:, None])
                where &= (batch["segments"] == 1) & ~answer
            if counted and not asks:
                edges = tokenizer.cls_token_id, tokenizer.sep_token_id
                batch["expected"] = counted.cloze(ids, where, edges, tokenizer.pad_token_id)
            shown = hide(ids, where, tokenizer.mask_token_id, len(tokenizer), generator).to(device)
            batch, where = {name: part.to(device) for name, part in batch.items()}, where.to(device)
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda" or chosen.bfloat16):
                loss, told, states = learner(batch, shown, where)
                if not asks and progress < chosen.distil_until:
                    far = distil(teach, batch, states)
                    loss, told = loss + DISTIL_WEIGHT * far, told | {"distil": far.item()}
            loss.backward()
            counts = (chosen.question_share if asks else 1 - chosen.question_share) if asking else 1.0
            learnt.append(clipped(learner, counts))
            tokens += int((ids != 0).sum())
            for name, value in told.items():
                seen.setdefault(name, []).append(value)
        for parameter, *parts in zip(learner.parameters(), *learnt, strict=True):
            parameter.grad = sum(parts)
        optimizer.step()
        step, spent = step + 1, time.monotonic() - began
        if spent - told_at > 30 or spent >= budget:
            line = "  ".join(f"{name} {sum(v) / len(v):.3f}" for name, v in sorted(seen.items()))
            print(f"{spent / 60:6.1f} min  step {step}  {tokens / 1e6:.3f} M tokens  {line}", flush=True)
            told_at, seen = spent, {}
        if spent - saved_at > SAVE_EVERY or spent >= budget:
            saved_at = spent
            save(learner, tokenizer, chosen.out / "plain")
            rest = {"optimizer": optimizer.state_dict(), "spent": spent, "step": step, "tokens": tokens}
            with replacing(state) as part:
                torch.save({"learner": learner.state_dict(), **rest}, part)
    print(json.dumps({"steps": step, "tokens": tokens, "minutes": round(spent / 60, 1)}), flush=True)


def clipped(learner: Student, largest: float) -> list[Tensor]:
    """The gradient, cut to a norm of `largest`, and taken out of `learner`.

    Questions by themselves: their gradient was forty times as long as that of text beside them, and cut together
    nothing of the text came through (run nine, in the model's card).
    """
    nn.utils.clip_grad_norm_(learner.parameters(), largest)
    found = [torch.zeros_like(p) if p.grad is None else p.grad for p in learner.parameters()]
    learner.zero_grad(set_to_none=True)
    return found


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
    options.add_argument("--questions", type=Path, required=True)
    options.add_argument("--minutes", type=float, required=True, help="of the clock, over which the rate falls to 0")
    options.add_argument("--tokens", type=int, default=4096, help="in a step")
    options.add_argument("--english", type=float, default=0.2, help="share of the texts")
    options.add_argument("--english-questions", type=float, default=0.2, help="share of the questions")
    options.add_argument("--ngrams", type=Path, help="what tools/ngrams.py wrote")
    options.add_argument("--learning-rate", type=float, default=3e-4)
    options.add_argument("--questions-from", type=float, default=QUESTIONS_FROM)
    options.add_argument("--distil-until", type=float, default=DISTIL_UNTIL)
    options.add_argument("--question-share", type=float, default=0.6, help="of a step's tokens, once they are asked")
    options.add_argument("--masked", type=float, default=0.3, help=f"share of the text at first; {MASKED_LAST} at last")
    options.add_argument("--int8", action="store_true", help="8-bit products, compiled: quicker on a CPU with VNNI")
    options.add_argument("--bfloat16", action="store_true", help="16-bit products: quicker still on a CPU with AMX")
    options.add_argument("--packed", action="store_true", help="rows of one width, compiled: quicker")
    options.add_argument("--start", type=Path, help="a plain folder to go on from")
    options.add_argument("--out", type=Path, default=Path("runs/bert"))
    torch.manual_seed(0)
    chosen = options.parse_args()
    # n-grams know the edges of a row, not of its passages; the packed encoder bypasses 8-bit layers.
    if chosen.packed and (chosen.distil_until > 0 or not chosen.start or chosen.ngrams or chosen.int8):
        options.error("--packed needs --distil-until 0 and --start, and goes with neither --ngrams nor --int8")
    train(chosen)


if __name__ == "__main__":
    main()
