"""Every kind of picture file a user may have: what comes out, and what is said when nothing can."""

import io
import os
import re
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from hw9.vision import pictures
from hw9.vision.pictures import read_folder, read_picture

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def quadrants(width=64, height=48):
    """Top left red, top right green, bottom left blue, bottom right black."""
    array = np.zeros((height, width, 3), np.uint8)
    array[: height // 2, : width // 2] = RED
    array[: height // 2, width // 2 :] = GREEN
    array[height // 2 :, : width // 2] = BLUE
    return Image.fromarray(array)


def close(picture, expected, tolerance=0):
    difference = np.abs(picture.astype(int) - np.asarray(expected).reshape(3, 1, 1))
    return difference.max() <= tolerance


def png_header(width, height):
    """A PNG that claims this size and holds next to nothing."""
    chunks = b""
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(100))),
        (b"IEND", b""),
    ):
        chunks += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_pixels_come_back_exactly_when_no_size_is_given(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture.dtype == np.uint8 and picture.shape == (3, 7, 5)
    assert np.array_equal(picture, array.transpose(2, 0, 1))


def test_size_squeezes_the_whole_picture_into_the_square(tmp_path):
    quadrants(200, 50).save(tmp_path / "wide.png")
    picture = read_picture(str(tmp_path / "wide.png"), 16)
    assert picture.shape == (3, 16, 16)
    for y, x, colour in ((2, 2, RED), (2, 13, GREEN), (13, 2, BLUE), (13, 13, (0, 0, 0))):
        assert tuple(picture[:, y, x]) == colour


def test_shrinking_averages_instead_of_picking_pixels(tmp_path):
    checks = np.indices((512, 512)).sum(0) % 2 * 255
    Image.fromarray(checks.astype(np.uint8)).save(tmp_path / "checks.png")
    assert close(read_picture(tmp_path / "checks.png", 32), (127.5,) * 3, 1)


def test_jpeg_read_at_a_fraction_agrees_with_the_full_picture(tmp_path):
    y, x = np.mgrid[0:600, 0:800]
    array = np.stack([x * 255 // 800, y * 255 // 600, 128 + 100 * np.sin(x / 40) * np.cos(y / 30)], 2)
    image = Image.fromarray(array.astype(np.uint8))
    image.save(tmp_path / "a.jpg", quality=95)
    image.save(tmp_path / "a.png")
    difference = read_picture(tmp_path / "a.jpg", 64).astype(int) - read_picture(tmp_path / "a.png", 64)
    assert np.abs(difference).mean() < 1.5


@pytest.mark.parametrize(
    ("mode", "colour", "suffix", "expected"),
    [
        ("L", 100, "png", (100,) * 3),
        ("L", 100, "jpg", (100,) * 3),
        ("1", 1, "png", (255,) * 3),
        ("LA", (100, 0), "png", (255,) * 3),
        ("LA", (100, 255), "png", (100,) * 3),
        ("RGBA", (200, 0, 0, 0), "png", (255,) * 3),
        ("RGBA", (200, 0, 0, 255), "webp", (200, 0, 0)),
        ("RGBA", (0, 0, 0, 128), "png", (127,) * 3),
        ("CMYK", (0, 255, 255, 0), "jpg", RED),
        ("CMYK", (0, 0, 0, 255), "tif", (0, 0, 0)),
        ("RGB", (10, 20, 30), "bmp", (10, 20, 30)),
    ],
)
def test_every_colour_mode_becomes_rgb_on_white(tmp_path, mode, colour, suffix, expected):
    path = tmp_path / f"a.{suffix}"
    Image.new(mode, (20, 20), colour).save(path, **({"quality": 100} if suffix in ("jpg", "webp") else {}))
    for size in (None, 8):
        assert close(read_picture(path, size), expected, 3 if suffix in ("jpg", "webp") else 1)


def test_palette_with_and_without_transparency(tmp_path):
    image = quadrants().quantize(4)
    image.save(tmp_path / "plain.png")
    image.save(tmp_path / "clear.png", transparency=image.getpixel((0, 0)))  # the red quadrant
    assert tuple(read_picture(tmp_path / "plain.png")[:, 0, 0]) == RED
    clear = read_picture(tmp_path / "clear.png")
    assert tuple(clear[:, 0, 0]) == (255, 255, 255) and tuple(clear[:, 0, -1]) == GREEN
    Image.new("RGB", (4, 4), RED).save(tmp_path / "colour.png", transparency=RED)
    assert close(read_picture(tmp_path / "colour.png"), (255, 255, 255))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, suffix):
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)
    Image.fromarray(np.tile(ramp, (4, 1))).save(tmp_path / f"a.{suffix}")
    assert np.array_equal(read_picture(tmp_path / f"a.{suffix}")[1, 2], np.arange(256))


def test_float_and_32_bit_files(tmp_path):
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (2, 1))
    for name, array in (("unit", ramp), ("byte", ramp * 255), ("whole", (ramp * 65535).astype(np.int32))):
        Image.fromarray(array).save(tmp_path / f"{name}.tif")
        assert np.abs(read_picture(tmp_path / f"{name}.tif")[0, 0] - np.arange(256.0)).max() <= 1


