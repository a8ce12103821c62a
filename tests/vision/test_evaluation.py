"""Agreement, share on the object and deletion curves against values worked out by hand or by SciPy."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional as F

from hw9.vision.attribution import heatmap, heatmap_of, integrated_gradients
from hw9.vision.evaluation import agreement, deletion_curve, inside_share, strongest_filter


def maps(count: int = 3, side: int = 16, seed: int = 0) -> Tensor:
    return torch.rand(count, side, side, generator=torch.Generator().manual_seed(seed))


def test_agreement_is_the_mean_of_scipys_rank_correlations():
    first, second = maps(seed=1), maps(seed=2)
    second = (first + second).round(decimals=1)  # with ties
    matrix = agreement({"a": first, "b": second, "c": -first})
    assert matrix.shape == (3, 3)
    wanted = np.mean([spearmanr(x.flatten(), y.flatten()).statistic for x, y in zip(first, second, strict=True)])
    assert matrix[0, 1] == pytest.approx(wanted) and 0.5 < wanted < 1
    assert np.allclose(matrix, matrix.T) and np.allclose(np.diag(matrix), 1)
    assert matrix[0, 2] == pytest.approx(-1)


def test_agreement_looks_at_places_not_pixels():
    coarse = maps(side=16)
    checks = (torch.arange(64)[:, None] + torch.arange(64)) % 2
    fine = F.interpolate(coarse[None], scale_factor=4)[0]
    matrix = agreement({"even": fine * checks, "odd": fine * (1 - checks)})
    assert matrix[0, 1] == pytest.approx(1)
    pixels = agreement({"even": fine * checks, "odd": fine * (1 - checks)}, grid=64)
    assert pixels[0, 1] < 0


def test_constant_maps_have_no_say():
    first, second = maps(seed=1), maps(seed=2)
    wanted = agreement({"a": first[1:], "b": second[1:]})
    first[0] = 0.5
    matrix = agreement({"a": first, "b": second, "flat": torch.zeros(3, 16, 16)})
    assert matrix[0, 1] == pytest.approx(wanted[0, 1])
    assert np.isnan(matrix[2]).all()


def test_agreement_of_maps_that_do_not_fit():
    with pytest.raises(ValueError, match="'b' has maps"):
        agreement({"a": maps(), "b": maps(2)})
    with pytest.raises(ValueError, match="NaN"):
        agreement({"a": maps() * torch.nan})
    with pytest.raises(ValueError, match="empty"):
        agreement({})


def test_share_on_the_object():
    masks = torch.zeros(3, 4, 4, dtype=torch.bool)
    masks[:, :2] = True
    values = torch.zeros(3, 4, 4)
    values[0, 0, 0], values[0, 3, 3] = 3, 1
    values[1] = 1  # knows nothing: the area
    found = inside_share(values, masks)
    assert found[:2].tolist() == [0.75, 0.5] and found[2].isnan()
    with pytest.raises(ValueError, match="negative"):
        inside_share(-values, masks)
    with pytest.raises(ValueError, match="one mask per map"):
        inside_share(values, masks[:1])


class Sum(nn.Module):
    """score of class 1: the sum over pixels of weight * colour; class 0 scores nothing."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, images: Tensor) -> Tensor:
        value = (images.mean(1) * self.weight).sum((1, 2))
        return torch.stack([0 * value, value], 1)


def test_deletion_curve_of_a_sum():
    weight = torch.tensor([[4.0, 3.0], [2.0, 1.0]])
    model, images = Sum(weight), torch.ones(2, 3, 2, 2)
    values = torch.stack([weight, -weight])
    found = deletion_curve(model, images, torch.tensor([1, 1]), values, steps=4)
    falling = torch.tensor([[10.0, 6, 3, 1, 0], [10, 9, 7, 4, 0]])  # the most, the least important first
    torch.testing.assert_close(found, falling.sigmoid())
    other = deletion_curve(model, images, torch.tensor([0, 1]), values, steps=2, baseline="white")
    torch.testing.assert_close(other, torch.tensor([[1 - falling[0, 0].sigmoid()] * 3, [falling[0, 0].sigmoid()] * 3]))


def test_deletion_curve_in_chunks_and_precision():
    model, images, targets = Sum(torch.randn(9, 9)).double(), torch.rand(3, 3, 9, 9), torch.tensor([0, 1, 1])
    values = heatmap(integrated_gradients(model, images, targets))
    wanted = deletion_curve(model, images, targets, values)
    assert wanted.shape == (3, 21)
    torch.testing.assert_close(deletion_curve(model, images, targets, values, chunk=4), wanted)
    assert model.weight.requires_grad and model.training


def test_a_true_map_makes_the_score_fall_faster_than_chance():
    torch.manual_seed(0)
    model, images, targets = Sum(0.1 * torch.randn(12, 12)), torch.rand(4, 3, 12, 12), torch.ones(4, dtype=torch.long)
    values = integrated_gradients(model, images, targets).sum(1)
    by_map = deletion_curve(model, images, targets, values)
    by_chance = deletion_curve(model, images, targets, maps(4, 12))
    assert (by_map.mean(1) < by_chance.mean(1)).all()


def test_wrong_deletions():
    model, images, targets = Sum(torch.ones(4, 4)), torch.rand(2, 3, 4, 4), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="does not fit pictures"):
        deletion_curve(model, images, targets, maps(2, 5))
    with pytest.raises(ValueError, match="steps"):
        deletion_curve(model, images, targets, maps(2, 4), steps=0)
    with pytest.raises(IndexError, match="target 2 is out of range"):
        deletion_curve(model, images, targets + 1, maps(2, 4))


@pytest.fixture()
def filters() -> nn.Module:
    """Two filters, red and green; class 0 uses red, class 1 uses green, and each more weakly the other."""
    model = nn.Sequential(
        nn.Conv2d(3, 2, 1, bias=False), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)
    )
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(3)[:2].view(2, 3, 1, 1))
        model[4].weight.copy_(torch.tensor([[1.0, 0.1], [0.1, 1.0]]))
    return model


def test_strongest_filter(filters):
    images = maps(6, 8).view(2, 3, 8, 8)
    found = strongest_filter(filters, images, torch.tensor([1, 0]), "0", chunk=1)
    torch.testing.assert_close(found, heatmap_of(torch.stack([images[0, 1], images[1, 0]])))
    assert not filters[0]._forward_hooks and filters[0].weight.requires_grad


class Pair(torch.nn.Module):
    """With a layer that returns two tensors, as attention does."""

    class Both(torch.nn.Module):
        def forward(self, images):
            return images[:, :2], images

    def __init__(self):
        super().__init__()
        self.both = self.Both()

    def forward(self, images):
        return self.both(images)[0]


def test_strongest_filter_at_a_wrong_layer(filters):
    images, targets = torch.rand(1, 3, 8, 8), torch.tensor([0])
    with pytest.raises(ValueError, match="choose one with maps"):
        strongest_filter(filters, images, targets, "3")
    with pytest.raises(KeyError, match="near names"):
        strongest_filter(filters, images, targets, "conv")
    pair = torch.nn.Sequential(Pair(), *filters[1:])
    with pytest.raises(ValueError, match=r"'0\.both' returns a tuple: choose one with maps"):
        strongest_filter(pair, images, targets, "0.both")
    with pytest.raises(IndexError, match="out of range"):
        strongest_filter(filters, images, targets + 2, "0")
    assert not any(module._forward_hooks for module in filters.modules())
