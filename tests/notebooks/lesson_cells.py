"""The code cells of a notebook run: in a kernel from the top, or in this process, in any order, with other settings."""

import ast
import re
import warnings

import matplotlib.pyplot as plt

from hw9 import notebook
from hw9.pack import pack
from hw9.run import SOURCES, execute, from_source


def from_the_top(source, folder, monkeypatch, replaced=()):
    """Run a notebook in an empty folder with nothing but the Colab archive beside it, as a student who opens it alone.

    `replaced`: a text of its cells, and what stands there instead. Returns all outputs, of which none is a warning.
    """
    monkeypatch.setattr("hw9.pack.check_built", lambda source: None)  # the source is run, built or not
    pack(folder / "hw9-colab.zip")
    book = from_source(SOURCES / source)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    if replaced:
        (cell,) = (cell for cell in cells if replaced[0] in cell.source)
        cell.source = cell.source.replace(*replaced)
    execute(book, "test", folder)
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    lesson, own = folder / "hw9-lesson", f"{source.split('_')[1]}_*"
    assert (lesson / "hw9" / "notebook.py").is_file()
    drawn, kept = (root / "figures" for root in (lesson, notebook.ROOT))
    assert {path.name for path in drawn.glob(own)} == {path.name for path in kept.glob(own)}
    return outputs


class Cells:
    """The cells of one of the notebooks/*.py; `settings` puts another value after the first `name = ` of a cell.

    `names` holds what they have bound so far, `shown` the figures by their number, with the folder each goes to. A
    warning is an error, except for those whose beginnings are in `ignored`.
    """

    def __init__(self, source, monkeypatch, *, draw=True, **settings):
        book = from_source(SOURCES / source)
        self.cells = [cell.source for cell in book.cells if cell.cell_type == "code"]
        self.figures = set(re.findall(r'"((?:bert|cnn)_\d\d)_\w+"', "\n".join(self.cells)))
        for name, value in settings.items():
            self.cells = [cell.replace(f"{name} = ", f"{name} = {value!r}  #") for cell in self.cells]
        self.names, self.shown, self.draw, self.ignored = {}, {}, draw, []
        monkeypatch.setenv("HW9_STATIC", "1")
        monkeypatch.setattr(notebook, "show", self.show)
        monkeypatch.setattr("IPython.display.display", lambda *_, **__: None)

    def show(self, figure, name, *, folder):
        if self.draw:
            figure.canvas.draw()
        plt.close(figure)
        self.shown[re.match(r"[a-z]+_\d\d", name)[0]] = folder

    def run(self, order=None):
        """Run all cells, or those of `order`; returns the figures shown so far."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            for message in self.ignored:
                warnings.filterwarnings("ignore", message)
            for number in range(len(self.cells)) if order is None else order:
                tree = ast.parse(self.cells[number])
                result = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
                exec(compile(tree, f"cell {number}", "exec"), self.names)
                if result is not None:
                    value = eval(compile(ast.Expression(result.value), f"cell {number}", "eval"), self.names)
                    getattr(value, "_repr_mimebundle_", dict)()  # the explorer
        return set(self.shown)
