import copy

import pytest
import yaml

from hw9.quiz.bank import load_bank
from hw9.quiz.checks import mistakes

GOOD = {
    "part": "cnn", "section": "lime", "kind": "one", "english": "Which?", "chinese": "哪個？", "key": {"fixed": ["a"]},
    "options": [{"english": "This.", "chinese": "這個。"}, {"english": "That.", "chinese": "那個。"}],
    "hint": {"english": "Look.", "chinese": "看。"}, "explanation": {"english": "So.", "chinese": "因為。"},
}  # fmt: skip
LISTED, MADE = GOOD["options"], {"each": "lime.names"}


def written(tmp_path, *questions, **top):
    path = tmp_path / "own.yaml"
    content = {"questions": [{"id": f"q-{at}", **one} for at, one in enumerate(questions)], **top}
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


def test_a_bank_is_read_with_the_facts_that_each_question_needs(example):
    assert [question.id for question in example.of("cnn", "lime")] == [f"lime-{at}" for at in range(1, 6)]
    assert example.salt == "example" and example.of("bert") == []
    needs = {question.id: question.facts for question in example.questions}
    assert needs["lime-1"] == () and needs["lime-2"] == ("pictures", "lime") and needs["lime-3"] == ("lime",)
    assert example["lime-4"].figures == ("cnn_06_lime", "cnn_07_lime_stability") and example["lime-4"].points == 2
    with pytest.raises(KeyError):
        example["lime-9"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": 1}, "colour: there is no such field"),
        ({"hint": None}, "hint: it is missing"),
        ({"part": "rnn"}, "part: 'rnn' is neither cnn nor bert"),
        ({"section": "LIME!"}, "section: 'LIME!' is no name"),
        ({"english": True}, "english, chinese: english is True, no text"),
        ({"chinese": "  "}, "english, chinese: chinese is '  ', no text"),
        ({"english": "In {picture}?"}, "{picture} is neither in vary nor the path of a fact"),
        ({"hint": {"english": "Look."}}, "hint: give english and chinese"),
        ({"kind": "essay"}, "kind: 'essay' is none of one, many"),
        ({"margin": -1}, "margin: give a number of 0 or more"),
        ({"points": "two"}, "points: give a number"),
        ({"figure": [1]}, "figure: give a name"),
        ({"shuffle": "no"}, "shuffle: true or false"),
        ({"vary": ["picture"]}, "vary: give names with the path"),
        ({"options": LISTED[:1]}, "options: give 2 to 10"),
        ({"options": "two"}, "options: give a list"),
        ({"options": {"each": "lime"}}, "options: each is no path"),
        ({"options": {"count": 1}}, "options: count is no path"),
        ({"options": {"each": "a.b", "colour": 1}}, "options: there is no such field, colour"),
        ({"kind": "number"}, "options: a number has none"),
        ({"kind": "picture"}, "options: kind picture has options made from facts"),
        ({"feedback": {"d": {"english": "x", "chinese": "y"}}}, "feedback d: there is no such option"),
        ({"key": "a"}, "key: give one rule out of fixed, highest"),
        ({"key": {"eval": "a"}}, "key: give one rule out of"),
        ({"key": {"fixed": ["a"], "highest": "a.b"}}, "key: give one rule out of"),
        ({"key": {"fixed": ["a", "b"]}}, "key: kind one has one right option"),
        ({"key": {"fixed": ["z"]}}, "key: there is no option z"),
        ({"key": {"fixed": []}}, "key: fixed is no list"),
        ({"key": {"highest": "lime"}}, "key: highest is no path"),
        ({"key": {"highest": "a.b.{picture}"}}, "key: {picture} is not in vary"),
        ({"key": {"highest": "a.b", "than": 1}}, "key: highest knows no than"),
        ({"key": {"above": "a.b"}}, "key: above needs than"),
        ({"key": {"above": "a.b", "than": "much"}}, "key: than is neither"),
        ({"key": {"value": "a.b", "within": 1}}, "key: value is for number, not for one"),
        ({"key": {"bin": "a.b", "edges": [2, 1]}}, "key: edges is no list of rising numbers"),
        ({"key": {"bin": "a.b", "edges": [1, 2]}}, "key: edges is no list of rising numbers, fewer than"),
        ({"kind": "order", "key": {"fixed": ["a"]}}, "key: an order names each option once"),
    ],
)
def test_every_mistake_is_a_line_that_names_the_question_and_the_field(tmp_path, change, said):
    wrong = {name: value for name, value in {**copy.deepcopy(GOOD), **change}.items() if value is not None}
    with pytest.raises(ValueError) as error:
        load_bank(written(tmp_path, GOOD, wrong))
    lines = str(error.value).splitlines()
    assert lines and all(line.startswith("own.yaml, q-1, ") for line in lines)
    assert any(said in line for line in lines)


