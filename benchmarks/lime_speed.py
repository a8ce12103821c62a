"""LIME, 1000 samples of a 64x64 picture: ours beside the bare forward passes and beside the lime package.

    python benchmarks/lime_speed.py --repeats 7

The first three take the same network, pictures, precision and threads, each its best batch size (swept first); the
last is the package with its own defaults. They run in turns, and medians are compared. Ratios are what to read: seconds
depend on the machine.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
import tqdm.auto
from lime import lime_image
from torch import nn

from hw9.vision.classifier import CompactCNN, load_checkpoint
from hw9.vision.lime import explain
from hw9.vision.sprites import SpriteFood11
from hw9.vision.superpixels import superpixels

WEIGHTS = Path(__file__).parents[1] / "checkpoints" / "compact-food11.safetensors"
BATCHES = (16, 32, 64, 128, 256)


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fastest(ways: dict):
    """The key of the work that takes the shortest time, each tried twice."""
    return min(ways, key=lambda way: min(seconds(ways[way]) for _ in range(2)))


class Contestants:
    """The three ways to judge `samples` perturbed copies of one picture."""

    def __init__(self, model: nn.Module, image: torch.Tensor, samples: int, dtype: torch.dtype | None) -> None:
        self.model, self.image, self.samples = model, image, samples
        self.segments = superpixels(image)
        found = explain(model, image, samples=samples, dtype=dtype)
        self.asked, self.dtype, self.target = dtype, found.dtype, found.target
        keep = torch.rand(samples, 1, *image.shape[1:], generator=torch.Generator().manual_seed(1)) < 0.5
        self.copies = torch.where(keep, image, image.mean((1, 2), keepdim=True))  # (samples, 3, H, W)

    def passes(self, pictures: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            return self.model(pictures)

    def bare(self, batch: int, copies: torch.Tensor) -> None:
        for start in range(0, len(copies), batch):
            self.passes(copies[start : start + batch], self.dtype)

    def ours(self) -> None:
        explain(self.model, self.image, samples=self.samples, dtype=self.asked)

    def package(self, batch: int, samples: int, dtype: torch.dtype) -> None:
        def judge(pictures: np.ndarray) -> np.ndarray:
            inputs = torch.from_numpy(pictures).permute(0, 3, 1, 2)  # channels_last already
            return self.passes(inputs, dtype).float().softmax(1).numpy()

        lime_image.LimeImageExplainer(random_state=0).explain_instance(
            self.image.permute(1, 2, 0).numpy(),
            judge,
            labels=(self.target,),
            top_labels=None,
            num_samples=samples,
            hide_color=self.image.mean((1, 2)).numpy(),
            batch_size=batch,
            segmentation_fn=lambda _: superpixels(self.image),
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--samples", type=int, default=1000)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    # The package draws a progress bar, which would be charged to it.
    lime_image.tqdm = lambda rows: tqdm.auto.tqdm(rows, disable=True)
    trained = WEIGHTS.is_file()
    model = (load_checkpoint(WEIGHTS) if trained else CompactCNN()).eval()
    dtype = None if chosen.dtype == "auto" else getattr(torch, chosen.dtype)
    run = Contestants(model, SpriteFood11(1, 64, 0)[0][0], chosen.samples, dtype)
    layouts = {"contiguous": run.copies, "channels_last": run.copies.contiguous(memory_format=torch.channels_last)}
    ways = [(name, batch) for name in layouts for batch in BATCHES]
    # The sweep takes a quarter of the work: only the best is timed in full.
    part = max(chosen.samples // 4, max(BATCHES))
    name, batch = fastest({way: lambda way=way: run.bare(way[1], layouts[way[0]][:part]) for way in ways})
    package_batch = fastest({batch: lambda batch=batch: run.package(batch, part, run.dtype) for batch in BATCHES})
    work = {
        f"bare forward passes ({name}, batches of {batch})": lambda: run.bare(batch, layouts[name]),
        "hw9.vision.lime.explain, as it comes": run.ours,
        f"lime package (channels_last, batches of {package_batch})": lambda: run.package(
            package_batch, chosen.samples, run.dtype
        ),
        "lime package, as it comes (float32, batches of 10)": lambda: run.package(10, chosen.samples, torch.float32),
    }
    times = {label: [] for label in work}
    for _ in range(chosen.repeats):
        for label, way in work.items():
            times[label].append(seconds(way))
    medians = {label: statistics.median(values) for label, values in times.items()}
    base, ours, theirs, default = medians.values()
    weights = "shipped weights" if trained else "random weights"
    print(
        f"LIME, {chosen.samples} samples, {len(np.unique(run.segments))} superpixels, CompactCNN ({weights}), "
        f"{str(run.dtype).removeprefix('torch.')}, {chosen.threads} threads, median of {chosen.repeats}"
    )
    for label, median in medians.items():
        print(f"  {median:7.3f} s  {label}")
    print(f"  ours / bare passes    {ours / base:5.2f}   (at most 1.15)")
    print(f"  lime package / ours   {theirs / ours:5.2f}   (above 1)")
    print(f"  as it comes / ours    {default / ours:5.2f}")


if __name__ == "__main__":
    main()
