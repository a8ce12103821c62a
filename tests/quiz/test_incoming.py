"""Hand-ins read from whatever a learning platform exports; hostile or broken ones are a line and cost nobody else."""

import io
import json
import os
import struct
import zipfile
from pathlib import Path

import pytest

from hw9.quiz import incoming
from hw9.quiz.incoming import clean, collect

GOOD = {"format": 1, "name": "Ada", "answers": {"lime-1": ["a"]}}


def _json(**more) -> bytes:
    return json.dumps({**GOOD, **more}, ensure_ascii=False).encode()


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _lines(found: incoming.Incoming) -> dict[str, str]:
    assert all("\n" not in line for _, line in found.problems)
    return dict(found.problems)


def test_soup_of_a_learning_platform(tmp_path):
    folder = tmp_path / "Ada Lovelace_123_assignsubmission_file"
    folder.mkdir()
    (folder / "quiz.json").write_bytes(_json())
    (folder / "quiz (1).JSON").write_bytes(_json())
    (folder / "quiz.json.txt").write_bytes(_json())  # Windows hides the last ending
    (folder / "hw9_cnn_explanation.ipynb").write_text("{}")
    (folder / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._quiz.json").write_bytes(b"\0\5")
    (tmp_path / "Bob_124_assignsubmission_file").mkdir()
    (tmp_path / "Bob_124_assignsubmission_file" / "hw9.ipynb").write_text("{}")
    (tmp_path / "Eve_125_assignsubmission_file").mkdir()
    for name in ["answers.pdf", *(f"{at:02}.png" for at in range(20))]:
        (tmp_path / "Eve_125_assignsubmission_file" / name).write_bytes(b"%PDF")
    (tmp_path / "zipped.zip").write_bytes(_zip({"Cy_126/hand-in.zip": _zip({"a/quiz.json": _json()})}))
    got = collect(tmp_path)
    assert sorted(one.where for one in got.found) == [
        "Ada Lovelace_123_assignsubmission_file/quiz (1).JSON",
        "Ada Lovelace_123_assignsubmission_file/quiz.json",
        "Ada Lovelace_123_assignsubmission_file/quiz.json.txt",
        "zipped.zip/Cy_126/hand-in.zip/a/quiz.json",
    ]
    assert all(one.data == GOOD and not one.notes for one in got.found)
    lines = _lines(got)
    assert len(lines) == 3
    assert (
        lines["Bob_124_assignsubmission_file/hw9.ipynb"]
        == "notebooks: the .json file that quiz.hand_in wrote is wanted"
    )
    assert lines["Ada Lovelace_123_assignsubmission_file/hw9_cnn_explanation.ipynb"] == "notebooks: passed over"
    (eve,) = (where for where in lines if where.startswith("Eve_125_assignsubmission_file/00.png, 01.png"))
    assert eve.endswith("09.png and 11 more") and lines[eve].startswith("neither .json nor .zip: the .json file")


def test_folder_archive_and_single_file_give_the_same(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "quiz.json").write_bytes(_json())
    (tmp_path / "in.zip").write_bytes(_zip({"quiz.json": _json()}))
    sources = [tmp_path / "in", tmp_path / "in.zip", tmp_path / "in" / "quiz.json"]
    assert [collect(source).found[0].data for source in sources] == [GOOD] * 3
    assert not any(collect(source).problems for source in sources)
    with pytest.raises(FileNotFoundError, match="no such folder, archive or file"):
        collect(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf  ", "empty"),
        (b"not json", "no JSON (line 1"),
        (b'{"answers": {"a": ', "no JSON"),
        (b"[1, 2]", "no hand-in (a list)"),
        (b'"text"', "no hand-in (a str)"),
        (b'{"facts": {}}', "no answers in it"),
        (b'{"answers": [1]}', "no answers in it"),
        (b'{"cells": [], "nbformat": 4}', "a notebook"),
        (b"[" * 100_000, "without end"),
        (b'{"answers": {}, "name": ' + b"[" * 60 + b"]" * 60 + b"}", "without end"),
        (b'{"answers": {}, "name": [' + b"0," * 250_000 + b"0]}", "more than 200,000 values"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "no JSON"),
    ],
)
def test_what_is_no_hand_in_is_one_line(tmp_path, content, line):
    (tmp_path / "quiz.json").write_bytes(content)
    got = collect(tmp_path)
    assert not got.found
    assert line in _lines(got)["quiz.json"]


