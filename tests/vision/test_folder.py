"""A whole folder is explained: every file has its row, a run goes on where it stopped, shards make one table."""

import csv
import errno
import os

import numpy as np
import pytest
import torch
from PIL import Image

from hw9.__main__ import main
from hw9.vision import attribution, folder
from hw9.vision.classifier import CompactCNN, save_checkpoint
from hw9.vision.food11 import read_folder
from hw9.vision.inference import predict

PICTURES = ["a.jpg", "b.png", "deep/1/c.png", "deep/1/d.png", "deep/e10.png", "deep/e9.png"]


@pytest.fixture()
def place(tmp_path):
    torch.manual_seed(0)
    network = CompactCNN()
    network.input_size = 32
    save_checkpoint(tmp_path / "net.safetensors", network, {})
    random = np.random.default_rng(0)
    for name in PICTURES:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    return tmp_path


def explain(place, out, **options):
    options = {"model": place / "net.safetensors", "methods": ["saliency"], "device": "cpu"} | options
    return folder.explain_folder(place / "in", place / out, **options)


def rows_of(table):
    with open(table, newline="", encoding="utf-8-sig") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def test_a_map_for_each_picture_and_a_row_for_each_file(place):
    Image.new("RGB", (40, 40), "white").save(place / "in" / "blank.png")
    for name in PICTURES[1:]:
        (place / "in" / name).unlink()
    arguments = ["--model", str(place / "net.safetensors"), "--methods", "Saliency, integrated-gradients,lime"]
    assert main(["explain", str(place / "in"), *arguments, "--out", str(place / "in" / "out"), "--device", "cpu"]) == 0
    rows = rows_of(place / "in" / "out" / "table.csv")
    assert list(rows) == ["a.jpg", "blank.png", "notes.txt"]
    assert rows["notes.txt"]["problem"] == "not a picture" and rows["notes.txt"]["class"] == ""
    assert rows["blank.png"]["problem"] == "lime: no part of this picture can be hidden"
    assert rows["a.jpg"]["problem"] == "" and float(rows["a.jpg"]["lime_r2"]) > 0 == len(rows["blank.png"]["lime_r2"])
    assert float(rows["a.jpg"]["integrated_gradients_gap"]) < 0.05
    network = folder.load_checkpoint(place / "net.safetensors")
    images, names, _ = read_folder(place / "in", 32)
    said = predict(network, images)
    bare = attribution.integrated_gradients(network, images, said.argmax(1), settle=False)
    gaps = attribution.completeness_gap(network, images, said.argmax(1), bare)  # settled, they would warn of nothing
    for number, name in enumerate(names):
        assert rows[name]["class"] == network.class_names[said[number].argmax()]
        assert float(rows[name]["integrated_gradients_gap"]) == pytest.approx(float(gaps[number]), rel=0.02, abs=1e-4)
        assert float(rows[name]["probability"]) == pytest.approx(float(said[number].max()), abs=1e-4)
        found = np.asarray(Image.open(place / "in" / "out" / "saliency" / f"{name}.png"))
        wanted = attribution.heatmap(attribution.saliency(network, images, said.argmax(1)))[number]
        assert found.shape == (32, 32) and np.abs(found - 255 * wanted.numpy()).max() <= 1
    assert (place / "in" / "out" / "lime" / "a.jpg.png").is_file()
    assert not (place / "in" / "out" / "lime" / "blank.png.png").exists()


def test_a_run_goes_on_where_it_was_killed(place, monkeypatch, capsys):
    whole = rows_of(explain(place, "whole"))
    monkeypatch.setattr(folder, "AT_A_TIME", 2)
    decoding, decoded = folder.pictures.decoding, []

    def watched(files, size):
        decoded.extend(path.name for path in files)
        if len(decoded) > 4:
            raise KeyboardInterrupt
        return decoding(files, size)

    monkeypatch.setattr(folder.pictures, "decoding", watched)
    with pytest.raises(KeyboardInterrupt):
        explain(place, "out")
    assert not (place / "out" / "table.csv").exists()
    part = place / "out" / "table-0of1.csv"
    part.write_text(part.read_text(encoding="utf-8")[:-5], encoding="utf-8")  # killed while it wrote the fourth row
    monkeypatch.setattr(folder.pictures, "decoding", decoding)
    first = (place / "out" / "saliency" / "a.jpg.png").stat().st_mtime_ns
    assert rows_of(explain(place, "out")) == whole and "3 of 7 files are done already" in capsys.readouterr().out
    assert (place / "out" / "saliency" / "a.jpg.png").stat().st_mtime_ns == first
    with pytest.raises(ValueError, match="holds maps of another folder, model or methods: choose another --out"):
        explain(place, "out", methods=["smoothgrad"])


def test_a_run_reads_again_what_changed_or_had_a_problem(place, capsys):
    explain(place, "out")
    maps = {name: place / "out" / "saliency" / f"{name}.png" for name in PICTURES}
    before = {name: path.stat().st_mtime_ns for name, path in maps.items()}
    Image.open(place / "in" / "b.png").rotate(180).save(place / "in" / "a.jpg")  # another picture takes the name
    Image.open(place / "in" / "b.png").save(place / "in" / "notes.txt", "PNG")
    (place / "in" / "b.png").write_text("no picture any more")
    rows = rows_of(explain(place, "out"))
    assert "4 of 7 files are done already" in capsys.readouterr().out
    assert rows["notes.txt"]["problem"] == "" != rows["notes.txt"]["class"]
    assert rows["b.png"]["problem"] == "not a picture" and not maps["b.png"].exists()
    assert {name for name in PICTURES if maps[name].exists() and maps[name].stat().st_mtime_ns == before[name]} == {
        *PICTURES[2:]
    }
    assert rows == rows_of(explain(place, "whole")) and len(rows) == 7


