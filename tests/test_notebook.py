"""Set-up installs only what is missing; figures and sources are shown as they are."""

import base64
import re
import subprocess
import threading
import tomllib
import types
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from IPython.core.events import EventManager
from matplotlib import font_manager
from PIL import Image

from hw9 import notebook
from hw9.notebook import ROOT
from hw9.pack import pack
from hw9.page import _take_formulas, save_page
from hw9.run import from_source, sources


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


def test_what_is_too_old_is_told_and_stays(monkeypatch, capsys):
    versions = {"transformers": "4.57.1", "torch": "2.13.0+cu130", "numpy": "1.0", "lime": "0.2.0.1"}
    monkeypatch.setattr(notebook, "_installed", versions.get)
    assert [line.partition(";")[0] for line in notebook.unfit_packages()] == [
        "torch 2.13.0+cu130 is installed, the lesson is made for torch!=2.13.0,>=2.6",
        "transformers 4.57.1 is installed, the lesson is made for transformers>=5",
    ]
    monkeypatch.setattr(notebook, "requirements", lambda: ["lime>=7"])
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("pip was called"))
    notebook.setup()
    assert 'of it: pip install "lime>=7", then restart the kernel\nReady' in capsys.readouterr().out
    monkeypatch.setattr(notebook.sys, "version_info", (3, 10, 12))
    monkeypatch.setattr(notebook.platform, "python_version", lambda: "3.10.12")
    with pytest.raises(RuntimeError, match=r"^this is Python 3.10.12, the lesson needs 3.11 or newer: choose another"):
        notebook.setup()


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
    assert kept.read_bytes() == shown[0].data and shown[0].alt == "figure some_figure"
    with Image.open(kept) as picture:
        assert picture.width > 100


@pytest.mark.parametrize("place", [{"loc": "outside lower right"}, {"loc": "upper right", "bbox_to_anchor": (1, 0)}])
def test_the_name_of_a_figure_lies_below_its_legend(tmp_path, monkeypatch, place):
    monkeypatch.setattr("IPython.display.display", lambda shown: None)
    figure, ax = plt.subplots(layout="constrained")
    ax.plot([0, 1], color="black", label="a label")
    figure.legend(**place, facecolor="red", framealpha=1)
    notebook.show(figure, "some_figure", folder=tmp_path)
    picture = np.asarray(Image.open(tmp_path / "some_figure.png").convert("RGB")).astype(int)
    red = ((picture[..., 0] > 200) & (picture[..., 1:] < 50).all(2)).any(1).nonzero()[0]
    assert (picture[red.max() + 3 :] < 200).any(), "the name, wholly below"
    assert not (np.abs(picture[red.min() : red.max() + 1] - 128) < 20).all(2).any(), "none of its grey in the legend"


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
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    notebook.source(notebook.seed_everything)
    code = shown[0]["text/plain"]
    assert code.startswith("hw9/notebook.py\ndef seed_everything(seed: int) -> None:\n")
    assert "np.random.seed(seed)" in code and "every run on one machine" not in code
    read = BeautifulSoup(shown[0]["text/html"], "html.parser")
    assert read.find("code").text == "hw9/notebook.py" and "white-space: pre;" in read.find("pre")["style"]
    assert read.find("pre").text.strip() == code.partition("\n")[2].strip()


