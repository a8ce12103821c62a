import json

import pytest

from hw9.quiz import handin
from hw9.quiz.facts import digest
from hw9.quiz.handin import HandIn, read, who, write


@pytest.fixture
def made(run):
    answers = {"lime-1": ("a",), "lime-3": 0.5, "lime-5": ("b", "c", "a")}
    hashes = {"data": "demo", "weights": run.weights, "package": "0" * 64}
    return HandIn("王小明", "b04901001", "cnn", "example", "", answers, run, digest(run), hashes, {"python": "3.11.7"},
                  "2026-11-26T18:00:00+00:00", "n" * 32)  # fmt: skip


def test_a_file_holds_what_was_handed_in(tmp_path, made):
    path = write(made, tmp_path)
    assert path.name == "hw9-cnn-b04901001.json"
    assert read(path.read_bytes()) == made and read(b"\xef\xbb\xbf" + path.read_bytes()) == made
    assert set(json.loads(path.read_text(encoding="utf-8"))) == {
        "format", "name", "number", "part", "salt", "student", "answers", "facts", "digest", "hashes", "versions",
        "time", "nonce",
    }  # fmt: skip


def test_facts_that_were_changed_are_noticed(tmp_path, made):
    content = json.loads(write(made, tmp_path).read_text(encoding="utf-8"))
    content["facts"]["values"]["lime"]["score"][0] = 0.1
    assert not read(json.dumps(content).encode()).intact


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (b"", "no JSON"), (b"\x00\xff", "no JSON"), (b"[" * 10_000, "no JSON"), (b"[]", "no hand-in"),
        (b"{}", "no hand-in"), (b'{"format": 1, "answers": {}, "name": "\\ud800"}', "no JSON"),
        (b'{"cells": [], "nbformat": 4}', "a notebook"), (b" " * 3_000_000, "3 MB"),
        ({"format": 2}, "format is 2"), ({"format": "1" * 999}, "format is 1"),
        ({"name": ""}, "name is missing"), ({"name": "\x1b[31m"}, "name is missing"),
        ({"number": "../../etc"}, "no student number"), ({"number": None}, "no student number"),
        ({"part": "bert"}, "its facts are about"), ({"facts": None}, "no facts"),
        ({"answers": []}, "no list of answers"), ({"answers": {"a": {"b": 1}}}, "neither a list of options"),
        ({"answers": {"a": [1]}}, "neither a list"), ({"answers": {"a": True}}, "neither a list"),
        ({"hashes": []}, "its hashes"), ({"time": 3}, "its time is no text"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_one_line(tmp_path, made, change, said):
    content = change
    if isinstance(change, dict):
        content = json.dumps(json.loads(write(made, tmp_path).read_text(encoding="utf-8")) | change).encode()
    with pytest.raises(ValueError, match=said) as error:
        read(content)
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_who_hands_in():
    assert who("  Ada   Lovelace ", 1815) == ("Ada Lovelace", "1815")
    for name, number in ((None, 1), ("", 1), ("x" * 101, 1), ("a\x00", 1), ("a", ""), ("a", "1/2"), ("a", "x" * 41)):
        with pytest.raises(ValueError):
            who(name, number)


def test_the_hash_of_the_package_is_that_of_its_sources(tmp_path, monkeypatch):
    for name, ends in (("unix", b"\n"), ("windows", b"\r\n")):
        (tmp_path / name / "hw9").mkdir(parents=True)
        (tmp_path / name / "hw9" / "a.py").write_bytes(b"x = 1" + ends)
    found = []
    for name in ("unix", "windows"):
        monkeypatch.setattr(handin, "ROOT", tmp_path / name)
        found.append(handin.package_hash())
    (tmp_path / "unix" / "hw9" / "a.py").write_bytes(b"x = 2\n")
    monkeypatch.setattr(handin, "ROOT", tmp_path / "unix")
    assert found[0] == found[1] != handin.package_hash()
