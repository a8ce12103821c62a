"""The code cells of a notebook run in this process, in any order, with other settings; what they show is drawn."""

import ast
import re
import warnings

import matplotlib.pyplot as plt

from hw9 import notebook
from hw9.run import SOURCES, from_source


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
