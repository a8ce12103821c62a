"""The cells of the BERT notebook with other models than the embedded one, in one process and in any order."""

import ast
import json
import string

import jupytext
import matplotlib.pyplot as plt
import pytest
import torch
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertForQuestionAnswering, BertTokenizer

from hw9 import notebook
from hw9.language import questions, sentences
from hw9.language.hub import EMBEDDED
from hw9.language.loading import BertWithHeads
from hw9.run import SOURCES, from_source

CELLS = [cell.source for cell in from_source(SOURCES / "hw9_bert_explanation.py").cells if cell.cell_type == "code"]
FIGURES = 23
SPECIALS = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]


class Lesson:
    """The notebook in this process: cells run in any order, what they show is drawn and named."""

    def __init__(self, monkeypatch, **settings):
        self.names, self.shown, self.drawn = {}, [], True
        self.cells = [self._set(cell, settings) for cell in CELLS]
        monkeypatch.setenv("HW9_STATIC", "1")
        monkeypatch.setattr(notebook, "show", self.show)
        monkeypatch.setattr("IPython.display.display", lambda *_: None)

    @staticmethod
    def _set(cell, settings):
        for name, value in settings.items():
            cell = cell.replace(f'{name} = ""\n', f"{name} = {str(value)!r}\n") if f'{name} = ""' in cell else cell
            cell = cell.replace(f'{name} = ""', f"{name} = {str(value)!r}")
        return cell

    def show(self, figure, name, *, folder):
        assert folder == notebook.ROOT / "figures" / "own"
        if self.drawn:
            figure.canvas.draw()
        plt.close(figure)
        self.shown.append(name)

    def run(self, order):
        for number in order:
            tree = ast.parse(self.cells[number])
            result = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, f"cell {number}", "exec"), self.names)
            if result is not None:
                value = eval(compile(ast.Expression(result.value), f"cell {number}", "eval"), self.names)
                if hasattr(value, "_repr_mimebundle_"):
                    value._repr_mimebundle_()
