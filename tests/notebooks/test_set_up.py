"""The set-up cell, with which both notebooks open (test_notebooks.py says so), in a Python and a folder of its own."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hw9.run import from_source, sources

SET_UP = next(cell.source for cell in from_source(sources()[0]).cells if cell.cell_type == "code")


@pytest.mark.parametrize(
    ("beside", "repository", "line"),
    [
        (None, "", "There is no hw9-colab.zip here, and REPOSITORY is empty"),
        (None, "no/such/repository", "No lesson in no/such/repository fatal: "),
        (b"junk", "", "hw9-colab.zip BadZipFile: "),
        ("damaged", "", "hw9-colab.zip BadZipFile: Bad CRC-32 for file 'hw9/late.py'"),
        ("other", "", "No lesson in "),
    ],
)
def test_opened_alone_without_a_lesson_says_what_to_do_and_leaves_nothing(tmp_path, beside, repository, line):
    if isinstance(beside, str):
        with zipfile.ZipFile(tmp_path / "hw9-colab.zip", "w") as archive:
            archive.writestr("hw9/notebook.py" if beside == "damaged" else "other.py", "")
            archive.writestr("hw9/late.py", "text that will be spoilt")
    if beside is not None:
        data = beside if isinstance(beside, bytes) else (tmp_path / "hw9-colab.zip").read_bytes()
        data = data.replace(b"will be", b"WILL BE") if beside == "damaged" else data
        (tmp_path / "hw9-colab.zip").write_bytes(data)
    setup = SET_UP.replace('REPOSITORY = ""', f"REPOSITORY = {repository!r}", 1)
    done = subprocess.run([sys.executable, "-I", "-c", setup], cwd=tmp_path, capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert done.returncode and line in last and "upload hw9-colab.zip beside this notebook" in last
    assert [path.name for path in tmp_path.iterdir()] == ["hw9-colab.zip"] * (beside is not None)


def test_the_archive_may_hold_the_lesson_in_a_folder(tmp_path):
    """As some systems pack it again; the set-up cell finds it there, and finds it again the second time."""
    with zipfile.ZipFile(tmp_path / "hw9-colab.zip", "w") as archive:
        archive.writestr("hw9-colab/hw9/notebook.py", "def setup(seed): return print('here', __file__)")
    for _ in range(2):
        done = subprocess.run([sys.executable, "-I", "-c", SET_UP], cwd=tmp_path, capture_output=True, text=True)
        assert done.stdout.strip().endswith(str(Path("hw9-lesson", "hw9", "notebook.py"))), done.stderr


def test_without_git_one_line_says_so(tmp_path):
    setup = SET_UP.replace('REPOSITORY = ""', "REPOSITORY = 'no/such/repository'", 1)
    done = subprocess.run(
        [sys.executable, "-I", "-c", setup], cwd=tmp_path, capture_output=True, text=True, env={"PATH": ""}
    )
    assert done.stderr.splitlines()[-1] == (
        "FileNotFoundError: There is no hw9-colab.zip here, and no git to fetch REPOSITORY with: "
        "upload hw9-colab.zip beside this notebook, or set REPOSITORY."
    )


def test_a_folder_that_is_in_the_way_is_kept_and_the_lesson_put_into_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "hw9-colab.zip", "w") as archive:
        archive.writestr("hw9/notebook.py", "def setup(seed): return print('here', __file__)")
    (tmp_path / "hw9-lesson").mkdir()
    (tmp_path / "hw9-lesson" / "mine.txt").write_text("kept")
    for _ in range(2):  # found again the second time
        done = subprocess.run([sys.executable, "-I", "-c", SET_UP], cwd=tmp_path, capture_output=True, text=True)
        assert done.stdout.startswith("here") and str(tmp_path / "hw9-lesson") in done.stdout, done.stderr
    assert (tmp_path / "hw9-lesson" / "mine.txt").read_text() == "kept"
    assert len(list((tmp_path / "hw9-lesson").iterdir())) == 2
