import json
from dataclasses import replace

import pytest

from hw9.quiz import handin
from hw9.quiz.facts import digest
from hw9.quiz.handin import HandIn, answers, who, write
from hw9.quiz.incoming import collect
from hw9.quiz.received import receive


@pytest.fixture
def made(run):
    answers = {"lime-1": ("a",), "lime-3": 0.5, "lime-5": ("b", "c", "a")}
    hashes = {"data": "demo", "weights": run.weights, "package": "0" * 64}
    return HandIn("王小明", "b04901001", "cnn", "example", "", answers, run, digest(run), hashes, {"python": "3.11.7"},
                  "2026-11-26T18:00:00+00:00", "n" * 32)  # fmt: skip


def test_a_file_holds_what_was_handed_in(tmp_path, made):
    path = write(made, tmp_path)
    assert path.name == "hw9-cnn-b04901001.json"
    found = receive(collect(path).found[0])
    assert not found.notes and replace(found.handin, answers=answers(found.handin.answers)) == made
    assert set(json.loads(path.read_text(encoding="utf-8"))) == {
        "format", "name", "number", "part", "salt", "student", "answers", "facts", "digest", "hashes", "versions",
        "time", "nonce", "stamps",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no list of answers"),
        ({"a": {"b": 1}}, "neither a list of options"),
        ({"a": [1]}, "neither a list"),
        ({"a": True}, "neither a list"),
    ],
)
def test_what_are_no_answers_is_told_in_one_line(given, said):
    with pytest.raises(ValueError, match=said) as error:
        answers(given)
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_who_hands_in():
    assert who("  Ada   Lovelace ", 1815) == ("Ada Lovelace", "1815")
    assert who("王小明", " Ｂ０１ ") == ("王小明", "B01")  # full-width: a platform knows nobody of that number
    for name, number in ((None, 1), ("", 1), ("x" * 101, 1), ("a\x00", 1), ("a", ""), ("a", "1/2"), ("a", "x" * 41)):
        with pytest.raises(ValueError):
            who(name, number)


def test_the_hash_of_the_package_is_that_of_its_sources(tmp_path, monkeypatch):
    for name, ends in (("unix", b"\n"), ("windows", b"\r\n")):
        (tmp_path / name / "hw9").mkdir(parents=True)
        (tmp_path / name / "hw9" / "a.py").write_bytes(b"x = 1" + ends)
    (tmp_path / "unix" / "hw9" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "unix" / "hw9" / ".ipynb_checkpoints" / "a-checkpoint.py").write_bytes(b"x = 1")  # JupyterLab's
    found = []
    for name in ("unix", "windows"):
        monkeypatch.setattr(handin, "ROOT", tmp_path / name)
        found.append(handin.package_hash())
    (tmp_path / "unix" / "hw9" / "a.py").write_bytes(b"x = 2\n")
    monkeypatch.setattr(handin, "ROOT", tmp_path / "unix")
    assert found[0] == found[1] != handin.package_hash()
