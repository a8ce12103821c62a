"""Write the packed folder that ships.

    PYTHONPATH=. python tools/pack_bert.py runs/bert/plain checkpoints/bert-mini-zh-en \\
        --earlier runs/first/plain --share 0.4

With --earlier, every weight is the mean of this run's and of the earlier run's that it started from, which counts
`share`: what the second run forgot comes back, and hardly anything of what it learnt goes (Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models", section 3).
With --length-penalty, answers are chosen with another penalty than they were trained with: take the one that answers
best on held-out questions other than those to be reported.
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from hw9.language.loading import LENGTH_PENALTY, read_config, read_model, read_tokenizer
from hw9.language.packed import write_folder


def read(folder: Path) -> nn.Module:
    return read_model(folder, folder.name, read_config(folder, folder.name))[0]


def average(model: nn.Module, earlier: nn.Module, share: float) -> None:
    """Each weight of `model` becomes (1 - share) of itself plus `share` of `earlier`'s."""
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, not {share}")
    for mine, other in zip(model.parameters(), earlier.parameters(), strict=True):
        with torch.no_grad():
            mine.lerp_(other, share)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("source", type=Path)
    options.add_argument("target", type=Path)
    options.add_argument("--earlier", type=Path)
    options.add_argument("--share", type=float, default=0.5)
    options.add_argument("--length-penalty", type=float)
    chosen = options.parse_args()
    model = read(chosen.source)
    if chosen.earlier:
        average(model, read(chosen.earlier), chosen.share)
    if chosen.length_penalty is not None:
        setattr(model.config, LENGTH_PENALTY, chosen.length_penalty)
    config = read_config(chosen.source, chosen.source.name)
    write_folder(chosen.target, model, read_tokenizer(chosen.source, chosen.source.name, config))
    size = sum(file.stat().st_size for file in chosen.target.iterdir()) / 2**20
    print(f"{chosen.target}: {size:.1f} MB")


if __name__ == "__main__":
    main()