def test_a_float_file_with_gaps_is_scaled_by_what_is_there(tmp_path):
    row = np.linspace(0, 200, 256, dtype=np.float32)
    row[[0, 1, 2, 255]] = np.nan, np.inf, -np.inf, np.nan
    Image.fromarray(np.tile(row, (2, 1))).save(tmp_path / "a.tif")
    found = read_picture(tmp_path / "a.tif")[0, 0]
    assert found[[0, 1, 2, 255]].tolist() == [0, 255, 0, 0] and np.abs(found[3:255] - row[3:255]).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [None, 32])
def test_exif_orientation_shows_the_picture_upright(tmp_path, orientation, size):
    upright = quadrants()
    undo = {5: 5, 6: 8, 8: 6}.get(orientation, orientation)  # a quarter turn is undone by the opposite one
    turn = pictures.TURNS.get(undo)
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    picture = read_picture(tmp_path / "a.jpg", size)
    height, width = picture.shape[1:]
    assert (height, width) == ((48, 64) if size is None else (32, 32))
    for y, x, colour in ((4, 4, RED), (4, -5, GREEN), (-5, 4, BLUE), (-5, -5, (0, 0, 0))):
        assert close(picture[:, [y]][:, :, [x]], colour, 6)


def test_orientation_6_is_a_camera_held_upright(tmp_path):
    # Independent of our table: tag 6 means that row 0 of the file is the right side of the scene (EXIF 2.3, 4.6.4).
    array = np.zeros((16, 32, 3), np.uint8)
    array[0] = RED
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(array).save(tmp_path / "a.png", exif=exif)
    picture = read_picture(tmp_path / "a.png")
    assert picture.shape == (3, 32, 16)
    assert close(picture[:, :, -1:], RED) and close(picture[:, :, :-1], (0, 0, 0))


def test_damaged_exif_does_not_cost_the_picture(tmp_path):
    Image.new("RGB", (8, 8), GREEN).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff", quality=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert close(read_picture(tmp_path / "a.jpg"), GREEN, 3)


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert close(read_picture(tmp_path / "a.gif"), RED)


def test_one_pixel_fills_the_square(tmp_path):
    Image.new("RGB", (1, 1), (10, 200, 30)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").shape == (3, 1, 1)
    assert close(read_picture(tmp_path / "a.png", 64), (10, 200, 30))


def test_20000_pixels_wide(tmp_path):
    quadrants(20_000, 30).save(tmp_path / "a.jpg", quality=95)
    quadrants(20_000, 30).save(tmp_path / "a.png")
    for name in ("a.jpg", "a.png"):
        picture = read_picture(tmp_path / name, 32)
        assert close(picture[:, 2:10, 2:10], RED, 4) and close(picture[:, 20:30, 2:10], BLUE, 4)


def test_120_megapixel_jpeg_is_read_at_an_eighth(tmp_path, monkeypatch):
    decoded = []
    original = pictures._reduced

    def watched(image, factor):
        decoded.append(image.size)
        return original(image, factor)

    monkeypatch.setattr(pictures, "_reduced", watched)
    Image.new("L", (20_000, 6_000), 77).save(tmp_path / "a.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12345)
    assert close(read_picture(tmp_path / "a.jpg", 64), (77,) * 3, 1)
    assert decoded == [(2500, 750)]
    assert Image.MAX_IMAGE_PIXELS == 12345  # Pillow's own guard is as it was
    with pytest.raises(ValueError, match=r"a\.jpg: 20000 x 6000 pixels are too many to decode; give a size"):
        read_picture(tmp_path / "a.jpg")


def test_strips_give_the_same_picture_as_the_whole(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (203, 157, 4), dtype=np.uint8))
    image.save(tmp_path / "a.png")
    expected = read_picture(tmp_path / "a.png", 20), read_picture(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "STRIP_PIXELS", 1000)
    assert np.array_equal(read_picture(tmp_path / "a.png", 20), expected[0])
    assert np.array_equal(read_picture(tmp_path / "a.png"), expected[1])


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(60_000, 60_000))
    with pytest.raises(ValueError, match=r"bomb\.png: 60000 x 60000 pixels are too many to decode; make it smaller"):
        read_picture(tmp_path / "bomb.png", 64)