def test_good_questions_of_each_kind_have_no_mistakes():
    number = {key: value for key, value in GOOD.items() if key != "options"} | {"kind": "number"}
    for change in (
        {},
        {"key": {"bin": "a.b", "edges": [0.5]}, "margin": 0.1},
        {"kind": "many", "key": {"above": "a.b", "than": 1}},
        {"kind": "order", "key": {"order": "a.b", "from": "lowest"}},
        {"kind": "picture", "options": MADE, "key": {"lowest": "a.b.{p}", "except": ["{p}"]}, "vary": {"p": "a.c"}},
        {
            "kind": "picture",
            "options": {"count": "a.layers", "first": 1, "english": "layer {n}"},
            "key": {"highest": "a.b"},
        },
        {"english": "{a.b} of {p}", "vary": {"p": "a.c"}},
    ):
        assert mistakes(GOOD | change) == []
    feedback = {"low": {"english": "More.", "chinese": "再多。"}}
    assert mistakes(number | {"key": {"value": "a.b", "within": 0.1}, "feedback": feedback}) == []


def test_what_is_no_bank_is_one_line(tmp_path, monkeypatch):
    path = tmp_path / "own.yaml"
    for text, said in {
        "questions: [": "own.yaml, line",
        "questions:\n - {id: a, id: b}": "id is given twice",
        "- 1": "there is no list `questions`",
        "questions: 3": "there is no list `questions`",
        "questions: [3]": "own.yaml, question 1: id is None",
        "questions: [{id: A B}]": "id is 'A B'",
        "!!python/object/apply:os.system ['true']": "could not determine a constructor",
    }.items():
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=said.replace("[", r"\[")) as error:
            load_bank(path)
        assert "\n" not in str(error.value)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"own\.yaml"):
        load_bank(path)
    monkeypatch.setenv("HW9_BANK", str(tmp_path / "nowhere.yaml"))
    with pytest.raises(FileNotFoundError, match="there is no such bank; look at HW9_BANK"):
        load_bank()


def test_a_folder_is_a_bank_and_no_name_is_there_twice(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="holds no bank"):
        load_bank(tmp_path)
    written(tmp_path, GOOD, salt="exam")
    monkeypatch.setenv("HW9_BANK", str(tmp_path))
    assert load_bank().salt == "exam" and len(load_bank().questions) == 1
    other = (tmp_path / "own.yaml").read_text(encoding="utf-8").replace("salt: exam", "salt: other")
    (tmp_path / "a.yaml").write_text(other.replace("q-0", "q-9"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"salt: the files name several \(exam, other\): name one"):
        load_bank()
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "more.yaml").write_text((tmp_path / "own.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ValueError, match="q-0, id: another question has it"):
        load_bank()
    (tmp_path / "more.yaml").write_text(other.replace("q-0", "points"), encoding="utf-8")
    with pytest.raises(ValueError, match="points, id: a column of the grades has that name"):
        load_bank()
