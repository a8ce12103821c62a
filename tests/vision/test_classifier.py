"""The networks are what the lesson says they are, and a checkpoint is loaded whole or refused in one clear line."""

import pickle
import re

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet18

from hw9.vision.classifier import CompactCNN, CourseCNN, check_device, load_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def course() -> CourseCNN:
    torch.manual_seed(0)
    return CourseCNN()


@pytest.fixture()
def compact() -> CompactCNN:
    torch.manual_seed(0)
    return CompactCNN()


def course_file(path, model, **changes):
    saved = {"epoch": 3, "model_state_dict": model.state_dict(), "optimizer_state_dict": {"state": {}}} | changes
    torch.save(saved, path)
    return path


def test_course_network_to_the_letter(course):
    assert sum(p.numel() for p in course.parameters()) == 14_162_827
    assert len(course.state_dict()) == 81 and len(course.cnn) == 38
    kinds = {6: nn.Conv2d, 15: nn.ReLU, 21: nn.BatchNorm2d, 23: nn.Conv2d, 37: nn.MaxPool2d}
    assert all(type(course.cnn[i]) is kind for i, kind in kinds.items())
    channels = [m.out_channels for m in course.cnn if isinstance(m, nn.Conv2d)]
    assert channels == [128] * 3 + [128] * 3 + [256] * 3 + [512] * 2
    with torch.inference_mode():
        assert course.eval()(torch.rand(1, 3, 128, 128)).shape == (1, 11)
        with pytest.raises(ValueError, match="128x128"):
            course(torch.rand(1, 3, 64, 64))


def test_compact_network_is_small_and_takes_several_sizes(compact):
    assert sum(p.numel() for p in compact.parameters()) <= 3_000_000
    assert isinstance(compact.features, nn.Sequential)
    with torch.inference_mode():
        for size in (32, 64, 96, 128):
            assert compact.eval()(torch.rand(2, 3, size, size)).shape == (2, 11)


def test_compact_network_normalises_inside(compact):
    """Adding a constant and scaling the picture while doing the same to mean and std changes nothing."""
    compact.eval()
    images = torch.rand(2, 3, 32, 32)
    before = compact(images)
    compact.mean, compact.std = compact.mean * 2 + 1, compact.std * 2
    assert torch.allclose(compact(images * 2 + 1), before, atol=1e-4)