def test_numbers_that_json_does_not_know(tmp_path):
    text = f'"a": NaN, "b": -Infinity, "c": 1e999, "d": {"9" * 5000}, "e": -{"9" * 30}, "f": 0.5'
    (tmp_path / "quiz.json").write_text(f'{{"answers": {{}}, {text}}}')
    data = collect(tmp_path).found[0].data
    assert [data[key] for key in "abcd"] == [None] * 4
    assert data["e"] == pytest.approx(-1e30) and data["f"] == 0.5


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le-bom"])
def test_saved_by_another_program(tmp_path, encoding):
    text = _json(name="王小明").decode()
    content = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    (tmp_path / "quiz.json").write_bytes(content)
    (found,) = collect(tmp_path).found
    assert found.data["name"] == "王小明" and not found.notes


@pytest.mark.parametrize(
    ("name", "encoding", "read", "note"),
    [
        ("許功蓋", "cp950", "許功蓋", "read as Big5, look at the name"),  # the second half of each is a backslash
        ("囧", "gb18030", "囧", "read as GB 18030, look at the name"),
        ("José", "latin-1", "Jos\ufffd", "some characters are lost"),
    ],
)
def test_not_utf8_is_read_and_noted(tmp_path, name, encoding, read, note):
    (tmp_path / "quiz.json").write_bytes(_json(name=name).decode().encode(encoding))
    (found,) = collect(tmp_path).found
    assert found.data == GOOD | {"name": read}
    assert found.notes == (f"not UTF-8 (saved by another program?): {note}",)


