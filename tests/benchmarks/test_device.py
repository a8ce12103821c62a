"""The table of the device: at sizes that a processor makes at once, and with nothing else installed."""

import importlib
import sys

import pytest
import torch

from benchmarks import device


def test_the_table_is_printed_on_a_processor(monkeypatch, capsys):
    small = "--device cpu --networks CompactCNN --size 32 --pictures 2 --samples 2 --lime 16 --repeats 1"
    monkeypatch.setattr(sys, "argv", ["benchmarks", *small.split()])
    device.main()
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"cpu, {torch.get_num_threads()} threads, torch {torch.__version__}")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in said if line.startswith("| Compact")]
    names = ["SmoothGrad 2", "integrated gradients 2", "LIME 16, one picture"]
    assert [row[0] for row in rows] == [f"CompactCNN, {name}" for name in names]
    for row, captum in zip(rows, (True, True, False), strict=True):
        bare, ours, ratio = (float(row[k]) for k in (1, 2, 4))
        assert bare > 0 and ours > 0 and ratio > 0
        assert bool(row[3]) == bool(row[5]) == captum


def test_torch_torchvision_and_captum_are_enough(monkeypatch):
    lacking = ("safetensors", "lime", "skimage", "sklearn", "scipy", "joblib", "transformers")
    for name in [name for name in sys.modules if name.split(".")[0] in ("hw9", "benchmarks", *lacking)]:
        monkeypatch.delitem(sys.modules, name)
    for name in lacking:
        monkeypatch.setitem(sys.modules, name, None)
    bare = importlib.import_module("benchmarks.device")
    with pytest.raises(ImportError):  # whose row is then left out
        bare.lime(torch.nn.Identity(), torch.rand(3, 32, 32), 16)


def failing(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("GET was unable to find an engine to execute this computation"),  # cuDNN without room to work in
    ],
)
def test_what_does_not_fit_is_left_out_of_the_sweep(error):
    assert device.best({"large": failing(error), "small": lambda: None}, torch.device("cpu")) == "small"


def test_another_error_ends_the_sweep():
    with pytest.raises(RuntimeError, match="no kernel"):
        device.best({"broken": failing(RuntimeError("no kernel image")), "small": lambda: None}, torch.device("cpu"))
