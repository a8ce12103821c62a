import base64
import contextvars
import copy
import importlib
import io
import re
import threading
import time
import types
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hw9.language.attention import predict_masked
from hw9.language.explorer import explorer, search
from hw9.language.explorer.index import BUILDING
from hw9.language.explorer.payload import GUESSES
from hw9.language.explorer.view import encode
from hw9.language.explorer.widget import Cell, answer, serve


class Line:
    """Stands in for the widget: keeps what is sent."""

    def __init__(self):
        self.sent = []

    def send(self, content, buffers=()):
        self.sent.append((content, buffers))


def test_without_a_kernel_the_cell_holds_a_frame_and_a_picture(tiny):
    shown = explorer(tiny, "the apple", live=False)
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "image/png"}
    html = bundle["text/html"]
    assert html.count('<iframe srcdoc="&lt;!doctype html') == 1
    # What a sanitiser leaves, which takes out frame and style, is the picture and how to get more.
    left = re.sub(r"<iframe.*?</iframe>|<style>.*?</style>", "", html)
    assert (
        f'<img src="data:image/png;base64,{bundle["image/png"]}" alt="Attention between the tokens of: the apple">'
        in left
    )
    assert "run this cell, or trust the notebook" in left
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.width > 600 and len(picture.convert("L").getcolors()) > 10


def test_with_a_kernel_the_cell_holds_the_widget_and_the_picture(tiny):
    bundle = explorer(tiny, "the apple", live=True)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle and "image/png" in bundle


def test_a_notebook_that_is_opened_again_has_the_picture_where_the_explorer_was(tiny, monkeypatch):
    shown, outputs = explorer(tiny, "the apple", live=True), []
    with pytest.raises(NotImplementedError):  # no notebook is here: IPython asks for the bundle
        shown._ipython_display_()
    monkeypatch.setattr(importlib.import_module("hw9.language.explorer.cell"), "kernel_shell", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda data, **_: outputs.append(data))
    shown._ipython_display_()
    still, widget = outputs
    assert re.search(r'<div class="hw9-explorer-still"><img src="data:image/png;base64,[^"]{1000}', still["text/html"])
    assert "application/vnd.jupyter.widget-view+json" in widget
    monkeypatch.setenv("VSCODE_CWD", "/somewhere")  # there no output can hide another
    with pytest.raises(NotImplementedError):
        shown._ipython_display_()


def test_the_widget_carries_the_page_of_the_sentence_alone(tiny):
    shown = explorer(tiny, "the apple", live=True, masked=[2])
    meta = shown.payload(singles=False, live=True).meta
    assert [variant["masked"] for variant in meta["variants"]] == [[], [2], [1, 2]]  # the last for the tour
    assert meta["live"] and meta["corpus"]["count"] > 2000 and meta["corpus"]["rows"] == []
    assert "export default { render }" in Cell._esm


def test_the_kernel_answers_any_combination_of_masks(tiny):
    shown, line = explorer(tiny, "the dog ate the apple.", live=True), Line()
    answer(line, shown, {"id": 3, "kind": "mask", "masked": [2, 5]})
    ((reply, (codes, guesses)),) = line.sent
    reading = tiny.read("the dog ate the apple.", masked=[2, 5])
    assert reply["id"] == 3
    assert np.array_equal(np.frombuffer(zlib.decompress(codes), np.uint8), encode(reading.attentions).ravel())
    numbers = np.frombuffer(zlib.decompress(guesses), "<u2").reshape(2, -1, GUESSES)[0]
    wanted = predict_masked(tiny, "the dog ate the apple.", [2, 5])
    assert [reply["words"][k] for k in numbers[5]] == [word for word, _ in wanted[1]]


def test_the_kernel_answers_a_search_with_the_masks_as_they_are(tiny, corpus):
    shown, line = explorer(tiny, "the dog ate the apple.", live=True, corpus=corpus), Line()
    answer(line, shown, {"id": 4, "kind": "search", "at": 5, "masked": [5], "layer": 0, "heads": [0, 2]})
    reply, _ = line.sent[0]
    wanted = search(corpus, tiny.read("the dog ate the apple.", masked=[5]), 5, heads=[1, 3])
    assert [[hit[1] for hit in hits] for hits in reply["layers"]] == [hits.positions.tolist() for hits in wanted]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"kind": "mask", "masked": [0]}, "ValueError: token 0 is [CLS], which cannot be masked"),
        ({"kind": "mask", "masked": ["1"]}, "ValueError: masked takes whole numbers from 0 to 7, not '1'"),
        ({"kind": "search", "at": 1, "masked": [], "heads": [7]}, "ValueError: heads are numbers from 1 to 4"),
    ],
)
def test_a_question_that_cannot_be_answered_gets_its_reason(tiny, corpus, question, reason):
    shown, line = explorer(tiny, "the dog ate the apple.", live=True, corpus=corpus), Line()
    answer(line, shown, {"id": 5, **question})
    assert line.sent[0][0]["id"] == 5 and line.sent[0][0]["error"].startswith(reason)


