"""The lesson says what it uses, falls back loudly, and refuses what it cannot use in one clear line."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from hw9.vision import inference, lesson, photographs
from hw9.vision.classifier import CompactCNN, CourseCNN, save_checkpoint
from hw9.vision.sprites import LESSON_LABELS

NOTHING = (np.zeros((0, 3, 32, 32), np.uint8), np.zeros(0, np.int64))
FOOD = lesson.Lesson(
    "scenes", 32, {"training": NOTHING, "validation": NOTHING}, *[None] * 4, objects=None, figures=lesson.ROOT / "runs"
)


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
    assert lesson.choose() == ("sprites", 96)
    line = capsys.readouterr().out
    assert "scenes" in line and "set DATA" in line


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
    assert lesson.choose() == (tmp_path, 96)


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
    network, history = lesson.train_or_load(FOOD, str(tmp_path / "a.safetensors"))
    assert isinstance(network, CompactCNN) and history is None and "Loaded CompactCNN" in capsys.readouterr().out
    save_checkpoint(tmp_path / "b.safetensors", CompactCNN(classes=3), {})
    other = CompactCNN()
    other.class_names = tuple(f"bird {k}" for k in range(11))
    save_checkpoint(tmp_path / "c.safetensors", other, {})
    for name, what in (("b", "3 classes"), ("c", r"11 classes apart \(bird 0, .*\), not the lesson's 11 kinds")):
        with pytest.raises(ValueError, match=what):
            lesson.train_or_load(FOOD, str(tmp_path / f"{name}.safetensors"))


def test_the_course_checkpoint_gets_pictures_of_its_size_also_on_a_cpu(no_food, monkeypatch):
    class Bare(CourseCNN):  # its millions of weights take time, and are not asked for
        def __init__(self):
            nn.Module.__init__(self)
            self.class_names = lesson.CLASS_NAMES

    saved = {"checkpoint.pth": Bare(), "compact.pth": CompactCNN()}
    monkeypatch.setattr(lesson, "load_checkpoint", lambda path, device: saved[path.name])
    assert lesson.choose(model="compact.pth") == ("sprites", 96)
    assert lesson.choose(model=' "checkpoint.pth"') == ("sprites", 128)
    assert lesson.train_or_load(replace(FOOD, size=128), "checkpoint.pth") == (saved["checkpoint.pth"], None)
    with pytest.raises(ValueError, match="takes 128 px, not 96: choose pictures with size=128"):
        lesson.train_or_load(replace(FOOD, size=96), "checkpoint.pth")


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
    for path in ("~", " ~ ", '"~"'):
        assert lesson.photographs(path, 32).names == ["a.png"]
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


def test_the_shipped_networks_are_as_good_as_their_cards_say():
    """About half of the free photographs of other kitchens; before it has seen any such, a third."""
    for path, least, most in ((lesson.READER, 0.48, 0.66), (lesson.START, 0.22, 0.42)):
        network = lesson.load_checkpoint(path)
        free = lesson.free_photographs("measure", network.input_size)
        right = (inference.predict(network, free.images).argmax(1) == free.labels).float().mean()
        assert len(free.labels) == 70 and least < right < most, path.name
        assert network.metrics["accuracy"] > 0.75 and str(network.input_size) in path.with_suffix(".md").read_text()


def test_fine_tuning_keeps_the_early_layers_and_a_fifth_of_the_old_weights(monkeypatch, tmp_path):
    start = lesson.load_checkpoint(lesson.START).state_dict()

    def train(network, *_, fixed, **options):
        assert [id(module) for module in fixed] == [id(module) for module in network.features[:4]]
        with torch.no_grad():
            network.head[3].weight.zero_()
        return "history"

    monkeypatch.setattr(lesson, "train", train)
    monkeypatch.setattr(lesson, "ROOT", tmp_path)
    network, history = lesson.train_or_load(FOOD)
    assert history == "history" and network.input_size == FOOD.size
    assert torch.allclose(network.head[3].weight, lesson.KEPT * start["head.3.weight"], atol=1e-6)
    assert torch.allclose(network.features[7].conv1.weight, start["features.7.conv1.weight"], atol=1e-6)


def test_a_gpu_with_food11_trains_from_random_weights(monkeypatch):
    seen = []
    monkeypatch.setattr(lesson, "train", lambda network, *_, **options: seen.append(network))
    monkeypatch.setattr(lesson.CompactCNN, "to", lambda self, _: self)
    lesson.train_or_load(replace(FOOD, name="Food-11"), device="cuda")
    start = lesson.load_checkpoint(lesson.START).state_dict()["features.0.weight"]
    assert not torch.equal(seen[0].features[0].weight, start)


def test_the_course_network_is_trained_on_a_gpu_and_its_layers_are_shown(tmp_path, monkeypatch, capsys):
    class Here(CourseCNN):  # a GPU is pretended
        def to(self, device=None, **options):
            return super().to(**options) if options else self

    Here.__name__ = "CourseCNN"
    monkeypatch.setattr(lesson, "CourseCNN", Here)
    monkeypatch.setattr(lesson, "ROOT", tmp_path)
    monkeypatch.setattr(lesson.course, "EPOCHS", 1)
    monkeypatch.setattr(lesson.course, "BATCH", 2)
    food = lesson.choose(str(write_food(tmp_path / "food11", per_class=2)), device="cuda")
    assert food.size == 128
    food.splits = {name: (pictures[:4], labels[:4]) for name, (pictures, labels) in food.splits.items()}
    torch.manual_seed(0)
    before = Here().cnn[23].weight
    network, history = lesson.train_or_load(food, "Course", device="cuda")
    assert "course's own network from random weights" in capsys.readouterr().out
    assert len(history.epochs) == 1 and not network.training
    assert (network.cnn[23].weight - before).abs().max() > 0
    assert list(lesson.layers_of(network, food.images)) == [6, 15, 21, 23]
    saved = lesson.load_checkpoint(tmp_path / "runs" / "food-11-128-course.safetensors")
    assert torch.equal(saved.cnn[23].weight, network.cnn[23].weight)
    with pytest.raises(ValueError, match="takes 128 px, not 96"):
        lesson.train_or_load(replace(food, size=96), "course", device="cuda")


def test_without_a_gpu_the_course_network_is_priced_and_the_lesson_goes_on(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(lesson.course, "hours", lambda pictures, epochs: 0.01 * pictures * epochs)
    monkeypatch.setattr(lesson, "train", lambda network, *_, **options: seen.append(network))
    monkeypatch.setattr(lesson, "toward", lambda *_: None)
    monkeypatch.setattr(lesson, "save_checkpoint", lambda *_: None)
    food = replace(FOOD, name="Food-11", splits={"training": (None, np.zeros(50)), "validation": NOTHING})
    lesson.train_or_load(food, "course")
    said = capsys.readouterr().out
    assert "would take about 30 hours" in said and "60 epochs" in said and "Fine-tuning" in said
    assert isinstance(seen[0], CompactCNN)


def test_hours_are_those_of_a_step_times_pictures_and_epochs(monkeypatch):
    times = iter([10.0, 13.0])
    monkeypatch.setattr(lesson.course.time, "perf_counter", lambda: next(times))
    monkeypatch.setattr(lesson.course, "CourseCNN", CompactCNN)
    assert lesson.course.hours(1200, 3, batch=1) == pytest.approx(3.0)  # 3 s for each of 3,600


def test_photographs_come_with_masks_or_say_what_is_left_out(tmp_path, capsys):
    free = lesson.photographs("", 32)
    assert free.images.shape == (10, 3, 32, 32) and free.labels.tolist() == list(LESSON_LABELS)
    assert free.masks.shape == (10, 32, 32) and 0.2 < free.masks.float().mean() < 0.6
    Image.new("RGB", (30, 20), "red").save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    capsys.readouterr()
    own = lesson.photographs(str(tmp_path), 32)
    assert own.names == ["a.png"] and own.images.shape == (1, 3, 32, 32) and own.masks is None
    assert "left out: b.jpg" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match="no such folder"):
        lesson.photographs(str(tmp_path / "none"), 32)


def test_every_photograph_that_ships_has_a_licence_and_none_is_for_research_only():
    rows = list(csv.DictReader((photographs.ROOT / "index.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["file"] for row in rows} == {
        p.relative_to(photographs.ROOT).as_posix() for p in photographs.ROOT.rglob("*.jpg")
    }
    for row in rows:
        assert row["licence"] in {"MIT", "CC BY 4.0", "CC BY 2.0", "Public domain (Unlicense)"}, row["file"]
        assert (photographs.ROOT / "LICENSES" / f"{row['source'].split('@')[0].replace('/', '__')}.txt").is_file()
        assert row["attribution"] or not row["licence"].startswith("CC"), row["file"]
    assert not any("food-101" in str(row).lower() or "food11" in str(row).lower() for row in rows)


def test_layers_of_the_lesson_exist():
    for build in (CompactCNN, CourseCNN):
        model = build()
        features = getattr(model, "cnn", None) or model.features
        assert all(0 <= index < len(features) for index in lesson.LAYERS[build.__name__])


def test_layers_of_any_network_are_listed_or_found():
    images = torch.rand(2, 3, 32, 32)
    assert lesson.layers_of(nn.DataParallel(CompactCNN()), images) == lesson.LAYERS["CompactCNN"]
    other = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8 * 28 * 28, 11))
    assert list(lesson.layers_of(other, images)) == ["0", "1", "2"]
