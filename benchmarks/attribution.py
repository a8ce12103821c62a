"""SmoothGrad (50 samples) and integrated gradients (64 steps) of ten 64x64 pictures, beside the peers.

    python -m benchmarks.attribution --repeats 5

Beside ours run the bare input-gradient passes (as many gradients, of pictures made beforehand), Captum, and one copy
at a time with parameter gradients, as the course does it. All take the same network, pictures, targets and threads;
bare passes their best batch size and memory layout, Captum its best batch size in each layout, swept first (contiguous
is what a picture comes in). They run in turns, ratios are formed within a turn, and medians are compared. Ratios are
what to read: seconds depend on the machine. `--cpu` counts processor time instead of time on the wall, for a machine
that does other work as well (take `--threads 1`).
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from captum.attr import IntegratedGradients, NoiseTunnel, Saliency
from torch import Tensor, nn
from torch.nn import functional as F

from hw9.vision.attribution import integrated_gradients, smoothgrad
from hw9.vision.inference import frozen
from hw9.vision.networks import CompactCNN

WEIGHTS = Path(__file__).parents[1] / "checkpoints" / "compact-food11.safetensors"
BATCHES = (8, 16, 32, 64, 128)
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
Work = Callable[[], object]
Clock = Callable[[], float]


def pictures(count: int, size: int) -> Tensor:
    """Smooth colours under fine noise, (count, 3, size, size)."""
    random = torch.Generator().manual_seed(0)
    smooth = F.interpolate(torch.rand(count, 3, 6, 6, generator=random), size=(size, size), mode="bicubic")
    return (0.9 * smooth + 0.1 * torch.rand(count, 3, size, size, generator=random)).clamp(0, 1)


def seconds(work: Work, clock: Clock) -> float:
    start = clock()
    work()
    return clock() - start


def fastest(ways: dict, clock: Clock) -> object:
    """The key of the work that takes the shortest time, each tried twice, in turns."""
    times = [{way: seconds(ways[way], clock) for way in ways} for _ in range(2)]
    return min(ways, key=lambda way: min(turn[way] for turn in times))


def bare(model: nn.Module, batch: Tensor, targets: Tensor, gradients: int) -> None:
    """So many input gradients of batches like this one, and nothing else."""
    with frozen(model):
        for start in range(0, gradients, len(batch)):
            inputs = batch[: gradients - start].detach().requires_grad_()
            torch.autograd.grad(model(inputs).gather(1, targets[: len(inputs), None]).sum(), inputs)


def one_by_one(model: nn.Module, images: Tensor, targets: Tensor, gradients: int) -> None:
    """One copy per pass, with gradients of the parameters too."""
    for number in range(gradients):
        row = number % len(images)
        inputs = images[row : row + 1].clone().requires_grad_()
        model.zero_grad()
        model(inputs)[0, targets[row]].backward()
    model.zero_grad()


def compare(name: str, work: dict[str, Work], repeats: int, clock: Clock) -> None:
    """Run `work` (bare, ours, one by one, Captum in each layout) in turns; print medians and ratios."""
    turns = [[seconds(way, clock) for way in work.values()] for _ in range(repeats)]
    print(name)
    for label, values in zip(work, zip(*turns, strict=True), strict=True):
        print(f"  {statistics.median(values):7.3f} s  {label}")

    def ratio(one: int, other: int) -> float:
        return statistics.median(turn[one] / turn[other] for turn in turns)

    print(f"  ours / bare passes    {ratio(1, 0):5.2f}   (at most 1.10)")
    print(
        f"  ours / Captum         {ratio(1, 3):5.2f}   (at most 1; given pictures in channels_last {ratio(1, 4):.2f})"
    )
    print(f"  one by one / ours     {ratio(2, 1):5.2f}   (at least 2)", flush=True)


def main() -> None:
    from hw9.vision.classifier import load_checkpoint  # not above: benchmarks.device does without safetensors

    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--pictures", type=int, default=10)
    options.add_argument("--samples", type=int, default=50)
    options.add_argument("--steps", type=int, default=64)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--cpu", action="store_true")
    chosen = options.parse_args()
    clock = time.process_time if chosen.cpu else time.perf_counter
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    trained = WEIGHTS.is_file()
    model = (load_checkpoint(WEIGHTS) if trained else CompactCNN()).eval()
    images = pictures(chosen.pictures, 64)
    count, samples, steps = len(images), chosen.samples, chosen.steps
    targets = model(images).argmax(1)

    def batch(layout: str, size: int) -> tuple[Tensor, Tensor]:
        rows = torch.arange(size) % count
        return images[rows].contiguous(memory_format=LAYOUTS[layout]), targets[rows]

    # The sweeps take a part of the work: only the best is timed in full.
    part = max(BATCHES)
    layout, size = fastest(
        {(name, n): lambda name=name, n=n: bare(model, *batch(name, n), part) for name in LAYOUTS for n in BATCHES},
        clock,
    )
    best = batch(layout, size)
    passes = f"bare input-gradient passes ({layout}, batches of {size})"

    tunnel, captum_ig = NoiseTunnel(Saliency(model)), IntegratedGradients(model)
    inputs = {
        name: images.clone(memory_format=layout).requires_grad_()  # or Captum warns
        for name, layout in LAYOUTS.items()
    }
    deviation = 0.15 * float((images.amax((1, 2, 3)) - images.amin((1, 2, 3))).mean())

    def captum_smoothgrad(draws: int, name: str, at_a_time: int) -> Tensor:
        options = {"nt_samples": draws, "nt_samples_batch_size": at_a_time, "stdevs": deviation, "abs": False}
        return tunnel.attribute(inputs[name], target=targets, **options)

    def captum_integrated(nodes: int, name: str, at_a_time: int) -> Tensor:
        options = {"n_steps": nodes, "method": "gausslegendre", "internal_batch_size": at_a_time}
        return captum_ig.attribute(inputs[name], target=targets, **options)

    draws = max(1, part // count)
    per_draw = [n for n in (1, 2, 3, 5, 10) if n <= draws]

    def captum(method: Callable[[int, str, int], Tensor], full: int, batches: Sequence[int]) -> dict[str, Work]:
        """Captum's work in each layout, at its best batch size there."""
        work = {}
        for name in LAYOUTS:
            best = fastest({n: lambda name=name, n=n: method(draws, name, n) for n in batches}, clock)
            label = f"Captum ({name}, {best} at a time)"
            work[label] = lambda name=name, best=best: method(full, name, best)
        return work

    weights = "shipped weights" if trained else "random weights"
    print(f"CompactCNN ({weights}), {count} pictures, {chosen.threads} threads, median of {chosen.repeats}")
    compare(
        f"SmoothGrad, {samples} samples",
        {
            passes: lambda: bare(model, *best, samples * count),
            "hw9.vision.attribution.smoothgrad (as it comes)": lambda: smoothgrad(
                model, images, targets, samples=samples
            ),
            "one by one, with parameter gradients": lambda: one_by_one(model, images, targets, samples * count),
            **captum(captum_smoothgrad, samples, per_draw),
        },
        chosen.repeats,
        clock,
    )
    compare(
        f"Integrated gradients, {steps} steps",
        {
            passes: lambda: bare(model, *best, steps * count),
            "hw9.vision.attribution.integrated_gradients (as it comes)": lambda: integrated_gradients(
                model, images, targets, steps=steps
            ),
            "one by one, with parameter gradients": lambda: one_by_one(model, images, targets, steps * count),
            **captum(captum_integrated, steps, BATCHES),
        },
        chosen.repeats,
        clock,
    )


if __name__ == "__main__":
    main()