def broken_files(folder):
    """name -> what must be said about it."""
    buffer = io.BytesIO()
    quadrants(200, 200).save(buffer, "JPEG")
    (folder / "cut.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, "PNG")
    (folder / "cut.png").write_bytes(buffer.getvalue()[:3000])
    (folder / "claims.png").write_bytes(png_header(50, 50))
    (folder / "text.jpg").write_text("not a picture at all")
    (folder / "empty.jpg").touch()
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (folder / "sent on.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (folder / "program.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    return {
        "cut.jpg": "truncated",
        "cut.png": "truncated",
        "claims.png": "truncated",
        "text.jpg": "not a picture",
        "empty.jpg": "an empty file",
        "phone.heic": "save it as JPEG",
        "sent on.jpg": "save it as JPEG",
        "program.jpg": "not a picture",
    }


def test_broken_files_are_named_with_the_reason(tmp_path):
    for name, reason in broken_files(tmp_path).items():
        for size in (None, 32):
            with pytest.raises(ValueError, match=f"{re.escape(name)}: .*{reason}") as caught:
                read_picture(tmp_path / name, size)
            assert "\n" not in str(caught.value)


def test_missing_picture_and_bad_size(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.jpg: there is no such picture file"):
        read_picture(tmp_path / "absent.jpg")
    with pytest.raises(FileNotFoundError, match="no such picture file"):
        read_picture(tmp_path)
    for size in (-1, 2.5, "64", 10_000):
        with pytest.raises(ValueError, match="size is the side of the pictures in pixels"):
            read_picture(tmp_path / "absent.jpg", size)


def test_folder_of_own_photographs(tmp_path):
    for number, colour in ((10, RED), (2, GREEN), (1, BLUE)):
        Image.new("RGB", (40, 30), colour).save(tmp_path / f"photo{number}.png")
    Image.new("RGB", (4, 4)).save(tmp_path / ".hidden.png")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "deeper").mkdir()
    broken = broken_files(tmp_path)
    images, names, skipped = read_folder(tmp_path, 16)
    assert names == ["photo1.png", "photo2.png", "photo10.png"]
    assert images.dtype == torch.float32 and images.shape == (3, 3, 16, 16)
    assert images[:, :, 8, 8].tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert {name for name, _ in skipped} == set(broken)
    assert all(broken[name] in reason for name, reason in skipped)
    images, names, _ = read_folder(str(tmp_path), 16, limit=2)
    assert names == ["photo1.png", "photo2.png"] and images.shape == (2, 3, 16, 16)


def test_folder_that_is_missing_empty_or_unreadable(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent: there is no such folder; put your photographs"):
        read_folder(tmp_path / "absent", 32)
    with pytest.raises(FileNotFoundError, match="no pictures here; put your photographs"):
        read_folder(tmp_path, 32)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(FileNotFoundError, match=r"notes\.txt: is a file, not a folder"):
        read_folder(tmp_path / "notes.txt", 32)
    with pytest.raises(ValueError, match=r"none of its 1 files is a readable picture; notes\.txt: not a picture"):
        read_folder(tmp_path, 32)
    with pytest.raises(ValueError, match="limit is a number of pictures"):
        read_folder(tmp_path, 32, limit=0)


def test_decoding_stops_its_threads_when_interrupted(tmp_path):
    for number in range(50):
        os.link(tmp_path / "0.png", tmp_path / f"{number}.png") if number else quadrants().save(tmp_path / "0.png")
    before = threading.active_count()
    files = [tmp_path / f"{number}.png" for number in range(50)]
    with pytest.raises(KeyboardInterrupt), pictures.decoding(files, 16) as results:
        next(results)
        raise KeyboardInterrupt
    assert threading.active_count() == before