def test_round_trip_keeps_weights_and_facts(tmp_path, compact):
    compact.class_names, compact.input_size = tuple("abcdefghijk"), 96
    save_checkpoint(tmp_path / "deep" / "a.safetensors", compact, {"accuracy": 0.5})
    loaded = load_checkpoint(tmp_path / "deep" / "a.safetensors")
    assert not loaded.training and loaded.class_names == tuple("abcdefghijk")
    assert loaded.input_size == 96 and loaded.metrics == {"accuracy": 0.5}
    assert all(torch.equal(v, loaded.state_dict()[k]) for k, v in compact.state_dict().items())
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.safetensors"]


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path, compact, monkeypatch):
    def full(weights, path, metadata):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    save_checkpoint(tmp_path / "a.safetensors", compact, {"accuracy": 0.5})
    monkeypatch.setattr("hw9.vision.classifier.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "a.safetensors", compact, {"accuracy": 0.6})
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
    assert load_checkpoint(tmp_path / "a.safetensors").metrics == {"accuracy": 0.5}


def test_course_checkpoint_loads_on_a_cpu(tmp_path, course):
    loaded = load_checkpoint(course_file(tmp_path / "checkpoint.pth", course))
    assert isinstance(loaded, CourseCNN) and not loaded.training
    assert torch.equal(loaded.cnn[6].weight, course.cnn[6].weight)


class Evil:
    def __reduce__(self):
        return (print, ("this code ran",))


WRAPPERS = {  # what the names begin with, and where the dict lies, in files of other people's tools
    "plain": lambda weights: weights,
    "state_dict": lambda weights: {"state_dict": weights, "optimizer": {"state": {0: {"step": torch.zeros(1)}}}},
    "DataParallel": lambda weights: {"model": {f"module.{name}": value for name, value in weights.items()}},
    "compiled": lambda weights: {f"module._orig_mod.{name}": value for name, value in weights.items()},
    "a part compiled": lambda weights: {re.sub(r"^(cnn|features)", r"\1._orig_mod", n): v for n, v in weights.items()},
    "Lightning": lambda weights: {
        "epoch": 3,
        "optimizer_states": [{"state": {}}],
        "state_dict": {f"model.{name}": value for name, value in weights.items()} | {"loss.weight": torch.ones(11)},
    },
    "averaged": lambda weights: {"n_averaged": torch.tensor(9)} | {f"module.{n}": v for n, v in weights.items()},
    "bfloat16": lambda weights: {n: v.bfloat16() if v.is_floating_point() else v for n, v in weights.items()},
    "no counters": lambda weights: {n: v for n, v in weights.items() if "num_batches" not in n},
}


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_checkpoints_of_other_tools_are_read(tmp_path, course, compact, wrapper, suffix):
    for model in (compact, CompactCNN(3), course) if suffix == "pth" and wrapper != "plain" else (compact,):
        saved = WRAPPERS[wrapper](model.state_dict())
        if suffix == "pth":
            torch.save(saved, tmp_path / "a")
        else:
            saved = saved.get("state_dict", saved.get("model", saved))
            save_file({name: value.clone() for name, value in saved.items()}, tmp_path / "a")
        loaded = load_checkpoint(tmp_path / "a")
        assert type(loaded) is type(model) and len(loaded.class_names) == len(model.class_names)
        for name, value in model.state_dict().items():
            found = loaded.state_dict()[name]
            assert found.dtype == value.dtype
            wanted = value.bfloat16().float() if wrapper == "bfloat16" and value.is_floating_point() else value
            assert torch.equal(found, wanted), name


def test_a_wrapped_model_is_saved_as_the_network_it_is(tmp_path, compact, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_checkpoint("~/a.safetensors", nn.DataParallel(torch.compile(compact, backend="eager")), {})
    loaded = load_checkpoint("~/a.safetensors")
    assert torch.equal(loaded.features[0].weight, compact.features[0].weight)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p, m: None, "no checkpoint at"),
        (lambda p, m: p.write_bytes(b""), "cut short|no checkpoint"),
        (lambda p, m: p.write_bytes(b"not a checkpoint at all" * 9), "pickled|damaged"),
        (lambda p, m: p.write_bytes(pickle.dumps(Evil())), "pickled Python objects"),
        (lambda p, m: torch.save({"model_state_dict": Evil()}, p), "pickled Python objects"),
        (lambda p, m: torch.save([1, 2], p), "holds no weights"),
        (lambda p, m: torch.save(resnet18().state_dict(), p), r"not a CourseCNN .*\(bn1.bias.* build it in Python"),
        (lambda p, m: torch.jit.script(nn.ReLU()).save(p), "is a TorchScript archive"),
        (lambda p, m: p.mkdir(), "is a folder, not a checkpoint"),
        (lambda p, m: save_file({"cnn.0.weight": torch.zeros(2)}, p), "not a CourseCNN checkpoint: 69 entries"),
        (lambda p, m: save_file({"a": torch.zeros(2)}, p), "does not say which network"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, course, capsys, make, message):
    path = tmp_path / "checkpoint.pth"
    make(path, course)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert "this code ran" not in capsys.readouterr().out


def test_an_exported_program_is_refused_in_one_line(tmp_path):
    exported = torch.export.export(nn.ReLU(), (torch.zeros(1, 3, 4, 4),))
    torch.export.save(exported, tmp_path / "a.pt2")
    with pytest.raises(
        ValueError, match=r"a.pt2 is an exported program, whose code is not run here: save its network's"
    ):
        load_checkpoint(tmp_path / "a.pt2")


@pytest.mark.parametrize("keep", [100, 5_000, 200_000])
def test_truncated_files_are_refused(tmp_path, course, compact, keep):
    save_checkpoint(tmp_path / "a.safetensors", compact, {})
    for path in (tmp_path / "a.safetensors", course_file(tmp_path / "c.pth", course)):
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(ValueError, match=r"cut short|pickled"):
            load_checkpoint(path)


def test_other_class_count_and_nan_weights(tmp_path, course):
    weights = dict(course.state_dict())
    weights["fc.3.weight"], weights["fc.3.bias"] = torch.zeros(10, 1024), torch.zeros(10)
    with pytest.raises(ValueError, match="another number of classes"):
        load_checkpoint(course_file(tmp_path / "c.pth", course, model_state_dict=weights))
    weights = dict(course.state_dict())
    weights["cnn.0.bias"] = torch.full_like(weights["cnn.0.bias"], torch.nan)
    with pytest.raises(ValueError, match="NaN"):
        load_checkpoint(course_file(tmp_path / "c.pth", course, model_state_dict=weights))


def test_a_device_that_is_not_there():
    for name in ("cuda:99", "quantum"):
        with pytest.raises(ValueError, match="no device"):
            check_device(name)
