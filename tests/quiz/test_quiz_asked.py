import itertools
import json

import pytest

from hw9.quiz.asked import ask, parse
from hw9.quiz.facts import Facts, digest, from_json, load, path_of, plain, save


def asked(example, run, name, student=""):
    return ask(example[name], run, salt=example.salt, student=student)


def test_texts_options_and_key_are_those_of_the_run(example, run):
    second = asked(example, run, "lime-2")
    assert [option.text.english for option in second.options][3] == "picture 3: Rice"
    assert str(second.key) == "1 or 2" and second.fits(("2",)) and not second.fits(("0",))
    third = asked(example, run, "lime-3", "b1")
    picture = third.text.english.split()[5].rstrip(",")
    assert third.hint.chinese == f"看圖 {picture} 下方的數字。"
    assert third.fits(run.values["lime"]["score"][int(picture)] + 0.06)


def test_a_student_has_the_same_variant_everywhere_and_students_have_different_ones(example, run):
    texts = {student: asked(example, run, "lime-3", student).text for student in map(str, range(40))}
    assert len(set(texts.values())) == 3
    orders = {tuple(o.key for o in asked(example, run, "lime-1", student).options) for student in texts}
    assert orders == set(itertools.permutations("abc"))
    # These do not depend on the machine or the version of Python.
    assert [o.key for o in asked(example, run, "lime-1", "b04901001").options] == ["b", "a", "c"]
    assert asked(example, run, "lime-3", "b04901001").text.english == "What is R² of picture 1, to one decimal?"
    first = asked(example, run, "lime-1", "b04901001")
    assert [option.shown for option in first.options] == ["a", "b", "c"]
    right = next(option.shown for option in first.options if option.key == "a")
    assert first.fits(parse(first, right)) and first.shown(("a",)) == right
    assert [o.key for o in asked(example, run, "lime-5", "b04901001").options] == ["a", "b", "c"]  # shuffle: false


def test_a_question_whose_figure_is_not_there_or_tells_nothing_is_not_asked(example, run):
    missing = asked(example, Facts("cnn", "demo", "0"), "lime-2")
    assert missing.missing == ("pictures", "lime") and missing.key is None and not missing.fits(("1",))
    run.values["lime"] = {"score": [0.5, 0.5, 0.5, 0.5], "clear": []}
    for name, why in {
        "lime-2": "within the margin",
        "lime-3": "nothing to ask about",
        "lime-4": "no value is clearly",
    }.items():
        found = asked(example, run, name)
        assert found.key is None and why in found.reason and found.missing == ()
        with pytest.raises(ValueError, match=f"{name} cannot be asked on this run"):
            parse(found, "1")


HOSTILE = [
    None,
    True,
    10**9,
    10**298,
    -1,
    "x" * 5000,
    "pictures.names." + "9" * 5000,  # Python reads no number of so many digits
    [],
    [[]],
    [[1, 2], [3]],
    ["a"] * 100,
    [None] * 4,
    {"a": 1},
    [{"a": 1}] * 4,
]


@pytest.mark.parametrize("names", HOSTILE)
@pytest.mark.parametrize("score", HOSTILE)
def test_asking_never_fails_whatever_the_facts_hold(example, names, score):
    run = Facts("cnn", "demo", "0", {"pictures": {"names": names}, "lime": {"score": score, "clear": score}})
    for question in example.questions:
        found = ask(question, run, salt="s", student="x")
        assert (found.key is None) == bool(found.reason)
        assert all(len(option.text.english) < 300 for option in found.options)


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("lime-1", "a", ("a",)), ("lime-1", " B) ", ("b",)), ("lime-1", "ｃ", ("c",)), ("lime-1", "", None),
        ("lime-1", None, None), ("lime-1", [], None), ("lime-2", 3, ("3",)), ("lime-2", ["2"], ("2",)),
        ("lime-3", "0,5", 0.5), ("lime-3", "0,125", 0.125), ("lime-3", "12,5", 12.5),
        ("lime-3", 1, 1.0), ("lime-3", "  .5 ", 0.5), ("lime-3", "", None),
        ("lime-4", "3, 0", ("0", "3")), ("lime-4", [3.0, 0.0], ("0", "3")), ("lime-2", 3.0, ("3",)),
        ("lime-4", [3, 0, 3], ("0", "3")), ("lime-4", {1}, ("1",)),
        ("lime-4", "0、1", ("0", "1")),
        ("lime-5", "bca", ("b", "c", "a")), ("lime-5", "b, c, a", ("b", "c", "a")),
        ("lime-5", ["B", "C", "A"], ("b", "c", "a")),
    ],
)  # fmt: skip
def test_an_answer_is_understood_as_people_write_it(example, run, name, given, kept):
    assert parse(asked(example, run, name), given) == kept


@pytest.mark.parametrize("name", ["lime-1", "lime-2", "lime-3", "lime-4", "lime-5"])
@pytest.mark.parametrize(
    "given",
    ["z", "a b c d", "½ x", True, {"a": 1}, [["z"]], object(), float("nan"), 1e999, "1" * 5000, b"a", "<b>"],
)
def test_what_is_no_answer_is_one_line_that_says_what_to_give(example, run, name, given):
    with pytest.raises(ValueError, match=f"{name} .*give ") as error:
        parse(asked(example, run, name), given)
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_a_comma_before_three_digits_is_asked_about(example, run):
    with pytest.raises(ValueError, match=r"1,000 can be read in two ways: write 1000 or 1\.000"):
        parse(asked(example, run, "lime-3"), "1,000")


def test_facts_are_plain_short_and_the_same_after_a_file(tmp_path, run):
    import numpy as np
    import torch

    assert plain(np.float32(0.1)) == 0.1 and plain(torch.tensor([1 / 3, float("nan")])) == [0.333333, None]
    assert plain((True, 3, "x", np.array([[1, 2]]), torch.tensor(2.5, requires_grad=True))) == [
        True,
        3,
        "x",
        [[1, 2]],
        2.5,
    ]
    for wrong in (object(), {"a": 1}, b"x", {1}):
        with pytest.raises(TypeError):
            plain(wrong)
    run.values["lime"]["score"] = plain(np.random.default_rng(0).random(10))
    path = save(run, tmp_path)
    assert path == path_of(run, tmp_path) and path.name == "cnn-demo-01234567.json"
    assert load(path) == run and digest(load(path)) == digest(run)
    turned = dict(reversed(run.values.items()))
    assert digest(Facts(run.part, run.data, run.weights, turned)) == digest(run)
    run.values["lime"]["score"][0] += 0.1
    assert digest(load(path)) != digest(run)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "text", ["", "3", "[]", "{}", '{"part": "cnn"}', "[" * 100_000, "\ud800"[:0] + "x",
             '{"part": "../x", "data": "d", "weights": "w", "values": {}}',
             '{"part": "cnn", "data": "d", "weights": "w", "values": {"a": 1}}',
             '{"part": "cnn", "data": "d", "weights": "w", "values": {"a": {"b": {"c": 1}}}}']
)  # fmt: skip
def test_what_is_no_facts_is_one_line_that_names_the_file(tmp_path, text):
    path = tmp_path / "facts.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"facts\.json holds no facts of a run") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_not_a_number_in_a_file_is_nothing():
    found = from_json(
        json.loads('{"part": "cnn", "data": "d", "weights": "w", "values": {"a": {"b": [NaN, Infinity, 1]}}}')
    )
    assert found.values == {"a": {"b": [None, None, 1]}}
