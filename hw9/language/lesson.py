"""Which model does what in the BERT lesson, and what is left out where something cannot be done: said in one line."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from hw9.language import sentences
from hw9.language.bert import EMBEDDED, Bert, load
from hw9.language.questions import questions
from hw9.language.sentences import Senses
from hw9.language.words import positions
from hw9.notebook import figures_folder

Item, Found = TypeVar("Item"), TypeVar("Found")
UNKNOWN = 0.1  # a model that reads more than this share of the tokens as [UNK] does not read a language


@dataclass(frozen=True)
class Models:
    """The models of the lesson, by what they do; one may do several things. `figures` is where their figures go."""

    reader: Bert  # reads Chinese
    filler: Bert  # fills masks in Chinese
    answerer: Bert  # answers questions in Chinese
    english: Bert  # reads English
    english_filler: Bert
    english_answerer: Bert
    figures: Path


def choose(model: str = "", answers: str = "", english: str = "", *, device: str | None = None) -> Models:
    """The models to use, with a line for each; "" is the one that ships with the lesson, then MODEL for the others.

    What a model cannot do, for want of a head, of the characters or of room, the embedded one does in its place, and a
    line says so. Raises what `load` raises for a model that cannot be loaded.
    """
    loaded: dict[str, Bert] = {}

    def get(name: str) -> Bert:
        if name not in loaded:
            loaded[name] = load(name or None, device=device)
        return loaded[name]

    def able(bert: Bert, task: str, lack: Callable[[Bert], str]) -> Bert:
        if bert is loaded.get("") or not (reason := lack(bert)):
            return bert
        print(f"{bert.name} {reason}: {EMBEDDED.name} {task} instead.")
        return get("")

    model, answers, english = (str(name or "").strip() for name in (model, answers, english))
    reader = able(get(model), "reads Chinese", _chinese)
    reads = able(get(english or model), "reads English", _english)
    chosen = Models(
        reader=reader,
        filler=able(reader, "fills masks in Chinese", _masks),
        answerer=able(get(answers) if answers else reader, "answers the Chinese questions", _answers("zh-Hant")),
        english=reads,
        english_filler=able(reads, "fills masks in English", _masks),
        english_answerer=able(reads, "answers the English questions", _answers("en")),
        figures=figures_folder("own" if model or answers or english else ""),
    )
    for task, bert in {"reads Chinese": reader, "answers questions": chosen.answerer, "reads English": reads}.items():
        print(f"{task}: {bert.name}, {bert.layers} layers of {bert.heads} heads, {bert.width} numbers per token")
    return chosen


def each(
    function: Callable[[Item], Found], items: Iterable[Item], *, name: Callable[[Item], str] | None = None
) -> list[tuple[Item, Found]]:
    """Every item with what the function makes of it; one for which that cannot be done is left out, and named.

    `name` says what to call an item; None: by its `text` or its `question`, if it has one.
    """
    done = []
    for item in items:
        try:
            done.append((item, function(item)))
        except (ValueError, TypeError) as error:
            called = name(item) if name else getattr(item, "text", None) or getattr(item, "question", item)
            print(f"left out: {called} ({error})")
    return done


def own(bert: Bert, word: str, texts: Sequence[str], senses: Sequence[str]) -> Senses:
    """A person's own sentences with `word`, sense by sense; those that cannot be compared are left out, and named.

    A sentence without a sense has the sense "?". `texts` may be one text with a sentence on each line; empty
    lines count for nothing.
    """
    texts = [line for line in texts.splitlines() if line.strip()] if isinstance(texts, str) else list(texts)
    senses = senses.split() if isinstance(senses, str) else [str(sense) for sense in senses]
    if len(texts) != len(senses):
        what = "those without a sense are marked ?" if len(senses) < len(texts) else "the last senses are not used"
        print(f"{len(texts)} sentences and {len(senses)} senses: {what}. Give one sense for each sentence.")
    rows = list(zip_longest(texts, senses[: len(texts)], fillvalue="?"))
    found = each(lambda row: positions(bert.read(row[0]), word), rows, name=lambda row: str(row[0]))
    if len(found) < 2:
        print(f"There is nothing to compare: give at least two sentences with {word!r}.")
    kept = sorted((row for row, _ in found), key=lambda row: (row[1] == "?", row[1]))
    return Senses(word, tuple(text for text, _ in kept), tuple(sense for _, sense in kept))


def _chinese(bert: Bert) -> str:
    apples = sentences.APPLE_TRADITIONAL
    return _reading(bert, [*apples.texts, sentences.READ_CHINESE[0]], ["果"] * len(apples.texts) + ["牠"])


def _english(bert: Bert) -> str:
    banks, gap = sentences.BANK_ENGLISH, sentences.GAPS_ENGLISH[1]
    return _reading(bert, [*banks.texts, gap.text], [banks.word] * len(banks.texts) + [gap.word])


def _masks(bert: Bert) -> str:
    if bert.mask_head is None:
        return "has no mask head"
    return "has no mask token" if bert.tokenizer.mask_token_id is None else ""


def _answers(language: str) -> Callable[[Bert], str]:
    asked = [(item.question, item.context) for item in questions(language)]
    return lambda bert: "has no answer head" if bert.answer_head is None else _reading(bert, asked)


def _reading(bert: Bert, texts: Sequence[str | tuple[str, str]], words: Sequence[str] = ()) -> str:
    """What a model lacks to read texts, and to find a word in each: a clause, or "" for nothing."""
    try:
        readings = bert.read_many(texts)
        unknown = [part for reading in readings for part in reading.unknown]
        if (share := sum(unknown) / len(unknown)) > UNKNOWN:
            return f"reads {bert.tokenizer.unk_token} for {share:.0%} of the lesson's words"
        for reading, word in zip(readings, words, strict=False):
            positions(reading, word)
    except ValueError as error:
        return f"cannot read the lesson's sentences ({error})"
    return ""
