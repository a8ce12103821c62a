"""Archives: extracted once and completely, or refused before anything is written."""

import errno
import io
import shutil
import stat
import tarfile
import zipfile

import pytest

from hw9.vision import archives
from hw9.vision.archives import extract, member_names

FILES = {"food11/training/0_0.jpg": b"a" * 1000, "food11/training/1_0.jpg": b"b" * 2000, "food11/README.md": b"read"}
PICTURES = [name for name in FILES if name.endswith(".jpg")]


def wanted(name):
    return name.endswith(".jpg")


def pack(path, files=FILES, folders=("food11", "food11/training")):
    """A zip or tar, by the suffix, of {name: bytes}."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as handle:
            for folder in folders:
                handle.mkdir(folder)
            for name, data in files.items():
                handle.writestr(name, data)
    else:
        with tarfile.open(path, f"w:{path.suffix[1:].replace('tar', '')}") as handle:
            for folder in folders:
                info = tarfile.TarInfo(folder)
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                handle.addfile(info)
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                handle.addfile(info, io.BytesIO(data))
    return path


def add_tar_member(path, name, kind, link=""):
    with tarfile.open(path, "a") as handle:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        handle.addfile(info)
    return path


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def extracted(folder):
    return {name: data for name, data in contents(folder).items() if name != archives.STATE}


def refused(path, match):
    """The archive is refused in one line, and nothing but the archive is there afterwards."""
    before = sorted(path.parent.parent.rglob("*"))
    with pytest.raises(ValueError, match=match) as caught:
        extract(path, wanted=wanted)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)
    assert sorted(path.parent.parent.rglob("*")) == before


@pytest.fixture
def place(tmp_path):
    """A folder with a folder around it, to see what climbs out."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_wanted_files_are_extracted_beside_the_archive_once(place, suffix):
    archive = pack(place / f"food.{suffix}")
    folder = extract(archive, wanted=wanted)
    assert folder == place / "food-extracted"
    assert extracted(folder) == {name: FILES[name] for name in PICTURES}
    assert member_names(archive) == list(FILES)
    (folder / PICTURES[0]).write_bytes(b"untouched by a second call")
    assert extract(archive, wanted=wanted) == folder
    assert (folder / PICTURES[0]).read_bytes() == b"untouched by a second call"


def test_into_names_the_parent(place):
    archive = pack(place / "food.zip")
    assert extract(archive, into=place / "data" / "food11", wanted=wanted) == place / "data/food11/food-extracted"


