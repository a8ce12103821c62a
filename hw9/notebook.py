"""What both notebooks share: missing packages, device, seeds, fonts, figures shown and kept, source code shown.

Only the standard library is imported at the top: this module also runs where the other packages are still missing.
"""

import ast
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import io
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from typing import Any, ClassVar

ROOT = Path(__file__).resolve().parent.parent
PYTHON = (3, 11)  # at least
CJK_FONTS = ("Noto Sans CJK TC", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans TC", "Noto Sans SC", "PingFang TC")
CJK_FONTS += ("PingFang HK", "Heiti TC", "Microsoft JhengHei", "Microsoft YaHei", "WenQuanYi Micro Hei")


def figures_folder(part: str = "") -> Path:
    """Where figures are kept: below $HW9_FIGURES, or else in figures/ at the root of the project."""
    return Path(os.environ.get("HW9_FIGURES") or ROOT / "figures") / part


def setup(seed: int = 0) -> str:
    """Install what is missing, seed everything, prepare figures; prints one line and returns "cuda" or "cpu".

    A package too old for the lesson stays and is named in a line. Raises RuntimeError where Python is too old, or pip
    failed.
    """
    if sys.version_info < PYTHON:
        here, wanted = platform.python_version(), ".".join(map(str, PYTHON))
        raise RuntimeError(f"this is Python {here}, the lesson needs {wanted} or newer: choose another kernel")
    _install_missing()
    for line in unfit_packages():
        print(line)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch

    seed_everything(seed)
    _figure_style()
    if (shell := kernel_shell()) is not None:
        quiet_widgets(shell)
    if not cjk_font():
        print("No font with Chinese characters: figures show boxes for them. Do: pip install paperang-p2-fonts-cjk")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    threads = torch.get_num_threads()
    what = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {threads} thread{'s' if threads > 1 else ''}"
    print(f"Ready: Python {platform.python_version()}, torch {torch.__version__.split('+')[0]}, {what}")
    return device


def kernel_shell() -> Any:
    """IPython's shell where it is a notebook's; None in a terminal and in plain Python."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell if getattr(shell, "kernel", None) is not None else None


def outputs_hide_others() -> bool:
    """Whether a style in one output reaches the next: in JupyterLab and Notebook, not in Colab and VS Code."""
    code = ("VSCODE_PID", "VSCODE_CWD", "VSCODE_IPC_HOOK_CLI")  # in WSL and containers the first is missing
    return "google.colab" not in sys.modules and not any(name in os.environ for name in code)


def either_style(still: str, live: str) -> str:
    """A style by which an output with an element of class `still` gives way to the next one, if that has one of class
    `live`; else (a notebook opened again: the widget is gone) the next one is hidden. See `outputs_hide_others`."""
    one, other = f".jp-OutputArea-child:has(.{still})", ".jp-OutputArea-child"
    return f"<style>{one}:has(+ {other} .{live}), {one} + {other}:not(:has(.{live})) {{ display: none }}</style>"


def quiet_widgets(shell: Any) -> None:
    """What IPython does around every cell, do no more around a widget's message in another thread.

    There matplotlib shows and closes all figures: those too that a cell is drawing meanwhile (ipykernel 7, JupyterLab).
    """
    trigger = shell.events.trigger
    if getattr(trigger, "quiet", False):
        return

    def for_cells(event: str, *given: Any, **named: Any) -> None:
        cells = threading.current_thread() is threading.main_thread()
        if cells or shell.kernel.get_parent().get("header", {}).get("msg_type") != "comm_msg":
            trigger(event, *given, **named)

    for_cells.quiet = True
    shell.events.trigger = for_cells


def seed_everything(seed: int) -> None:
    """The same random numbers in every run on one machine, from `random`, NumPy and torch."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def requirements() -> list[str]:
    """The lines of requirements.txt that name a package."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in (line.split("#")[0].strip() for line in lines) if line]


def missing_packages() -> list[str]:
    """Those requirements of which no version at all is installed; an installed one is never touched."""
    return [line for line in requirements() if not _installed(re.match(r"[\w.-]+", line)[0])]


def unfit_packages() -> list[str]:
    """A line for each requirement of which another version is installed than the lesson was made for."""
    from packaging.requirements import Requirement

    lines = []
    for wanted in map(Requirement, requirements()):
        version = _installed(wanted.name)
        if version and not wanted.specifier.contains(version, prereleases=True):
            advice = f'if a cell stops because of it: pip install "{wanted}", then restart the kernel'
            lines.append(f"{wanted.name} {version} is installed, the lesson is made for {wanted}; {advice}")
    return lines


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _install_missing() -> None:
    missing = missing_packages()
    if not missing:
        return
    print("Installing what is missing:", ", ".join(missing))
    # The constraint keeps pip from replacing the torch and NumPy that Colab was built with.
    fixed = [f"{name}=={version}" for name in ("torch", "torchvision", "numpy") if (version := _installed(name))]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(fixed), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "-q", "-c", str(constraints), *missing]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RuntimeError(
            f"pip could not install {', '.join(missing)} ({reason}): install them and run this cell again"
        )
    importlib.invalidate_caches()


def cjk_font() -> str | None:
    """The name, known to matplotlib, of a font that draws Chinese in both scripts; None where there is none.

    The font of the package paperang-p2-fonts-cjk comes first, so that figures look the same on every machine.
    """
    from matplotlib import font_manager

    if package := importlib.util.find_spec("paperang_p2_fonts_cjk"):
        file = Path(package.origin).parent / "fonts" / "wqy-microhei.ttc"
        if file.is_file():
            font_manager.fontManager.addfont(file)
            return font_manager.FontProperties(fname=file).get_name()
    known = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in CJK_FONTS if name in known), None)


def _figure_style() -> None:
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "figure.dpi": 100,
            "savefig.dpi": 96,
            "font.family": ["DejaVu Sans", *filter(None, [cjk_font()])],
            "font.size": 9,
            "axes.titlesize": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.facecolor": "white",
            "svg.hashsalt": "hw9",
        }
    )


def show(figure, name: str, *, folder: str | Path | None = None) -> None:
    """Keep a matplotlib figure as <folder>/<name>.png or .jpg and show that very picture below the cell.

    Its name stands small in the lower right corner, as questions go by it. `folder` is `figures_folder()` by default.
    """
    import matplotlib.pyplot as plt
    from IPython.display import Image, display

    drawn = io.BytesIO()
    photographs = any(image.get_array().ndim == 3 for ax in figure.axes for image in ax.images)
    figure.draw_without_rendering()  # a legend may lie below the figure's own edge
    for legend in figure.legends:
        if legend.get_bbox_to_anchor() is figure.bbox:  # that grows to hold the name, and moves the legend
            figure.draw_without_rendering()  # once more: square cells move the rest
            figure.set_layout_engine("none")  # it has made room for the legend
            legend.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
    below = min(0, figure.get_tightbbox().y0 / figure.get_figheight())
    figure.text(1, below, name, ha="right", va="top", fontsize=6.5, color="0.5")
    figure.savefig(drawn, bbox_inches="tight")
    plt.close(figure)
    content, kind = compressed(drawn.getvalue(), photographs=photographs)
    folder = Path(folder) if folder else figures_folder()
    display(Image(content, alt=describe(figure, name)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in (folder / f"{name}.png", folder / f"{name}.jpg"):
            old.unlink(missing_ok=True)
        (folder / f"{name}.{kind}").write_bytes(content)
    except OSError as error:  # a folder that is read-only, a full disk
        print(f"{name} is shown but not kept: {error.strerror or error}, {folder}")


def describe(figure, name: str) -> str:
    """What is read out in place of a matplotlib figure: its name and what its titles say, 400 characters at most."""
    titles = [figure.get_suptitle(), *(ax.get_title() for ax in figure.axes)]
    said = dict.fromkeys(" ".join(title.split()) for title in titles if title.strip())
    return textwrap.shorten(": ".join(filter(None, [f"figure {name}", "; ".join(said)])), 400, placeholder=" …")


def compressed(png: bytes, *, photographs: bool) -> tuple[bytes, str]:
    """A drawn figure (PNG) made small, with its kind: "jpg" for one with photographs, else "png" in 256 colours.

    Plots and maps lose nothing with 256 colours, photographs become blotchy. Speckled maps, which PNG stores badly,
    are JPEG as well. Both kinds are shown everywhere: Jupyter, Colab, VS Code, GitHub, nbconvert.
    """
    from PIL import Image as Picture

    whole, as_png, as_jpg = Picture.open(io.BytesIO(png)).convert("RGB"), io.BytesIO(), io.BytesIO()
    whole.save(as_jpg, "JPEG", quality=75, optimize=True)
    whole.quantize(256).save(as_png, "PNG", optimize=True)
    if photographs or 2 * len(as_jpg.getvalue()) < len(as_png.getvalue()):
        return as_jpg.getvalue(), "jpg"
    return as_png.getvalue(), "png"


def fact(name: str, values: dict) -> None:
    """Keep for the quiz the numbers that the figure above shows: texts, numbers, arrays, tensors or lists by name."""
    from hw9.quiz.calls import record

    record(name, values)


def weights_hash(*models) -> str:
    """The SHA-256, in hex, of all weights of torch modules: the same weights give the same hash on every device."""
    import torch

    found = hashlib.sha256()
    for model in models:
        for name, tensor in sorted(model.state_dict().items()):
            found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def source(*functions) -> None:
    """Show the source of functions below the cell, without docstrings: the very lines that run and are tested."""
    from IPython.display import display

    for function in map(inspect.unwrap, functions):  # a context manager's file is contextlib's
        path = Path(inspect.getsourcefile(function)).resolve().relative_to(ROOT).as_posix()
        code = _without_docstring(function)
        page = f"<div><code>{path}</code></div>{_coloured(code)}"
        display({"text/html": page, "text/plain": f"{path}\n{code}"}, raw=True)


def _coloured(code: str) -> str:
    """Python as HTML: lines are not broken (JupyterLab breaks those of Markdown inside words), long ones scroll.

    The colours, few, are read on white as well as on black: 4 to 1 and more.
    """
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer
    from pygments.style import Style
    from pygments.token import Comment, Keyword, Name, Number, Operator, String

    class Both(Style):
        styles: ClassVar = {
            Keyword: "bold #1f8a52", Operator.Word: "bold #1f8a52", Name.Function: "#1c7ed6", Name.Class: "#1c7ed6",
            String: "#c85234", Number: "#1f8a52", Comment: "italic #787878",
        }  # fmt: skip

    font = "font-family: var(--jp-code-font-family, monospace); font-size: 12px"  # a page by nbconvert has no other
    box = f"white-space: pre; overflow-x: auto; {font}; background: none; margin: 4px 0 12px"
    return highlight(code, PythonLexer(), HtmlFormatter(noclasses=True, nobackground=True, style=Both, prestyles=box))


def _without_docstring(function) -> str:
    code = textwrap.dedent(inspect.getsource(function)).rstrip()
    first = ast.parse(code).body[0].body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return code
    lines = code.splitlines()
    return "\n".join(lines[: first.lineno - 1] + lines[first.end_lineno :])
