"""Which pictures the CNN lesson uses, and how its network comes about: embedded by default, Food-11 by choice."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hw9.notebook import ROOT, figures_folder
from hw9.vision import course
from hw9.vision.augmentation import augmentation
from hw9.vision.classifier import CompactCNN, CourseCNN, load_checkpoint, save_checkpoint
from hw9.vision.food11 import CLASS_NAMES, Food11, download_food11, find_food11, read_folder
from hw9.vision.inference import unwrapped
from hw9.vision.layers import layers_to_show
from hw9.vision.photographs import Photographs, free_photographs, lesson_photographs
from hw9.vision.pictures import files_of
from hw9.vision.predictions import as_float
from hw9.vision.resuming import History
from hw9.vision.sprites import LESSON_LABELS, Objects, SpriteFood11, lesson_objects, lesson_pictures
from hw9.vision.training import toward, train

START = ROOT / "checkpoints" / "compact-photographs.safetensors"  # has seen photographs, none of the embedded dishes
# How many scenes of which dishes and tables each part has.
SCENES = {"training": (4400, "train"), "validation": (660, "known"), "dishes never seen": (660, "unseen")}
TIMES = 3  # each free photograph is that often among the training pictures
KEPT = 0.2  # of what START knew: less of it and unseen dishes, more of it and known ones are recognised worse
READER = ROOT / "checkpoints" / "compact-food11.safetensors"  # reads photographs, in the last section

# The layers whose filters the lesson shows, early to late; the course's quiz asks about 6, 15, 21 and 23 of its own.
LAYERS = {
    "CompactCNN": {0: "convolution", 3: "residual", 5: "residual", 7: "residual"},
    "CourseCNN": {6: "convolution", 15: "ReLU", 21: "BatchNorm", 23: "convolution"},
}

WAYS = ("auto", "train", "fine-tune", "course")  # to come by a network; anything else is the path of a checkpoint
PHOTOS_AT_MOST = 12  # photographs of a user's own in one figure
Split = tuple[np.ndarray, np.ndarray]  # pictures uint8 (N, 3, size, size), labels int64 (N,)


@dataclass
class Lesson:
    """Pictures of one data set, all of side `size`, and the ten that every explanation is shown on.

    `splits` maps a name to (pictures, labels); "training" and "validation" are always there, a third is named after
    what it holds. `masks` (10, size, size) tells the food of the class from the rest of the ten pictures, and `objects`
    what else lies on them, where that is known.
    """

    name: str
    size: int
    splits: dict[str, Split]
    images: Tensor  # (10, 3, size, size) in [0, 1]
    labels: Tensor  # (10,)
    names: list[str]
    masks: Tensor | None
    objects: list[Objects] | None
    figures: Path  # photographs of Food-11 have no licence: their figures go where git does not look
    class_names: tuple[str, ...] = CLASS_NAMES


def choose(data: str = "auto", *, model: str = "auto", size: int | None = None, device: str = "cpu") -> Lesson:
    """The pictures to use, with a line that says which and how to change it.

    `data` is "sprites" (embedded: real food on composed tables), a path of Food-11, or "auto": Food-11 where
    `find_food11` finds it, on Colab or a GPU also by download, and the embedded scenes otherwise, loudly so when a
    download failed.
    `size` is the side in pixels (default: 96 on a CPU, 128 on a GPU and for the course's network, which takes no other,
    where `model` is the path of its checkpoint). Raises as `train_or_load` does for a checkpoint that does not fit.
    """
    size = size or (course.SIZE if device == "cuda" or isinstance(_loaded(model), CourseCNN) else 96)
    where = _food11(data, device)
    if where is None:
        print(
            f"In use: the embedded scenes at {size} px (photographed food on composed tables). "
            'For Food-11 set DATA to its folder or archive, or run "python -m hw9 data" once.'
        )
        return _sprites(size)
    print(f'In use: Food-11 from {where} at {size} px. For the embedded scenes set DATA = "sprites".')
    return _photographs(where, size)


def _food11(data: str, device: str) -> Path | None:
    data = data.strip(" \t\n\"'") or "auto"
    if data.lower() == "sprites":
        return None
    if data.lower() != "auto":
        return find_food11(data)
    found = find_food11()
    if found is not None or not (device == "cuda" or "google.colab" in sys.modules):
        return found
    try:
        return download_food11(ROOT / "data" / "food11")
    except (OSError, ValueError, ImportError) as error:
        print(f"!!! Food-11 could not be downloaded: {error}\n!!! The lesson goes on with the embedded scenes instead.")
        return None


def _sprites(size: int) -> Lesson:
    splits = {name: SpriteFood11(n, size, split=split).arrays()[:2] for name, (n, split) in SCENES.items()}
    # A few hundred real photographs among the scenes: dishes never seen are then recognised a little better.
    real = free_photographs("train", size)
    pictures = (real.images * 255).round().to(torch.uint8).numpy()
    parts = [splits["training"], *[(pictures, real.labels.numpy())] * TIMES]
    splits["training"] = tuple(np.concatenate(part) for part in zip(*parts, strict=True))
    images, labels, masks, names = lesson_pictures(size)
    return Lesson("scenes", size, splits, images, labels, names, masks, lesson_objects(size), figures_folder())


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
    return Lesson("Food-11", size, splits, images, labels, names, None, None, figures_folder("own"))


def train_or_load(
    lesson: Lesson, model: str = "auto", *, device: str = "cpu", seed: int = 0
) -> tuple[nn.Module, History | None]:
    """The network of the lesson: trained now, with its history, or that of a checkpoint, with None.

    `model` is "fine-tune" (go on from a network that knows photographs of food, Yosinski et al. 2014), "train" (from
    random weights), "course" (the course's own network from random weights, on a GPU), "auto" (train with Food-11 on a
    GPU, fine-tune otherwise) or the path of a checkpoint. Fine-tuning on the embedded scenes takes two to three minutes
    on two CPU cores; where "course" would take days it is said how many, and the lesson goes on by fine-tuning. An
    interrupted training goes on where it stopped when it is called again.
    """
    small, loaded, model = lesson.name == "scenes", _loaded(model, device), _plain(model)
    if model == "course" and device == "cpu":
        epochs = course.recipe(small)["epochs"]
        hours = course.hours(len(lesson.splits["training"][1]), epochs)
        print(
            f"The course's own network would take about {hours:.0f} hours on this processor ({epochs} epochs, by one "
            "step measured); on a GPU it takes minutes (in Colab: Runtime, Change runtime type). The lesson goes on "
            'with MODEL = "fine-tune". The layers 6, 15, 21 and 23 of the quiz are those of the course\'s network.'
        )
        model = "fine-tune"
    if model == "auto":
        model = "train" if device == "cuda" and not small else "fine-tune"
    if lesson.size != course.SIZE and (model == "course" or isinstance(loaded, CourseCNN)):
        advice = f"choose pictures with size={course.SIZE}"
        raise ValueError(f"the course's network takes {course.SIZE} px, not {lesson.size}: {advice}")
    if loaded is not None:
        print(f"Loaded {type(loaded).__name__} from {Path(model).name}")
        return loaded, None
    torch.manual_seed(seed)
    options = {
        "batch": 48 if small else 128,
        "mix": 0.0 if small else 0.2,
        "augment": augmentation(lesson.size, strength=0.35 if small else 1.0, first_size=lesson.size // 2),
    }
    if model == "course":
        print("Training the course's own network from random weights")
        network, options = CourseCNN().to(device), course.recipe(small)
    elif model == "train":
        print("Training from random weights")
        network = CompactCNN().to(device)
        options |= {"epochs": 6 if small else 40, "learning_rate": 4e-3}
    else:
        print(f"Fine-tuning a network that knows photographs of food ({START.name})")
        network = load_checkpoint(START, device)
        # Edges, colours and simple textures are known already.
        options |= {"epochs": 4 if small else 8, "learning_rate": 2e-3, "fixed": network.features[:4]}
    network.input_size = lesson.size
    checkpoint = ROOT / "runs" / f"{lesson.name.lower()}-{lesson.size}-{model}.safetensors"
    splits = lesson.splits["training"], lesson.splits["validation"]
    history = train(network, *splits[0], splits[1], checkpoint=checkpoint, seed=seed, **options)
    if model == "fine-tune":
        toward(network, load_checkpoint(START, device), KEPT)
        save_checkpoint(checkpoint, network, {"kept": KEPT})
    return network, history


def _plain(model: str) -> str:
    """One of WAYS, or the path of a checkpoint, as a person may have written it."""
    model = model.strip(" \t\n\"'")
    return model.lower() if model.lower() in WAYS else model


def _loaded(model: str, device: str = "cpu") -> nn.Module | None:
    """The network of a checkpoint that tells the lesson's classes apart; None where `model` is one of WAYS."""
    model = _plain(model)
    if model in WAYS:
        return None
    path = Path(model).expanduser()
    path = path if path.exists() else ROOT / path
    network = load_checkpoint(path, device)
    if tuple(network.class_names) != CLASS_NAMES:
        what = f"{len(network.class_names)} classes apart ({', '.join(network.class_names[:3])} ...)"
        raise ValueError(f"{path} tells {what}, not the lesson's {len(CLASS_NAMES)} kinds of food: give one that does")
    return network


def layers_of(model: nn.Module, images: Tensor) -> dict[int | str, str]:
    """The layers whose filters are shown, early to late, {layer: what it is}: of LAYERS, or found in the model."""
    return LAYERS.get(type(unwrapped(model)).__name__) or layers_to_show(model, images[:1])


def photographs(folder: str, size: int) -> Photographs:
    """The photographs of a folder at `size` pixels, at most twelve; "" takes the ten free ones that ship.

    Files that cannot be read are named. Blanks and quotes around the path, as some systems copy them, do not count.
    """
    folder = str(folder or "").strip(" \t\n\"'")
    if not folder:
        print('No folder in PHOTOS: ten free photographs stand in. Set PHOTOS = "a folder" to use yours.')
        return lesson_photographs(size)
    files = files_of(folder)
    if len(files) > PHOTOS_AT_MOST:
        some = f"{folder} holds {len(files)} files: the first {PHOTOS_AT_MOST} pictures are explained here"
        print(f'{some}. For all of them run: python -m hw9 explain "{folder}"')
    images, names, skipped = read_folder(folder, size, limit=PHOTOS_AT_MOST)
    for name, reason in skipped:
        print(f"left out: {name} ({reason})")
    return Photographs(images, names)
