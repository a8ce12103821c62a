"""The embedded scenes: deterministic, masks exact, classes unreadable from anything but the food."""

import csv
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from hw9.vision import library as library_module
from hw9.vision import sprites, surfaces
from hw9.vision.food11 import CLASS_NAMES
from hw9.vision.library import ROOT, load_library
from hw9.vision.painting import DISH, STANDS_OUT, lay
from hw9.vision.placing import place
from hw9.vision.scenes import Scene, Spot, Sprite
from hw9.vision.sprites import SpriteFood11, lesson_objects, lesson_pictures

SIDES = ("known", "unseen")
TOOLS = Path(__file__).parents[2] / "tools"
INDEX = list(csv.DictReader((ROOT / "index.csv").open(encoding="utf-8")))
FOODS = [row for row in INDEX if row["kind"] == "food"]
NEUTRAL = (1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0)  # a camera that changes nothing


@pytest.fixture(autouse=True)
def no_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(sprites, "CACHE", tmp_path / "cache")  # an absolute path stands for itself


def pictures(dataset):
    return [dataset[i] for i in range(len(dataset))]


@pytest.fixture
def scenes_of(monkeypatch):
    """Scenes, and the files of the sprites that a dataset would lay out, without doing it."""

    def collect(dataset):
        seen = []

        def record(scene, foods, side, things, table, size):
            seen.append((scene, foods, side, things))

        with monkeypatch.context() as patch:
            patch.setattr(library_module, "lay", record)
            patch.setattr(library_module.Library, "_sprite", lambda _, row: row)
            for index in range(len(dataset)):
                dataset._still(index)
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


def test_the_cache_is_used_until_something_changes(monkeypatch, tmp_path):
    dataset = SpriteFood11(12, 16, 3)
    images, _, masks = dataset.arrays(progress=False)
    (kept,) = (tmp_path / "cache").glob("*.npz")

    def fail(*_):
        raise AssertionError("painted again")

    with monkeypatch.context() as patch:
        patch.setattr(sprites, "paint_block", fail)
        again = dataset.arrays(progress=False)
        assert np.array_equal(again[0], images) and np.array_equal(again[2], masks)
    kept.write_bytes(kept.read_bytes()[:100])  # damaged: painted again
    assert np.array_equal(dataset.arrays(progress=False)[0], images)
    monkeypatch.setattr(sprites, "fingerprint", lambda root: "other")
    dataset.arrays(progress=False)
    assert [path.stem.rsplit("-", 1)[1] for path in (tmp_path / "cache").glob("*.npz")] == ["other"]


def test_another_size_shows_the_same_scene():
    for seed in range(3):
        small, large = SpriteFood11(11, 48, seed), SpriteFood11(11, 144, seed)
        for index in range(0, 11, 3):
            mask = large[index][2].reshape(48, 3, 48, 3).float().mean((1, 3)) > 0.5
            same, both = (mask & small[index][2]).sum(), (mask | small[index][2]).sum()
            assert same / both > 0.8
            low = torch.nn.functional.avg_pool2d(large[index][0], 3)
            assert (low - small[index][0]).abs().mean() < 0.05


# -- known and unseen ------------------------------------------------------------------------------------------


def test_no_unseen_dish_or_table_occurs_in_training(scenes_of):
    listed = {side: {r["dish"] for r in FOODS if r["split"] == side} for side in SIDES}
    assert not listed["known"] & listed["unseen"]
    for split in ("train", "known", "unseen"):
        seen = scenes_of(SpriteFood11(1100, 16, 0, split=split))
        shown = {food["dish"] for _, foods, side, _ in seen for food in [*foods, *([side] if side else [])]}
        side = "unseen" if split == "unseen" else "known"
        assert shown <= listed[side] and len(shown) > 0.9 * len(listed[side])
    tables = {side: {r["dish"] for r in INDEX if r["kind"] == "table" and r["split"] == side} for side in SIDES}
    assert not tables["known"] & tables["unseen"] and all(tables.values())


