"""Training learns, can be stopped at any step without changing its result, and refuses what does not fit."""

import signal

import numpy as np
import pytest
import torch
from torch import nn

import hw9.vision.training as training
from hw9.vision.augmentation import augmentation
from hw9.vision.classifier import ARCHITECTURES, CompactCNN, load_checkpoint
from hw9.vision.predictions import evaluate
from hw9.vision.resuming import History, State
from hw9.vision.training import toward, train


class Tiny(nn.Module):
    """Two classes told apart by their mean colour."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))
        self.class_names, self.input_size, self.metrics = ("red", "blue"), 16, {}

    def forward(self, images):
        return self.head(self.features(images))


@pytest.fixture()
def data():
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 2
    pictures = rng.integers(0, 120, (90, 3, 16, 16), dtype=np.uint8)
    pictures[labels == 0, 0] += 60
    pictures[labels == 1, 2] += 60
    return pictures, labels


def tiny() -> Tiny:
    torch.manual_seed(0)
    return Tiny()


def run(data, path, **options):
    model = tiny()
    settings = dict(checkpoint=path, epochs=4, batch=16, learning_rate=0.02, augment=augmentation(16), seed=1) | options
    history = train(model, *data, data, **settings)
    return model, history


def test_it_learns_and_keeps_the_best_epoch(data, tmp_path, monkeypatch):
    model, history = run(data, tmp_path / "m.safetensors", epochs=8)
    assert history.best["accuracy"] == max(e["accuracy"] for e in history.epochs) > 0.9
    assert not model.training and [e["epoch"] for e in history.epochs] == list(range(1, 9))
    monkeypatch.setitem(ARCHITECTURES, "Tiny", Tiny)  # for reading alone: any network is trained
    saved = load_checkpoint(tmp_path / "m.safetensors")
    assert saved.metrics["epoch"] == history.best["epoch"] and len(saved.metrics["per_class"]) == 2
    assert evaluate(saved, *data).accuracy == evaluate(model, *data).accuracy == history.best["accuracy"]
    assert not list(tmp_path.glob("*.resume"))


@pytest.mark.parametrize("stop_at", [3, 13])
def test_an_interrupted_run_gives_what_an_uninterrupted_one_gives(data, tmp_path, monkeypatch, stop_at, capsys):
    whole, history = run(data, tmp_path / "whole.safetensors")
    calls, step = [], training.F.cross_entropy

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == stop_at:
            signal.raise_signal(signal.SIGINT)  # in the middle of a step: it is finished first
        return step(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(training.F, "cross_entropy", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(data, tmp_path / "part.safetensors")
    assert "Run the same cell again" in capsys.readouterr().out
    resumed, resumed_history = run(data, tmp_path / "part.safetensors")
    assert f"Going on from step {stop_at}" in capsys.readouterr().out
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    without_time = [
        [{k: v for k, v in e.items() if k != "seconds"} for e in h.epochs] for h in (history, resumed_history)
    ]
    assert without_time[0] == without_time[1]


def test_another_kernel_on_the_same_file_does_not_change_what_comes_back(data, tmp_path, monkeypatch):
    alone, _ = run(data, tmp_path / "alone.safetensors")
    saved = training.save_checkpoint

    def and_then_the_other(path, model, metrics):
        saved(path, model, metrics)
        saved(path, Tiny(), metrics)

    monkeypatch.setattr(training, "save_checkpoint", and_then_the_other)
    beside, _ = run(data, tmp_path / "beside.safetensors")
    for name, value in alone.state_dict().items():
        assert torch.equal(value, beside.state_dict()[name]), name


def test_layers_that_share_weights_are_trained_and_kept(data, tmp_path, monkeypatch):
    class Shared(Tiny):
        def __init__(self):
            super().__init__()
            self.again = self.head

    monkeypatch.setitem(ARCHITECTURES, "Shared", Shared)
    model = Shared()
    history = train(model, *data, data, checkpoint=tmp_path / "m", epochs=2, batch=45, learning_rate=0.02)
    saved = load_checkpoint(tmp_path / "m")
    assert torch.equal(saved.again[2].weight, saved.head[2].weight) and len(history.epochs) == 2
    average, wanted = Shared(), torch.lerp(torch.zeros(2), torch.ones(2), 1 - 2 / 11)
    nn.init.zeros_(average.head[2].bias)
    nn.init.ones_(model.head[2].bias)
    training._follow(average, model, 1, 0.99)
    torch.testing.assert_close(average.head[2].bias.detach(), wanted)  # moved once, not twice


def test_two_runs_are_equal_and_the_global_random_state_is_left_alone(data, tmp_path, monkeypatch):
    first, _ = run(data, tmp_path / "a.safetensors", epochs=2)
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    train(tiny(), *data, data, checkpoint=tmp_path / "c.safetensors", epochs=1, batch=16, mix=0)
    torch.manual_seed(5)
    assert torch.equal(torch.random.get_rng_state(), state)
    monkeypatch.setenv("HOME", str(tmp_path))
    second, _ = run(data, "~/b.safetensors", epochs=2)
    assert (tmp_path / "b.safetensors").is_file()
    assert all(torch.equal(v, second.state_dict()[k]) for k, v in first.state_dict().items())


@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_a_damaged_or_foreign_resume_file_is_not_used(data, tmp_path, content, capsys):
    file = tmp_path / "m.safetensors.resume"
    file.write_bytes(content) if content is not None else torch.save({"run": ["other"]}, file)
    run(data, tmp_path / "m.safetensors", epochs=1)
    assert "training starts from the beginning" in capsys.readouterr().out


def test_an_interrupted_run_does_not_go_on_with_other_settings_weights_or_pictures(data, tmp_path, capsys):
    def begin(model=None, pictures=data[0], loss=None, **options):
        options = {"epochs": 2, "batch": 45, "checkpoint": tmp_path / "m", "loss": loss} | options
        train(model or tiny(), pictures, data[1], data, **options)
        return capsys.readouterr().out

    def interrupt(logits, wanted, _):
        signal.raise_signal(signal.SIGINT)
        return logits.square().mean()

    with pytest.raises(KeyboardInterrupt):
        begin(loss=interrupt)
    state, other, fixed = (tmp_path / "m.resume").read_bytes(), tiny(), tiny()
    nn.init.zeros_(other.head[2].bias)
    settings = [{"mix": 0}, {"ema": 0.9}, {"weight_decay": 0}, {"label_smoothing": 0}]
    settings += [{"model": other}, {"model": fixed, "fixed": fixed.features}]
    settings += [{"pictures": data[0] // 2}, {"pictures": data[0].repeat(2, 3)}]
    for changed in settings:
        (tmp_path / "m.resume").write_bytes(state)
        assert "belongs to another run: training starts from the beginning" in begin(**changed), changed
    for equal in ({}, {"epochs": np.int64(2), "seed": np.int64(0)}):
        (tmp_path / "m.resume").write_bytes(state)
        assert "Going on from step 1" in begin(**equal)
    with pytest.raises(KeyboardInterrupt):
        begin(loss=interrupt, seed=np.int64(3))
    assert "Going on from step 1" in begin(seed=np.int64(3))


def test_a_run_without_a_scaler_goes_on_where_one_is_needed(tmp_path):
    """Begun with bfloat16 or on a CPU, and continued on a GPU that has float16 alone."""
    parts = [torch.amp.GradScaler("cpu", enabled=enabled) for enabled in (False, True)]
    first, second = (State(tmp_path / "m", ["run"], [part]) for part in parts)
    (tmp_path / "m").touch()
    first.save(3, 1.0, 0.5, History([{"epoch": 1}]))
    assert second.load() == (3, 1.0, 0.5, History([{"epoch": 1}]))


def test_without_the_best_weights_so_far_an_interrupted_run_starts_again(tmp_path, capsys):
    state = State(tmp_path / "m", ["run"], [])
    state.save(1, 1.0, 0.5, History())
    assert state.load() == (1, 1.0, 0.5, History())  # before the first epoch's end there are none
    state.save(3, 1.0, 0.5, History([{"epoch": 1}]))
    assert state.load() == (0, 0.0, 0.0, History())
    assert "m of the interrupted run is gone: training starts from the beginning" in capsys.readouterr().out


def test_a_full_disk_is_one_clear_line(data, tmp_path, monkeypatch):
    def full(*_):
        raise RuntimeError("PytorchStreamWriter failed writing file: No space left on device")

    monkeypatch.setattr(training.torch, "save", full)
    with pytest.raises(OSError, match="disk full"):
        run(data, tmp_path / "m.safetensors", epochs=1)


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch": 0}, {"epochs": 1.5}])
def test_no_epoch_is_one_line(data, tmp_path, options):
    run(data, tmp_path / "m", epochs=1)  # whose weights are not those of a run of no epoch
    with pytest.raises(ValueError, match=rf"{next(iter(options))} must be a whole number from 1 up"):
        run(data, tmp_path / "m", **options)


def test_data_that_does_not_fit(data, tmp_path):
    pictures, labels = data
    bad = {
        "as many labels": (pictures, labels[:-1]),
        "not 0": (pictures[:0], labels[:0]),
        "uint8": (pictures / 255, labels),
        "labels go from 0 to 2": (pictures, labels + (labels == 1)),
    }
    for message, wrong in bad.items():
        with pytest.raises(ValueError, match=message):
            train(tiny(), *wrong, data, checkpoint=tmp_path / "m.safetensors", epochs=1)
    with pytest.raises(ValueError, match="the Linear has no class_names, which its checkpoint keeps: set it"):
        train(nn.Linear(2, 2), *data, data, checkpoint=tmp_path / "m.safetensors", epochs=1)


def test_a_loss_that_explodes_says_what_to_do(data, tmp_path):
    model = tiny()
    with torch.no_grad():
        model.head[2].weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="smaller learning_rate"):
        train(model, *data, data, checkpoint=tmp_path / "m.safetensors", epochs=1)


def test_no_step_waits_for_the_device(data, tmp_path, monkeypatch, pretend):
    adamw, waits = torch.optim.AdamW, []
    monkeypatch.setattr(torch.optim, "AdamW", lambda groups, lr, fused: adamw(groups, lr=lr))  # none fused for "meta"
    monkeypatch.setattr(training, "_forked", lambda device: torch.random.fork_rng([]))
    monkeypatch.setattr(training, "load_file", lambda path: model.state_dict())
    for steps in (2, 6):
        with pretend() as device:
            model = tiny().to("meta")
            part = [part[: 15 * steps] for part in data]
            options = dict(checkpoint=tmp_path / "m.safetensors", epochs=1, batch=15, augment=augmentation(16))
            train(model, *part, data, save_every=1e9, **options)
        waits.append(device.waits)
    assert waits[0] == waits[1] and waits[0]["__float__"] == 2, waits  # the loss, twice


def test_too_few_classes_for_the_labels_is_one_line():
    few = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    with pytest.raises(ValueError, match="tells 3 classes apart, and there is a picture of class 10: give one whose"):
        evaluate(few, np.zeros((2, 3, 8, 8), np.uint8), np.array([0, 10]))


@pytest.mark.parametrize(
    ("pictures", "labels", "error", "line"),
    [
        (np.zeros((2, 3, 8, 8), np.float32), [0, 1], TypeError, "must be uint8 in 0..255, not torch.float32"),
        (np.zeros((2, 3, 8, 8), np.uint8), [0, 1, 2], ValueError, "2 pictures and labels"),
        (np.zeros((2, 3, 8, 8), np.uint8), [0], ValueError, "2 pictures and labels"),
        (np.zeros((2, 3, 8, 8), np.uint8), [0, -1], ValueError, "a picture of class -1"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(pictures, labels, error, line):
    few = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    with pytest.raises(error, match=line):
        evaluate(few, pictures, labels)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.int64])
def test_labels_of_any_width_count_alike(kind):
    """99 * 100 does not fit into one byte."""

    class Says(nn.Module):
        def forward(self, images):
            return nn.functional.one_hot((images[:, 0, 0, 0] * 255).round().long(), 100).float()

    pictures = np.zeros((3, 3, 2, 2), np.uint8)
    pictures[:, 0, 0, 0] = [0, 3, 98]
    result = evaluate(Says(), pictures, np.array([0, 3, 99], kind))
    assert result.accuracy == pytest.approx(2 / 3) and result.confusion[99, 98] == 1 == result.confusion[3, 3]


def test_confusion_counts_by_hand():
    class Says(nn.Module):
        def forward(self, images):
            return nn.functional.one_hot((images[:, 0, 0, 0] * 255).round().long(), 3).float()

    pictures = np.zeros((5, 3, 2, 2), np.uint8)
    pictures[:, 0, 0, 0] = [0, 1, 1, 2, 0]
    result = evaluate(Says(), pictures, np.array([0, 1, 0, 2, 2]))
    assert result.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert result.surest_mistakes(9).tolist() == [2, 4]  # equally sure: in order
    assert result.accuracy == pytest.approx(3 / 5) and result.per_class.tolist() == [0.5, 1.0, 0.5]


def test_a_full_memory_halves_the_chunk_once_for_all_pictures():
    class Full(nn.Module):
        failed = 0

        def forward(self, images):
            if len(images) > 20:
                self.failed += 1
                raise torch.OutOfMemoryError("CUDA out of memory")
            return images.flatten(1)[:, :3]

    model, pictures = Full(), np.random.default_rng(0).integers(0, 255, (600, 3, 2, 2), dtype=np.uint8)
    with pytest.warns(RuntimeWarning, match="out of memory: going on with chunks of"):
        result = evaluate(model, pictures, np.zeros(600, int))
    assert model.failed == 2 and len(result.probabilities) == 600


def test_fixed_modules_stay_as_they_are_and_ask_for_gradients_again(tmp_path):
    torch.manual_seed(0)
    model = CompactCNN(3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pictures = np.random.default_rng(0).integers(0, 255, (24, 3, 32, 32), dtype=np.uint8)
    labels = np.arange(24) % 3
    options = dict(epochs=1, batch=12, learning_rate=0.01, fixed=model.features[:4], mix=0.0)
    train(model, pictures, labels, (pictures, labels), checkpoint=tmp_path / "a.safetensors", **options)
    early = ("mean", "std", *(f"features.{k}." for k in range(4)))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith(early), name
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_an_epoch_shows_the_rows_of_its_order_and_the_loss_sees_the_varied_pictures(data, tmp_path):
    pictures, labels = data
    pictures = pictures.copy()
    pictures[:, 1] = np.arange(90)[:, None, None]  # every picture tells its row
    seen = []

    def loss(logits, wanted, inputs):
        rows = (inputs[:, 1].mean((1, 2)) * 255).round().long()
        assert torch.equal(wanted, torch.from_numpy(labels)[rows])
        seen.append(sorted(rows.tolist()))
        return logits.square().mean()

    def order(epoch):
        return np.array([5, 3, 8, 8, 80, 1, 2]) + epoch

    train(tiny(), pictures, labels, data, checkpoint=tmp_path / "m", epochs=2, batch=4, mix=0, order=order, loss=loss)
    assert seen == [[3, 5, 8, 8], [1, 2, 80], [4, 6, 9, 9], [2, 3, 81]]


def test_mixed_pictures_are_of_different_classes_even_where_the_data_are_sorted_by_class(data, tmp_path):
    pictures, labels = data
    order, mixed = np.argsort(labels, kind="stable"), []

    def loss(logits, wanted, inputs):
        mixed.extend((wanted.amax(1) < 1).tolist() if wanted.ndim == 2 else [])
        return logits.square().mean()

    for seed in range(3):
        options = dict(epochs=2, batch=90, mix=2.0, loss=loss, seed=seed, augment=None)
        train(tiny(), pictures[order], labels[order], data, checkpoint=tmp_path / "m", **options)
    assert np.mean(mixed) > 0.3  # half of the pairs of two classes; of neighbours 2 in 90


def test_toward_is_the_weighted_mean_of_two_networks():
    a, b = CompactCNN(3), CompactCNN(3)
    wanted = {k: 0.75 * v + 0.25 * b.state_dict()[k] for k, v in a.state_dict().items() if v.is_floating_point()}
    toward(a, b, 0.25)
    assert all(torch.allclose(a.state_dict()[name], value) for name, value in wanted.items())
