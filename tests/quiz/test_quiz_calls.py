import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from example_run import LIME, NAMES

from hw9 import notebook
from hw9.notebook import ROOT
from hw9.quiz import handin
from hw9.quiz.incoming import collect
from hw9.quiz.received import receive

WEIGHTS = "0123456789abcdef"


@pytest.fixture
def begun(quiz, capsys):
    quiz.begin("cnn", "demo", WEIGHTS)
    notebook.fact("pictures", {"names": NAMES})
    notebook.fact("lime", LIME)
    assert capsys.readouterr().out == ""
    return quiz


def handin_of(quiz, number="b01") -> Path:
    return quiz.runs_folder() / f"hw9-cnn-{number}.json"


def lines(capsys) -> list[str]:
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out.splitlines()


def test_before_it_has_begun_each_call_says_so_in_a_line(quiz, capsys):
    for call in (quiz.ask, quiz.answer, quiz.check, quiz.hint, quiz.hand_in):
        call("lime")
        (line,) = lines(capsys)
        assert line.startswith("The quiz has not begun: run the cell with quiz.begin")
    notebook.fact("lime", LIME)
    (line,) = lines(capsys)
    assert line.startswith("The numbers of lime are not kept for the quiz: run the cell with quiz.begin")


def test_what_cannot_begin_is_a_line_and_no_quiz_goes_on(begun, capsys, monkeypatch):
    begun.begin("rnn", "demo", "")
    assert len(lines(capsys)) == 1
    begun.ask("lime")
    assert lines(capsys)[0].startswith("The quiz has not begun")
    monkeypatch.setenv("HW9_BANK", "nowhere.yaml")
    begun.begin("cnn", "demo", WEIGHTS)
    (line,) = lines(capsys)
    assert "nowhere.yaml" in line


def test_a_section_is_asked_in_writing_in_both_languages(begun, capsys):
    begun.ask("lime")
    text = "\n".join(lines(capsys))
    assert text.count("quiz.answer(") == 5 and text.index("lime-1") < text.index("lime-5")
    assert set("".join(re.findall(r'quiz\.answer\("lime-\d", "(.*?)"\)', text))) == set("?, "), "no answer is shown"
    for part in (
        "Which picture has the lowest R²?\n哪一張圖的 R² 最低？\n  0) picture 0: Bread 圖 0：Bread",
        "(2 points · choose all",
    ):
        assert part in text


def test_what_has_not_been_drawn_is_named_with_what_to_run(quiz, capsys):
    quiz.begin("cnn", "demo", WEIGHTS)
    quiz.ask("saliency")
    (line,) = lines(capsys)
    assert line.startswith("saliency-1: First run the cells that draw cnn_09_saliency, then this one again.")
    quiz.check("saliency-1")
    assert "First run the cells that draw cnn_09_saliency" in lines(capsys)[0]
    quiz.answer("saliency-1", 1)
    (line,) = lines(capsys)
    assert line.startswith("saliency-1 cannot be asked on this run")


def test_checking_tells_whether_it_fits_or_where_to_look_but_not_the_option(begun, capsys):
    begun.check("lime-2")
    assert lines(capsys) == ["lime-2: Not yet answered. 尚未作答。"]
    begun.answer("lime-2", 0)
    begun.check("lime-2")
    assert (
        lines(capsys)[1]
        == "lime-2: Look again at cnn_06_lime: Look at R² below the pictures. 再看一次：看圖下方的 R²。"
    )
    begun.answer("lime-2", 2)
    begun.check("lime")
    said = lines(capsys)
    assert said[2] == "lime-2: ✓ It fits your figure. 符合你的圖。" and len(said) == 6
    begun.answer("lime-2", "")
    begun.check("lime-2")
    assert lines(capsys) == ["lime-2: not answered 未作答", "lime-2: Not yet answered. 尚未作答。"]
    begun.hint("lime-4")
    assert lines(capsys)[0].startswith("lime-4: cnn_06_lime and cnn_07_lime_stability: Look at R²")


@pytest.mark.parametrize("name", ["", "lime-9", "limes", None, 3, "<b>", "x" * 500, ["lime"], {}])
def test_a_name_that_is_none_is_one_line(begun, capsys, name):
    for call in (begun.answer, begun.check, begun.hint, begun.ask):
        if name == "" and call in (begun.check, begun.ask):
            continue  # the whole part
        call(name)
        (line,) = lines(capsys)
        assert line.startswith("There is no ") and len(line) < 200
    begun.answer("lime-11")
    assert "did you mean lime-1?" in lines(capsys)[0]


