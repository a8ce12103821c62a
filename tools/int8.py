"""Linear layers that multiply in 8 bits while they train: on a CPU with AVX512-VNNI four times as fast as in 32.

Forward and backward products are taken between int8 matrices, one scale per row and column, and summed exactly in int32
(Wortsman et al. 2023, Stable and low-precision training for large-scale vision-language models, section 2, there with
the weights' gradient in 16 bits). Weights, optimizer and everything else stay in float32. It pays only compiled, where
scaling is fused with what stands before and after it: then a training step took 1/1.6 of the time
(benchmarks/training_step.py); where there is AMX, bfloat16 is as fast and needs no compiling.
"""

import torch
from torch import Tensor, nn


def quantise(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """int8 matrix (M, N) and float scale, one along `dim`, whose product is `x` to half a step."""
    scale = x.abs().amax(dim, keepdim=True).clamp(min=1e-12) / 127
    return (x / scale).round().to(torch.int8), scale


def product(a: Tensor, b: Tensor) -> Tensor:
    """a (M, K) times b (K, N), both float, in 8 bits."""
    (rows, row_scale), (columns, column_scale) = quantise(a, 1), quantise(b, 0)
    return torch._int_mm(rows, columns) * row_scale * column_scale


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight.t()) + bias

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        return product(grad, weight), product(grad.t(), x), grad.sum(0)


class Int8Linear(nn.Linear):
    """nn.Linear with its three products in 8 bits; (..., in) to (..., out)."""

    def forward(self, x: Tensor) -> Tensor:
        return _Linear.apply(x.flatten(0, -2), self.weight, self.bias).unflatten(0, x.shape[:-1])


def multiply_in_int8(module: nn.Module) -> None:
    """Turn every nn.Linear inside `module` into an Int8Linear with the same weights under the same names."""
    for layer in module.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = Int8Linear
