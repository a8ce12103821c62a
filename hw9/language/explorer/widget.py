"""The explorer in a notebook with a live kernel, through anywidget: masks and searches are computed when asked for."""

import threading
import zlib

import anywidget
import traitlets

from hw9.language.explorer.index import Index, index
from hw9.language.explorer.page import bundle, style
from hw9.language.explorer.payload import pack_guesses, variant
from hw9.language.explorer.results import as_json
from hw9.language.explorer.search import search
from hw9.language.explorer.view import check_masks


class Cell(anywidget.AnyWidget):
    """The widget: `meta` and `blob` as in Payload; questions and answers go as custom messages (page/widget.js)."""

    _esm = bundle("widget.js") + "\nexport default { render };\n"
    _css = style()
    meta = traitlets.Dict().tag(sync=True)
    blob = traitlets.Bytes().tag(sync=True)


# JupyterLab hands two questions to two threads: the second waits for the index that the first builds.
SEARCHING = threading.Lock()


def connect(explorer) -> tuple[dict, dict]:
    """The output of a notebook cell that shows `explorer` and answers its questions, and what Colab must know of it."""
    payload = explorer.payload(singles=False, live=True)
    cell = Cell(meta=payload.meta, blob=bytes(payload.blob))
    cell.on_msg(lambda _, question, __: answer(cell, explorer, question))
    bundle = cell._repr_mimebundle_()
    return bundle if isinstance(bundle, tuple) else (bundle, {})


def answer(cell: Cell, explorer, question: dict) -> None:
    """Compute what the page asks for and send it back under the question's number; an error goes as one line."""
    number = question.get("id")
    try:
        if question["kind"] == "mask":
            masked = question["masked"]
            check_masks(explorer.reading, masked)
            codes, found = variant(explorer.bert, explorer.reading, masked)
            words: dict[str, int] = {}
            buffers = [zlib.compress(codes.tobytes(), 1)]
            if found is not None:
                buffers.append(zlib.compress(pack_guesses(found, words), 1))
            cell.send({"id": number, "words": list(words)}, buffers)
        else:
            reading = explorer.reading
            if question["masked"]:
                check_masks(reading, question["masked"])
                reading = explorer.bert.read(reading.text, reading.pair, masked=question["masked"])
            heads = question["heads"] and [head + 1 for head in question["heads"]]
            with SEARCHING:
                corpus = explorer.corpus or _shipped(cell, explorer, number)
                found = search(corpus, reading, question["at"], heads=heads)
            cell.send({"id": number, **as_json(corpus, found)})
    except (Exception, KeyboardInterrupt) as error:
        # Whatever went wrong, the page must hear of it: it waits for this answer.
        cell.send({"id": number, "error": f"{type(error).__name__}: {error}"})


def _shipped(cell: Cell, explorer, number: int) -> Index:
    explorer.corpus = index(explorer.bert, progress=lambda *done: cell.send({"id": number, "progress": done}))
    return explorer.corpus