def test_answers_are_there_again_after_a_restart_and_a_run_that_changed_is_told(begun, capsys, monkeypatch):
    for name, given in {"lime-1": "b", "lime-2": 2, "lime-3": 0.5}.items():
        begun.answer(name, given)
    begun.answer("lime-2", "99")
    assert len(lines(capsys)) == 4
    monkeypatch.setattr(begun, "_current", None)  # as after a restart of the kernel
    begun.begin("cnn", "demo", WEIGHTS)
    assert lines(capsys) == ["Answers kept from before: 3 (answers-cnn.json)."]
    begun.check("lime-2")  # facts are there as well: same data, same model
    assert "fits your figure" in lines(capsys)[0]
    monkeypatch.setattr(begun, "_current", None)
    begun.begin("cnn", "demo", "f" * 16)
    notebook.fact("pictures", {"names": NAMES})
    notebook.fact("lime", {**LIME, "score": [0.1, 0.8, 0.9, 0.7]})
    assert len(lines(capsys)) == 1
    begun.ask("lime")
    assert lines(capsys)[0].startswith(
        "Your run has changed since you answered lime-2 and lime-3: the answers are kept"
    )
    begun.check("lime-2")  # looked at again
    assert "Look again" in lines(capsys)[0]
    begun.ask("lime")
    assert lines(capsys)[0].startswith("Your run has changed since you answered lime-3:")


