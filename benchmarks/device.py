"""What the device at hand gives: every method beside the bare passes it needs, and beside Captum.

    python -m benchmarks --device cuda

Needs torch, torchvision and Captum; for LIME also lime and scikit-image. Both networks have random weights. Bare passes
(as many gradients, or for LIME forward passes, of pictures made beforehand) get their best batch size and memory layout
and torch's own settings, Captum its best chunk; both are swept first. All run in turns; medians, and ratios of medians.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable

import torch
from captum.attr import IntegratedGradients, NoiseTunnel, Saliency
from torch import Tensor, nn

from benchmarks.attribution import LAYOUTS, bare, pictures
from hw9.vision.attribution import integrated_gradients, smoothgrad
from hw9.vision.chunks import out_of_memory
from hw9.vision.inference import frozen
from hw9.vision.networks import CompactCNN, CourseCNN

NETWORKS = {"CourseCNN": CourseCNN, "CompactCNN": CompactCNN}
BATCHES = (8, 16, 32, 64, 128, 256, 512)
Work = Callable[[], object]


def seconds(work: Work, device: torch.device) -> float:
    """How long `work` takes, with all that it leaves to the device."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter() - start


def best(ways: dict, device: torch.device) -> object:
    """The key of the work that is done first, the better of two tries; what does not fit into memory is left out."""
    times = {}
    for way, work in ways.items():
        try:
            times[way] = min(seconds(work, device) for _ in range(2))
        except RuntimeError as error:  # a plain one where cuDNN or cuBLAS finds no room
            if not out_of_memory(error):
                raise
            torch.cuda.empty_cache()
    return min(times, key=times.get)


def batch(images: Tensor, layout: str, size: int) -> Tensor:
    """`size` pictures, those of `images` again and again, laid out so in memory."""
    rows = torch.arange(size, device=images.device) % len(images)
    return images[rows].contiguous(memory_format=LAYOUTS[layout])


def forward(model: nn.Module, inputs: Tensor, count: int, dtype: torch.dtype) -> None:
    """So many forward passes of batches like this one, and nothing else."""
    rounded = dtype != torch.float32
    kind = inputs.device.type
    with frozen(model), torch.inference_mode(), torch.autocast(kind, dtype if rounded else None, enabled=rounded):
        for start in range(0, count, len(inputs)):
            model(inputs[: count - start])


def gradients(model: nn.Module, images: Tensor, samples: int, method: str) -> dict[str, Work]:
    """The contestants for SmoothGrad or integrated gradients, each at its best: bare passes, ours, Captum."""
    device, count = images.device, len(images)
    targets = torch.arange(count, device=device) % 11
    rows = {size: torch.arange(size, device=device) % count for size in BATCHES}
    total = samples * count
    ways = {
        (layout, size): functools.partial(bare, model, batch(images, layout, size), targets[rows[size]], total)
        for layout in LAYOUTS
        for size in BATCHES
        if size <= max(total, BATCHES[0])
    }
    inputs = images.clone().requires_grad_()
    if method == "SmoothGrad":
        deviation = 0.15 * float((images.amax((1, 2, 3)) - images.amin((1, 2, 3))).mean())
        call = functools.partial(NoiseTunnel(Saliency(model)).attribute, inputs, target=targets, nt_samples=samples)
        call = functools.partial(call, stdevs=deviation, abs=False)
        theirs = {
            n: functools.partial(call, nt_samples_batch_size=n) for n in {1, 2, 5, 10, 25, samples} if n <= samples
        }
        ours = functools.partial(smoothgrad, model, images, targets, samples=samples)
    else:
        call = functools.partial(IntegratedGradients(model).attribute, inputs, target=targets, n_steps=samples)
        sizes = [size for size in BATCHES if size >= count]
        theirs = {n: functools.partial(call, method="gausslegendre", internal_batch_size=n) for n in sizes}
        ours = functools.partial(integrated_gradients, model, images, targets, steps=samples)
    return {"bare": ways[best(ways, device)], "ours": ours, "Captum": theirs[best(theirs, device)]}


def lime(model: nn.Module, image: Tensor, samples: int) -> dict[str, Work]:
    """The contestants for LIME of one picture (3, H, W); ImportError where its packages are missing."""
    from hw9.vision.lime import explain

    ours = functools.partial(explain, model, image, target=0, samples=samples)
    dtype = ours().dtype
    ways = {
        (layout, size): functools.partial(forward, model, batch(image[None], layout, size), samples, dtype)
        for layout in LAYOUTS
        for size in BATCHES
        if size <= max(samples, BATCHES[0])
    }
    return {"bare": ways[best(ways, image.device)], "ours": ours}


def row(name: str, work: dict[str, Work], repeats: int, device: torch.device) -> str:
    """A line of the table: medians in seconds, and what ours takes beside the others."""
    for way in work.values():
        seconds(way, device)
    turns = [[seconds(way, device) for way in work.values()] for _ in range(repeats)]
    found = dict(zip(work, map(statistics.median, zip(*turns, strict=True)), strict=True))
    theirs = f"{found['Captum']:.3f}" if "Captum" in found else ""
    beside = f"{found['ours'] / found['Captum']:.2f}" if "Captum" in found else ""
    cells = [
        name,
        f"{found['bare']:.3f}",
        f"{found['ours']:.3f}",
        theirs,
        f"{found['ours'] / found['bare']:.2f}",
        beside,
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    options.add_argument("--size", type=int, default=128, help="side of the pictures (CourseCNN takes 128 alone)")
    options.add_argument("--pictures", type=int, default=10)
    options.add_argument("--samples", type=int, default=50, help="of SmoothGrad, and steps of integrated gradients")
    options.add_argument("--lime", type=int, default=1000, help="samples of LIME")
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    device = torch.device(chosen.device)
    card = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{chosen.device}, {torch.get_num_threads()} threads"
    )
    images = pictures(chosen.pictures, chosen.size).to(device)
    what = f"{chosen.pictures} pictures of {chosen.size} px, median of {chosen.repeats}"
    print(f"{card}, torch {torch.__version__}: {what}\n")
    print("| seconds | bare passes, best batch | ours | Captum, best chunk | ours / bare | ours / Captum |")
    print("|---|---|---|---|---|---|", flush=True)
    for name in chosen.networks:
        torch.manual_seed(0)
        model = NETWORKS[name]().to(device).eval()
        for method in ("SmoothGrad", "integrated gradients"):
            work = gradients(model, images, chosen.samples, method)
            print(row(f"{name}, {method} {chosen.samples}", work, chosen.repeats, device), flush=True)
        try:
            work = lime(model, images[0], chosen.lime)
        except ImportError as error:
            print(f"| {name}, LIME: not timed, {error} (pip install lime) |", flush=True)
        else:
            print(row(f"{name}, LIME {chosen.lime:,}, one picture", work, chosen.repeats, device), flush=True)


if __name__ == "__main__":
    main()
