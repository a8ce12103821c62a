"""The index of a corpus: what one model makes of every token, computed once and kept in a folder."""

import hashlib
import json
import tempfile
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hw9.files import replacing
from hw9.language.bert import Bert
from hw9.language.explorer.corpus import Corpus, read_corpus
from hw9.notebook import ROOT

CHUNK, CHUNK_BYTES = 128, 2**30  # sentences read at a time, fewer where their attentions would take more than this
# Held while a corpus's files are written and while the explorer searches: its questions come in threads of their own.
BUILDING = threading.RLock()


@dataclass(frozen=True, eq=False)
class Index:
    """The N tokens of a corpus of S sentences, as one model sees them; `hidden` lies in a file, of 16 bits."""

    bert: Bert
    corpus: Corpus
    folder: Path
    hidden: np.ndarray  # (L + 1, N, D)
    norms: np.ndarray  # (L + 1, N)
    starts: np.ndarray  # (S + 1,): sentence s has the tokens starts[s]:starts[s + 1]
    offsets: np.ndarray  # (N, 2) characters of the sentence
    words: np.ndarray  # (N,) bool: no [CLS], no [SEP]
    attended: np.ndarray  # (L, N): to which word of its sentence a token gives most, in the mean of all heads


def index(
    bert: Bert,
    file: str | Path | None = None,
    *,
    folder: str | Path = ROOT / ".hw9-cache",
    progress: Callable[[int, int], None] | None = None,
) -> Index:
    """The index of the corpus that ships with the project, or of a text `file` with one sentence a line.

    It is computed once for each model and corpus and kept in `folder`, or among the temporary files where that is
    read-only. `progress` is called with the number of sentences read and of all. A line that the model cannot read is
    left out, and a warning names it; raises FileNotFoundError or ValueError where there is none to search in.
    """
    corpus = _readable(bert, read_corpus(file))
    name = hashlib.sha256(json.dumps([fingerprint(bert), corpus.texts]).encode()).hexdigest()[:16]
    place = _writable(Path(folder)) / f"corpus-{name}"
    with BUILDING:
        if not (place / "facts.npz").exists():
            _build(bert, corpus, place, progress)
    with np.load(place / "facts.npz") as stored:
        facts = dict(stored)
    shape = (bert.layers + 1, len(facts["words"]), bert.width)
    hidden = np.memmap(place / "hidden.f16", np.float16, "r", shape=shape)
    return Index(bert, corpus, place, hidden, **facts)


def _readable(bert: Bert, corpus: Corpus) -> Corpus:
    """The corpus without what the model cannot read."""
    kept = []
    for number, row in enumerate(zip(corpus.texts, corpus.tags, corpus.lines, strict=True)):
        try:
            bert.encode(row[0])
            kept.append(row)
        except ValueError as error:
            line = corpus.lines[number]
            warnings.warn(f"{corpus.name} leaves out line {line} ({error})", RuntimeWarning, stacklevel=3)
    if not kept:
        raise ValueError(f"{bert.name} can read no line of {corpus.name}: give it other sentences")
    return Corpus(corpus.name, *map(list, zip(*kept, strict=True)))


def _writable(folder: Path) -> Path:
    """The folder, or one for temporary files where nothing can be written (a lesson on a read-only disk)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        folder = Path(tempfile.gettempdir()) / "hw9-cache"
    return folder


def _build(bert: Bert, corpus: Corpus, place: Path, progress: Callable[[int, int], None] | None) -> None:
    """Read the corpus and write the index; what was half written when it was interrupted is written again."""
    place.mkdir(parents=True, exist_ok=True)
    order = sorted(range(len(corpus.texts)), key=lambda k: len(corpus.texts[k]))
    found = {}
    start = 0
    while start < len(order):
        rows = order[start : start + CHUNK]
        while len(rows) > 1 and _attention_bytes(bert, [corpus.texts[k] for k in rows]) > CHUNK_BYTES:
            rows = rows[: len(rows) // 2]
        readings = bert.read_many([corpus.texts[k] for k in rows], attentions=True)
        for row, one in zip(rows, readings, strict=True):
            weights = one.attentions.mean(1).masked_fill(torch.tensor(one.special), -1)  # (L, T, T)
            best = weights.argmax(-1).numpy()  # (L, T)
            found[row] = (one.hidden_states.half().numpy(), best, one.offsets, one.special)
        start += len(rows)
        if progress:
            progress(start, len(order))
    states, attended, offsets, special = zip(*(found[k] for k in range(len(order))), strict=True)
    starts = np.cumsum([0, *map(len, special)])
    shape = (bert.layers + 1, int(starts[-1]), bert.width)
    norms = np.zeros(shape[:2], np.float32)
    with replacing(place / "hidden.f16") as partial:  # another kernel may be reading, or writing, the same
        hidden = np.memmap(partial, np.float16, "w+", shape=shape)
        for part, start, end in zip(states, starts, starts[1:], strict=False):
            hidden[:, start:end] = part
            norms[:, start:end] = np.linalg.norm(part.astype(np.float32), axis=-1)
        hidden.flush()
        del hidden  # Windows moves no file that is in use
    with replacing(place / "facts.npz") as partial, open(partial, "wb") as file:
        np.savez(
            file,
            norms=norms,
            starts=starts,
            offsets=np.concatenate(offsets),
            words=~np.concatenate(special),
            attended=np.concatenate(attended, 1),
        )


def _attention_bytes(bert: Bert, texts: list[str]) -> int:
    """What the attentions of these texts take, a token counted for each character."""
    longest = min(bert.limit, max(map(len, texts)) + 2)
    return 4 * len(texts) * bert.layers * bert.heads * longest**2


def fingerprint(bert: Bert) -> list:
    """What tells one model from another: name, sizes, sums over its weights (rounded: threads change the rest), and how
    it cuts text (padding and truncation aside, which every call sets)."""
    weights = [part.cpu() for part in bert.model.state_dict().values() if part.is_floating_point()]
    sums = [float(part.double().abs().sum()) for part in weights]  # on the CPU: an Apple GPU has no float64
    cut = json.loads(bert.tokenizer.backend_tokenizer.to_str()) | {"padding": None, "truncation": None}
    return [bert.name, bert.layers, bert.width, [f"{total:.8e}" for total in sums], cut]
