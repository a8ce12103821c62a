"""Set-up installs only what is missing; figures and sources are shown as they are."""

import subprocess
import tomllib
import types
import zipfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image

from hw9 import notebook
from hw9.notebook import ROOT
from hw9.pack import pack


def test_requirements_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert notebook.requirements() == project["dependencies"]


def test_nothing_is_installed_when_nothing_is_missing(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("pip was called"))
    assert notebook.missing_packages() == []
    assert notebook.setup(seed=3) in ("cpu", "cuda")


def test_only_missing_packages_are_installed_and_torch_and_numpy_stay(monkeypatch, capsys):
    calls = []

    def pip(command, **_):
        constraints = command[command.index("-c") + 1]
        calls.append((command, Path(constraints).read_text(encoding="utf-8")))
        return types.SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(notebook.subprocess, "run", pip)
    monkeypatch.setattr(notebook, "requirements", lambda: ["numpy", "torch>=99", "no-such-package>=1", "lime"])
    notebook._install_missing()
    (command, constraints), installed = calls[0], notebook._installed
    assert command[-1] == "no-such-package>=1" and command[-2].endswith("constraints.txt")
    assert f"torch=={installed('torch')}" in constraints and f"numpy=={installed('numpy')}" in constraints
    assert "no-such-package" in capsys.readouterr().out


def test_a_failed_install_is_one_line(monkeypatch):
    failed = types.SimpleNamespace(returncode=1, stderr="long\ntext\nERROR: no network")
    monkeypatch.setattr(notebook.subprocess, "run", lambda *a, **k: failed)
    monkeypatch.setattr(notebook, "requirements", lambda: ["no-such-package"])
    with pytest.raises(RuntimeError, match=r"no-such-package .*no network") as caught:
        notebook._install_missing()
    assert "\n" not in str(caught.value)


def test_chinese_is_drawn_in_both_scripts():
    notebook._figure_style()
    fonts = [font_manager.get_font(font_manager.findfont(name)) for name in plt.rcParams["font.family"]]
    missing = [c for c in "蘋果苹即將將发發，。「」abc→≥" if not any(font.get_char_index(ord(c)) for font in fonts)]
    assert not missing


def test_without_the_font_package_a_system_font_serves(monkeypatch):
    monkeypatch.setattr(notebook.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(notebook, "CJK_FONTS", ("No Such Font", "DejaVu Sans"))
    assert notebook.cjk_font() == "DejaVu Sans"
    monkeypatch.setattr(notebook, "CJK_FONTS", ("No Such Font",))
    assert notebook.cjk_font() is None


def test_same_seed_same_numbers():
    import random

    import torch

    def draw():
        notebook.seed_everything(7)
        return random.random(), np.random.rand(), float(torch.rand(()))

    assert draw() == draw()


def test_a_figure_is_kept_as_it_is_shown_and_closed(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    figure, ax = plt.subplots()
    ax.imshow(np.eye(3))
    notebook.show(figure, "some_figure", folder=tmp_path / "new")
    assert not plt.fignum_exists(figure.number)
    kept = tmp_path / "new" / "some_figure.png"
    assert kept.read_bytes() == shown[0].data
    with Image.open(kept) as picture:
        assert picture.width > 100


def test_a_figure_that_cannot_be_kept_is_shown_all_the_same(tmp_path, monkeypatch, capsys):
    """A read-only folder, seen by anyone but root, or one that is no folder."""
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    (tmp_path / "file").write_text("")
    notebook.show(plt.figure(), "some_figure", folder=tmp_path / "file")
    assert len(shown) == 1
    line = capsys.readouterr().out
    assert line.startswith("some_figure is shown but not kept: ") and str(tmp_path / "file") in line


def test_source_shows_the_code_without_its_docstring(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda item: shown.append(item.data))
    notebook.source(notebook.seed_everything)
    assert shown[0].startswith("`hw9/notebook.py`\n```python\ndef seed_everything(seed: int) -> None:\n")
    assert "np.random.seed(seed)" in shown[0] and "every run on one machine" not in shown[0]


def test_the_archive_for_colab_holds_the_lesson_and_nothing_large(tmp_path):
    with zipfile.ZipFile(pack(tmp_path / "deep" / "a.zip")) as archive:
        names = archive.namelist()
        assert sum(item.compress_size for item in archive.infolist()) < 60 * 2**20
    for wanted in ("hw9/notebook.py", "requirements.txt", "hw9_cnn_explanation.ipynb", "data/sprites/index.csv",
                   "checkpoints/compact-food11.safetensors"):  # fmt: skip
        assert wanted in names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".", "/"))]
