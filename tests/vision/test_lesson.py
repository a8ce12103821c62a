"""The lesson says what it uses, falls back loudly, and refuses what it cannot use in one clear line."""

import numpy as np
import pytest
import torch
from PIL import Image

from hw9.vision import lesson
from hw9.vision.classifier import CompactCNN, CourseCNN, save_checkpoint
from hw9.vision.sprites import LESSON_LABELS


@pytest.fixture()
def no_food(monkeypatch):
    monkeypatch.setattr(lesson, "find_food11", lambda path=None: None)
    monkeypatch.setattr(lesson, "_sprites", lambda size: ("sprites", size))


def write_food(folder, per_class=3):
    random = np.random.default_rng(0)
    for split in ("training", "validation"):
        (folder / split).mkdir(parents=True)
        for label in range(11):
            for n in range(per_class):
                pixels = random.integers(0, 255, (20, 24, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / f"{label}_{n}.jpg")
    return folder


def test_without_food11_on_a_cpu_the_sprites_are_used_and_nothing_is_downloaded(no_food, monkeypatch, capsys):
    monkeypatch.setattr(lesson, "download_food11", lambda *_: pytest.fail("downloaded"))
    assert lesson.choose() == ("sprites", 64)
    line = capsys.readouterr().out
    assert "synthetic" in line and "set DATA" in line


def test_a_failed_download_on_a_gpu_is_loud_and_falls_back(no_food, monkeypatch, capsys):
    def fail(*_):
        raise OSError("no network")

    monkeypatch.setattr(lesson, "download_food11", fail)
    assert lesson.choose(device="cuda") == ("sprites", 128)
    assert "!!! Food-11 could not be downloaded: no network" in capsys.readouterr().out


def test_in_colab_food11_is_downloaded_even_without_a_gpu(no_food, monkeypatch, tmp_path):
    monkeypatch.setitem(lesson.sys.modules, "google.colab", lesson)
    monkeypatch.setattr(lesson, "download_food11", lambda _: tmp_path)
    monkeypatch.setattr(lesson, "_photographs", lambda where, size: (where, size))
    assert lesson.choose() == (tmp_path, 64)


def test_food11_is_used_where_it_is(tmp_path, capsys):
    where = write_food(tmp_path / "food11")
    found = lesson.choose(str(where), size=32)
    out = capsys.readouterr().out
    assert f"Food-11 from {where}" in out and "no evaluation split" in out
    assert found.images.shape == (10, 3, 32, 32) and found.masks is None
    assert found.labels.tolist() == list(LESSON_LABELS) and len(set(found.names)) == 10
    assert [int(name.split("_")[0]) for name in found.names] == list(LESSON_LABELS)
    assert set(found.splits) == {"training", "validation"} and found.figures.name == "own"


def test_a_class_that_is_missing_is_named_and_the_lesson_goes_on_without_it(tmp_path, capsys):
    where = write_food(tmp_path / "food11", per_class=2)
    for picture in (*(where / "validation").glob("9_*"), where / "validation" / "1_0.jpg"):
        picture.unlink()
    (where / "test").mkdir()
    Image.new("RGB", (9, 9)).save(where / "test" / "0001.jpg")  # as ML2022 hands it out
    with pytest.warns(UserWarning, match="no pictures of Soup"):
        found = lesson.choose(str(where), size=32)
    wanted = [label for label in LESSON_LABELS if label != 9]
    wanted.remove(1)
    assert found.labels.tolist() == wanted and len(found.images) == len(found.names) == 8
    assert [int(name.split("_")[0]) for name in found.names] == wanted and set(found.splits) == {
        "training",
        "validation",
    }
    said = capsys.readouterr().out
    assert "too few pictures of Soup" in said and "too few pictures of Dairy product" in said
    assert "The evaluation split is left out: " in said and "none of its 1 files has a class; test/0001.jpg" in said
    for picture in (where / "validation").glob("[0-8]_*"):
        picture.unlink()
    with (
        pytest.warns(UserWarning, match="no pictures of"),
        pytest.raises(ValueError, match="no picture of the lesson's"),
    ):
        lesson.choose(str(where), size=32)


def test_a_path_without_food11_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        lesson.choose(str(tmp_path / "nowhere"))


def test_the_embedded_lesson_is_complete_and_repeatable():
    images, labels, masks, names = lesson.lesson_pictures(64)
    again = lesson.lesson_pictures(64)[0]
    assert torch.equal(images, again) and labels.tolist() == list(LESSON_LABELS)
    assert masks.shape == (10, 64, 64) and masks.flatten(1).any(1).all() and len(names) == 10


def test_a_checkpoint_is_loaded_instead_of_training(tmp_path, capsys):
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "a.safetensors", CompactCNN(), {})
    network, history = lesson.train_or_load(None, str(tmp_path / "a.safetensors"))
    assert isinstance(network, CompactCNN) and history is None and "Loaded CompactCNN" in capsys.readouterr().out
    save_checkpoint(tmp_path / "b.safetensors", CompactCNN(classes=3), {})
    with pytest.raises(ValueError, match="3 classes"):
        lesson.train_or_load(None, str(tmp_path / "b.safetensors"))


