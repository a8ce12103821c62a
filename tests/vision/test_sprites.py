"""The synthetic picture set: deterministic, masks exact, classes unreadable from anything but the food."""

import csv
import pickle
import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hw9.vision import scenes, sprites
from hw9.vision.food11 import CLASS_NAMES
from hw9.vision.sprites import ROOT, SpriteFood11, lesson_pictures, load_library

SIDES = ("known", "unseen")
TOOLS = Path(__file__).parents[2] / "tools"
INDEX = list(csv.DictReader((ROOT / "index.csv").open(encoding="utf-8")))
NEUTRAL = (1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0)  # a camera that changes nothing


def pictures(dataset):
    return [dataset[i] for i in range(len(dataset))]


@pytest.fixture
def scenes_of(monkeypatch):
    """Scenes (and sprite names) that a dataset would paint, without painting them."""

    def collect(dataset):
        seen = []

        def record(scene, foods, things, size):
            seen.append((scene, [food.name for food in foods], [thing.name for thing in things]))
            return np.zeros((size, size, 3), np.uint8), np.zeros((size, size), bool), ""

        with monkeypatch.context() as patch:
            patch.setattr(sprites, "paint", record)
            pictures(dataset)
        return seen

    return collect


# -- what one gets ---------------------------------------------------------------------------------------------


def test_items_have_the_promised_types_and_shapes():
    dataset = SpriteFood11(23, 48, 1)
    assert len(dataset) == 23 and dataset.class_names == CLASS_NAMES
    for index, (image, label, mask) in enumerate(pictures(dataset)):
        assert image.shape == (3, 48, 48) and image.dtype == torch.float32
        assert image.min() >= 0 and image.max() <= 1 and image.std() > 0.02
        assert mask.shape == (48, 48) and mask.dtype == torch.bool
        assert type(label) is int and label == dataset.labels[index]


def test_labels_are_balanced_and_shuffled():
    labels = SpriteFood11(11 * 40 + 5, 16).labels
    assert labels.dtype == np.int64 and np.ptp(np.bincount(labels, minlength=11)) == 1
    assert len({tuple(block) for block in labels[:440].reshape(40, 11)}) > 35


def test_arrays_equal_the_items_one_by_one():
    dataset = SpriteFood11(12, 32, 3, split="known")
    images, labels, masks = dataset.arrays(progress=False)
    assert (images.dtype, labels.dtype, masks.dtype) == (np.uint8, np.int64, bool)
    for (image, label, mask), *row in zip(pictures(dataset), images, labels, masks, strict=True):
        assert np.array_equal((image.numpy() * 255).round(), row[0]) and label == row[1]
        assert np.array_equal(mask.numpy(), row[2])


def test_a_picture_depends_on_seed_and_index_alone():
    long, short = SpriteFood11(40, 32, 7), SpriteFood11(15, 32, 7)
    np.random.seed(123)
    torch.manual_seed(99)
    copied = pickle.loads(pickle.dumps(long))  # as a worker gets it
    for index in (14, 0, 9):
        assert torch.equal(long[index][0], short[index][0]) and long.labels[index] == short.labels[index]
        assert torch.equal(long[index][0], copied[index][0]) and torch.equal(long[index][2], copied[index][2])
    assert torch.equal(long[-1][0], long[39][0])
    assert not torch.equal(long[0][0], SpriteFood11(40, 32, 8)[0][0])


def test_another_size_shows_the_same_scene():
    for seed in range(3):
        small, large = SpriteFood11(11, 48, seed), SpriteFood11(11, 144, seed)
        for index in range(0, 11, 3):
            mask = large[index][2].reshape(48, 3, 48, 3).float().mean((1, 3)) > 0.5
            same, both = (mask & small[index][2]).sum(), (mask | small[index][2]).sum()
            assert same / both > 0.85
            low = torch.nn.functional.avg_pool2d(large[index][0], 3)
            assert (low - small[index][0]).abs().mean() < 0.05


# -- known and unseen ------------------------------------------------------------------------------------------


