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
