"""The table of the device, at sizes so small that a processor makes it at once."""

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


def test_without_lime_the_other_rows_stand(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "hw9.vision.lime", None)
    images = torch.rand(1, 3, 32, 32)
    with pytest.raises(ImportError):
        device.lime(torch.nn.Identity(), images[0], 16)


def test_what_does_not_fit_is_left_out_of_the_sweep():
    def full():
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert device.best({"large": full, "small": lambda: None}, torch.device("cpu")) == "small"
