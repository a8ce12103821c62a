"""Food-11 in every layout, and what is said when it is not there, not whole or not sound."""

import errno
import os
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hw9.files import replacing
from hw9.vision import archives, food11, pictures
from hw9.vision.food11 import CLASS_NAMES, Food11, find_food11
from hw9.vision.locate import layout

SHARED = Path(__file__).resolve().parents[3] / "shared" / "food11"
KAGGLE_NAMES = [name.replace("/", "-") for name in CLASS_NAMES]
TOLERATED = [name.upper().replace(" ", "_").replace("/", "_") for name in CLASS_NAMES]
SPLITS = {"training": 2, "validation": 1, "evaluation": 1}  # pictures per class


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Neither this machine's Food-11 nor its user's cache plays a part."""
    monkeypatch.delenv("HW9_FOOD11", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))


def colour(label, number):
    return (20 * label, 100 * number, 255 - 20 * label)


def make(root, names=None, splits=SPLITS, labels=range(11), suffix="png"):
    """Food-11 below `root`: flat, or in class folders called `names`; each picture in one colour."""
    for split, per_class in splits.items():
        for label in labels:
            folder = root / split / names[label] if names else root / split
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(per_class):
                name = f"{number}.{suffix}" if names else f"{label}_{number}.{suffix}"
                Image.new("RGB", (12, 9), colour(label, number)).save(folder / name)
    return root


def is_whole(root, split="training"):
    """All classes, the right number, and the picture that belongs to each label."""
    data = Food11(root, split, 4)
    expected = [(label, number) for label in range(11) for number in range(SPLITS[data.split])]
    colours = [colour(label, number) for label, number in expected]
    assert data.pictures[:, :, 1, 1].tolist() == [list(c) for c in colours]
    assert data.labels.tolist() == [label for label, _ in expected]
    return True


@pytest.mark.parametrize(
    "names",
    [None, [str(k) for k in range(11)], [f"{k:02d}" for k in range(11)], KAGGLE_NAMES, TOLERATED, list(CLASS_NAMES)],
    ids=["flat", "0..10", "00..10", "kaggle", "upper_case", "with a slash"],
)
@pytest.mark.parametrize("above", [".", "food11", "food-11/data/food-11"])
def test_layouts(tmp_path, names, above):
    make(tmp_path / "root" / above, names)
    assert all(is_whole(tmp_path / "root", split) for split in SPLITS)


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("names", [None, KAGGLE_NAMES], ids=["flat", "kaggle"])
def test_archives(tmp_path, suffix, names):
    make(tmp_path / "raw", names)
    archive = tmp_path / "place" / f"food-11.{suffix}"
    archive.parent.mkdir()
    if suffix == "zip":
        with zipfile.ZipFile(archive, "w") as handle:
            for path in sorted((tmp_path / "raw").rglob("*")):
                handle.write(path, path.relative_to(tmp_path))
    else:
        with tarfile.open(archive, f"w:{suffix[4:]}") as handle:
            handle.add(tmp_path / "raw", "food11-image-dataset")
    assert is_whole(archive)
    root = find_food11(archive)
    assert root == tmp_path / "place" / "food-11-extracted" and is_whole(root)
    assert find_food11(archive.parent) == archive.parent and is_whole(archive.parent)


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("training", ["train", "Training", "TRAIN"]),
        ("train", ["training"]),
        ("val", ["validation", "valid", "val"]),
        ("valid", ["validation"]),
        ("testing", ["evaluation", "eval", "test", "testing"]),
        ("test", ["evaluation"]),
        ("eval", ["evaluation"]),
    ],
)
def test_names_of_splits(tmp_path, folder, names):
    make(tmp_path / folder, splits={".": 1})
    for name in names:
        assert len(Food11(tmp_path, name, 4)) == 11


def test_the_split_folder_itself_and_doubled_folders(tmp_path):
    make(tmp_path / "a" / "training" / "training", splits={".": 1})
    make(tmp_path / "a" / "validation" / "validation", splits={".": 1})
    assert len(Food11(tmp_path / "a", "training", 4)) == len(Food11(tmp_path / "a", "val", 4)) == 11
    assert len(Food11(tmp_path / "a" / "training", "training", 4)) == 11


def hand_out_2021(root):
    """ML2021's homework 3: labelled and unlabelled training pictures, test pictures in one folder."""
    make(root / "training", [f"{k:02d}" for k in range(11)], {"labeled": 2})
    make(root, [f"{k:02d}" for k in range(11)], {"validation": 1})
    for folder in ("training/unlabeled/00", "testing/00"):
        (root / folder).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (12, 9)).save(root / folder / f"{number:04d}.png")
    return root