def test_too_large_is_refused_before_reading(tmp_path, monkeypatch):
    with open(tmp_path / "quiz.json", "wb") as opened:
        opened.truncate(50 * 2**20)
    (tmp_path / "b.json").write_bytes(_json())
    opened, real = [], Path.open

    def spy(self, *arguments, **options):
        opened.append(self.name)
        return real(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", spy)
    got = collect(tmp_path)
    assert "50 MB, and a hand-in has less than 2 MB" in _lines(got)["quiz.json"]
    assert opened == ["b.json"] and len(got.found) == 1


@pytest.mark.parametrize(("size", "told"), [(incoming.MAX_BYTES + 1, "2.1 MB"), (int(2.3 * 2**20), "2.3 MB")])
def test_what_is_a_little_too_large_is_not_called_as_large_as_it_may_be(tmp_path, size, told):
    (tmp_path / "quiz.json").write_bytes(b" " * size)
    assert _lines(collect(tmp_path)) == {"quiz.json": f"{told}, and a hand-in has less than 2 MB: not read"}


def test_links_and_pipes_are_not_followed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.json").write_bytes(_json())
    (tmp_path / "in" / "link.json").symlink_to(tmp_path / "secret.json")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    os.mkfifo(tmp_path / "in" / "pipe.json")
    got = collect(tmp_path / "in")
    assert not got.found
    assert set(_lines(got)) == {"link.json", "pipe.json"}


def test_bombs(tmp_path, monkeypatch):
    monkeypatch.setattr(incoming, "MAX_MEMBERS", 50)
    zeros = _zip({"quiz.json": b" " * 1_900_000})
    (tmp_path / "a-ratio.zip").write_bytes(zeros)
    (tmp_path / "b-size.zip").write_bytes(_zip({"quiz.json": b" " * 3 * 2**20}))
    (tmp_path / "c-count.zip").write_bytes(_zip({f"eve_{n}.json": b"{}" for n in range(51)}))
    (tmp_path / "d-deep.zip").write_bytes(_zip({"1.zip": _zip({"2.zip": _zip({"quiz.json": _json()})})}))
    (tmp_path / "e-sum.zip").write_bytes(_zip({"1.zip": _zip({f"{n}.json": b" " * 1_900_000 for n in range(20)})}))
    (tmp_path / "f-good.zip").write_bytes(_zip({"quiz.json": _json()}))
    got = collect(tmp_path)
    lines = _lines(got)
    assert "packed to less than a 200th" in lines["a-ratio.zip/quiz.json"]
    assert "3 MB, and a hand-in" in lines["b-size.zip/quiz.json"]
    assert "51 files, as no student has" in lines["c-count.zip/eve"]
    assert "an archive in an archive in an archive" in lines["d-deep.zip/1.zip/2.zip"]
    assert "unpacks to more than 20 MB" in lines["e-sum.zip/1.zip"]
    assert [one.where for one in got.found] == ["f-good.zip/quiz.json"] and len(lines) == 5


@pytest.mark.parametrize(
    ("ada", "eve", "whose"),
    [
        ("Ada_1_assignsubmission_file/", "Eve_2_assignsubmission_file/", "Eve_2_assignsubmission_file"),  # Moodle
        ("export/submission_1/", "export/submission_2/", "export/submission_2"),  # Gradescope
        ("ada_1_11_", "eve_2_22_", "eve"),  # Canvas
    ],
)
@pytest.mark.parametrize(("count", "size", "line"), [(51, 0, "51 files"), (3, 50_000, "unpacks to more")])
def test_who_hands_in_too_much_costs_nobody_else(tmp_path, monkeypatch, ada, eve, whose, count, size, line):
    monkeypatch.setattr(incoming, "MAX_MEMBERS", 50)
    monkeypatch.setattr(incoming, "MAX_UNPACKED", (100_000, 100_000))
    members = {f"{ada}hw9.json": _json(), "__MACOSX/._x": b""} | {f"{eve}{n}.json": b" " * size for n in range(count)}
    (tmp_path / "a.zip").write_bytes(_zip(members))
    got = collect(tmp_path / "a.zip")
    assert [one.where for one in got.found] == [f"a.zip/{ada}hw9.json"]
    ((where, said),) = got.problems
    assert where == f"a.zip/{whose}" and said.startswith(line)


def test_a_course_of_many_is_read_and_one_without_end_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(incoming, "MAX_UNPACKED", (1000, 1000))
    (tmp_path / "a.zip").write_bytes(_zip({f"S{n}/hw9.json": _json() for n in range(40)}))
    assert len(collect(tmp_path / "a.zip").found) == 40
    monkeypatch.setattr(incoming, "MAX_COURSE", 10 * len(_json()))
    got = collect(tmp_path / "a.zip")
    assert len(got.found) == 10 and "from a.zip/S10 on, not read" in _lines(got)["a.zip"]
    (tmp_path / "b.zip").write_bytes(_zip({"hw9.json": _json()}))  # beside it in a folder, perhaps another student's
    assert [one.where for one in collect(tmp_path).found][10:] == ["b.zip/hw9.json"]


def test_a_list_of_files_beside_the_students_folders_does_not_make_them_one_student(tmp_path, monkeypatch):
    monkeypatch.setattr(incoming, "MAX_MEMBERS", 20)
    members = {"index.html": b"<ul>", "sub/Ada_1/hw9.json": _json()} | {f"sub/Eve_2/{n}.png": b"" for n in range(21)}
    (tmp_path / "a.zip").write_bytes(_zip({**members, "sub/Finn_3/hw9.json": _json()}))
    got = collect(tmp_path / "a.zip")
    assert [one.where for one in got.found] == ["a.zip/sub/Ada_1/hw9.json", "a.zip/sub/Finn_3/hw9.json"]
    assert _lines(got)["a.zip/sub/Eve_2"].startswith("21 files")


def test_what_a_student_packs_into_many_archives_counts_together(tmp_path, monkeypatch):
    monkeypatch.setattr(incoming, "MAX_UNPACKED", (10_000, 3_000))
    inner = {f"Eve/{n}.zip": _zip({f"{k}.json": _json() + b" " * 900 for k in range(2)}) for n in range(9)}
    (tmp_path / "a.zip").write_bytes(_zip({**inner, "Finn/hw9.json": _json()}))
    got = collect(tmp_path / "a.zip")
    assert [one.where for one in got.found if "Eve" not in one.where] == ["a.zip/Finn/hw9.json"]
    assert len(got.found) == 1 + 2 * 5  # of about 1,000 bytes each
    assert set(_lines(got)) == {f"a.zip/Eve/{n}.zip" for n in range(5, 9)}
    assert all(line.startswith("unpacks to more than") for line in _lines(got).values())
    monkeypatch.setattr(incoming, "MAX_COURSE", 4_500)
    got = collect(tmp_path / "a.zip")
    assert len(got.found) == 4 and "from a.zip/Eve/2.zip on, not read" in _lines(got)["a.zip/Eve/2.zip"]


@pytest.mark.parametrize("long", ["課" * 60, "x" * 240])
def test_a_name_too_long_to_be_shown_is_known_by_its_ending(tmp_path, long):
    content = {f"{long}/{long[:80]}/hw9.json": _json()}
    try:
        (tmp_path / f"{long}.zip").write_bytes(_zip(content))
    except OSError:
        pytest.skip("this disk has no names so long")
    for source in (tmp_path, tmp_path / f"{long}.zip"):
        got = collect(source)
        assert len(got.found) == 1 and not got.problems


def test_a_students_archive_may_hold_the_notebooks(tmp_path):
    inner = _zip({"hw9.json": _json(), "hw9.ipynb": b"\1" * 3 * 2**20}, zipfile.ZIP_STORED)
    (tmp_path / "a.zip").write_bytes(_zip({"Ada/hw9.zip": inner}, zipfile.ZIP_STORED))
    assert [one.where for one in collect(tmp_path / "a.zip").found] == ["a.zip/Ada/hw9.zip/hw9.json"]
    with open(tmp_path / "large.zip", "wb") as opened, zipfile.ZipFile(opened, "w") as archive:
        archive.writestr("Eve/hw9.zip", b"\0" * (incoming.MAX_PACKED + 2**20))
    assert "21 MB, and a student's archive has less than 20 MB" in _lines(collect(tmp_path / "large.zip")).popitem()[1]


def test_a_member_that_lies_about_its_size_is_cut_there(tmp_path):
    packed = bytearray(_zip({"quiz.json": _json() + b" " * 1_000_000}))
    for signature, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):  # size in the local header and in the directory
        start = packed.index(signature)
        packed[start + at : start + at + 4] = struct.pack("<I", 10)
    (tmp_path / "a.zip").write_bytes(packed)
    got = collect(tmp_path)
    assert not got.found and "cannot be read" in _lines(got)["a.zip/quiz.json"]


