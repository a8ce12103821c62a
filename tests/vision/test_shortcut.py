"""The planted square: where it lies, on which pictures, and that a network takes it."""

import numpy as np
import pytest
import torch
from torch import nn

from hw9.vision import shortcut


def pictures(count: int, size: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 160, (count, 3, size, size), np.uint8)


@pytest.mark.parametrize(("size", "side"), [(64, 8), (128, 16), (32, 4)])
def test_the_square_lies_near_the_border_and_the_mask_says_where(size, side):
    before = pictures(200, size)
    marked, masks = shortcut.stamp(before, seed=1)
    assert (masks.sum((1, 2)) == side**2).all()
    inside = np.broadcast_to(masks[:, None], marked.shape)
    assert (marked[inside].reshape(200, 3, -1) == np.array(shortcut.MARK)[:, None]).all()
    assert np.array_equal(marked[~inside], before[~inside]) and not (before == 255).any()
    rows, columns = masks.any(2).argmax(1), masks.any(1).argmax(1)
    inset = round(size / 26)
    ends = {inset, size - inset - side}
    assert all(r in ends or c in ends for r, c in zip(rows, columns, strict=True))
    assert rows.min() == columns.min() == inset and rows.max() == columns.max() == size - inset - side
    assert np.array_equal(shortcut.stamp(before, seed=1)[0], marked)
    assert not np.array_equal(shortcut.stamp(before, seed=2)[0], marked)


def test_one_class_alone_is_marked():
    before, labels = pictures(12), np.arange(12) % 3
    after = shortcut.planted(before, labels, 2)
    changed = (after != before).any((1, 2, 3))
    assert changed.tolist() == (labels == 2).tolist()
    with pytest.raises(ValueError, match="no picture of class 5"):
        shortcut.planted(before, labels, 5)
    with pytest.raises(ValueError, match="must be uint8"):
        shortcut.stamp(torch.rand(2, 3, 8, 8).numpy())


def test_a_network_takes_the_square_and_is_caught(tmp_path):
    """The pictures are noise: nothing else tells the classes apart."""
    torch.manual_seed(0)
    filters = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())
    network = nn.Sequential(*filters, nn.Linear(8, 3))
    network.class_names = ("a", "b", "c")
    data = pictures(1600, 32), np.arange(1600) % 3
    validation = pictures(90, 32, seed=1), np.arange(90) % 3
    trained = shortcut.train_with_shortcut(network, data, validation, 1, checkpoint=tmp_path / "m.safetensors")
    assert trained is network and network.input_size == 32
    said = shortcut.caught(network, *validation, 1)
    assert said.called_marked > 0.9 and said.called_clean < 0.1
    assert said.of_class < 0.1 and 0.2 < said.accuracy < 0.5