def hand_out_2022(root):
    """ML2022's homework 3: flat files, those of the test without a class."""
    make(root, splits={"training": 2, "validation": 1})
    (root / "test").mkdir()
    for number in range(3):
        Image.new("RGB", (12, 9)).save(root / "test" / f"{number:04d}.png")
    return root


@pytest.mark.filterwarnings("ignore:.*files are left out")
@pytest.mark.parametrize(
    ("hand_out", "reason"),
    [(hand_out_2021, "unlabelled: all pictures .* one folder, 00"), (hand_out_2022, "the file name does not begin")],
)
def test_hand_outs_of_the_course_are_read_as_they_come(tmp_path, hand_out, reason):
    root = hand_out(tmp_path / "food-11")
    assert is_whole(root, "training") and is_whole(root, "validation") and is_whole(root.parent)
    with pytest.raises(ValueError, match=rf"evaluation: none of its 3 files has a class; .*{reason}"):
        Food11(root, "test", 4)


def test_unlabelled_training_pictures_are_left_out_and_named(tmp_path):
    with pytest.warns(
        UserWarning, match=r"3 files are left out: training/unlabeled/00/0000.png \(unlabelled, as its fold"
    ):
        data = Food11(hand_out_2021(tmp_path), "training", 4)
    assert len(data) == 22 and len(data.skipped) == 3
    assert layout(["test/00/0_1.jpg"]) == {"evaluation": [("test/00/0_1.jpg", 0)]}  # here the name says it as well


@pytest.mark.parametrize("names", [None, [str(k + 1) for k in range(11)], [f"{k + 1:02d}" for k in range(11)]])
def test_class_numbers_that_start_at_one_are_noticed(tmp_path, names):
    make(tmp_path / "root", names)
    for path in (
        sorted((tmp_path / "root").rglob("*.png"), key=lambda path: path.name, reverse=True) if not names else ()
    ):
        label, number = path.stem.split("_")
        path.rename(path.with_name(f"x{int(label) + 1}_{number}.png"))
    for path in (tmp_path / "root").rglob("x*.png"):
        path.rename(path.with_name(path.name[1:]))
    with pytest.warns(UserWarning, match="the class numbers in root go from 1 to 11: 1 is taken as Bread"):
        assert is_whole(tmp_path / "root")
    assert layout(["train/0_0.jpg", "train/11_0.jpg"])["training"][1][1].startswith("the file name does not begin")
    with pytest.warns(UserWarning, match=r"no pictures of Bread.*do the class numbers start at 1\?"):
        Food11(make(tmp_path / "ten", splits={"training": 1}, labels=range(1, 11)), "training", 4)


def test_back_slashes_of_windows(tmp_path):
    raw = make(tmp_path / "raw", KAGGLE_NAMES)
    (tmp_path / "folder").mkdir()
    (tmp_path / "unpacked").mkdir()
    with zipfile.ZipFile(tmp_path / "folder" / "food.zip", "w") as handle:
        handle.writestr("food\\training\\", b"")
        for path in sorted(raw.rglob("*.png")):
            name = str(path.relative_to(raw)).replace("/", "\\")
            handle.writestr(f"food\\{name}", path.read_bytes())
            (tmp_path / "unpacked" / name).write_bytes(path.read_bytes())  # one file, whose name holds back-slashes
    assert is_whole(tmp_path / "folder") and is_whole(tmp_path / "folder" / "food.zip")
    assert is_whole(tmp_path / "unpacked")


