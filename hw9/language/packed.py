"""A BERT in a third of its size, as an ordinary folder: the encoder's matrices in 8 bits, the rest in 16.

The 8 bits are float8 e4m3 (Micikevicius et al. 2022, "FP8 formats for deep learning"): sign, 4 bits of exponent, 3 of
mantissa. safetensors stores them and transformers turns them into float32 as it loads, so `from_pretrained` of every
BERT class reads the folder, and nothing has to be unpacked. Whole numbers with a scale per row would be closer to the
weights (0.7 to 1.3 % of their size instead of 2.7 %), but need code of our own wherever the folder is read; and since
they leave no room for word embeddings in 16 bits, masked-word prediction loses as much or more.
"""

import copy
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import BertTokenizer

from hw9.language.loading import BertWithHeads


def pack(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights that have to be stored, {name: tensor}: encoder matrices as float8 e4m3, all others as float16.

    Of tensors that share their memory (tied weights) the first name is kept. Raises ValueError where a number is too
    large for its type.
    """
    kept, seen = {}, set()
    for name, weights in state.items():
        if weights.data_ptr() in seen:
            continue
        seen.add(weights.data_ptr())
        dtype = torch.float8_e4m3fn if name.startswith("bert.encoder.") and weights.dim() == 2 else torch.float16
        if not weights.abs().max() <= torch.finfo(dtype).max:  # NaN is not either
            raise ValueError(f"{name} holds NaN or numbers too large for {dtype}: this model cannot be packed")
        kept[name] = weights.to("cpu", dtype, copy=True).contiguous()
    return kept


def write_folder(folder: str | Path, model: BertWithHeads, tokenizer: BertTokenizer) -> Path:
    """Write model and tokenizer, packed, as a folder that `load` and any `from_pretrained` read; returns the folder."""
    folder = Path(folder)
    config = copy.deepcopy(model.config)
    config.architectures, config.dtype = ["BertForMaskedLM"], "float32"
    weights = pack(model.state_dict())
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
