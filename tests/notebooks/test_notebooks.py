"""The notebooks at the top are built from their sources, without an error or a warning; their cells are in order."""

import builtins
import dis
import json
import re
import types
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

from hw9.notebook import ROOT
from hw9.pack import pack
from hw9.run import built, check_built, from_source, sources

SOURCES = sources()
pytestmark = pytest.mark.parametrize("source", SOURCES, ids=[source.stem for source in SOURCES])


def code_cells(book: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def test_the_built_notebook_is_its_source_executed_in_order_without_a_warning(source):
    check_built(source)
    cells = code_cells(nbformat.read(built(source), as_version=4))
    for output in (output for cell in cells for output in cell.outputs):
        assert output.get("name") != "stderr", output["text"][:200]
        assert "Warning" not in str(output.get("text", ""))


def test_cells_are_short_and_files_small(source):
    assert max(len(cell.source.splitlines()) for cell in code_cells(from_source(source))) <= 15
    assert built(source).stat().st_size < 5 * 2**20


def test_figures_shown_are_the_ones_kept(source):
    names = re.findall(r'"((?:cnn|bert)_\d\d_\w+)"', source.read_text(encoding="utf-8"))
    assert len(names) == len(set(names)) > 0
    missing = [name for name in names if not list((ROOT / "figures").glob(f"{name}.*"))]
    assert not missing, "run: make notebooks"


def test_every_key_idea_has_a_chinese_line(source):
    prose = "\n".join(cell.source for cell in from_source(source).cells if cell.cell_type == "markdown")
    sections = re.split(r"\n(?=## )", prose)
    without = [text.splitlines()[0] for text in sections if not re.search(r"[\u4e00-\u9fff]", text)]
    assert not without


def test_a_notebook_that_is_not_as_it_was_built_is_not_packed(source, tmp_path, monkeypatch):
    copy = tmp_path / built(source).name
    monkeypatch.setattr("hw9.run.ROOT", tmp_path)
    monkeypatch.setattr("hw9.pack.sources", lambda: [source])
    with pytest.raises(ValueError, match="its cells are not those of notebooks/"):
        check_built(source)  # there is none
    book = from_source(source)
    for number, cell in enumerate(code_cells(book), 1):
        cell["execution_count"] = number
    nbformat.write(book, copy)
    check_built(source)
    for number, what in ((None, {}), (5, {"outputs": [nbformat.v4.new_output("error")]}), (9, {})):
        half = deepcopy(book)
        code_cells(half)[4].update(what, execution_count=number)
        nbformat.write(half, copy)
        with pytest.raises(ValueError, match=f"{copy.name} is not as it was built, code cell 5 was not run"):
            pack(tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_a_name_that_crosses_cells_means_one_thing(source):
    """So any cell can be run again alone: what it reads from other cells is bound in one of them only."""
    cells = [names(compile(cell.source, "cell", "exec")) for cell in code_cells(from_source(source))]
    for number, (before, later, _) in enumerate(cells):
        for name in (before | later) - set(dir(builtins)):
            assert len([k for k, (_, _, bound) in enumerate(cells) if name in bound]) == 1, (number, name)


def names(code: types.CodeType) -> tuple[set, set, set]:
    """Names that a cell reads before it binds them, names that its functions read when called, names that it binds."""
    before, later, bound = set(), set(), set()
    for step in dis.get_instructions(code):
        if step.opname == "STORE_NAME":
            bound.add(step.argval)
        elif step.opname in ("LOAD_NAME", "LOAD_GLOBAL") and step.argval not in bound:
            before.add(step.argval)
        elif isinstance(step.argval, types.CodeType):
            inside, deeper, _ = names(step.argval)
            at_once = step.argval.co_name in ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
            before |= inside - bound if at_once else set()
            later |= deeper if at_once else inside | deeper
    return before, later, bound


def test_all_notebooks_open_with_the_same_set_up_cell(source):
    assert code_cells(from_source(source))[0].source == code_cells(from_source(SOURCES[0]))[0].source
    kernel = json.loads(built(source).read_text(encoding="utf-8"))["metadata"]["kernelspec"]
    assert kernel == {"display_name": "Python 3", "language": "python", "name": "python3"}


@pytest.fixture(autouse=True)
def from_the_top(monkeypatch):
    monkeypatch.chdir(Path(ROOT))
