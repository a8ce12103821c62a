"""Execute the lesson's notebooks with a line per cell, and build them from their sources in notebooks/."""

import itertools
import os
import re
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from hw9.files import replacing
from hw9.notebook import ROOT

SOURCES = ROOT / "notebooks"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def sources() -> list[Path]:
    """The notebook sources (jupytext percent scripts), in the order of the lesson."""
    return sorted(SOURCES.glob("hw9_*.py"), key=lambda path: ("cnn" not in path.name, path.name))


def built(source: Path) -> Path:
    """Where the executed notebook of a source lies: at the top of the repository."""
    return ROOT / f"{source.stem}.ipynb"


def from_source(source: Path) -> nbformat.NotebookNode:
    """A source as a notebook without outputs; the same source gives the same file, cell ids included."""
    book = jupytext.read(source)
    for number, cell in enumerate(book.cells):
        cell["id"] = f"cell-{number:03d}"
        cell["metadata"] = {}
    book["metadata"] = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    book["nbformat"], book["nbformat_minor"] = 4, 5
    return book


def check_built(source: Path) -> None:
    """Raise ValueError where the notebook at the top is not what this source gives, run once from top to bottom."""
    path = built(source)
    book = nbformat.read(path, as_version=4) if path.is_file() else nbformat.v4.new_notebook()
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    wrong = ""
    if [(cell.cell_type, cell.source) for cell in book.cells] != [
        (cell.cell_type, cell.source) for cell in from_source(source).cells
    ]:
        wrong = f"its cells are not those of notebooks/{source.name}"
    for number, cell in enumerate(code, 1):
        if cell.execution_count != number or any(output.output_type == "error" for output in cell.outputs):
            wrong = wrong or f"code cell {number} was not run in its turn, or stopped"
    if wrong:
        raise ValueError(
            f"{path.name} is not as it was built, {wrong}: bring it back (git checkout) or `make notebooks`"
        )


def execute(book: nbformat.NotebookNode, name: str, folder: Path = ROOT, *, figures: Path | None = None) -> float:
    """Run all cells in `folder`, in place, printing a line per code cell; returns the seconds it took.

    Figures go to `figures` where it is given.

    Raises RuntimeError with the number of the code cell and the error; the outputs so far stay in `book`.
    """
    numbers = list(itertools.accumulate(int(cell.cell_type == "code") for cell in book.cells))  # of code cells, from 1
    began, start = {}, time.perf_counter()

    def on_start(cell: nbformat.NotebookNode, cell_index: int) -> None:
        began[cell_index] = time.perf_counter()

    def on_done(cell: nbformat.NotebookNode, cell_index: int, **_) -> None:
        _tidy(cell)
        seconds = time.perf_counter() - began[cell_index]
        place = f"[{numbers[cell_index]:2d}/{numbers[-1]}]"
        print(f"  {name} {place} {seconds:6.1f} s  {_title(cell.source)}", flush=True)

    # The kernel that runs is this very Python, whatever kernels a user has installed.
    client = NotebookClient(
        book,
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        on_cell_start=on_start,
        on_cell_executed=on_done,  # also of a cell that fails
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
    )
    try:
        # What is kept must stand without a kernel: the explorer becomes a page instead of a widget.
        kept = {"HW9_FIGURES": str(figures)} if figures else {}
        client.execute(env={**os.environ, "HW9_STATIC": "1", **kept})
    except CellExecutionError as error:
        number = numbers[max(began)]
        raise RuntimeError(f"{name} stopped at code cell {number}: {error.ename}: {error.evalue}") from error
    return time.perf_counter() - start


def run(*, keep: Path | None = None) -> dict[str, float]:
    """Execute every notebook: copies of the built ones into `keep`, figures too, so that the checkout stays as it is;
    or (None) the sources, into the notebooks at the top and figures/. Returns the seconds per notebook.

    A copy in which somebody has changed cells is kept under another name. Where a notebook stops, its copy is kept with
    what it has shown so far, the others are executed, and RuntimeError tells where it stopped.
    """
    seconds, stopped = {}, []
    figures = (keep or ROOT) / "figures"
    for source in sources():
        target = built(source) if keep is None else keep / built(source).name
        book = from_source(source) if keep is None else nbformat.read(built(source), as_version=4)
        print(f"{target.name}: {sum(cell.cell_type == 'code' for cell in book.cells)} cells", flush=True)
        try:
            seconds[target.name] = execute(book, source.stem.removeprefix("hw9_").split("_")[0], figures=figures)
        except RuntimeError as error:
            stopped.append(str(error))
            if keep is None:
                continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if keep is not None:
            _set_aside(target, book)
        with replacing(target) as part:
            nbformat.write(book, part)
    if stopped:
        raise RuntimeError("; ".join(stopped))
    return seconds


def _set_aside(target: Path, book: nbformat.NotebookNode) -> None:
    """Rename a notebook at `target` whose cells are others than those of `book`."""
    try:
        same = [cell.source for cell in nbformat.read(target, as_version=4).cells] == [c.source for c in book.cells]
    except FileNotFoundError:
        return
    except Exception:  # whatever it is, it is somebody's
        same = False
    if not same:
        names = (target.with_name(f"{target.stem}-before{n}{target.suffix}") for n in itertools.count(1))
        aside = next(path for path in names if not path.exists())
        target.rename(aside)
        print(f"{target.name} had other cells, yours perhaps: it is now {aside.name}", flush=True)


def _title(code: str) -> str:
    line = next((line for line in code.splitlines() if line.strip()), "")
    return line.strip()[:70]


def _tidy(cell: nbformat.NotebookNode) -> None:
    """Keep of a progress bar its last state only, join pieces of one stream, forget what differs between runs."""
    cell["metadata"] = {}
    kept: list[nbformat.NotebookNode] = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
            kept[-1]["text"] += output.text
        else:
            kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            text = re.sub(r"[^\n]*\r(?=[^\n])", "", output["text"])
            output["text"] = re.sub(r"\[\d+:[\d:]+<[^],]*, [^],]*(, )?", "[", text).replace(" []", "")  # times
    cell["outputs"] = kept
