"""Products in 8 bits are those of the rounded matrices, near the exact ones, forward and backward."""

import copy

import torch
from int8 import Int8Linear, multiply_in_int8, product, quantise
from torch import nn


def test_rounding_is_off_by_half_a_step_at_most():
    x = torch.randn(30, 20, generator=torch.Generator().manual_seed(0))
    x[3] *= 1000  # a large row must not coarsen the others
    x[5] = 0
    whole, scale = quantise(x, 1)
    assert scale.shape == (30, 1) and whole.dtype == torch.int8
    half_a_step = x.abs().amax(1, keepdim=True) / 254
    assert ((whole * scale - x).abs() <= half_a_step * 1.001).all()


def test_the_sum_is_exact_for_whole_numbers():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randint(-127, 128, shape, generator=generator).float() for shape in ((9, 700), (700, 5)))
    a[:, 0], b[0] = 127, 127  # a scale of 1 for each row and column
    assert torch.equal(product(a, b), (a.double() @ b.double()).float())


def test_a_layer_and_its_gradients_are_near_those_in_32_bits():
    torch.manual_seed(0)
    exact = nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 32))
    rough = copy.deepcopy(exact)
    multiply_in_int8(rough)
    assert [type(layer) for layer in rough] == [Int8Linear, nn.GELU, Int8Linear]
    assert list(rough.state_dict()) == list(exact.state_dict())
    inputs = torch.randn(6, 50, 64)
    results = []
    for model in (exact, rough):
        x = inputs.clone().requires_grad_()
        out = model(x)
        out.square().sum().backward()
        results.append([out, x.grad, *(weight.grad for weight in model.parameters())])
    for wanted, got in zip(*results, strict=True):
        assert got.shape == wanted.shape
        assert 0 < (got - wanted).norm() < 0.03 * wanted.norm()
