"""The explorer in a notebook with a live kernel, through anywidget: masks and searches are computed when asked for."""

import contextvars
import threading
import zlib

import anywidget
import traitlets

from hw9.language.explorer.cell import explorer as another
from hw9.language.explorer.index import BUILDING, Index, index
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


PATIENCE = 20.0  # seconds until who waits for another's index says so; the page gives a silent kernel up after 120


def connect(explorer) -> tuple[dict, dict]:
    """The output of a notebook cell that shows `explorer` and answers its questions, and what Colab must know of it."""
    payload = explorer.payload(singles=False, live=True)
    cell = Cell(meta=payload.meta, blob=bytes(payload.blob))
    cell.on_msg(lambda _, question, __: serve(cell, explorer, question))
    bundle = cell._repr_mimebundle_()
    return bundle if isinstance(bundle, tuple) else (bundle, {})


def serve(cell: Cell, explorer, question: dict) -> None:
    """Answer a question; a search in a thread of its own, unless this is where cells run (there ■ reaches it).

    JupyterLab has one thread for what all widgets say: what a reader chooses in the quiz would wait for a corpus.
    """
    if question.get("kind") != "search" or threading.current_thread() is threading.main_thread():
        return answer(cell, explorer, question)
    given = contextvars.copy_context()  # by it the kernel knows whose message is answered
    threading.Thread(target=given.run, args=(answer, cell, explorer, question), daemon=True).start()


def answer(cell: Cell, explorer, question: dict) -> None:
    """Compute what the page asks for and send it back under the question's number; an error goes as one line."""
    number = question.get("id")
    try:
        if question["kind"] == "read":
            typed = another(explorer.bert, question["text"], question["pair"], corpus=explorer.corpus, live=True)
            payload = typed.payload(singles=False, live=True)
            return cell.send({"id": number, "meta": payload.meta}, [bytes(payload.blob)])
        reading = explorer.reading
        if "text" in question:  # typed in the page
            reading = explorer.bert.read(question["text"], question["pair"])
        if question["kind"] == "mask":
            masked = question["masked"]
            check_masks(reading, masked)
            codes, found = variant(explorer.bert, reading, masked)
            words: dict[str, int] = {}
            buffers = [zlib.compress(codes.tobytes(), 1)]
            if found is not None:
                buffers.append(zlib.compress(pack_guesses(found, words), 1))
            cell.send({"id": number, "words": list(words)}, buffers)
        else:
            if question["masked"]:
                check_masks(reading, question["masked"])
                reading = explorer.bert.read(reading.text, reading.pair, masked=question["masked"])
            heads = question["heads"] and [head + 1 for head in question["heads"]]
            while not BUILDING.acquire(timeout=PATIENCE):
                cell.send({"id": None})  # not silent: another search goes first, or a cell builds the index
            try:
                corpus = explorer.corpus or _shipped(cell, explorer, number)
                found = search(corpus, reading, question["at"], heads=heads)
            finally:
                BUILDING.release()
            cell.send({"id": number, **as_json(corpus, found)})
    except (Exception, KeyboardInterrupt) as error:
        # Whatever went wrong, the page must hear of it: it waits for this answer.
        cell.send({"id": number, "error": f"{type(error).__name__}: {error}"})


def _shipped(cell: Cell, explorer, number: int) -> Index:
    explorer.corpus = index(explorer.bert, progress=lambda *done: cell.send({"id": number, "progress": done}))
    return explorer.corpus
