"""Filter visualisation at 64x64: ours beside lucent, the same network, layer, channels and steps.

    python benchmarks/filters_speed.py --repeats 5

Both optimise Fourier coefficients of decorrelated colours with Adam under random moves and show the network 64x64
pictures. lucent runs as its documentation has it, and once more with the weights frozen, which it leaves to its user.
The ways take turns; the ratio of a repeat is formed within it. Ratios are what to read: seconds depend on the machine.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from lucent.optvis import objectives, param, render
from torch import nn

from hw9.vision.classifier import CompactCNN, load_checkpoint
from hw9.vision.filters import visualize_many

WEIGHTS = Path(__file__).parents[1] / "checkpoints" / "compact-food11.safetensors"
GRID_LAYERS = (0, 3, 4, 5, 6, 7)
GRID_CHANNELS = range(6)


def ours(model: nn.Module, layer: int, channels: list[int], steps: int) -> None:
    visualize_many(model, layer, channels, size=64, steps=steps)


def lucent(model: nn.Module, layer: int, channels: list[int], steps: int) -> None:
    goals = [objectives.channel(f"features_{layer}", channel, batch=row) for row, channel in enumerate(channels)]
    render.render_vis(
        model,
        objectives.Objective.sum(goals),
        lambda: param.image(64, batch=len(channels), fft=True, decorrelate=True),
        thresholds=(steps,),
        preprocess=False,  # CompactCNN normalises by itself
        fixed_image_size=64,  # or lucent would enlarge to 224
        progress=False,
        show_image=False,
    )


def lucent_frozen(model: nn.Module, layer: int, channels: list[int], steps: int) -> None:
    model.requires_grad_(False)
    try:
        lucent(model, layer, channels, steps)
    finally:
        model.requires_grad_(True)
        unhook(model)


def unhook(model: nn.Module) -> None:
    """Remove the hooks that lucent leaves behind: they would slow every later run."""
    for module in model.modules():
        module._forward_hooks.clear()


def seconds(work: Callable, *arguments) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--steps", type=int, default=32)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--no-grid", action="store_true", help="leave out the grid of 6 layers x 6 filters")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # random weights may have filters that stay off
    trained = WEIGHTS.is_file()
    torch.manual_seed(0)
    model = (load_checkpoint(WEIGHTS) if trained else CompactCNN()).eval()
    weights = "shipped weights" if trained else "random weights"
    print(
        f"Filter visualisation, 64x64, {chosen.steps} steps, CompactCNN ({weights}), {chosen.threads} threads, "
        f"median of {chosen.repeats}"
    )
    ways = {"ours": ours, "lucent": lucent, "lucent, weights frozen": lucent_frozen}
    print(
        f"  {'layer':>5} {'filters':>7}" + "".join(f"{name:>24}" for name in ways) + "   lucent / ours   frozen / ours"
    )
    for layer, channels in ((3, [7]), (5, [7]), (7, [7]), (3, list(range(6))), (7, list(range(6)))):
        for way in ways.values():
            way(model, layer, channels, 2)
            unhook(model)
        times = {name: [] for name in ways}
        for _ in range(chosen.repeats):
            for name, way in ways.items():
                times[name].append(seconds(way, model, layer, channels, chosen.steps))
                unhook(model)
        ratios = [
            statistics.median(their / our for their, our in zip(times[name], times["ours"], strict=True))
            for name in list(ways)[1:]
        ]
        print(
            f"  {layer:>5} {len(channels):>7}"
            + "".join(f"{statistics.median(values):>22.2f} s" for values in times.values())
            + f"{ratios[0]:>16.2f}{ratios[1]:>16.2f}"
        )
    print("  (lucent / ours: at least 1.5)")
    if not chosen.no_grid:
        spent = sum(seconds(visualize_many, model, layer, GRID_CHANNELS) for layer in GRID_LAYERS)
        print(f"  a grid of {len(GRID_LAYERS)} layers x {len(GRID_CHANNELS)} filters, default steps: {spent:.1f} s")


if __name__ == "__main__":
    main()
