"""How exactly a device computes: the one place where speed is weighed against what a figure needs.

What the settings cost on a GPU, and where they are kept:

- Deterministic cuDNN, in every gradient with respect to pixels: a run gives again what it gave. It forbids a few
  backward algorithms that add in any order; those that are left are as a rule as fast. On CUDA two things repeat but
  for rounding: training, which takes the fastest algorithms, and filters visualised by the paper's recipe, where
  `grid_sample` adds its gradient in any order, and each step goes on from the last.
- Full float32 (no TF32) in convolutions: on tensor cores (Ampere and later) TF32 is several times as fast. It rounds
  factors to 10 bits; sums stay in float32. One gradient is cheap and can flip a ReLU, so saliency is exact, and so are
  the scores by which completeness and deletion are judged. A mean over many copies (SmoothGrad, integrated gradients)
  takes TF32 where its user's torch does (torch's own default). Rounded so on a CPU, CompactCNN's maps of the lesson's
  scenes at 96 px differ by 0.003 in the mean (rank correlation 0.995 or more); by 0.067 (0.5 to 0.7) between two seeds
  of SmoothGrad. Completeness gaps of 0.005 to 0.15 move by up to a quarter, less than with the number of steps.
- bfloat16 and float16, in training and in LIME's forward passes alone: gradients of a sure network vanish in them.
"""

import contextlib
from collections.abc import Iterator

import torch


def held(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """The precision in which a device holds numbers of a `dtype`: Apple's GPUs have no float64."""
    return torch.float32 if device.type == "mps" and dtype == torch.float64 else dtype


@contextlib.contextmanager
def convolutions(*, exact: bool) -> Iterator[None]:
    """Deterministic cuDNN, and if `exact` full float32 in its convolutions; afterwards all is as it was."""
    cudnn = torch.backends.cudnn
    # torch 2.9 and later set precision by operator, and refuse to read the older flag where a caller has done so.
    new = hasattr(cudnn, "conv")
    owner, name, full = (cudnn.conv, "fp32_precision", "ieee") if new else (cudnn, "allow_tf32", False)
    before = cudnn.deterministic, cudnn.benchmark
    exactly = getattr(owner, name) if exact else None
    try:
        cudnn.deterministic, cudnn.benchmark = True, False
        if exact:
            setattr(owner, name, full)
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
        if exact:
            setattr(owner, name, exactly)


def tensor_cores(device: torch.device) -> bool:
    """Whether a CUDA device's tensor cores take float32 convolutions as things are set now (TF32)."""
    cudnn = torch.backends.cudnn
    allowed = cudnn.conv.fp32_precision == "tf32" if hasattr(cudnn, "conv") else cudnn.allow_tf32
    return allowed and torch.cuda.get_device_capability(device) >= (8, 0)


def fast_dtype(device: torch.device) -> torch.dtype | None:
    """The 16-bit type that pays on this device: bfloat16 where it is multiplied by hardware, on older GPUs float16."""
    if device.type == "cuda":  # of this card, where torch.cuda.is_bf16_supported asks the current one
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    # Twice as fast on AVX-512 BF16 / AMX, slower on other processors.
    fast = device.type == "cpu" and torch.backends.mkldnn.is_available() and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else None
