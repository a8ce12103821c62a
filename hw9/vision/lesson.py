"""Which pictures the CNN lesson uses, and how long it trains on them: embedded by default, Food-11 by choice."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage.data
import torch
from torch import Tensor, nn

from hw9.notebook import ROOT
from hw9.vision.classifier import CompactCNN, load_checkpoint
from hw9.vision.food11 import CLASS_NAMES, Food11, download_food11, find_food11, read_folder, read_picture
from hw9.vision.pictures import files_of
from hw9.vision.sprites import LESSON_LABELS, SpriteFood11, lesson_pictures
from hw9.vision.training import History, as_float, augmentation, train

# The layers whose filters the lesson shows, early to late; the course's quiz asks about 6, 15, 21 and 23 of its own.
LAYERS = {
    "CompactCNN": {0: "convolution", 3: "residual", 5: "residual", 7: "residual"},
    "CourseCNN": {6: "convolution", 15: "ReLU", 21: "BatchNorm", 23: "convolution"},
}

PHOTOS_AT_MOST = 12  # photographs of a user's own in one figure
Split = tuple[np.ndarray, np.ndarray]  # pictures uint8 (N, 3, size, size), labels int64 (N,)


@dataclass
class Lesson:
    """Pictures of one data set, all of side `size`, and the ten that every explanation is shown on.

    `splits` maps a name to (pictures, labels); "training" and "validation" are always there, a third is named after
    what it holds. `masks` (10, size, size) tells the food from the rest of the ten pictures, where that is known.
    """

    name: str
    size: int
    splits: dict[str, Split]
    images: Tensor  # (10, 3, size, size) in [0, 1]
    labels: Tensor  # (10,)
    names: list[str]
    masks: Tensor | None
    figures: Path  # photographs of Food-11 have no licence: their figures go where git does not look
    class_names: tuple[str, ...] = CLASS_NAMES


def choose(data: str = "auto", *, size: int | None = None, device: str = "cpu") -> Lesson:
    """The pictures to use, with a line that says which and how to change it.

    `data` is "sprites" (embedded, synthetic), a path of Food-11, or "auto": Food-11 where `find_food11` finds it, on
    Colab or a GPU also by download, and the sprites otherwise, loudly so when a download failed.
    `size` is the side in pixels (default: 64 on a CPU, 128 on a GPU).
    """
    size = size or (128 if device == "cuda" else 64)
    where = _food11(data, device)
    if where is None:
        print(
            f"In use: the embedded synthetic pictures at {size} px (drawn food, not photographs). "
            'For Food-11 set DATA to its folder or archive, or run "python -m hw9 data" once.'
        )
        return _sprites(size)
    print(f'In use: Food-11 from {where} at {size} px. For the embedded synthetic pictures set DATA = "sprites".')
    return _photographs(where, size)


def _food11(data: str, device: str) -> Path | None:
    if data.strip().lower() == "sprites":
        return None
    if data.strip().lower() != "auto":
        return find_food11(data)
    found = find_food11()
    if found is not None or not (device == "cuda" or "google.colab" in sys.modules):
        return found
    try:
        return download_food11(ROOT / "data" / "food11")
    except (OSError, ValueError, ImportError) as error:
        print(f"!!! Food-11 could not be downloaded: {error}\n!!! The lesson goes on with synthetic pictures instead.")
        return None


def _sprites(size: int) -> Lesson:
    counts = {"training": (4400, "train"), "validation": (660, "known"), "pictograms never seen": (660, "unseen")}
    splits = {name: SpriteFood11(n, size, split=split).arrays()[:2] for name, (n, split) in counts.items()}
    images, labels, masks, names = lesson_pictures(size)
    return Lesson("sprites", size, splits, images, labels, names, masks, ROOT / "figures")


def _photographs(where: Path, size: int) -> Lesson:
    sets = {"training": Food11(where, "training", size), "validation": Food11(where, "validation", size)}
    try:
        sets["evaluation"] = Food11(where, "evaluation", size)
    except FileNotFoundError:
        print("There is no evaluation split here: validation figures only.")
    except ValueError as error:  # hand-outs whose test pictures have no labels
        print(f"The evaluation split is left out: {error}")
    validation = sets["validation"]
    chosen: list[int] = []
    for label in LESSON_LABELS:  # the first pictures of each class
        left = [int(i) for i in np.flatnonzero(validation.labels == label) if i not in chosen]
        if left:
            chosen.append(left[0])
        else:
            lacking = f"the validation split of {where} has too few pictures of {CLASS_NAMES[label]}"
            print(f"The lesson's pictures are one less: {lacking}")
    if not chosen:
        raise ValueError(f"the validation split of {where} has no picture of the lesson's classes: add some")
    splits = {name: (part.pictures, part.labels) for name, part in sets.items()}
    names = [Path(validation.names[i]).name for i in chosen]
    images, labels = as_float(validation.pictures[chosen]), torch.from_numpy(validation.labels[chosen])
    return Lesson("Food-11", size, splits, images, labels, names, None, ROOT / "figures" / "own")


def train_or_load(
    lesson: Lesson, model: str, *, device: str = "cpu", seed: int = 0
) -> tuple[nn.Module, History | None]:
    """A CompactCNN trained now (`model="train"`, with its history) or the network of a checkpoint (with None).

    On a CPU with the embedded pictures training takes about two minutes; with Food-11 and a GPU some minutes.
    An interrupted training goes on where it stopped when it is called again.
    """
    if model.strip().lower() != "train":
        path = Path(model).expanduser()
        path = path if path.exists() else ROOT / path
        loaded = load_checkpoint(path, device)
        if len(loaded.class_names) != len(CLASS_NAMES):
            raise ValueError(f"{path} tells {len(loaded.class_names)} classes apart, the lesson has {len(CLASS_NAMES)}")
        print(f"Loaded {type(loaded).__name__} from {path.name}")
        return loaded, None
    torch.manual_seed(seed)
    network = CompactCNN().to(device)
    network.input_size = lesson.size
    small = lesson.name == "sprites"
    history = train(
        network,
        *lesson.splits["training"],
        lesson.splits["validation"],
        checkpoint=ROOT / "runs" / f"{lesson.name.lower()}-{lesson.size}.safetensors",
        epochs=5 if small else 40,
        batch=48 if small else 128,
        learning_rate=4e-3,
        mix=0.0 if small else 0.2,
        augment=augmentation(lesson.size, strength=0.3 if small else 1.0, first_size=lesson.size // 2),
        seed=seed,
    )
    return network, history


def own_photographs(folder: str, size: int) -> tuple[Tensor, list[str]]:
    """The photographs of a folder, (N, 3, size, size) in [0, 1], at most twelve, with their names.

    Without a folder, two free photographs that come with scikit-image: a cup of coffee (Rachel Michetti, CC0) and
    the cat Chelsea (Stefan van der Walt, CC0). Files that cannot be read are named.
    """
    if not folder:
        files = [Path(skimage.data.data_dir) / name for name in ("coffee.png", "chelsea.png")]
        print('No folder in PHOTOS: two photographs from scikit-image stand in. Set PHOTOS = "a folder" to use yours.')
        return as_float(np.stack([read_picture(file, size) for file in files])), ["a cup of coffee", "a cat"]
    files = files_of(folder)
    if len(files) > PHOTOS_AT_MOST:
        some = f"{folder} holds {len(files)} files: the first {PHOTOS_AT_MOST} pictures are explained here"
        print(f'{some}. For all of them run: python -m hw9 explain "{folder}"')
    images, names, skipped = read_folder(folder, size, limit=PHOTOS_AT_MOST)
    for name, reason in skipped:
        print(f"left out: {name} ({reason})")
    return images, names