def test_source_is_shown_of_a_lesson_behind_a_link(monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    (tmp_path / "link").symlink_to(notebook.ROOT)
    monkeypatch.setattr(notebook.inspect, "getsourcefile", lambda _: str(tmp_path / "link" / "hw9" / "notebook.py"))
    notebook.source(notebook.seed_everything)
    assert shown[0]["text/plain"].startswith("hw9/notebook.py\n")


def test_the_colours_of_code_are_read_on_white_and_on_black():
    page = notebook._coloured("class A:  # note\n    def f(self): return 'a' and 3")
    tints = {tint for tint in re.findall(r"color: (#\w{6})", page)}
    assert len(tints) == 4
    for tint in tints:
        parts = np.array([int(tint[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        light = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)
        assert min(1.05 / (light + 0.05), (light + 0.05) / (0.0056 + 0.05)) > 4, tint  # WCAG 2, on #ffffff and #111111


def test_what_is_read_out_in_place_of_a_figure_is_what_its_titles_say():
    figure, axes = plt.subplots(1, 3)
    figure.suptitle("All heads,\none sentence")
    for ax, title in zip(axes, ("layer 1", "layer 2", "layer 1"), strict=True):
        ax.set_title(title)
    assert notebook.describe(figure, "bert_05") == "figure bert_05: All heads, one sentence; layer 1; layer 2"
    assert notebook.describe(plt.figure(), "cnn_01") == "figure cnn_01"
    plt.close("all")


def test_the_archive_for_colab_holds_the_lesson_and_nothing_large(tmp_path, monkeypatch):
    monkeypatch.setattr("hw9.pack.check_built", lambda source: None)
    with zipfile.ZipFile(pack(tmp_path / "deep" / "a.zip")) as archive:
        names = archive.namelist()
        assert sum(item.compress_size for item in archive.infolist()) < 70 * 2**20  # two networks, a BERT, and pictures
    for wanted in ("hw9/notebook.py", "requirements.txt", "hw9_cnn_explanation.ipynb", "data/sprites/index.csv",
                   "figures/attention_explorer.png",
                   "checkpoints/compact-food11.safetensors"):  # fmt: skip
        assert wanted in names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".", "/"))]


def test_formulas_become_what_a_browser_draws_and_other_dollars_stay():
    drawn = []
    left = _take_formulas("cost $5, `$x$`, \\$3\n$$\\arg\\max_x a_{\\ell}(x)$$\n```\n$y$ $z$\n``` and $x'_1$", drawn)
    assert left == "cost $5, `$x$`, \\$3\n\ue0000\ue001\n```\n$y$ $z$\n``` and \ue0001\ue001"
    assert 'display="block"' in drawn[0] and 'display="inline"' in drawn[1]
    prose = [cell.source for source in sources() for cell in from_source(source).cells if cell.cell_type == "markdown"]
    for text in prose:
        assert "$$" not in _take_formulas(text, drawn)
    assert len(drawn) > 10 and not [formula for formula in drawn if "\\" in formula]  # all commands are known
    for formula in drawn:
        ElementTree.fromstring(formula)


def test_a_page_holds_pictures_with_their_words_and_fetches_nothing(tmp_path):
    picture = {"image/png": base64.b64encode(b"a picture").decode()}
    shown = nbformat.v4.new_output("display_data", picture, metadata={"image/png": {"alt": 'two "apples"'}})
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1", "version_major": 2, "version_minor": 0}}
    card = [nbformat.v4.new_output("display_data", data) for data in ({"text/html": "<p>in writing</p>"}, widget)]
    book = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_markdown_cell("![here](apple.png) where $a < b$"),
        nbformat.v4.new_code_cell("show()", outputs=[shown, *card]),
    ])  # fmt: skip
    state = {"version_major": 2, "version_minor": 0, "state": {"1": {"model_name": "VBoxModel", "state": {}}}}
    book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}  # as JupyterLab keeps it
    nbformat.write(book, tmp_path / "a.ipynb")
    (tmp_path / "apple.png").write_bytes(b"another")
    page = save_page(tmp_path / "a.ipynb", tmp_path / "deep" / "a.html").read_text(encoding="utf-8")
    read = BeautifulSoup(page, "html.parser")
    assert {image["alt"]: base64.b64decode(image["src"].split(",")[1]) for image in read.find_all("img")} == {
        "here": b"another", 'two "apples"': b"a picture",
    }  # fmt: skip
    assert read.find("math").text.replace(" ", "") == "a<b"
    assert not [script for script in read.find_all(["script", "link"]) if script.get("src") or script.get("href")]
    assert not re.search("cdn|unpkg|require.min|@import", page)
    assert read.find("p", string="in writing")
    book.cells[1].outputs = []
    nbformat.write(book, tmp_path / "a.ipynb")
    with pytest.raises(ValueError, match=r"a.ipynb has no outputs: run it and save it first"):
        save_page(tmp_path / "a.ipynb", tmp_path / "b.html")


def test_photographs_keep_their_colours_and_plots_stay_small(tmp_path):
    import io

    from PIL import Image

    random = np.random.default_rng(0)
    y, x = np.mgrid[0:120, 0:120] / 120
    photograph = np.stack([x, y, 0.5 + 0.4 * np.sin(9 * x * y)], -1) + random.normal(0, 0.02, (120, 120, 3))
    for shown, kind in ((photograph.clip(0, 1), "jpg"), (np.eye(3), "png")):
        figure, ax = plt.subplots()
        ax.imshow(shown)
        notebook.show(figure, "kept", folder=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [f"kept.{kind}"]  # the other kind is gone
    drawn = Image.fromarray((photograph.clip(0, 1) * 255).astype(np.uint8)).resize((600, 600))
    png = io.BytesIO()
    drawn.save(png, "PNG")

    def error(content):
        return np.abs(np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float) - np.asarray(drawn)).mean()

    as_jpg, as_png = (notebook.compressed(png.getvalue(), photographs=p)[0] for p in (True, False))
    assert error(as_jpg) < 2.5
    assert len(as_jpg) < len(png.getvalue()) / 3
    assert notebook.compressed(png.getvalue(), photographs=False)[1] == "jpg" or error(as_png) > error(as_jpg)


def test_what_ends_a_cell_does_not_happen_in_the_thread_of_a_widget():
    """There matplotlib shows and closes the figures that a cell is drawing."""
    kind, done = ["execute_request"], []
    kernel = types.SimpleNamespace(get_parent=lambda: {"header": {"msg_type": kind[0]}})
    shell = types.SimpleNamespace(kernel=kernel)
    shell.events = EventManager(shell, {"post_execute": None})
    shell.events.register("post_execute", lambda: done.append(kind[0]))

    def elsewhere():
        thread = threading.Thread(target=shell.events.trigger, args=["post_execute"])
        thread.start()
        thread.join()

    for _ in range(2):  # the set-up cell may run again
        notebook.quiet_widgets(shell)
    elsewhere()  # a cell of a console with a thread of its own
    kind[0] = "comm_msg"
    elsewhere()
    shell.events.trigger("post_execute")  # older kernels: after the cell
    assert done == ["execute_request", "comm_msg"]