def test_no_unseen_food_occurs_in_training(scenes_of):
    listed = {side: {r["name"] for r in INDEX if r["kind"] == "food" and r["split"] == side} for side in SIDES}
    assert not listed["known"] & listed["unseen"]
    for split in ("train", "known", "unseen"):
        shown = {name for _, names, _ in scenes_of(SpriteFood11(440, 16, 0, split=split)) for name in names}
        side = "unseen" if split == "unseen" else "known"
        assert shown <= listed[side] and len(shown) > 0.9 * len(listed[side])


def test_a_food_is_on_the_same_side_in_every_style():
    sides, styles = {}, Counter()
    for row in INDEX:
        if row["kind"] == "food":
            sides.setdefault(row["name"], set()).add((row["split"], row["label"]))
            styles[row["name"], row["style"]] += 1
    assert all(len(side) == 1 for side in sides.values())
    assert max(styles.values()) == 1
    codes = {row["file"].rsplit("/", 1)[1]: set() for row in INDEX}
    for row in INDEX:
        codes[row["file"].rsplit("/", 1)[1]].add((row["split"], row["name"]))
    assert all(len(names) == 1 for names in codes.values())  # nor does one emoji hide under two names


def test_every_class_has_known_and_unseen_foods():
    for label in range(11):
        for side, least in (("known", 4), ("unseen", 2)):
            names = {r["name"] for r in INDEX if r["label"] == str(label) and r["split"] == side}
            assert len(names) >= least, (label, side)


def test_train_and_known_are_different_compositions(scenes_of):
    train, known = (scenes_of(SpriteFood11(50, 16, 4, split=split)) for split in ("train", "known"))
    assert not {scene.seed for scene, *_ in train} & {scene.seed for scene, *_ in known}


# -- nothing but the food tells the class ----------------------------------------------------------------------


def test_background_layout_and_distractors_do_not_depend_on_the_label(scenes_of):
    dataset, other = SpriteFood11(66, 16, 2), SpriteFood11(66, 16, 2)
    other.labels = (other.labels + 1) % 11
    before, after = scenes_of(dataset), scenes_of(other)
    assert [(scene, things) for scene, _, things in before] == [(scene, things) for scene, _, things in after]
    assert all(a[1] != b[1] for a, b in zip(before, after, strict=True))


def test_distractors_are_never_food(scenes_of):
    food = {row["name"] for row in INDEX if row["kind"] == "food"}
    seen = scenes_of(SpriteFood11(300, 16, 1))
    assert {len(things) for *_, things in seen} == {0, 1, 2, 3, 4}
    assert not food & {name for *_, things in seen for name in things}
    assert all(len(set(things)) == len(things) for *_, things in seen)
    assert {len(names) for _, names, _ in seen} == {1, 2, 3}


# -- the mask --------------------------------------------------------------------------------------------------


def painted(index, size, colour, **changes):
    """Picture `index` with a plain light and every food in one colour; any field of the scene can be changed."""
    dataset = SpriteFood11(index + 1, size, 6)
    kept = {}

    def record(scene, foods, things, size):
        kept.update(scene=scene, foods=foods, things=things)
        return np.zeros((size, size, 3), np.uint8), np.zeros((size, size), bool), ""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sprites, "paint", record)
        dataset[index]
    scene = replace(kept["scene"], camera=NEUTRAL, light=(-1.5, 0.0, 0.0, 0.4), **changes)
    things = kept["things"] if scene.things else []
    plain = []
    for food in kept["foods"]:
        levels = []
        for level in food.levels:
            array = np.array(level)
            array[..., :3] = array[..., 3:] * np.array(colour)
            levels.append(Image.frombytes("RGBa", level.size, array.tobytes()))
        plain.append(replace(food, levels=tuple(levels)))
    image, mask, _ = scenes.paint(scene, plain, things, size)
    return image.astype(float) / 255, mask


def test_the_mask_is_exactly_where_the_food_is_seen():
    """Where a red and a green food of the same shape give different pixels, there the food shows."""
    for index in range(40):
        red, mask = painted(index, 64, (1, 0, 0))
        green, same = painted(index, 64, (0, 1, 0))
        visible = np.abs(red - green).max(-1)  # alpha of the food, times what distractors in front let through
        assert np.array_equal(mask, same)
        clear = (visible < 0.2) | (visible > 0.8)
        assert np.array_equal(mask[clear], visible[clear] > 0.5)
        assert (mask == (visible > 0.5)).mean() > 0.98


