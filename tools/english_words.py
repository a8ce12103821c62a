"""A vocabulary with whole English words, for a BERT folder whose Latin tokens are those of a hundred languages.

    PYTHONPATH=. python tools/english_words.py checkpoints/bert-mini-zh-en runs/words \
        --text ENGLISH.txt.xz CHINESE.txt.xz --lesson hw9/language/sentences.py

Every Latin token of two letters or more gives way: to the commonest Latin words of the text (which Chinese text has
too), with those of the lesson, and to `ENDS` pieces from which the rarer ones are put together. Everything else keeps
its number, so that Chinese is read as before. A token that is new starts as the mean of the old tokens that it was
written in, in the word vectors (which the mask head shares) and in the mask head's bias. The result has as
many tokens as before and is trained on by tools/train_bert.py --start.

With --teacher, for a folder that has whole words already, the vocabulary stays as it is. Instead words that are one
piece in the network that the folder once came from (tools/char_bert.py) move towards that piece's vector, but for those
so common that training has found a better one: at 0.5, 25.0 instead of 23.8 % of the masked English tokens were found.
"""

import argparse
import collections
import json
import re
from pathlib import Path

import torch
from bert_data import lines as read_lines
from char_bert import read_teacher, teacher_file
from torch import Tensor
from transformers import BertTokenizer

from hw9.language.loading import read_config, read_model, read_tokenizer

ENDS = 1800
LONGEST = 8  # letters of an end
USUAL = 5  # times that a word of the lesson has to occur in the text: its file holds names of Python's too
FAMILIAR = 300  # commonest words, which have no need of the teacher
LATIN = re.compile(r"(##)?[a-z]{2,}")


def count_words(lines: list[str]) -> collections.Counter[str]:
    """How often each word of two letters or more occurs, in lower case; ties in alphabetical order."""
    counts = collections.Counter(word for line in lines for word in re.findall(r"[a-z]{2,}", line.lower()))
    return collections.Counter(dict(sorted(counts.items())))


def choose(counts: collections.Counter[str], always: list[str], room: int, ends: int = ENDS) -> list[str]:
    """`room` tokens: `always`, the commonest words, and the `ends` pieces with which most of the others would go on.

    A word outside the list goes on after the longest listed word that it starts with (WordPiece reads greedily).
    Raises ValueError where the text has too few different words.
    """
    words = [*dict.fromkeys(always + [word for word, _ in counts.most_common(room)])][: room - ends]
    listed, after = set(words), collections.Counter()
    for word, count in counts.items():
        if word in listed:
            continue
        known = next((k for k in range(len(word) - 1, 0, -1) if word[:k] in listed), 1)
        for k in range(2, min(len(word) - known, LONGEST) + 1):
            after["##" + word[known : known + k]] += count * k
    chosen = words + [end for end, _ in after.most_common(ends)]
    if len(chosen) < room:
        raise ValueError(f"the text has words for {len(chosen)} tokens, not {room}: give more English")
    return chosen


def spell(token: str, vocabulary: dict[str, int]) -> list[int]:
    """The numbers of the tokens in which `vocabulary` writes a token that it may lack, longest first (WordPiece)."""
    going_on, rest, numbers = token.startswith("##"), token.removeprefix("##"), []
    while rest:
        prefix = "##" if going_on or numbers else ""
        size = next(k for k in range(len(rest), 0, -1) if prefix + rest[:k] in vocabulary)
        numbers.append(vocabulary[prefix + rest[:size]])
        rest = rest[size:]
    return numbers


def renew(vocabulary: dict[str, int], chosen: list[str]) -> dict[str, int]:
    """`vocabulary` with `chosen` in place of its Latin tokens: what stays keeps its number, the rest fills the gaps."""
    leaving = {token: number for token, number in vocabulary.items() if LATIN.fullmatch(token)}
    gaps = sorted(number for token, number in leaving.items() if token not in set(chosen))
    stays = {token: number for token, number in vocabulary.items() if token not in leaving or token in set(chosen)}
    coming = [token for token in chosen if token not in vocabulary]
    return stays | dict(zip(coming, gaps, strict=True))


def means(table: Tensor, old: dict[str, int], new: dict[str, int]) -> Tensor:
    """Rows of `table` (V, ...), by `old` numbers, for the tokens of `new`, by theirs."""
    rows = table.clone()
    for token, number in new.items():
        if old.get(token) != number:
            rows[number] = table[spell(token, old)].mean(0)
    return rows


def move(
    table: Tensor, new: dict[str, int], rare: set[str], pieces: list[str], vectors: Tensor, share: float
) -> Tensor:
    """`table` (V, D) with the rows of the words of `rare` moved by `share` towards the `vectors` of their pieces."""
    spelt = collections.defaultdict(list)  # "▁apple" and "▁Apple" are one word here
    for number, piece in enumerate(pieces):
        spelt[piece.lower()].append(number)
    rows = table.clone()
    for word in rare & new.keys():
        if same := spelt["▁" + word]:
            rows[new[word]] += share * (vectors[same].mean(0) - rows[new[word]])
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("source", type=Path)
    options.add_argument("target", type=Path)
    options.add_argument("--text", type=Path, nargs="+", required=True, help="*.txt.xz")
    options.add_argument("--lesson", type=Path, nargs="*", default=[], help="files whose words have to be whole")
    options.add_argument("--teacher", type=float, default=0.0, help="share of the teacher in vectors of rarer words")
    chosen = options.parse_args()
    config = read_config(chosen.source, chosen.source.name)
    tokenizer = read_tokenizer(chosen.source, chosen.source.name, config)
    model = read_model(chosen.source, chosen.source.name, config)[0]
    lines = [line for file in chosen.text for line in read_lines(file)]
    counts = count_words(lines)
    lesson = count_words([file.read_text(encoding="utf-8") for file in chosen.lesson])
    old = tokenizer.get_vocab()
    room = sum(bool(LATIN.fullmatch(token)) for token in old)
    always = [word for word in lesson if counts[word] >= USUAL]
    new = old if chosen.teacher else renew(old, choose(counts, always, room))
    with torch.no_grad():
        for table in (model.get_input_embeddings().weight, model.cls.predictions.bias):
            table.copy_(means(table, old, new))
        if chosen.teacher:
            teacher, table = read_teacher(teacher_file()), model.get_input_embeddings().weight
            vectors = teacher.weights["embeddings.word_embeddings.weight"]
            rare = {word for word, _ in counts.most_common()[FAMILIAR:]}
            table.copy_(move(table, new, rare, teacher.pieces, vectors, chosen.teacher))
    model.save_pretrained(chosen.target)
    tokenizer.save_pretrained(chosen.target)
    file = chosen.target / "tokenizer.json"
    facts = json.loads(file.read_text(encoding="utf-8"))
    facts["model"]["vocab"] = dict(sorted(new.items(), key=lambda pair: pair[1]))
    file.write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
    renewed, sample = BertTokenizer.from_pretrained(chosen.target), [line for line in lines[::500] if line.isascii()]
    before, after = (sum(map(len, t(sample)["input_ids"])) for t in (tokenizer, renewed))
    print(f"{len(new)} tokens, {len(new.keys() - old.keys())} new; English in {after / before:.0%} of the tokens")


if __name__ == "__main__":
    main()