def test_interrupted_extraction_goes_on_where_it_stopped(place, monkeypatch):
    archive = pack(place / "food.zip")
    original, copied = archives._copy, []

    def interrupted(source, sink, size, name):
        if copied:
            sink.write(b"half")
            raise KeyboardInterrupt
        copied.append(name)
        original(source, sink, size, name)

    monkeypatch.setattr(archives, "_copy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract(archive, wanted=wanted)
    folder = place / "food-extracted"
    assert extracted(folder) == {PICTURES[0]: FILES[PICTURES[0]]}  # whole files only, no temporary one
    assert archives.read_state(folder)["complete"] is False

    copied.clear()
    monkeypatch.setattr(archives, "_copy", lambda *call: copied.append(call[3]) or original(*call))
    extract(archive, wanted=wanted)
    assert copied == [f"{archive}: {PICTURES[1]}"]
    assert extracted(folder) == {name: FILES[name] for name in PICTURES}
    assert archives.read_state(folder)["complete"] is True


def test_changed_archive_is_extracted_anew(place, capsys):
    archive = pack(place / "food.zip")
    folder = extract(archive, wanted=wanted)
    pack(archive, {"food11/training/2_0.jpg": b"new"})
    assert extract(archive, wanted=wanted) == folder
    assert extracted(folder) == {"food11/training/2_0.jpg": b"new"}
    assert "food.zip has changed" in capsys.readouterr().out


def test_an_interrupt_while_the_old_files_go_blocks_nothing(place, monkeypatch):
    archive = pack(place / "food.zip")
    folder = extract(archive, wanted=wanted)
    pack(archive, {"food11/training/2_0.jpg": b"new"})
    remove = archives.shutil.rmtree

    def interrupted(path):
        first = min(path.iterdir())  # of the whole folder it would be what says whose it is
        first.unlink() if first.is_file() else remove(first)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archives.shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            extract(archive, wanted=wanted)
    assert extracted(extract(archive, wanted=wanted)) == {"food11/training/2_0.jpg": b"new"}
    remove(folder)
    folder.mkdir()
    (folder / ".1234.part").write_text("{")  # killed while it wrote its first note
    assert extracted(extract(archive, wanted=wanted))["food11/training/2_0.jpg"] == b"new"


def test_two_archives_of_one_name_do_not_share_a_folder(place):
    folder = extract(pack(place / "food.zip"), wanted=wanted)
    with pytest.raises(FileExistsError, match=r"holds the files of food\.zip; move it away"):
        extract(pack(place / "food.tar.gz"), wanted=wanted)
    assert sorted(extracted(folder)) == PICTURES


def test_a_tar_of_the_folder_it_was_made_in(place):
    """tar -C folder . begins every name with ./, which is no hidden folder."""
    archive = pack(place / "food.tar", {f"./{name}": data for name, data in FILES.items()}, folders=(".",))
    assert sorted(member_names(archive)) == sorted(FILES)
    assert sorted(extracted(extract(archive, wanted=wanted))) == PICTURES


def test_a_name_that_the_disk_refuses_is_not_called_damage(place, monkeypatch):
    """What a Windows disk says of 0_12?30.jpg is what a damaged archive may raise, too."""

    def refuse(path):
        raise OSError(errno.EINVAL, "Invalid argument", str(path))

    archive = pack(place / "food.zip")
    real = archives.replacing
    monkeypatch.setattr(archives, "replacing", lambda path: real(path) if path.suffix != ".jpg" else refuse(path))
    with pytest.raises(OSError, match=r"0_0\.jpg: this disk cannot hold a file of that name"):
        extract(archive, wanted=wanted)


def test_files_of_the_user_in_the_way_are_not_touched(place):
    archive = pack(place / "food.zip")
    (place / "food-extracted").mkdir()
    (place / "food-extracted" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds files of another origin; move it away"):
        extract(archive, wanted=wanted)
    assert contents(place / "food-extracted") == {"mine.txt": b"mine"}


def test_cache_folder_where_the_archive_cannot_be_written_beside(place, monkeypatch, tmp_path):
    archive = pack(place / "food.zip")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def read_only(dir):
        raise OSError(errno.EROFS, "Read-only file system", dir)

    monkeypatch.setattr(archives.tempfile, "TemporaryFile", read_only)
    folder = extract(archive, wanted=wanted)
    assert folder.parent == tmp_path / "cache" / "hw9"
    assert sorted(extracted(folder)) == PICTURES
    assert sorted(path.name for path in place.iterdir()) == ["food.zip"]
    assert extract(archive, wanted=wanted) == folder


@pytest.mark.parametrize("name", ["../out.jpg", "food11/../../out.jpg", "/out.jpg", "C:/out.jpg", "..\\out.jpg"])
@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz"])
def test_archive_that_climbs_out_is_refused(place, name, suffix):
    archive = pack(place / f"food.{suffix}", FILES | {name: b"out"})
    refused(archive, "unsafe archive, .*out.jpg' leads out of its folder; nothing was extracted")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("link", ["/etc/passwd", "../../secret", "food11/../../../secret"])
def test_links_out_are_refused(place, kind, link):
    refused(add_tar_member(pack(place / "food.tar"), "food11/link.jpg", kind, link), "leads out of its folder")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(place, kind):
    refused(add_tar_member(pack(place / "food.tar"), "food11/device.jpg", kind), r"device\.jpg is a device")


def test_links_that_stay_inside_are_left_out(place):
    archive = add_tar_member(pack(place / "food.tar"), "food11/link.jpg", tarfile.SYMTYPE, "training/0_0.jpg")
    add_tar_member(archive, "food11/hard.jpg", tarfile.LNKTYPE, "food11/training/0_0.jpg")
    assert extracted(extract(archive, wanted=wanted)) == {name: FILES[name] for name in PICTURES}


@pytest.mark.parametrize(("target", "out"), [("../../../etc", True), ("training", False)])
def test_links_in_a_zip(place, target, out):
    archive = pack(place / "food.zip")
    with zipfile.ZipFile(archive, "a") as handle:
        info = zipfile.ZipInfo("food11/link.jpg")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        handle.writestr(info, target)
    if out:
        refused(archive, "leads out of its folder")
    else:
        assert extracted(extract(archive, wanted=wanted)) == {name: FILES[name] for name in PICTURES}


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_bomb_is_refused_by_what_it_declares(place, monkeypatch, suffix):
    monkeypatch.setattr(archives, "SMALL_BYTES", 100_000)
    archive = pack(place / f"food.{suffix}", {"food11/training/0_0.jpg": bytes(5_000_000)})
    refused(archive, "unsafe archive, more than .* GB would come out of it")


def test_many_members_are_refused(place, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 10)
    refused(pack(place / "food.zip", {f"{k}.jpg": b"" for k in range(20)}), "more than 10 members")


def test_zip_that_lies_about_its_size_writes_no_more_than_declared(place):
    archive = pack(place / "food.zip", {"0_0.jpg": bytes(300_000)}, ())
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # uncompressed size in both headers
        start = data.index(signature) + offset
        data[start : start + 4] = (1000).to_bytes(4, "little")
    archive.write_bytes(data)
    with pytest.raises(ValueError, match=r"food\.zip.*(damaged|unsafe)"):
        extract(archive, wanted=wanted)
    assert extracted(place / "food-extracted") == {}


def test_copy_stops_at_the_declared_size():
    for declared in (999, 1001):
        sink = io.BytesIO()
        with pytest.raises(ValueError, match=f"has not the {declared:,} bytes"):
            archives._copy(io.BytesIO(bytes(1000)), sink, declared, "0_0.jpg")
        assert len(sink.getvalue()) <= declared


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_truncated_archive_is_one_clear_line(place, suffix, part):
    noise = bytes((k * k * 7919 >> 5) & 255 for k in range(60_000))
    archive = pack(place / f"food.{suffix}", {"0_0.jpg": noise[:20_000], "1_0.jpg": noise[20_000:]})
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * (part if suffix != "tar" else part * 0.8))])
    refused(archive, r"food\.\S+ \([\d,]+ bytes\) is truncated or damaged")