def test_dishes_not_pictures_are_drawn_evenly(scenes_of):
    """Dessert has 200 pictures of 80 dishes, rice 12 of four: each dish of a class comes about equally often."""
    seen = scenes_of(SpriteFood11(4400, 16, 0))
    for label in (2, 7):
        first = [foods[0]["dish"] for (_, foods, _, _) in seen if foods[0]["label"] == str(label)]
        dishes = {row["dish"] for row in FOODS if row["label"] == str(label) and row["split"] == "known"}
        counts = np.array([first.count(dish) for dish in dishes])
        expected = len(first) / len(dishes)
        assert len(first) == 400 and abs(counts - expected).max() < 4.5 * np.sqrt(expected)


def test_every_class_has_known_and_unseen_dishes():
    for label in range(11):
        for side, least in (("known", 4), ("unseen", 3)):
            assert len({r["dish"] for r in FOODS if r["label"] == str(label) and r["split"] == side}) >= least


def test_train_and_known_are_different_compositions(scenes_of):
    train, known = (scenes_of(SpriteFood11(50, 16, 4, split=split)) for split in ("train", "known"))
    assert not {scene.seed for scene, *_ in train} & {scene.seed for scene, *_ in known}


# -- nothing but the food tells the class ----------------------------------------------------------------------


def test_table_light_layout_and_things_do_not_depend_on_the_label(scenes_of):
    dataset, other = SpriteFood11(66, 16, 2), SpriteFood11(66, 16, 2)
    other.labels = (other.labels + 1) % 11
    before, after = scenes_of(dataset), scenes_of(other)
    assert [(scene, things) for scene, *_, things in before] == [(scene, things) for scene, *_, things in after]
    assert all(a[1] != b[1] for a, b in zip(before, after, strict=True))


def test_things_are_never_food_and_a_side_is_of_another_class(scenes_of):
    seen = scenes_of(SpriteFood11(600, 16, 1))
    assert {len(things) for *_, things in seen} == {0, 1, 2, 3, 4}
    assert {thing["kind"] for *_, things in seen for thing in things} == {"thing"}
    sides = [(foods[0], side) for _, foods, side, _ in seen if side]
    assert 40 < len(sides) < 130
    assert all(food["label"] != side["label"] and not side["serve"] for food, side in sides)


# -- masks -----------------------------------------------------------------------------------------------------


def stills(count, size=64, split="train"):
    dataset = SpriteFood11(count, size, 0, split=split)
    return [dataset._still(index) for index in range(count)]


def plain(still, colour, numbers):
    """The still with objects `numbers` in one colour, under even light, without shadows, for a neutral camera."""
    layers = []
    for layer in still.layers:
        copied = pickle.loads(pickle.dumps(layer))
        copied.shadow = 0.0
        if layer.object in numbers:
            copied.colour = np.concatenate([layer.colour[..., 3:] * np.array(colour), layer.colour[..., 3:]], -1)
        layers.append(copied)
    scene = replace(still.scene, light=(0.0, 0.0, 0.0, 0.0), camera=NEUTRAL)
    return replace(still, layers=layers, scene=scene).paint().astype(float) / 255


def test_the_mask_is_exactly_where_the_food_is_seen():
    """Where a red and a green food of the same shape give different pixels, there the food shows."""
    for still in stills(40):
        foods = range(len(still.scene.foods))
        visible = np.abs(plain(still, (1, 0, 0), foods) - plain(still, (0, 1, 0), foods)).max(-1)
        clear = (visible < 0.2) | (visible > 0.8)
        assert np.array_equal(still.food[clear], visible[clear] > 0.5)
        assert (still.food == (visible > 0.5)).mean() > 0.98


def test_every_object_is_where_its_colour_changes_the_picture():
    for still in stills(12):
        for number, mask in enumerate(still.visible):
            visible = np.abs(plain(still, (1, 0, 0), [number]) - plain(still, (0, 1, 0), [number])).max(-1)
            clear = (visible < 0.2) | (visible > 0.8)
            assert np.array_equal(mask[clear], visible[clear] > 0.5), still.names[number]
        assert still.visible.sum(0).max() <= 1  # a pixel shows one object


