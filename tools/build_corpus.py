"""Build data/corpus/sentences.tsv from the frames beside it: sentences, and the part of speech of every character.

    python tools/build_corpus.py

Needs jieba and OpenCC for Chinese and HanTa for English (pip install jieba opencc hanta); reads no network.
"""

import itertools
import logging
import random
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "data" / "corpus"
PER_FRAME = 10
SIMPLIFIED = 3  # every third Chinese sentence is written in simplified characters
SLOT = re.compile(r"\{(a )?([^{}]+)\}|\(([^()]+)\)")

# Lists whose words jieba cuts apart or tags at random.
NOUNS = "水果 菜 料理 甜點 飲料 調味 地方 家人 設備 零件 軟體 專家 領域 毛病"
NAMES = "城市 人 公司"

# The letters of data/corpus/README.md for jieba's flags (first letter) and for HanTa's, which are the BNC's C5 tags.
JIEBA = dict(zip("nvadrmqpcuyeothfsijlgkzb", "nvadrmmpcuuuunnnnnnxxxaa", strict=True))
C5 = {"NP": "e", "NN": "n", "VV": "v", "VB": "v", "VD": "v", "VH": "v", "VM": "v", "AJ": "a", "AV": "d", "PN": "r",
      "CR": "m", "OR": "m", "PR": "p", "AT": "t", "DT": "t", "DP": "t", "CJ": "c", "TO": "u", "XX": "u", "EX": "u",
      "PO": "u"}  # fmt: skip


def read_frames(path: Path) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """The lists and the (topic, frame) lines of a file of frames."""
    lists, frames = {}, []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            name, items = line[2:].split(": ", 1)
            lists[name] = [item.strip() for item in items.split("|")]
        elif line and not line.startswith("#"):
            frames.append(tuple(line.split(": ", 1)))
    return lists, frames


def expand(frame: str, lists: dict[str, list[str]], rng: random.Random, number: int) -> list[str]:
    """Up to `number` different sentences; each list is gone through before a word of it comes again."""
    decks: dict[str, itertools.cycle] = {}

    def fill(match: re.Match) -> str:
        article, name, choices = match.groups()
        items = choices.split("|") if choices else lists[name]
        deck = decks.setdefault(match[0] if choices else name, itertools.cycle(rng.sample(items, len(items))))
        word = next(deck)
        return f"{'an' if word[0] in 'aeiou' else 'a'} {word}" if article else word

    found = (SLOT.sub(fill, frame) for _ in range(4 * number))
    sentences = dict.fromkeys(sentence[0].upper() + sentence[1:] for sentence in found)
    return list(sentences)[:number]


def tag_chinese(sentence: str, simplified: str) -> str:
    from jieba import posseg

    letters = []
    for word, flag in posseg.cut(simplified):
        if re.fullmatch(r"\W+", word):
            letter = "."
        elif flag in ("nr", "ns", "nt", "nz", "eng"):
            letter = "e"
        else:
            letter = "n" if flag == "vn" else JIEBA.get(flag[0], "x")
        letters.append(letter * len(word))
    tags = "".join(letters)
    assert len(tags) == len(sentence), (sentence, tags)
    return tags


def tag_english(sentence: str, tagger) -> str:
    words = re.findall(r"\w+(?:'\w+)?|[^\w\s]", sentence)
    tags, place = [], 0
    for word, _, tag in tagger.tag_sent(words):
        start = sentence.index(word, place)
        letter = "." if not word[0].isalnum() else C5.get(tag[:2], "x")
        tags += [" " * (start - place), letter * len(word)]
        place = start + len(word)
    return "".join(tags)


def main() -> None:
    import jieba
    from HanTa.HanoverTagger import HanoverTagger
    from opencc import OpenCC

    jieba.setLogLevel(logging.WARNING)
    rng = random.Random(9)
    rows = []
    lists, frames = read_frames(FOLDER / "frames.en.txt")
    tagger = HanoverTagger("morphmodel_en.pgz")
    for topic, frame in frames:
        rows += [("en", topic, text, tag_english(text, tagger)) for text in expand(frame, lists, rng, PER_FRAME)]
    lists, frames = read_frames(FOLDER / "frames.zh.txt")
    characters, phrases = OpenCC("t2s"), OpenCC("tw2sp")
    for flag, names in (("nz", NAMES), ("n", NOUNS)):  # 蘋果 is in both kinds and stays a noun
        for word in (word for name in names.split() for word in lists[name]):
            for converter in (characters, phrases):
                jieba.add_word(converter.convert(word), 100_000, flag)
    for topic, frame in frames:
        for number, text in enumerate(expand(frame, lists, rng, PER_FRAME)):
            if number % SIMPLIFIED == SIMPLIFIED - 1:
                text = phrases.convert(text)
                rows.append(("zh-Hans", topic, text, tag_chinese(text, text)))
            else:
                rows.append(("zh-Hant", topic, text, tag_chinese(text, characters.convert(text))))
    assert len({row[2] for row in rows}) == len(rows), "two sentences are the same"
    rng.shuffle(rows)
    lines = ["language\ttopic\tsentence\tparts of speech", *("\t".join(row) for row in rows)]
    (FOLDER / "sentences.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for language in ("en", "zh-Hant", "zh-Hans"):
        print(language, sum(row[0] == language for row in rows), "sentences")


if __name__ == "__main__":
    main()
