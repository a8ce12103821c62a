"""Train the CompactCNN that ships as checkpoints/compact-food11.safetensors.

    python tools/train_food.py --pictures food11.zip --extra food11-extra.zip --epochs 18

Takes hours on two cores and minutes on a GPU; an interrupted run goes on where it stopped.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from hw9.vision.classifier import CompactCNN
from hw9.vision.food11 import Food11, find_food11
from hw9.vision.training import augmentation, train


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--pictures", required=True, help="folder or archive with training and validation pictures")
    options.add_argument("--extra", help="folder or archive with more training pictures")
    options.add_argument("--epochs", type=int, default=18)
    options.add_argument("--size", type=int, default=64)
    options.add_argument("--first-size", type=int, default=40)
    options.add_argument("--out", type=Path, default=Path("checkpoints/compact-food11.safetensors"))
    chosen = options.parse_args()
    sets = [Food11(find_food11(chosen.pictures), "training", chosen.size)]
    if chosen.extra:
        sets.append(Food11(find_food11(chosen.extra), "training", chosen.size))
    pictures = np.concatenate([part.pictures for part in sets])
    labels = np.concatenate([part.labels for part in sets])
    validation = Food11(find_food11(chosen.pictures), "validation", chosen.size)
    torch.manual_seed(0)
    model = CompactCNN().to("cuda" if torch.cuda.is_available() else "cpu")
    history = train(
        model,
        pictures,
        labels,
        (validation.pictures, validation.labels),
        checkpoint=chosen.out,
        epochs=chosen.epochs,
        augment=augmentation(chosen.size, first_size=chosen.first_size),
        batch=128,
        learning_rate=4e-3,
    )
    chosen.out.with_suffix(".history.json").write_text(json.dumps(history.epochs, indent=1) + "\n")


if __name__ == "__main__":
    main()