def test_an_interrupt_is_told(tiny, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    shown, line = explorer(tiny, "the dog ate the apple.", live=True), Line()
    monkeypatch.setattr("hw9.language.explorer.widget.variant", interrupted)
    answer(line, shown, {"id": 6, "kind": "mask", "masked": [1]})
    assert line.sent == [({"id": 6, "error": "KeyboardInterrupt: "}, ())]


def test_two_questions_at_once_wait_for_one_index(tiny, corpus, monkeypatch):
    built, begun = [], threading.Event()

    def build(*_, **__):
        built.append(1)
        begun.set()
        time.sleep(0.3)  # a second one would begin now
        return corpus

    monkeypatch.setattr("hw9.language.explorer.widget.index", build)
    shown, line = explorer(tiny, "the dog ate the apple.", live=True), Line()
    question = {"kind": "search", "at": 5, "masked": [], "layer": 0, "heads": None}
    first = threading.Thread(target=answer, args=(line, shown, {"id": 7, **question}))
    first.start()
    assert begun.wait(30)
    answer(line, shown, {"id": 8, **question})
    first.join(30)
    assert built == [1] and [reply["id"] for reply, _ in line.sent] == [7, 8]


def test_a_search_holds_up_nothing_else_that_widgets_say(tiny, corpus, monkeypatch):
    """It leaves JupyterLab's thread for widgets, with what that thread knows of the message, and says that it waits."""
    parent = contextvars.ContextVar("parent", default="none")

    class Told(Line):
        def send(self, content, buffers=()):
            super().send((content, parent.get()), buffers)

    def widgets():
        parent.set("the message")
        serve(line, shown, {"id": 8, "kind": "mask", "masked": [2]})
        answered.append(len(line.sent))
        serve(line, shown, {"id": 9, "kind": "search", "at": 5, "masked": [], "layer": 0, "heads": None})

    monkeypatch.setattr("hw9.language.explorer.widget.PATIENCE", 0.01)
    shown, line, answered = explorer(tiny, "the dog ate the apple.", live=True, corpus=corpus), Told(), []
    with BUILDING:
        thread = threading.Thread(target=widgets)
        thread.start()
        thread.join(30)
        assert not thread.is_alive() and answered == [1]  # masks are quick: those it answers itself
        assert waited(lambda: len(line.sent) > 1) and line.sent[1][0] == ({"id": None}, "the message")
    assert waited(lambda: line.sent[-1][0][0]["id"] == 9 and line.sent[-1][0][0]["layers"])
    answers = []
    monkeypatch.setattr("hw9.language.explorer.widget.answer", lambda *_: answers.append(threading.current_thread()))
    serve(line, shown, {"kind": "search"})  # where cells run: an interrupt reaches it there
    assert answers == [threading.main_thread()]


def waited(condition):
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_colab_hears_which_manager_the_widget_needs(tiny, monkeypatch):
    about = {"application/vnd.jupyter.widget-view+json": {"colab": {"custom_widget_manager": {"url": "there"}}}}
    monkeypatch.setattr(Cell, "_repr_mimebundle_", lambda self, **_: ({"text/plain": "cell"}, about))
    data, found = explorer(tiny, "the apple", live=True)._repr_mimebundle_()
    assert found == about and "image/png" in data


def test_live_needs_a_kernel_unless_it_is_asked_for(tiny, monkeypatch):
    import IPython

    shown = explorer(tiny, "the apple")
    assert "text/html" in shown._repr_mimebundle_()
    monkeypatch.setattr(IPython, "get_ipython", lambda: types.SimpleNamespace(kernel=object()))
    assert "application/vnd.jupyter.widget-view+json" in shown._repr_mimebundle_()


def test_what_another_model_has_read_is_one_line(tiny, corpus):
    """Of one width the vectors could be compared, and their neighbours would mean nothing."""
    other = replace(tiny, model=copy.deepcopy(tiny.model))
    for parameter in other.model.parameters():
        parameter.data.mul_(1.01)
    with pytest.raises(ValueError, match="vectors of two models cannot be compared"):
        explorer(other, "the apple", corpus=corpus)
    assert explorer(replace(tiny), "the apple", corpus=corpus).corpus is corpus
    with pytest.raises(ValueError, match="another model's"):
        explorer(other, tiny.read("the apple"))
    with pytest.raises(ValueError, match="this reading has no attentions"):
        explorer(tiny, tiny.read_many(["the apple"])[0])


def test_heads_and_masks_may_be_a_range(tiny):
    shown = explorer(tiny, "the dog ate", heads=range(1, 3), masked=range(1, 2))
    assert (shown.payload(singles=False).meta["start"]["heads"], shown.view.masked) == ([1, 2], [1]) and shown.html
    with pytest.raises(ValueError, match="query and key choose one text of a pair"):
        explorer(tiny, "the dog ate", query="b")