def test_copies_side_by_side_are_not_mixed():
    whole = [f"b/{split}/{label}_0.jpg" for split in SPLITS for label in range(11)]
    part = [f"a/training/{label}_{k}.jpg" for label in range(11) for k in range(9)]
    found = layout([*whole, *part])
    assert {split: len(entries) for split, entries in found.items()} == {split: 11 for split in SPLITS}
    assert all(name.startswith("b/") for entries in found.values() for name, _ in entries)
    assert layout(["readme.txt", "photos/0_0.jpg", "__MACOSX/training/0_0.jpg"]) == {}


def test_items_and_attributes(tmp_path):
    root = make(tmp_path, splits={"training": 12})
    data = Food11(root, "training", 8)
    image, label = data[13]
    assert isinstance(data, torch.utils.data.Dataset) and len(data) == 132
    assert image.shape == (3, 8, 8) and image.dtype == torch.float32 and type(label) is int and label == 1
    assert torch.allclose(image[:, 4, 4], torch.tensor(colour(1, 1)) / 255)
    assert data.pictures.dtype == np.uint8 and data.pictures.shape == (132, 3, 8, 8)
    assert data.labels.dtype == np.int64
    assert data.names[:3] == ["training/0_0.png", "training/0_1.png", "training/0_2.png"]
    assert data.names[-1] == "training/10_11.png" and data[-1][1] == 10  # 2 before 10, in classes and numbers
    assert data.counts == dict.fromkeys(CLASS_NAMES, 12) and data.skipped == []
    assert (data.split, data.size, data.root) == ("training", 8, root)
    with pytest.raises(IndexError, match="there is no picture 132; the training split has 0 to 131"):
        data[132]
    images, labels = next(iter(torch.utils.data.DataLoader(data, batch_size=5)))
    assert images.shape == (5, 3, 8, 8) and labels.tolist() == [0] * 5


def test_limit_spreads_over_the_classes(tmp_path):
    root = make(tmp_path, splits={"training": 3})
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # classes that are absent by choice are no reason to warn
        assert Food11(root, "training", 4, limit=5).labels.tolist() == [0, 1, 2, 3, 4]
        data = Food11(root, "training", 4, limit=13)
        assert data.labels.tolist() == [0, 0, 1, 1, *range(2, 11)]
        assert data.names[:3] == ["training/0_0.png", "training/0_1.png", "training/1_0.png"]
        assert len(Food11(root, "training", 4, limit=1000)) == 33


def watch_decoding(monkeypatch):
    """The list of files that are decoded from now on."""
    decoded, original = [], pictures.attempt
    monkeypatch.setattr(pictures, "attempt", lambda path, size: decoded.append(path.name) or original(path, size))
    return decoded


def test_decoded_once_until_a_file_changes(tmp_path, monkeypatch):
    root = make(tmp_path / "root")
    decoded = watch_decoding(monkeypatch)
    first = Food11(root, "training", 4)
    assert len(decoded) == 22
    again = Food11(root, "train", 4)
    assert len(decoded) == 22 and np.array_equal(first.pictures, again.pictures) and first.names == again.names
    assert isinstance(again.pictures, np.memmap)
    Food11(root, "training", 6)
    Food11(root, "training", 4, limit=3)
    assert len(decoded) == 22 + 22 + 3

    Image.new("RGB", (5, 5), (1, 2, 3)).save(root / "training" / "0_0.png")
    assert Food11(root, "training", 4).pictures[0, :, 0, 0].tolist() == [1, 2, 3]
    (root / "training" / "0_1.png").rename(root / "training" / "1_7.png")
    moved = Food11(root, "training", 4)
    assert moved.counts["Bread"] == 1 and moved.counts["Dairy product"] == 3
    caches = sorted(path.name.split("-")[1] for path in (root / ".hw9-cache").glob("*.npy"))
    assert caches == ["4", "6"]  # those of the earlier files are gone


def test_a_file_rewritten_at_the_same_length_is_noticed(tmp_path):
    root = make(tmp_path, suffix="bmp")
    assert is_whole(root)
    path = root / "training" / "0_0.bmp"
    length, written = path.stat().st_size, path.stat().st_mtime
    Image.new("RGB", (12, 9), (1, 2, 3)).save(path)
    os.utime(path, (written + 1, written + 1))  # copies and editors set times far apart; a test may be too fast
    assert path.stat().st_size == length
    assert Food11(root, "training", 4).pictures[0, :, 0, 0].tolist() == [1, 2, 3]


