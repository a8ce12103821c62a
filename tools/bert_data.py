"""What tools/train_bert.py reads: passages and questions, split into training and held out, and batches of both.

TEXT_DIR holds *.txt.xz, one Chinese passage per line, and more/*.txt.xz, of which en_* is English and alone held out
in part; QA_DIR *.jsonl.xz with id, context, question and answers [text, start].
"""

import json
import lzma
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import opencc
import torch
from packed import packed
from torch import Tensor
from transformers import BertTokenizerFast

LONG = ("bedtime", "goldminer", "howtocook", "lctt", "weekly", "xwlb", "msra")  # lines of these continue each other
TRADITIONAL = 0.5  # share of the Chinese passages that are converted; a fifth of them is traditional as it is
CHARACTERS = {"zh": 120, "en": 400}  # of a passage
# Characters of a context in a window, and of one window in five. A SQuAD context has 700 as a rule.
WINDOW, WIDE_WINDOW = {"zh": 170, "en": 680}, {"zh": 400, "en": 1600}
PACKED, WINDOWS = 128, (208, 448)  # tokens of a row of packed text; of a window, by whether it is wide
RUN = {"zh": 16, "en": 40}  # letters that a passage must not share with one that is held out


def is_held_out(text: str, one_in: int = 50) -> bool:
    """One passage in fifty is kept for measuring; by content, so that copies stay on one side."""
    return sum(text.encode()) % one_in == 0


def lines(file: Path) -> list[str]:
    """The lines of a compressed text file."""
    return lzma.decompress(file.read_bytes()).decode("utf-8").split("\n")


def language(text: str) -> str:
    """ "zh" where more than a third of the text is Han characters, else "en"."""
    return "zh" if 3 * len(re.findall(r"[\u3400-\u9fff]", text)) > len(text) else "en"


def runs(text: str, step: int = 1) -> Iterator[str]:
    """Each `step`-th run of `RUN` letters of a text, without punctuation, in simplified characters."""
    size, letters = RUN[language(text)], re.sub(r"[\W_]+", "", text.lower())
    return (letters[i : i + size] for i in range(0, len(letters) - size + 1, step))


def cut(text: str, size: int) -> Iterator[str]:
    """The text in pieces of `size` characters, the last one of 8 or more."""
    return (text[start : start + size] for start in range(0, max(len(text) - 7, 0), size))


def read_text(folder: Path) -> dict[str, list[str]]:
    """Passages of 8 to 120 characters of folder/*.txt.xz, `training` and `held out`."""
    split: dict[str, list[str]] = {"training": [], "held out": []}
    for file in sorted(folder.glob("*.txt.xz")):
        joined = ""
        for line in lines(file):
            joined = (joined + line.strip())[:1000]
            if len(joined) < 80 and file.name.startswith(LONG):
                continue
            split["held out" if is_held_out(joined) else "training"] += cut(joined, CHARACTERS["zh"])
            joined = ""
    return split


def read_more(folder: Path, apart: Iterable[str]) -> dict[str, list[str]]:
    """Passages to train on of folder/more/*.txt.xz, by language.

    Left out are English ones that are held out, and any that share a run of about `RUN` letters with a text of `apart`,
    whatever its script.
    """
    passages: dict[str, list[str]] = {"zh": [], "en": []}
    simplify = opencc.OpenCC("tw2s").convert
    known = {run for text in apart for run in runs(simplify(text))}
    for file in sorted((folder / "more").glob("*.txt.xz")):
        name = "en" if file.name.startswith("en_") else "zh"
        for line in map(str.strip, lines(file)):
            held_out = name == "en" and is_held_out(line)
            if not held_out and known.isdisjoint(runs(simplify(line) if name == "zh" else line, 8)):
                passages[name] += cut(line, CHARACTERS[name])
    return passages


def read_held_out_english(folder: Path) -> list[str]:
    """English passages of folder/more/en_*.txt.xz, of up to 400 characters, that `read_more` leaves out."""
    found = [line.strip() for file in sorted((folder / "more").glob("en_*.txt.xz")) for line in lines(file)]
    return [passage for line in found if is_held_out(line) for passage in cut(line, CHARACTERS["en"])]


