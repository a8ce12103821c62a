"""Train the CompactCNN that ships as checkpoints/compact-food11.safetensors.

    PYTHONPATH=. python tools/train_food.py --pictures food11.zip --extra food11-extra.zip
    PYTHONPATH=. python tools/train_food.py --pictures food11.zip --extra food11-extra.zip --epochs 4 \\
        --learning-rate 0.001 --mix 0 --strength 0.75 --first-size 64 --start checkpoints/compact-food11.safetensors

The second call goes on from the first one's best weights without mixed pictures. Takes hours on two cores and minutes
on a GPU; an interrupted run goes on where it stopped. Random crops enlarge what the network sees in training, so whole
pictures are read best somewhat larger than they were trained (Touvron et al. 2019, "Fixing the train-test resolution
discrepancy"): `--final-size` is the input size written into the checkpoint.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from hw9.vision.classifier import CompactCNN, load_checkpoint, save_checkpoint
from hw9.vision.food11 import Food11, find_food11
from hw9.vision.training import augmentation, evaluate, train


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--pictures", required=True, help="folder or archive with training and validation pictures")
    options.add_argument("--extra", help="folder or archive with more training pictures")
    options.add_argument("--start", help="a checkpoint to go on from")
    options.add_argument("--epochs", type=int, default=20)
    options.add_argument("--learning-rate", type=float, default=4e-3)
    options.add_argument("--mix", type=float, default=0.2, help="strength of mixup; 0 also switches CutMix off")
    options.add_argument("--strength", type=float, default=1.0, help="of the augmentation")
    options.add_argument("--size", type=int, default=64)
    options.add_argument("--first-size", type=int, default=40)
    options.add_argument("--final-size", type=int, default=80)
    options.add_argument("--out", type=Path, default=Path("checkpoints/compact-food11.safetensors"))
    chosen = options.parse_args()
    sets = [Food11(find_food11(chosen.pictures), "training", chosen.size)]
    if chosen.extra:
        sets.append(Food11(find_food11(chosen.extra), "training", chosen.size))
    pictures = np.concatenate([part.pictures for part in sets])
    labels = np.concatenate([part.labels for part in sets])
    validation = Food11(find_food11(chosen.pictures), "validation", chosen.size)
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load_checkpoint(chosen.start, device) if chosen.start else CompactCNN().to(device)
    model.input_size = chosen.size
    history = train(
        model,
        pictures,
        labels,
        (validation.pictures, validation.labels),
        checkpoint=chosen.out,
        epochs=chosen.epochs,
        augment=augmentation(chosen.size, strength=chosen.strength, first_size=chosen.first_size),
        batch=128,
        learning_rate=chosen.learning_rate,
        mix=chosen.mix,
    )
    chosen.out.with_suffix(".history.json").write_text(json.dumps(history.epochs, indent=1) + "\n")
    finish(chosen.out, chosen.pictures, chosen.final_size)


def finish(checkpoint: Path, pictures: str, size: int) -> None:
    """Set the input size of a trained checkpoint and print accuracy, recall and the commonest confusions there."""
    model = load_checkpoint(checkpoint)
    model.input_size = size
    validation = Food11(find_food11(pictures), "validation", size)
    found = evaluate(model, validation.pictures, validation.labels)
    save_checkpoint(checkpoint, model, {"accuracy": found.accuracy, "pictures": len(validation.labels)})
    print(f"{size} px: {found.accuracy:.1%} of {len(validation.labels)}")
    for row, (name, recall) in enumerate(zip(model.class_names, found.per_class, strict=True)):
        others = found.confusion[row].copy()
        others[row] = 0
        shares = [
            f"{model.class_names[k]} {others[k] / found.confusion[row].sum():.0%}" for k in others.argsort()[:-3:-1]
        ]
        print(f"| {name} | {found.confusion[row].sum()} | {recall:.1%} | {', '.join(shares)} |")


if __name__ == "__main__":
    main()
