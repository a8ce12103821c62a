"""The embedded photographs made again from a folder: shapes, splits by groups, facts and licences."""

import csv
import sys

import build_photos
import numpy as np
import pytest
from PIL import Image

FIELDS = ["file", "class", "source_repository", "source_commit", "source_path", "licence", "attribution", "group"]
FIELDS += ["background", "subject"]


def write(path, fields, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fields)
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture()
def photos(tmp_path):
    """One photograph of the lesson, others of its group, of many groups, a white cut-out and a repository to skip."""
    folder, rows = tmp_path / "in", []

    def add(file, group, background="natural", repository="someone/photos"):
        facts = ("3", repository, "0123456789", f"a/{file}", "MIT", "Someone", group, background, "an egg")
        rows.append(dict(zip(FIELDS, (file, *facts), strict=True)))
        (folder / "photos").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (200, 150), (200, 100, 50)).save(folder / "photos" / file)

    add("lesson.jpg", "breakfast")
    add("second.jpg", "breakfast")
    for number in range(24):
        add(f"other{number}.jpg", f"dish {number // 2}")
    add("white.jpg", "white", background="white")
    add("cutout.jpg", "cut", repository=build_photos.CUTOUTS)
    write(folder / "index.csv", FIELDS, rows)
    write(folder / "lesson" / "index.csv", ["photo"], [{"photo": "lesson.jpg"}])
    mask = np.zeros((150, 200), np.uint8)
    mask[:, :100] = 255
    (folder / "lesson" / "masks").mkdir()
    Image.fromarray(mask).save(folder / "lesson" / "masks" / "0.png")
    (folder / "licences").mkdir()
    (folder / "licences" / "someone__photos.txt").write_text("MIT licence")
    return folder


def test_photographs_are_made_listed_and_split_by_group(photos, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    (out / "train").mkdir(parents=True)
    (out / "train" / "old.jpg").touch()  # of an earlier run
    monkeypatch.setattr(sys, "argv", ["build_photos", str(photos), "--out", str(out)])
    build_photos.main()
    rows = list(csv.DictReader((out / "index.csv").read_text(encoding="utf-8").splitlines()))
    uses = {row["source"].split("/")[-1]: row["use"] for row in rows}
    assert len(rows) == 26 and "white.jpg" not in uses and "cutout.jpg" not in uses
    assert {row["file"] for row in rows} == {p.relative_to(out).as_posix() for p in out.rglob("*.jpg")}
    assert uses["lesson.jpg"] == "lesson" and uses["second.jpg"] == "measure"  # of a group that no training may see
    pairs = [{uses[f"other{number}.jpg"], uses[f"other{number + 1}.jpg"]} for number in range(0, 24, 2)]
    assert all(len(pair) == 1 for pair in pairs) and {"train", "measure"} == set().union(*pairs)
    assert rows[0]["label"] == "3" and rows[0]["source"] == "someone/photos@0123456 a/lesson.jpg"
    for path in out.rglob("*.jpg"):
        assert Image.open(path).size == (128, 128)
    mask = np.asarray(Image.open(out / "lesson" / "0.png"))
    assert mask.dtype == bool and mask[:, :64].all() and not mask[:, 64:].any()
    assert [p.name for p in (out / "LICENSES").iterdir()] == ["someone__photos.txt"]
    assert "26 photographs" in capsys.readouterr().out