def test_distractors_hide_little_of_the_food():
    some = 0
    for index in range(60):
        _, mask = painted(index, 64, (1, 0, 0))
        _, bare = painted(index, 64, (1, 0, 0), things=())
        assert not (mask & ~bare).any()
        assert mask.sum() >= 0.75 * bare.sum()
        some += mask.sum() < bare.sum()
    assert some > 5


def test_a_distractor_that_would_hide_the_food_goes_behind_it():
    library = load_library(ROOT)
    food, book = library.foods[0, "known"][0]["noto"], library.things[17]["noto"]
    scene = replace(scenes.Scene.draw(np.random.default_rng(0), 40), foods=(scenes.Spot(0.5, 0.5, 0.3, 0, False, 0.9),))
    for x, area, hides in ((0.5, 0.2, False), (0.5, 0.02, True), (0.75, 0.09, True), (0.6, 0.15, False)):
        thing = (17, scenes.Spot(x, 0.5, area, 0, False, 0.9), True)
        _, mask, _ = scenes.paint(replace(scene, things=(thing,)), [food], [book], 64)
        _, bare, _ = scenes.paint(replace(scene, things=()), [food], [], 64)
        assert (mask.sum() < bare.sum()) == hides and mask.sum() >= 0.75 * bare.sum()


def test_the_food_fills_a_fair_part_of_the_picture():
    _, _, masks = SpriteFood11(220, 48, 0).arrays(progress=False)
    share = masks.mean((1, 2))
    assert share.min() > 0.08 and share.max() < 0.55 and 0.2 < share.mean() < 0.4


# -- words and the lesson --------------------------------------------------------------------------------------


def test_describe_names_the_food_first(scenes_of):
    dataset = SpriteFood11(22, 48, 5, split="known")
    for index, (_, names, _) in enumerate(scenes_of(dataset)):
        line = dataset.describe(index)
        assert all(name in line for name in names) and ", on " in line
        assert line.removeprefix(f"{len(names)} x ").startswith(names[0]) or " x " in line


def test_lesson_pictures_are_fit_for_teaching():
    images, labels, masks, names = lesson_pictures(64)
    assert images.shape == (10, 3, 64, 64) and images.dtype == torch.float32 and masks.shape == (10, 64, 64)
    assert labels.tolist() == [0, 1, 1, 2, 2, 3, 5, 6, 8, 9] and masks.dtype == torch.bool
    assert len(set(names)) == 10 and torch.equal(images, lesson_pictures(64)[0])
    things = {row["name"] for row in INDEX if row["kind"] == "distractor"}
    foods = {row["name"]: row["label"] for row in INDEX if row["split"] == "known" and row["kind"] == "food"}
    parts = [line.split(", ") for line in names]
    assert sum(any(part in things for part in line) for line in parts) >= 3
    assert any(sum(part in foods for part in line) == 2 for line in parts)
    for line, label in zip(parts, labels.tolist(), strict=True):
        assert foods[line[0]] == str(label)
    ground = [float(image[:, ~mask].mean()) for image, mask in zip(images, masks, strict=True)]
    assert max(ground) > 0.75 and min(ground) < 0.25


def test_lesson_pictures_of_another_seed_have_the_same_labels():
    images, labels, masks, _ = lesson_pictures(32, seed=5)
    assert labels.tolist() == [0, 1, 1, 2, 2, 3, 5, 6, 8, 9] and masks.flatten(1).any(1).all()
    assert not torch.equal(images[1], images[2])


# -- the files that ship ---------------------------------------------------------------------------------------


def test_index_lists_every_file_and_its_licence_is_there():
    files = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.webp")}
    assert files == {row["file"] for row in INDEX}
    assert sum((ROOT / name).stat().st_size for name in files) < 3 * 2**20
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "LICENSES").iterdir()}
    assert "Copyright (c) Microsoft Corporation" in texts["MIT-fluent-emoji.txt"]
    assert "Version 2.0, January 2004" in texts["Apache-2.0.txt"]
    assert all(f"food/{style}" in texts["NOTICE"] for style in {row["style"] for row in INDEX})
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(row["name"] in readme for row in INDEX)