def test_a_scene_without_an_object_is_the_same_elsewhere():
    """Leaving out changes what the object covered or shaded, and nothing far from it."""
    still = next(s for s in stills(40) if s.labels[-1] is not None and len(s.names) > 2)
    still = replace(still, scene=replace(still.scene, camera=NEUTRAL))
    whole = still.paint().astype(int)
    for number in range(len(still.names)):
        change = np.abs(still.paint(without=number).astype(int) - whole).max(-1)
        solid = np.logical_or.reduce([layer.solid for layer in still.layers if layer.object == number])
        y, x = np.nonzero(solid)
        box = np.zeros_like(solid)
        box[max(y.min() - 9, 0) : y.max() + 10, max(x.min() - 9, 0) : x.max() + 10] = True
        assert change[~box].max(initial=0) == 0
        assert change[still.visible[number]].mean() > 3


def test_things_in_front_hide_little_of_the_food():
    some = 0
    for still in stills(60):
        bare = np.logical_or.reduce([x.solid for x in still.layers if x.object < len(still.scene.foods)])
        assert still.food.sum() >= 0.7 * bare.sum()
        some += still.food.sum() < bare.sum()
    assert some > 5


def test_the_food_fills_a_fair_part_of_the_picture():
    share = SpriteFood11(220, 48, 0).arrays(progress=False)[2].mean((1, 2))
    assert share.min() > 0.05 and share.max() < 0.7 and 0.2 < share.mean() < 0.4


# -- served as in a kitchen ------------------------------------------------------------------------------------


def disc(colour, *, size=(100, 100), **facts):
    picture = Image.new("RGBA", size)
    ImageDraw.Draw(picture).ellipse((0, 0, size[0] - 1, size[1] - 1), fill=(*colour, 255))
    return Sprite.of("disc", picture, **facts)


def scene(**changes):
    drawn = Scene.draw(np.random.default_rng(1), 40, 5)
    spot = Spot(0.5, 0.5, 0.2, 0.0, False, 0.9)
    still = replace(drawn, foods=(spot,), side=None, things=(), serve="", crop=(0.0, 0.0, 1.0, 0))
    return replace(still, **changes)


def test_food_that_would_be_lost_on_the_table_gets_a_plate_it_stands_out_from():
    white, black = Image.new("RGB", (64, 64), "white"), Image.new("RGB", (64, 64), "black")
    pale = disc((250, 248, 240))
    assert [layer.object for layer in lay(scene(), [pale], None, [], black, 64).layers] == [0]
    for serve in ("", "plate", "bowl"):
        still = lay(scene(serve=serve), [pale], None, [], white, 64)
        assert still.labels == [0 if still.labels[0] == 0 else None, DISH]
        assert np.linalg.norm(still.layers[0].sprite.lab - pale.lab) > 0.6 * STANDS_OUT


def test_soup_lies_in_a_bowl_whatever_its_shape():
    table = Image.new("RGB", (64, 64), "white")
    for size in ((100, 100), (120, 60), (60, 120)):
        soup = disc((200, 60, 20), size=size, label=9, bowl=True)
        still = lay(scene(), [soup], None, [], table, 96)
        whole, food, rim = still.layers
        assert still.names == ["disc", whole.sprite.name] and "bowl" in whole.sprite.name and whole.object == rim.object
        assert not (food.solid & ~whole.solid).any()  # the soup never leaves its bowl
        assert (still.food & rim.solid).sum() == 0 and still.food.sum() > 0.6 * food.solid.sum()
    for still in (s for s in stills(330) if s.labels[0] == 9):
        whole = np.logical_or.reduce([x.solid for x in still.layers if x.sprite.name.endswith("bowl")])
        outside = still.food & ~whole
        assert outside.sum() < 0.03 * still.food.sum()


def test_a_cut_off_side_lies_beyond_the_border():
    for mirrored in (False, True):
        for cut, edge in (("left", 0), ("right", 1), ("top", 2), ("bottom", 3)):
            spot = Spot(0.5, 0.5, 0.2, 30.0, mirrored, 0.9)
            solid = place(disc((9, 9, 9), cut=cut), spot, 64).solid
            touched = [solid[:, 0].any(), solid[:, -1].any(), solid[0].any(), solid[-1].any()]
            if mirrored and edge < 2:
                edge = 1 - edge
            assert touched.index(True) == edge and sum(touched) == 1


