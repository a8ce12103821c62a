"""What a card of the quiz says where each message has its own thread, as in JupyterLab (its test has a browser)."""

import threading
from pathlib import Path

from example_run import LIME, NAMES

from hw9 import notebook
from hw9.quiz import cards
from hw9.quiz.session import Session

BANK = Path(__file__).with_name("bank.yaml")


def test_a_check_does_not_have_the_last_word_over_a_change_that_another_thread_handles(quiz, monkeypatch):
    quiz.begin("cnn", "demo", "0123456789abcdef")
    notebook.fact("pictures", {"names": NAMES})
    notebook.fact("lime", LIME)
    session = quiz._session()
    card = cards._Card(quiz._session, session.ask("lime-3"))
    field = card.box.children[1]
    field.value = "0,5"
    assert session.kept.answers == {"lime-3": 0.5} and "Kept." in card.said.value
    field.value = ""
    assert session.kept.answers == {} and card.said.value == ""
    field.value = "0,5"
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


def test_what_cannot_be_written_is_not_said_to_be_kept(quiz, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HW9_RUNS", str(tmp_path / "file" / "runs"))
    quiz.begin("cnn", "demo", "0123456789abcdef")
    notebook.fact("pictures", {"names": NAMES})
    notebook.fact("lime", LIME)  # says that nothing can be kept
    card = cards._Card(quiz._session, quiz._session().ask("lime-3"))
    card.box.children[1].value = "0,5"
    assert quiz._session().kept.answers == {"lime-3": 0.5} and card.said.value == ""


def test_a_bank_may_switch_checking_off(quiz, capsys, tmp_path, monkeypatch):
    (tmp_path / "bank").mkdir()
    own = tmp_path / "bank" / "own.yaml"
    own.write_text("check: false\n" + BANK.read_text(encoding="utf-8"), encoding="utf-8")
    more = BANK.read_text(encoding="utf-8").replace("id: ", "id: more-")
    (own.parent / "second.yaml").write_text(more, encoding="utf-8")
    buttons = []
    for bank in (BANK, own.parent):
        monkeypatch.setenv("HW9_BANK", str(bank))
        quiz.begin("cnn", "demo", "0123456789abcdef")
        notebook.fact("pictures", {"names": NAMES})
        notebook.fact("lime", LIME)
        card = cards._Card(quiz._session, quiz._session().ask("lime-2"))
        buttons.append([one.description for one in card.box.children[-1].children[:-1]])
    assert buttons == [["Check 檢查", "Hint 提示"], ["Hint 提示"]]
    quiz.answer("lime-2", 2)
    notebook.fact("lime", LIME | {"score": LIME["score"][::-1]})
    capsys.readouterr()
    quiz.ask("lime")
    assert "Your run has changed since you answered lime-2" in capsys.readouterr().out
    quiz.check("lime-2")
    assert capsys.readouterr().out == "lime-2: Your teacher has switched checking off. 老師關閉了檢查功能。\n"
    quiz.ask("lime")
    assert "Your run has changed" not in capsys.readouterr().out
    own.write_text("check: maybe\n" + BANK.read_text(encoding="utf-8"), encoding="utf-8")
    quiz.begin("cnn", "demo", "0123456789abcdef")
    assert capsys.readouterr().out.strip() == "own.yaml: check is 'maybe', neither true nor false"