def test_beginning_again_loses_nothing_even_where_no_file_can_be_written(quiz, capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("HW9_RUNS", str(tmp_path / "file" / "below"))
    quiz.begin("cnn", "demo", WEIGHTS)
    assert len(lines(capsys)) <= 1
    notebook.fact("pictures", {"names": NAMES})
    notebook.fact("lime", LIME)
    (line,) = lines(capsys)
    assert line.startswith("The quiz goes on but keeps no files")
    quiz.answer("lime-2", 2)
    quiz.begin("cnn", "demo", WEIGHTS)
    quiz.check("lime-2")
    assert lines(capsys)[-1].endswith("It fits your figure. 符合你的圖。")
    quiz.hand_in("Ada", 1)
    assert len(lines(capsys)) == 1


def test_facts_of_a_model_are_there_again_after_another_model(begun, capsys, tmp_path):
    begun.answer("lime-2", 2)
    begun.begin("cnn", "demo", "f" * 16)
    begun.begin("cnn", "demo", WEIGHTS)
    begun.check("lime-2")
    assert lines(capsys)[-1].endswith("It fits your figure. 符合你的圖。")
    notebook.fact("pictures", {"names": NAMES})
    kept = json.loads((tmp_path / "facts" / f"cnn-demo-{WEIGHTS[:8]}.json").read_text(encoding="utf-8"))
    assert set(kept["values"]) == {"pictures", "lime"}


def test_a_damaged_file_of_answers_is_kept_aside(begun, capsys, tmp_path, monkeypatch):
    for text in ("", "[]", '{"answers": {"a": {}}, "stamps": {}}', '{"answers": {"lime-1": ["a"'):
        (tmp_path / "answers-cnn.json").write_text(text, encoding="utf-8")
        monkeypatch.setattr(begun, "_current", None)
        begun.begin("cnn", "demo", WEIGHTS)
        (line,) = lines(capsys)
        assert "cannot be read: they are now in answers-cnn.damaged" in line
        assert (tmp_path / "answers-cnn.damaged").read_text(encoding="utf-8") == text


def test_a_value_that_is_no_fact_is_named_and_the_others_are_kept(begun, capsys):
    notebook.fact("lime", {**LIME, "model": object()})
    (line,) = lines(capsys)
    assert line.startswith("lime.model is not kept for the quiz")
    begun.ask("lime")
    assert len(lines(capsys)) > 10


def test_what_is_handed_in_is_read_back_and_shown(begun, capsys, tmp_path):
    begun.answer("lime-1", "a")
    begun.answer("lime-4", "3, 0")
    lines(capsys)
    for given in ((), ("", ""), ("Ada",), ("", "b1"), ("Ada", "b/1"), (None, None)):
        begun.hand_in(*given)
        (line,) = lines(capsys)
        assert line.startswith("Nothing is handed in yet: ")
    begun.hand_in("王小明", "b04901001")
    told = lines(capsys)
    path = tmp_path / "hw9-cnn-b04901001.json"
    assert told[-2] == f"王小明 (b04901001), 2 of 6 questions answered: hand in {path}"
    assert told[-1].startswith("You were asked without a number: run quiz.begin and the questions again with b04901001")
    assert any(line.split()[:3] == ["lime-4", "0,", "3"] for line in told)
    assert any("lime-2" in line and "not answered" in line for line in told)
    assert any("saliency-1" in line and "its figure was not drawn" in line for line in told)
    found = receive(collect(path).found[0]).handin
    assert found.intact and found.answers == {"lime-1": ["a"], "lime-4": ["0", "3"]} and found.part == "cnn"
    assert found.facts.values["lime"]["score"] == LIME["score"] and found.hashes["weights"] == WEIGHTS
    nonce = found.nonce
    begun.hand_in("王小明", "b04901001")
    assert receive(collect(path).found[0]).handin.nonce == nonce  # of this run, not of this file


def test_a_file_that_could_not_be_graded_is_not_called_handed_in(begun, capsys, monkeypatch):
    begun.answer("lime-1", "a")
    with monkeypatch.context() as patch:
        patch.setattr("hw9.quiz.incoming.MAX_BYTES", 100)
        begun.hand_in("Ada", "b1")
    assert "hw9-cnn-b1.json cannot be graded: 0.1 MB, and a hand-in has less than" in lines(capsys)[-1]
    write = handin.write
    monkeypatch.setattr(handin, "write", lambda made, folder: write(replace(made, answers={}), folder))
    begun.hand_in("Ada", "b1")
    assert lines(capsys)[-1].endswith("hw9-cnn-b1.json does not hold what was written into it")


def test_another_number_than_the_one_that_was_asked_is_said(quiz, capsys):
    quiz.begin("cnn", "demo", WEIGHTS, student=42)
    quiz.answer("lime-1", "a")
    quiz.hand_in("Ada", 43)
    assert lines(capsys)[-1].startswith("You were asked as 42")


def test_a_number_that_is_filled_in_late_is_told_until_each_answer_was_looked_at(begun, capsys):
    def asked_about(student):
        begun.begin("cnn", "demo", WEIGHTS, student=student)
        return begun._current.ask("lime-3").text

    student = next(f"b{n}" for n in range(99) if asked_about(f"b{n}") != asked_about(""))
    begun.answer("lime-2", 2)
    begun.answer("lime-3", 0.8)  # of the picture that is asked about where there is no number
    lines(capsys)
    begun.hand_in("Ada", student)
    assert lines(capsys)[-1].startswith("You were asked without a number: run quiz.begin")
    begun.begin("cnn", "demo", WEIGHTS, student=student)
    begun.hand_in("Ada", student)
    told = lines(capsys)
    assert told[-1].startswith("1 answers are from before your run or number changed")
    assert [line.split()[0] for line in told if "look again" in line][:-1] == ["lime-3"]
    begun.answer("lime-3", 0.8)  # looked at
    lines(capsys)
    begun.hand_in("Ada", student)
    assert lines(capsys)[-1].startswith("Ada")


def test_in_a_computer_room_everybody_has_their_own_answers(begun, capsys, tmp_path, monkeypatch):
    def sit_down(student):
        monkeypatch.setattr(begun, "_current", None)
        begun.begin("cnn", "demo", WEIGHTS, student=student)
        lines(capsys)
        return begun._current.kept

    begun.answer("lime-2", 2)  # before there was a number
    (tmp_path / "answers-cnn.json").unlink()
    begun.begin("cnn", "demo", WEIGHTS)
    assert (tmp_path / "answers-cnn.json").exists(), "written again, as nothing else has these answers"
    nobody = begun._current.kept.nonce
    ada = sit_down("ｂ１")
    assert ada.nonce != nobody, "who goes on with answers of nobody is not taken for a copy of whoever began"
    assert ada.answers == {"lime-2": ("2",)} and not (tmp_path / "answers-cnn.json").exists()
    assert (tmp_path / "answers-cnn-b1.json").exists()
    eve = sit_down("b/2")
    assert eve.answers == {} and eve.nonce != ada.nonce
    begun.answer("lime-2", 1)
    assert sit_down("b1").answers == {"lime-2": ("2",)} and sit_down("b/2").answers == {"lime-2": ("1",)}
    begun.begin("cnn", "demo", WEIGHTS, student="b1")  # in the same kernel: nothing of hers is written over
    assert begun._current.kept.answers == {"lime-2": ("2",)}
    begun.begin("cnn", "demo", WEIGHTS, student="b11")  # a number that was mistyped
    assert begun._current.kept.answers == {"lime-2": ("2",)}


def test_two_kernels_of_a_part_write_nothing_of_each_other_over(begun, capsys, monkeypatch):
    begun.answer("lime-1", "a")
    here = begun._current
    monkeypatch.setattr(begun, "_current", None)
    begun.begin("cnn", "demo", WEIGHTS)  # a second copy of the notebook
    there = begun._current
    for session, name, given in ((here, "lime-2", "2"), (there, "lime-3", "0.5"), (here, "lime-1", "")):
        assert session.answer(session.ask(name), given) == ""
    monkeypatch.setattr(begun, "_current", there)
    begun.hand_in("Ada", "b01")
    assert set(json.loads(handin_of(begun).read_text(encoding="utf-8"))["answers"]) == {"lime-2", "lime-3"}


def test_answers_that_cannot_be_read_for_a_moment_are_not_written_over(begun, capsys, monkeypatch):
    begun.answer("lime-1", "a")
    monkeypatch.setattr(begun, "_current", None)
    read = Path.read_text

    def not_connected(path, *given, **named):
        if path.name.startswith("answers"):
            raise OSError(107, "not connected")
        return read(path, *given, **named)

    with monkeypatch.context() as away:  # a mounted disk
        away.setattr(Path, "read_text", not_connected)
        begun.begin("cnn", "demo", WEIGHTS)
        assert "without earlier answers" in lines(capsys)[-1]
        begun.answer("lime-2", 2)
        assert lines(capsys)[-1].startswith("The quiz goes on but keeps no files: not connected")
    begun.answer("lime-3", 0.5)
    assert set(begun._current.kept.answers) == {"lime-1", "lime-2", "lime-3"}
    monkeypatch.setattr(begun, "_current", None)
    begun.begin("cnn", "demo", WEIGHTS)
    assert set(begun._current.kept.answers) == {"lime-1", "lime-2", "lime-3"}


def test_capitals_make_no_other_student(begun, capsys, monkeypatch):
    questions = {}
    for student in ("b02", "B02"):
        begun.begin("cnn", "demo", WEIGHTS, student=student)
        questions[student] = [one.text.english for one in begun._current.section("")]
        begun.answer("lime-1", "a")
        monkeypatch.setattr(begun, "_current", None)
    assert questions["b02"] == questions["B02"]
    assert [path.name for path in (begun.runs_folder()).glob("answers-cnn-*")] == ["answers-cnn-b02.json"]


def test_stored_notebooks_depend_on_nobody(begun, capsys, monkeypatch):
    begun.answer("lime-1", "a")
    monkeypatch.setenv("HW9_STATIC", "1")
    monkeypatch.setattr(begun, "_current", None)
    begun.begin("cnn", "demo", WEIGHTS)
    begun.check("lime-1")
    assert lines(capsys)[1:] == ["lime-1: Not yet answered. 尚未作答。"]


def test_grading_needs_neither_torch_nor_widgets():
    code = "import sys; import hw9.quiz; print(sorted({'torch', 'ipywidgets', 'IPython'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_same_weights_have_the_same_hash():
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    before = notebook.weights_hash(model)
    assert before == notebook.weights_hash(model) and len(before) == 64
    assert notebook.weights_hash(model.to(torch.bfloat16)) not in (before, notebook.weights_hash(model, model))
    with torch.no_grad():
        model[0].weight[0, 0] += 1
    assert notebook.weights_hash(model) != before


def test_an_answers_file_holds_no_name(begun, tmp_path):
    begun.answer("lime-1", "a")
    begun.hand_in("Ada", "b1")
    kept = json.loads((tmp_path / "answers-cnn.json").read_text(encoding="utf-8"))
    assert set(kept) == {"answers", "stamps", "nonce"} and kept["answers"] == {"lime-1": ["a"]}


def test_what_is_written_as_html_is_escaped(run, example):
    from hw9.quiz.asked import ask
    from hw9.quiz.written import as_html

    run.values["pictures"]["names"][0] = "<script>alert(1)</script>"
    run.values["lime"]["clear"] = []
    page = as_html([ask(question, run, salt="s") for question in example.of("cnn", "lime")])
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "Not asked on this run, and counts for nobody" in page and page.count("quiz.answer(") == 1


def test_an_option_is_numbered_unless_all_say_their_numbers(run, example):
    from hw9.quiz.asked import ask
    from hw9.quiz.bank import Text
    from hw9.quiz.written import label

    question = example["lime-2"]
    bare = replace(question, options=replace(question.options, text=Text("{label}", "{label}")))
    run.values["pictures"]["names"] = [f"layer {n}" for n in (0, 3, 10, 12)[: len(NAMES)]]
    for one, named in ((question, "picture 0: layer 0 圖 0：layer 0"), (bare, "0)  layer 0")):
        asked = ask(one, run, salt="s")
        assert label(asked, asked.options[0]) == named
