import nbformat
import nbformat.v4
import pytest

from hw9 import run
from hw9.run import execute


@pytest.mark.parametrize("before", [0, 1])
def test_a_cell_that_fails_has_one_line_and_the_error_says_which_it_is(capsys, tmp_path, before):
    code, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    failing = code("1 / 0")
    book = nbformat.v4.new_notebook(cells=[*[code("1")] * before, text("text"), failing, code("2")])
    number = before + 1
    with pytest.raises(RuntimeError, match=rf"^x stopped at code cell {number}: ZeroDivisionError: division by zero$"):
        execute(book, "x", tmp_path)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == number and printed[-1].startswith(f"  x [ {number}/{before + 2}] ")
    assert printed[-1].endswith(" s  1 / 0") and [output.output_type for output in failing.outputs] == ["error"]


def test_a_copy_with_cells_of_ones_own_and_what_came_before_an_error_are_kept(tmp_path, monkeypatch, capsys):
    code, top, keep = nbformat.v4.new_code_cell, tmp_path / "top", tmp_path / "runs"
    top.mkdir()
    for name, cells in (("hw9_cnn_x", ["print(1)", "1 / 0"]), ("hw9_bert_x", ["print(2)"])):
        nbformat.write(nbformat.v4.new_notebook(cells=[code(cell) for cell in cells]), top / f"{name}.ipynb")
    monkeypatch.setattr(run, "ROOT", top)
    monkeypatch.setattr(run, "sources", lambda: [top / "hw9_cnn_x.py", top / "hw9_bert_x.py"])
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"^cnn stopped at code cell 2: ZeroDivisionError: division by zero$"):
            run.run(keep=keep)
    found = {path.name: nbformat.read(path, as_version=4) for path in keep.iterdir()}
    assert sorted(found) == ["hw9_bert_x.ipynb", "hw9_cnn_x.ipynb"]
    assert [book.cells[0].outputs[0]["text"] for _, book in sorted(found.items())] == ["2\n", "1\n"]
    mine = found["hw9_bert_x.ipynb"]
    mine.cells[0].source = "NAME = 'Ada'"
    nbformat.write(mine, keep / "hw9_bert_x.ipynb")
    (keep / "hw9_bert_x-before1.ipynb").write_text("another")
    with pytest.raises(RuntimeError):
        run.run(keep=keep)
    assert nbformat.read(keep / "hw9_bert_x-before2.ipynb", as_version=4).cells[0].source == "NAME = 'Ada'"
    assert (keep / "hw9_bert_x-before1.ipynb").read_text() == "another"
    assert "it is now hw9_bert_x-before2.ipynb" in capsys.readouterr().out


def test_of_a_progress_bar_the_last_state_is_kept_without_its_times():
    bar = "\rtraining: 100%|██| 416/416 [1:21:58<00:00,  3.17s/step, loss=0.81, validation=93.8%]"
    streams = ["training:  50%|█ | 208/416 [40:10<40:08,  3.20s/step, loss=1.2]", bar, "\ndone [0:1]\n",
               "\rher network: 100%|██| 64/64 [03:24<00:00,  3.19s/step]\n"]  # fmt: skip
    cell = nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("stream", text=text) for text in streams])
    run._tidy(cell)
    (kept,) = cell.outputs
    first, second, third = kept["text"].splitlines()
    assert first == "training: 100%|██| 416/416 [loss=0.81, validation=93.8%]" and second == "done [0:1]"
    assert third == "her network: 100%|██| 64/64"
