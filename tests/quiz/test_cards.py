"""What a card of the quiz says where each message has its own thread, as in JupyterLab (its test has a browser)."""

import threading

from example_run import LIME, NAMES

from hw9 import notebook
from hw9.quiz import cards
from hw9.quiz.session import Session


def test_a_check_does_not_have_the_last_word_over_a_change_that_another_thread_handles(quiz, monkeypatch):
    quiz.begin("cnn", "demo", "0123456789abcdef")
    notebook.fact("pictures", {"names": NAMES})
    notebook.fact("lime", LIME)
    session = quiz._session()
    card = cards._Card(quiz._session, session.ask("lime-3"))
    field = card.box.children[1]
    field.value = "0,5"
    assert session.kept.answers == {"lime-3": 0.5}
    reading, changed = threading.Event(), threading.Event()

    def slowly(*given):  # the check has read 0,5 and is about to say so
        reading.set()
        changed.wait(0.5)
        return fits(*given)

    fits = Session.check
    monkeypatch.setattr(Session, "check", slowly)
    clicked = threading.Thread(target=card.check)
    clicked.start()
    assert reading.wait(30)
    field.value = "half"
    changed.set()
    clicked.join(30)
    assert "lime-3 wants a number, not &#x27;half&#x27;" in card.said.value