def test_every_pictogram_is_transparent_around_and_opaque_within():
    for row in INDEX:
        with Image.open(ROOT / row["file"]) as picture:
            alpha = np.asarray(picture.convert("RGBA"))[..., 3]
        assert max(alpha.shape) <= 144 and (alpha < 8).any() and (alpha > 200).mean() > 0.08, row["file"]


def test_the_tool_that_rebuilds_the_files_lists_the_same(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import build_sprites

    emoji = Image.new("RGBA", (64, 64), (200, 30, 30, 255))
    for row in INDEX:
        package, _, inside = row["source"].rpartition(" ")
        if package:
            folder = tmp_path / ("noto" if "google" in package else "fluent")
            (folder / inside).parent.mkdir(parents=True, exist_ok=True)
            emoji.save(folder / inside)
    out = tmp_path / "out"
    monkeypatch.setattr(build_sprites, "drawing", lambda paint: emoji)  # the real ones take half a minute
    monkeypatch.setattr(sys, "argv", ["build", str(tmp_path / "fluent"), str(tmp_path / "noto"), "--out", str(out)])
    build_sprites.main()
    assert (out / "index.csv").read_bytes() == (ROOT / "index.csv").read_bytes()
    assert all((out / row["file"]).is_file() for row in INDEX)
    shutil.rmtree(tmp_path / "noto")
    with pytest.raises(SystemExit, match="emoji-datasource-google"):
        build_sprites.main()


# -- bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"count": 0}, "count must be a whole number from 1"),
        ({"count": -3}, "count"),
        ({"count": 2.5}, "count"),
        ({"count": 5, "size": 8}, "size must be a whole number from 16"),
        ({"count": 5, "size": 20_000}, "size"),
        ({"count": 5, "size": True}, "size"),
        ({"count": 5, "seed": -1}, "seed"),
        ({"count": 5, "split": "valid"}, "choose one of train, known, unseen"),
    ],
)
def test_bad_arguments_get_one_clear_line(arguments, words):
    with pytest.raises(ValueError, match=words) as error:
        SpriteFood11(**arguments)
    assert "\n" not in str(error.value)


def test_index_out_of_range():
    dataset = SpriteFood11(5, 16)
    for index in (5, -6):
        with pytest.raises(IndexError, match="the set has 0 to 4"):
            dataset[index]
    assert len(list(dataset)) == 5  # plain iteration ends


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="restore data/sprites, or give its folder as root="):
        SpriteFood11(5, 16, root=tmp_path / "nowhere")
    victim = INDEX[7]["file"]
    copy = tmp_path / "sprites"
    shutil.copytree(ROOT, copy)
    assert torch.equal(SpriteFood11(5, 16, root=str(copy))[2][0], SpriteFood11(5, 16)[2][0])

    def complaint(error):
        load_library.cache_clear()
        with pytest.raises(error) as caught:
            SpriteFood11(5, 16, root=copy)
        assert "\n" not in str(caught.value) and "restore data/sprites" in str(caught.value)
        return str(caught.value)

    whole = (copy / victim).read_bytes()
    for content in (b"", b"not a picture", whole[: len(whole) // 2]):
        (copy / victim).write_bytes(content)
        assert Path(victim).name in complaint(ValueError)
    (copy / victim).unlink()
    assert Path(victim).name in complaint(FileNotFoundError)
    (copy / victim).write_bytes(whole)
    table = (copy / "index.csv").read_text(encoding="utf-8")
    lines = table.splitlines()
    for damaged in ("", table.replace("split", "side", 1), table.replace("food,3,", "food,77,"), "\n".join(lines[:-1])):
        (copy / "index.csv").write_text(damaged, encoding="utf-8")
        assert "index.csv" in complaint(ValueError)
    (copy / "index.csv").write_bytes(b"\xff\xfe\x00")
    assert "index.csv" in complaint(ValueError)