def test_maps_of_an_earlier_run_are_no_pictures_and_a_folder_that_is_closed_is_told(place, monkeypatch, capsys):
    whole = rows_of(explain(place, "in/deep/maps"))
    walk = folder.os.walk

    def closed(top, **options):
        options["onerror"](PermissionError(errno.EACCES, "Permission denied", f"{top}/secret"))
        return walk(top, **options)

    monkeypatch.setattr(folder.os, "walk", closed)
    assert rows_of(explain(place, "in/others")) == whole
    said = capsys.readouterr().out
    assert f"left out: {place / 'in' / 'deep' / 'maps'} (maps of an earlier run)\n" in said
    assert f"left out: {place / 'in'}/secret (cannot be opened: Permission denied)\n" in said


def test_a_network_trained_anew_is_another_one(place):
    explain(place, "out")
    network = folder.load_checkpoint(place / "net.safetensors")
    torch.nn.init.zeros_(network.head[3].bias)
    save_checkpoint(place / "net.safetensors", network, {})
    with pytest.raises(ValueError, match="holds maps of another folder, model or methods"):
        explain(place, "out")


def test_names_with_line_breaks_or_as_long_as_names_can_be(place):
    for name in PICTURES[1:]:
        (place / "in" / name).unlink()
    long, longest = "麵" * 80 + ".jpg", "麵" * 83 + ".jpg"  # 244 and 253 bytes; 255 is the most
    for name in (long, longest):
        Image.open(place / "in" / "a.jpg").save(place / "in" / name)
    for name in ("a\rb\nc.txt", "Icon\r"):  # the second is macOS's
        (place / "in" / name).write_text("no picture")
    table = explain(place, "out")
    rows = rows_of(table)
    assert set(rows) == {"a.jpg", long, longest, "a\rb\nc.txt", "notes.txt"}
    assert rows[long]["problem"] == "" and "too long for this disk" in rows[longest]["problem"]
    assert {path.name for path in (place / "out" / "saliency").iterdir()} == {"a.jpg.png", f"{long}.png"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among its files")
def test_a_pipe_is_no_picture_and_does_not_hold_up_the_others(place):
    os.mkfifo(place / "in" / "pipe.png")
    rows = rows_of(explain(place, "out"))
    assert rows["pipe.png"]["problem"] == "not a file" and rows["a.jpg"]["problem"] == ""


def test_pictures_behind_links_are_found_once_and_a_ring_ends(place):
    (place / "elsewhere").mkdir()
    (place / "in" / "deep" / "1" / "c.png").rename(place / "elsewhere" / "c.png")
    (place / "in" / "photos").symlink_to(place / "elsewhere")
    (place / "in" / "deep" / "ring").symlink_to(place / "in")
    wanted = {"a.jpg", "b.png", "deep/1/d.png", "deep/e10.png", "deep/e9.png", "notes.txt", "photos/c.png"}
    assert set(rows_of(explain(place, "out"))) == wanted


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EINVAL, errno.EILSEQ])
def test_a_map_that_the_disk_cannot_name_costs_no_other(place, monkeypatch, code):
    """Windows says so of a path too long, exFAT of letters that it does not have."""
    real = folder._save_map

    def save(path, values):
        if path.name.startswith("b.png"):
            raise OSError(code, "no such name")
        real(path, values)

    monkeypatch.setattr(folder, "_save_map", save)
    rows = rows_of(explain(place, "out"))
    assert rows["b.png"]["problem"] == "no map: no such name" and rows["a.jpg"]["problem"] == ""


def test_shards_make_one_table(place, monkeypatch):
    whole = rows_of(explain(place, "whole"))
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank in (2, 0, 1):
        monkeypatch.setenv("RANK", str(rank))
        table = explain(place, "out")
        assert table.exists() == (rank == 1)  # the last to finish
    found = rows_of(table)
    assert found == whole and list(found) == [*PICTURES[:4], "deep/e9.png", "deep/e10.png", "notes.txt"]
    assert sorted(p.name for p in table.parent.glob("table-*")) == [f"table-{k}of3.csv" for k in range(3)]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["in", "--methods", "saliency,gradcam"], "no method 'gradcam': take saliency, smoothgrad"),
        (["none"], "none: there is no such folder"),
        (["empty"], "empty: no files here"),
        (["in", "--model", "none.pth"], "no checkpoint at"),
        (["in", "--out", "in"], "in holds the pictures: give --out a folder of its own"),
        (["net.safetensors"], "net.safetensors: is a file, not a folder"),
        (["in", "--out", "damaged"], "damaged holds maps of another folder, model or methods"),
    ],
)
def test_what_cannot_be_used_is_one_line(place, arguments, line, capsys, monkeypatch):
    monkeypatch.chdir(place)
    (place / "empty").mkdir()
    (place / "damaged").mkdir()
    (place / "damaged" / "settings.json").write_text("{")
    assert main(["explain", "--out", "out", "--model", "net.safetensors", *arguments]) == 1
    said = capsys.readouterr().err.strip()
    assert line in said and said.startswith("error: ") and "\n" not in said
