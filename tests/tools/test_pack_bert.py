"""Two models become one, weight by weight."""

import pytest
import torch
from pack_bert import average
from torch import nn


def test_every_weight_lies_between_the_two_models_and_the_ends_are_the_models():
    torch.manual_seed(0)
    mine, earlier = nn.Linear(3, 2), nn.Linear(3, 2)
    before = [p.detach().clone() for p in mine.parameters()]
    average(mine, earlier, 0.0)
    assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), before, strict=True))
    average(mine, earlier, 0.25)
    for now, a, b in zip(mine.parameters(), before, earlier.parameters(), strict=True):
        torch.testing.assert_close(now, 0.75 * a + 0.25 * b)
    average(mine, earlier, 1.0)
    torch.testing.assert_close(mine.weight, earlier.weight)
    with pytest.raises(ValueError, match="from 0 to 1"):
        average(mine, earlier, 1.5)


def test_models_of_two_shapes_are_refused():
    with pytest.raises((ValueError, RuntimeError)):
        average(nn.Linear(3, 2), nn.Linear(3, 4), 0.5)