def test_names_that_climb_write_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    content = {"../../out.json": _json(), "/etc/out.json": _json(), "..\\..\\win.json": _json(), "C:\\x.json": _json()}
    (tmp_path / "in" / "a.zip").write_bytes(_zip(content))
    before = sorted(tmp_path.rglob("*"))
    got = collect(tmp_path / "in")
    assert [one.where for one in got.found] == [
        f"a.zip/{name}" for name in ("out.json", "etc/out.json", "win.json", "C:/x.json")
    ]
    assert sorted(tmp_path.rglob("*")) == before


def test_damaged_archives_are_one_line_each(tmp_path):
    good = _zip({"quiz.json": _json()}, zipfile.ZIP_STORED)
    encrypted = bytearray(good)
    for signature, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        encrypted[encrypted.index(signature) + at] |= 1
    method = bytearray(good)
    for signature, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        method[method.index(signature) + at] = 77
    broken = {
        "empty": b"",
        "text": b"no archive",
        "cut": good[:-10],
        "spoilt": good.replace(b"Ada", b"Bob"),
        "locked": encrypted,
    }
    spoilt = bytearray(_zip({"quiz.json": _json()}, zipfile.ZIP_LZMA))
    at = spoilt.index(b"quiz.json") + len("quiz.json")
    spoilt[at + 15] ^= 255
    spoilt[at + 16] ^= 255
    nameless = _zip({"Q": _json()}).replace(b"Q", b"\0")
    far = bytearray(_zip({"Q": _json()}))  # its file begins at byte 2 ** 63, as zip64 tells
    at = far.index(b"PK\1\2")
    struct.pack_into("<HHI", far, at + 30, 12, 0, 0)
    struct.pack_into("<I", far, at + 42, 2**32 - 1)
    far[at + 47 : at + 47] = struct.pack("<HHQ", 1, 8, 2**63)
    struct.pack_into("<I", far, far.index(b"PK\5\6") + 12, 47 + 12)
    broken |= {"nameless": nameless, "far": far, "method": method, "lzma": spoilt}
    for name, content in broken.items():
        (tmp_path / f"{name}.zip").write_bytes(content)
    (tmp_path / "quiz.json").write_bytes(_json())
    got = collect(tmp_path)
    assert len(got.found) == 1
    assert sorted(where.split(".")[0] for where in _lines(got)) == sorted(broken)
    assert "Bad CRC" in _lines(got)["spoilt.zip/quiz.json"]
    for name, content in broken.items():  # inside the platform's archive
        (tmp_path / "class").write_bytes(_zip({f"Eve/{name}.zip": bytes(content), "Finn/hw9.json": _json()}))
        (tmp_path / "class").rename(tmp_path / "class.zip")
        got = collect(tmp_path / "class.zip")
        assert len(got.found) == 1 and len(got.problems) == 1, name


def test_clean():
    assert clean("  Ada \n\tLovelace ") == "Ada Lovelace"
    assert clean("evil\u202egpj.exe\x1b[31m\ud800\0") == "evilgpj.exe[31m"
    assert clean("x" * 200, 10) == "xxxxxxxxx…"
    assert clean(4711) == "4711" and clean(None) == clean(True) == clean(["a"]) == clean({}) == ""
    assert clean("王小明 <b>") == "王小明 <b>"