def test_writing_to_the_pictures_leaves_the_cache_alone(tmp_path):
    root = make(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns of arrays that cannot be written
        torch.from_numpy(Food11(root, "training", 4).pictures).zero_()
    assert is_whole(root)


def test_a_damaged_cache_is_made_again(tmp_path):
    root = make(tmp_path)
    assert is_whole(root)
    (array,) = (root / ".hw9-cache").glob("*.npy")
    (notes,) = (root / ".hw9-cache").glob("*.json")
    for path, data in ((array, array.read_bytes()[:200]), (array, b""), (notes, b"{"), (notes, b"[]")):
        path.write_bytes(data)
        assert is_whole(root)


def test_what_the_disk_fails_to_give_once_is_read_again(tmp_path, monkeypatch):
    """A mounted drive that drops for a moment; and a decoder that has changed decodes anew."""
    root, original = make(tmp_path), food11.pictures._open

    def dropped(path):
        if path.name == "0_0.png":
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return original(path)

    with monkeypatch.context() as patch:
        patch.setattr(food11.pictures, "_open", dropped)
        some = Food11(root, "training", 4)
    assert some.skipped == [("training/0_0.png", "Transport endpoint is not connected")]
    assert len(some.pictures) == len(some.names) == 21
    assert is_whole(root)
    decoded = watch_decoding(monkeypatch)
    assert is_whole(root) and not decoded
    monkeypatch.setattr(food11.PIL, "__version__", "another")
    assert is_whole(root) and decoded


def test_interrupt_leaves_no_cache_and_no_rest(tmp_path, monkeypatch):
    root = make(tmp_path)
    original, calls = food11._fill, []

    def interrupted(array, *rest):
        calls.append(array.shape)
        original(array[:3], *[rest[0], rest[1][:3]])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(food11, "_fill", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Food11(root, "training", 4)
    assert calls and list((root / ".hw9-cache").iterdir()) == []
    assert is_whole(root)


def full_disk(monkeypatch, where):
    """Reserving room below `where` fails as on a full disk."""
    original = food11.np.lib.format.write_array_header_1_0

    def reserve(file, header):
        if str(where) in file.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(file, header)

    monkeypatch.setattr(food11.np.lib.format, "write_array_header_1_0", reserve)


def test_full_disk_goes_on_in_the_user_cache_then_in_memory(tmp_path, monkeypatch, capsys):
    root = make(tmp_path / "root")
    with monkeypatch.context() as patch:
        full_disk(patch, root)
        assert is_whole(root)
        said = capsys.readouterr().out
        assert said.count("\n") == 1 and "(No space left on device); they are in" in said
        assert len(list((tmp_path / "user-cache" / "hw9").glob("food11-*/*.npy"))) == 1
        decoded = watch_decoding(patch)
        assert is_whole(root) and decoded == [] and capsys.readouterr().out == ""
    with monkeypatch.context() as patch:
        full_disk(patch, tmp_path)
        data = Food11(root, "validation", 4)
        assert data.labels.tolist() == list(range(11)) and not isinstance(data.pictures, np.memmap)
        assert "they stay in memory" in capsys.readouterr().out
    assert [path for path in tmp_path.rglob("*") if path.suffix == ".part"] == []


def test_read_only_folder(tmp_path, monkeypatch, capsys):
    root = make(tmp_path / "root")
    original = Path.mkdir

    def mkdir(path, *args, **options):
        if path.is_relative_to(root):
            raise PermissionError(errno.EACCES, "Permission denied")
        original(path, *args, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert is_whole(root)
    assert "(Permission denied); they are in" in capsys.readouterr().out
    assert sorted(path.name for path in root.iterdir()) == sorted(SPLITS)


def test_unreadable_files_are_named_skipped_and_counted(tmp_path):
    root = make(tmp_path)
    (root / "training" / "0_0.png").write_bytes(b"")
    (root / "training" / "3_1.png").write_bytes((root / "training" / "4_1.png").read_bytes()[:45])
    (root / "training" / "5_x.jpg").write_text("text")
    (root / "training" / "11_0.png").write_bytes(b"x")
    (root / "training" / "labels.csv").write_text("x")
    (root / "training" / ".DS_Store").write_text("x")
    (root / "training" / "Pizza").mkdir()
    (root / "training" / "Pizza" / "0_0.png").write_text("x")
    expected = {
        "training/0_0.png": "an empty file",
        "training/3_1.png": "truncated",
        "training/5_x.jpg": "not a picture",
        "training/11_0.png": "does not begin with a class from 0 to 10",
        "training/labels.csv": "not the file name of a picture",
        "training/Pizza/0_0.png": "Pizza, is none of the 11 classes",
    }
    for _ in range(2):  # also from the cache
        with pytest.warns(UserWarning, match=r"training: 6 files are left out: .*\(.*\).* and 3 more, see \.skipped"):
            data = Food11(root, "training", 4)
        reasons = dict(data.skipped)
        assert set(reasons) == set(expected)
        assert all(expected[name] in reason for name, reason in reasons.items())
        assert len(data) == len(data.names) == len(data.pictures) == 20
        assert data.counts["Bread"] == data.counts["Egg"] == 1 and data.counts["Meat"] == 2
        assert data.pictures[0, :, 1, 1].tolist() == list(colour(0, 1))
        assert data.pictures[-1, :, 1, 1].tolist() == list(colour(10, 1))


def test_class_without_pictures_is_named(tmp_path):
    make(tmp_path, splits={"training": 1}, labels=[0, 1, 2, 3, 4, 5, 7, 8, 9])
    (tmp_path / "training" / "9_0.png").write_bytes(b"")
    with pytest.warns(UserWarning) as caught:
        data = Food11(tmp_path, "training", 4)
    assert "no pictures of Noodles/Pasta, Soup, Vegetable/Fruit" in str(caught[-1].message)
    assert caught[-1].filename == __file__
    assert data.counts["Soup"] == 0


def test_no_readable_picture_at_all(tmp_path):
    make(tmp_path, splits={"training": 1})
    for path in (tmp_path / "training").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"training: 11 files are left out: .*no readable picture remains"):
        Food11(tmp_path, "training", 4)


def test_split_that_is_missing_or_has_no_classes(tmp_path):
    make(tmp_path, splits={"training": 2, "val": 1})
    with pytest.raises(
        FileNotFoundError, match=r"has no evaluation split; it has training \(22 pictures\), validation \(11 pictures\)"
    ):
        Food11(tmp_path, "test", 4)
    (tmp_path / "test").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "test" / "0001.jpg")  # the course's competition hides these labels
    with pytest.raises(ValueError, match=r"evaluation: none of its 1 files has a class; test/0001\.jpg: the file name"):
        Food11(tmp_path, "test", 4)
    with pytest.raises(ValueError, match="there is no split 'tset'; choose training, validation or evaluation"):
        Food11(tmp_path, "tset", 4)
    with pytest.raises(ValueError, match="size is the side"):
        Food11(tmp_path, "training", 0)
    with pytest.raises(ValueError, match="limit is a number"):
        Food11(tmp_path, "training", 4, limit=0)


def test_missing_and_empty_folders_say_what_was_looked_for(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    looked_for = "training, validation, evaluation .*<class>_<n>.jpg.*0..10"
    for use in (find_food11, Food11):
        with pytest.raises(FileNotFoundError, match=f"absent does not exist; there should be folders {looked_for}"):
            use(tmp_path / "absent")
        with pytest.raises(FileNotFoundError, match=f"empty does not hold Food-11; looked for folders {looked_for}"):
            use(str(tmp_path / "empty"))
    monkeypatch.setenv("HW9_FOOD11", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match="absent does not exist"):
        find_food11()


def test_where_food11_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(food11, "__file__", str(tmp_path / "repository" / "hw9" / "vision" / "food11.py"))
    assert find_food11() is None
    (tmp_path / "data" / "food11").mkdir(parents=True)
    (tmp_path / "data" / "food11" / "README.md").write_text("x")
    assert find_food11() is None
    here = make(tmp_path / "data" / "food11")
    assert find_food11() == here
    below_repository = make(tmp_path / "repository" / "data" / "food11", KAGGLE_NAMES)
    assert find_food11() == below_repository
    named = make(tmp_path / "named")
    monkeypatch.setenv("HW9_FOOD11", str(named))
    assert find_food11() == named
    given = make(tmp_path / "given")
    assert find_food11(given) == given


def test_archive_in_the_default_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(food11, "__file__", str(tmp_path / "repository" / "hw9" / "vision" / "food11.py"))
    make(tmp_path / "raw")
    (tmp_path / "data").mkdir()
    with zipfile.ZipFile(tmp_path / "data" / "food11.zip", "w") as handle:
        for path in (tmp_path / "raw").rglob("*.png"):
            handle.write(path, path.relative_to(tmp_path / "raw"))
    assert find_food11() == tmp_path / "data" / "food11-extracted" and is_whole(find_food11())

    archive = tmp_path / "data" / "food11.zip"
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.warns(UserWarning, match=r"food11\.zip is not used: .*truncated"):
        assert find_food11() is None  # by default, a damaged archive does not stop the lesson
    with pytest.raises(ValueError, match="truncated or damaged"):
        find_food11(archive)


@pytest.mark.filterwarnings("ignore:.*no pictures of Dairy product")
def test_the_archive_with_more_of_food11_is_taken(tmp_path):
    for name, splits in (("extra", ["training"]), ("food11", ["training", "validation"]), ("other", [])):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as handle:
            handle.writestr("readme.txt", "x")
            for split in splits:
                handle.write(make(tmp_path / "raw", splits={split: 1}) / split / "0_0.png", f"{split}/0_0.png")
    for path in sorted((tmp_path / "raw").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (tmp_path / "broken.tar").write_bytes(b"broken")
    assert Food11(tmp_path, "val", 4).names == ["food11-extracted/validation/0_0.png"]
    assert Food11(tmp_path, "val", 4).names == ["food11-extracted/validation/0_0.png"]  # once it is extracted, too
    assert find_food11(tmp_path) == tmp_path and not (tmp_path / "extra-extracted").exists()


def test_killed_writers_leave_nothing_for_ever(tmp_path):
    root = make(tmp_path)
    assert is_whole(root)
    (array,) = (root / ".hw9-cache").glob("*.npy")
    with replacing(array) as part:  # as its writer names it
        part.touch()
        young, old = (part.with_name(part.name.replace(str(os.getpid()), str(pid))) for pid in (1, 2))
        for path, age in ((young, 0), (old, 200_000)):
            path.touch()
            os.utime(path, (path.stat().st_mtime - age,) * 2)
    array.unlink()
    assert is_whole(root) and young.exists() and not old.exists()


@pytest.mark.skipif(not (SHARED / "food11.zip").exists(), reason="the photographs beside the project are not here")
def test_the_photographs_beside_the_project(tmp_path):
    names = archives.member_names(SHARED / "food11.zip")
    found = {split: len(entries) for split, entries in layout(names).items()}
    assert found == {"training": 9866, "validation": 3430}
    with zipfile.ZipFile(SHARED / "food11.zip") as source, zipfile.ZipFile(tmp_path / "few.zip", "w") as few:
        for name in [f"food11/validation/{label}_{number}.jpg" for label in range(11) for number in range(3)]:
            few.writestr(name, source.read(name))
    data = Food11(tmp_path, "validation", 64)
    assert data.pictures.shape == (33, 3, 64, 64) and set(data.counts.values()) == {3} and data.skipped == []
    assert data.names[0] == "few-extracted/food11/validation/0_0.jpg"
    with Image.open(tmp_path / data.names[5]) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")).transpose(2, 0, 1), data.pictures[5])
    images, names, skipped = food11.read_folder(SHARED / "photos", 64)
    assert names == [f"{label}_0.jpg" for label in range(11)] and skipped == [] and 0.2 < images.mean() < 0.8