def nothing() -> lesson.Lesson:
    return lesson.Lesson("scenes", 32, {"training": (), "validation": ()}, *[None] * 6)


def test_a_home_folder_and_capital_letters_are_understood(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_checkpoint(tmp_path / "a.safetensors", CompactCNN(), {})
    assert isinstance(lesson.train_or_load(nothing(), "~/a.safetensors")[0], CompactCNN)
    with pytest.raises(FileNotFoundError, match=rf"no checkpoint at {tmp_path}/b.pth"):
        lesson.train_or_load(nothing(), "~/b.pth")
    monkeypatch.setattr(lesson, "train", lambda *_, **__: "history")
    trained, history = lesson.train_or_load(nothing(), " Train")
    assert history == "history" and trained.input_size == 32 and "random weights" in capsys.readouterr().out
    Image.new("RGB", (30, 20), "red").save(tmp_path / "a.png")
    assert lesson.photographs("~", 32).names == ["a.png"]
    write_food(tmp_path / "food11")
    assert lesson.choose("~/food11", size=32).name == "Food-11"
    monkeypatch.setattr(lesson, "_sprites", lambda size: ("sprites", size))
    assert lesson.choose("Sprites", size=32) == ("sprites", 32)


def test_more_photographs_than_are_shown_is_said(tmp_path, capsys):
    for number in range(15):
        Image.new("RGB", (30, 20), "red").save(tmp_path / f"photo{number}.png")
    found = lesson.photographs(str(tmp_path), 32)
    assert len(found.images) == 12 and found.names[-1] == "photo11.png"
    said = capsys.readouterr().out
    assert f"{tmp_path} holds 15 files: the first 12 pictures are explained here" in said and "hw9 explain" in said
    (tmp_path / "none" / "deeper").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="only folders here; put your photographs"):
        lesson.photographs(str(tmp_path / "none"), 32)


def test_the_shipped_network_reads_photographs():
    reader = lesson.load_checkpoint(lesson.ROOT / "checkpoints" / "compact-food11.safetensors")
    photos, names = lesson.own_photographs("", reader.input_size)
    assert photos.shape == (2, 3, reader.input_size, reader.input_size) and names == ["a cup of coffee", "a cat"]
    with torch.inference_mode():
        assert reader(photos).shape == (2, 11)
    assert reader.metrics["accuracy"] > 0.6


def test_own_photographs_names_what_is_left_out(tmp_path, capsys):
    Image.new("RGB", (30, 20), "red").save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    images, names = lesson.own_photographs(str(tmp_path), 32)
    assert names == ["a.png"] and images.shape == (1, 3, 32, 32) and "left out: b.jpg" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match="no such folder"):
        lesson.own_photographs(str(tmp_path / "none"), 32)


def test_layers_of_the_lesson_exist():
    for build in (CompactCNN, CourseCNN):
        model = build()
        features = getattr(model, "cnn", None) or model.features
        assert all(0 <= index < len(features) for index in lesson.LAYERS[build.__name__])
