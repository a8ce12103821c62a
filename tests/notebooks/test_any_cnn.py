"""The cells of the CNN notebook with other networks than the lesson's, in one process and in any order.

The pictures are few and small and every method takes few samples; what is asked is whether all cells take the network.
"""

import copy
import re

import pytest
import torch
from lesson_cells import Cells
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet18

from hw9 import notebook
from hw9.vision import attribution, filters, lesson, lime, shortcut
from hw9.vision.photographs import Photographs, lesson_photographs
from hw9.vision.sprites import SpriteFood11, lesson_objects, lesson_pictures

SIZE, PICTURES = 48, 2


@pytest.fixture(scope="module")
def food():
    """Two of the lesson's pictures, a few others to train and to validate with."""
    images, labels, masks, names = lesson_pictures(SIZE)
    counts = {"training": (33, "train"), "validation": (22, "known"), "dishes never seen": (11, "unseen")}
    splits = {name: SpriteFood11(n, SIZE, split=split).arrays()[:2] for name, (n, split) in counts.items()}
    few = slice(PICTURES)
    return lesson.Lesson("scenes", SIZE, splits, images[few], labels[few], names[few], masks[few],
                         lesson_objects(SIZE)[few], notebook.figures_folder())  # fmt: skip


class Nasty(nn.Module):
    """Normalises and rectifies in place, its input too; one layer is used twice; no Sequential; ends in a softmax."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 6, 3, 2, 1), nn.GroupNorm(2, 6)
        self.again = nn.Conv2d(6, 6, 3, 1, 1)
        self.widen, self.last = nn.Conv2d(6, 12, 3, 2, 1, bias=False), nn.Conv2d(12, 9, 3, 2, 1)
        self.classes = nn.Linear(9, 11)

    def forward(self, images):
        maps = self.norm(self.stem(images.sub_(0.5).div_(0.25))).relu_()
        maps = self.again(self.again(maps).relu_()).relu_()
        maps = self.last(F.silu(self.widen(maps), inplace=True)).relu_()
        return self.classes(maps.mean((2, 3))).mul_(9).softmax(1)


@pytest.fixture
def quick(monkeypatch, food):
    """All methods with few samples and steps; nothing is trained."""
    for function, name, value in (
        (lime.explain, "samples", 12), (attribution.smoothgrad, "samples", 2),
        (attribution.integrated_gradients, "steps", 2), (filters.visualize, "steps", 1),
        (filters.visualize_many, "steps", 1), (filters.visualize_steps, "steps", 2),
    ):  # fmt: skip
        monkeypatch.setitem(function.__kwdefaults__, name, value)
    monkeypatch.setattr(lesson, "choose", lambda *_, **__: food)
    some = Photographs(*(part[:PICTURES] for part in lesson_photographs(SIZE)))
    monkeypatch.setattr(lesson, "photographs", lambda *_: some)
    monkeypatch.setattr(shortcut, "train_with_shortcut", lambda network, *_, **__: network)

    def cells(model, **options):
        monkeypatch.setattr(lesson, "train_or_load", lambda *_, **__: (model, None))
        found = Cells("hw9_cnn_explanation.py", monkeypatch, **options)
        found.cells = [re.sub(r"\bsamples=\d+", "samples=10", cell) for cell in found.cells]
        found.cells = [re.sub(r"\bsteps=\d+", "steps=2", cell) for cell in found.cells]
        found.cells = [re.sub(r"steps = \[4, .*\]", "steps = [1, 2]", cell) for cell in found.cells]
        found.ignored = ["1[02] samples cannot tell", "filter .* stays off"]  # after so few
        return found

    return cells


def test_resnet18_through_every_cell(quick):
    torch.manual_seed(0)
    cells = quick(resnet18(num_classes=11), draw=False)
    assert cells.figures - cells.run() == {"cnn_02"}  # nothing was trained
    assert cells.names["layers"] == {
        "conv1": "convolution", "layer1.1": "BasicBlock", "layer3.1": "BasicBlock", "layer4.1": "BasicBlock"
    }  # fmt: skip


def test_the_nastiest_network_every_cell_and_again_in_another_order(quick, food, capsys):
    """Half precision, compiled, in DataParallel; and `Nasty`."""
    torch.manual_seed(0)
    model = nn.DataParallel(torch.compile(Nasty().half(), backend="eager"))
    before, pictures = copy.deepcopy(model.state_dict()), food.images.clone()
    cells = quick(model)
    cells.ignored.append("the model ends in a softmax")
    assert cells.figures - cells.run() == {"cnn_02"}
    first = capsys.readouterr().out
    assert cells.names["layers"] == {
        "stem": "convolution",
        "norm": "GroupNorm",
        "widen": "convolution",
        "last": "convolution",
    }
    cells.shown, cells.draw = {}, False
    cells.run(reversed(range(len(cells.cells))))
    assert cells.figures - set(cells.shown) == {"cnn_02"}
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(first.splitlines())
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert torch.equal(food.images, pictures)