def test_bowls_and_plates_are_opaque_within_and_rims_are_open():
    for number in range(len(surfaces.BOWLS)):
        whole, rim = (np.asarray(picture)[..., 3] for picture in surfaces.bowl(number))
        middle = surfaces.SIDE // 2
        assert whole[middle, middle] == 255 and rim[middle, middle] == 0 and rim[middle, 6] > 250
    for number in range(len(surfaces.PLATES)):
        assert np.asarray(surfaces.plate(number))[surfaces.SIDE // 2, surfaces.SIDE // 2, 3] == 255


# -- words and the lesson --------------------------------------------------------------------------------------


def test_describe_names_the_food_first():
    dataset = SpriteFood11(22, 48, 5, split="known")
    for index in range(22):
        line = dataset.describe(index)
        first = dataset._still(index).names[0]
        assert first in line.split(", ")[0] and ", on " in line


def test_lesson_pictures_are_fit_for_teaching():
    images, labels, masks, names = lesson_pictures(64)
    assert images.shape == (10, 3, 64, 64) and images.dtype == torch.float32 and masks.shape == (10, 64, 64)
    assert labels.tolist() == [0, 1, 1, 2, 2, 3, 5, 6, 8, 9] and masks.dtype == torch.bool
    assert len(set(names)) == 10 and torch.equal(images, lesson_pictures(64)[0])
    objects = lesson_objects(64)
    other_food = [
        sum(of is not None and of != label for of in o.labels)
        for o, label in zip(objects, labels.tolist(), strict=True)
    ]
    assert sum(number > 0 for number in other_food) >= 2  # two foods in some
    assert sum(None in o.labels for o in objects) >= 5
    for image, mask, label, parts in zip(images, masks, labels.tolist(), objects, strict=True):
        assert parts.masks.shape == (len(parts.names), 64, 64) and len(parts.without) == len(parts.names)
        own = torch.stack([m for m, of in zip(parts.masks, parts.labels, strict=True) if of == label])
        assert torch.equal(own.any(0), mask)
        assert all(not torch.equal(image, without) for without in parts.without)


# -- the files that ship ---------------------------------------------------------------------------------------


def test_index_lists_every_file_and_its_licence_is_there():
    files = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.suffix in {".webp", ".jpg"}}
    assert files == {row["file"] for row in INDEX}
    assert sum((ROOT / name).stat().st_size for name in files) < 10 * 2**20
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "LICENSES").iterdir()}
    assert "Copyright (c) Microsoft Corporation" in texts["MIT-fluent-emoji.txt"]
    for row in INDEX:
        assert row["licence"] in {"MIT", "CC BY 4.0", "Public domain (Unlicense)"} and row["source"], row["file"]
        if row["kind"] != "thing":
            text = f"{row['source'].split('@')[0].replace('/', '__')}.txt"
            assert text in texts and text in texts["NOTICE"], row["file"]
        assert row["attribution"] or not row["licence"].startswith("CC"), row["file"]


def test_every_cut_out_is_transparent_around_and_opaque_within():
    for row in INDEX:
        with Image.open(ROOT / row["file"]) as picture:
            assert max(picture.size) <= 192
            if row["kind"] != "table":
                alpha = np.asarray(picture.convert("RGBA"))[..., 3]
                assert (alpha < 8).any() and (alpha > 200).mean() > 0.08, row["file"]


def test_the_tool_that_rebuilds_the_files_reads_a_cut_side_and_a_plain_name(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import build_sprites

    assert build_sprites.name("7 DAY's CROISSANT WITH OREO CREAM FILLING") == "croissant"
    assert build_sprites.name("KFC WINGS") == "wings"
    picture = Image.new("RGBA", (60, 40))
    assert build_sprites.cut_side(picture) == ""
    picture.paste((9, 9, 9, 255), (30, 10, 60, 35))
    assert build_sprites.cut_side(picture) == "right"
    assert build_sprites.longest_run(np.array([True, False, True, True])) == 0.5


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
    for damaged in ("", table.replace("split", "side", 1), table.replace("food,3,", "food,77,"), table[:5000]):
        (copy / "index.csv").write_text(damaged, encoding="utf-8")
        assert "index.csv" in complaint(ValueError)
    (copy / "index.csv").write_bytes(b"\xff\xfe\x00")
    assert "index.csv" in complaint(ValueError)
