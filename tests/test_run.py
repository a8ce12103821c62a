import nbformat.v4
import pytest

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