def test_a_zip_whose_directory_points_before_its_start_is_damaged(place):
    archive = place / "food.zip"
    with zipfile.ZipFile(archive, "w") as handle:
        handle.writestr("training/0_0.jpg", b"x" * 50)
    content = bytearray(archive.read_bytes())
    content[-6:-2] = (2**31 - 1).to_bytes(4, "little")  # the directory's place: seeking there is an OSError of its own
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=r"food\.zip \(\d+ bytes\) is truncated or damaged"):
        extract(archive, wanted=lambda name: True)


def test_damage_inside_a_zip_names_the_archive(place):
    archive = pack(place / "food.zip", {"0_0.jpg": b"x" * 100 + bytes(range(256)) * 20}, ())
    data = bytearray(archive.read_bytes())
    data[60] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(ValueError, match=r"food\.zip .*truncated or damaged"):
        extract(archive, wanted=wanted)
    assert extracted(place / "food-extracted") == {}


def test_no_archive_at_all(place):
    (place / "food.zip").write_text("\n<!DOCTYPE html><html>Sign in</html>")
    refused(place / "food.zip", "a web page, not an archive; check the address")
    (place / "food.zip").write_bytes(b"")
    refused(place / "food.zip", r"food\.zip \(0 bytes\) is truncated or damaged, or not a zip or tar archive")
    with pytest.raises(FileNotFoundError, match=r"absent\.zip: there is no such archive"):
        extract(place / "absent.zip", wanted=wanted)


def test_password_is_told(place):
    archive = pack(place / "food.zip", {"0_0.jpg": b"x"}, ())
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1  # the flag "encrypted"
    archive.write_bytes(data)
    with pytest.raises(ValueError, match=r"food\.zip cannot be extracted: .*password"):
        extract(archive, wanted=wanted)


def test_full_disk_before_and_during_extraction(place, monkeypatch):
    archive = pack(place / "food.zip")
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(place)
        patch.setattr(archives.shutil, "disk_usage", lambda folder: usage._replace(free=1500))
        with pytest.raises(OSError, match=r"disk is full while extracting .*make room and run again") as caught:
            extract(archive, wanted=wanted)
        assert caught.value.errno == errno.ENOSPC
    with monkeypatch.context() as patch:

        def full(source, sink, size, name):
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(archives, "_copy", full)
        with pytest.raises(OSError, match="disk is full while extracting") as caught:
            extract(archive, wanted=wanted)
        assert caught.value.errno == errno.ENOSPC
    assert extracted(extract(archive, wanted=wanted)) == {name: FILES[name] for name in PICTURES}