def read_questions(folder: Path) -> dict[str, list[dict]]:
    """CMRC2018- and DRCD-style questions, those of one context in ten held out, and SQuAD's, its dev set held out.

    XQuAD is left out: it is a translation of that dev set.
    """
    split: dict[str, list[dict]] = {"training": [], "held out": []}
    for file in sorted(folder.glob("*.jsonl.xz")):
        if file.name.startswith("xquad"):
            continue
        for line in filter(None, lines(file)):
            item = json.loads(line)
            answer, start = item["answers"][0]["text"], item["answers"][0]["start"]
            if item["context"][start : start + len(answer)] == answer and answer:
                row = {"file": file.name, "context": item["context"], "question": item["question"], "answer": answer}
                row |= {"start": start, "answers": [a["text"] for a in item["answers"]]}
                english = file.name.startswith("squad")
                kept = "dev" in file.name if english else is_held_out(item["context"], 10)
                split["held out" if kept else "training"].append(row)
    return split


class Batches:
    """Batches of about `tokens` tokens, of texts of like length so that hardly any padding is computed.

    `texts` and `questions` are Chinese and English, by language, and `english` and `asked` the shares of the latter.
    """

    def __init__(
        self,
        tokenizer: BertTokenizerFast,
        teacher,
        texts: dict[str, list],
        questions: dict[str, list],
        english: float,
        asked: float,
    ) -> None:
        self.tokenizer, self.teacher, self.texts, self.questions = tokenizer, teacher, texts, questions
        self.english, self.asked, self.to_traditional = english, asked, opencc.OpenCC("s2tw").convert
        self.unmasked = [tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id]

    def _sample(self, random_: random.Random, rows: dict[str, list], count: int, share: float) -> list:
        english = round(count * share)
        chosen = random_.choices(rows["zh"], k=count - english) if count > english else []
        return chosen + (random_.choices(rows["en"], k=english) if english else [])

    def _passages(self, random_: random.Random, count: int) -> tuple[list[str], list]:
        """Some texts, and their tokens without special ones: <s> and </s> of a teacher would not correspond."""
        texts = self._sample(random_, self.texts, count, self.english)
        texts = [self.to_traditional(t) if random_.random() < TRADITIONAL else t for t in texts]
        return texts, self.tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)

    def packed_text(self, random_: random.Random, tokens: int) -> Iterator[dict]:
        """Text for masking in rows of `PACKED` tokens: ids, and which passage of its row a token is of (part)."""
        first, last = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        while True:
            mine = [encoded.ids[: PACKED - 2] for encoded in self._passages(random_, 2048)[1] if len(encoded) >= 4]
            whole, padding = [[first, *ids, last] for ids in mine], self.tokenizer.pad_token_id
            for ids, part in packed(whole, PACKED, max(1, tokens // PACKED), padding, random_):
                yield {"ids": ids, "part": part}

    def text(self, random_: random.Random, tokens: int) -> Iterator[dict]:
        """Text for masking: ids (B, T), and with a teacher which characters make up which piece of it."""
        while True:
            texts, mine = self._passages(random_, 1024)
            theirs = self.teacher.encode_batch(texts) if self.teacher else None
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
                ids = self._ids([mine[i] for i in rows])
                yield {"ids": ids} | (self._match([mine[i] for i in rows], [theirs[i] for i in rows]) if theirs else {})

    def _ids(self, rows: list) -> Tensor:
        ids = torch.full((len(rows), max(map(len, rows)) + 2), self.tokenizer.pad_token_id)
        for row, encoded in enumerate(rows):
            whole = [self.tokenizer.cls_token_id, *encoded.ids, self.tokenizer.sep_token_id]
            ids[row, : len(whole)] = torch.tensor(whole)
        return ids

    def _match(self, mine: list, theirs: list) -> dict:
        """The teacher's pieces (B, P), and which tokens together are which of them."""
        width, breadth = (max(len(e) for e in side) + 2 for side in (mine, theirs))
        pieces = np.ones((len(mine), breadth), np.int64)  # 1 is the teacher's <pad>
        tokens, members, targets = [], [], []  # flat token, number of its group, the group's flat piece
        for row, (a, b) in enumerate(zip(mine, theirs, strict=True)):
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
            "pieces": torch.from_numpy(pieces),
            "tokens": torch.tensor(tokens),
            "members": torch.tensor(members),
            "targets": torch.tensor(targets),
        }

    def question(self, random_: random.Random, tokens: int) -> Iterator[dict]:
        """Question and a window of its context: ids, segments (B, T), start and end (B,), 0 where it is not inside."""
        while True:
            windows = [self._window(item, random_) for item in self._sample(random_, self.questions, 256, self.asked)]
            windows.sort(key=lambda window: len(window[0]))
            groups, rows = [], []
            for window in windows:
                if rows and (len(rows) + 1) * len(window[0]) > tokens:
                    groups.append(rows)
                    rows = []
                rows.append(window)
            random_.shuffle(groups)
            for rows in groups:
                yield self._asked(rows, max(len(ids) for ids, *_ in rows))

    def windows(self, random_: random.Random, tokens: int) -> Iterator[dict]:
        """As `question`, in rows of one of `WINDOWS` tokens; longer ones are left out."""
        waiting: dict[int, list] = {width: [] for width in WINDOWS}
        while True:
            for item in self._sample(random_, self.questions, 256, self.asked):
                window = self._window(item, random_)
                width = next((width for width in WINDOWS if len(window[0]) <= width), None)
                if width is None:
                    continue
                waiting[width].append(window)
                if len(waiting[width]) >= tokens // width:  # one at least
                    batch = self._asked(waiting[width], width)
                    yield batch | {"part": (batch["ids"] != self.tokenizer.pad_token_id).long()}
                    waiting[width] = []

    def _asked(self, rows: list, width: int) -> dict:
        ids, segments = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width).long()
        for i, (window, first, _, _) in enumerate(rows):
            ids[i, : len(window)] = torch.tensor(window)
            segments[i, first : len(window)] = 1
        start, end = (torch.tensor([row[k] for row in rows]) for k in (2, 3))
        return {"ids": ids, "segments": segments, "start": start, "end": end}

    def _window(self, item: dict, random_: random.Random) -> tuple[list[int], int, int, int]:
        context, question, start = item["context"], item["question"], item["start"]
        stop, name = start + len(item["answer"]), language(context)
        if name == "zh" and random_.random() < 0.4 and "drcd" not in item["file"]:
            # OpenCC keeps the number of characters except in rare phrases, which are left alone.
            converted = self.to_traditional(context)
            if len(converted) == len(context):
                context, question = converted, self.to_traditional(question)
        length = (WIDE_WINDOW if random_.random() < 0.2 else WINDOW)[name]
        if random_.random() < 0.12 and len(context) > 2 * length:  # a window without the answer
            left, right = start - length, len(context) - stop - length
            begin = random_.randint(0, left) if left > 0 and (right <= 0 or random_.random() < 0.5) else stop
        else:
            spare = max(0, length - (stop - start))
            low, high = max(0, start - spare), max(0, min(start, len(context) - length))
            begin = random_.randint(min(low, high), max(low, high))
        if name == "en" and begin:  # at a whole word
            begin = context.rfind(" ", 0, begin) + 1
        window = context[begin : begin + max(length, stop - start)]
        backend = self.tokenizer.backend_tokenizer
        a = backend.encode(question, add_special_tokens=False).ids[:48]
        b = backend.encode(window, add_special_tokens=False)
        room = self.tokenizer.model_max_length - 3 - len(a)
        ids = [self.tokenizer.cls_token_id, *a, self.tokenizer.sep_token_id, *b.ids[:room], self.tokenizer.sep_token_id]
        first = len(a) + 2
        inside = [i for i, (x, y) in enumerate(b.offsets) if x + begin < stop and y + begin > start]
        whole = inside and begin <= start and stop <= begin + len(window) and inside[-1] < room
        return ids, first, *((first + inside[0], first + inside[-1]) if whole else (0, 0))
