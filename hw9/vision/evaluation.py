"""How good is a map? Where it lies, whether methods agree, and whether the pixels it names really matter."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn import functional as F

from hw9.vision.attribution import heatmap_of
from hw9.vision.baselines import make_baseline
from hw9.vision.gradients import differentiable, in_turn, on_device
from hw9.vision.inference import check_logits, check_scores, check_targets, gradient, no_gradient, probabilities
from hw9.vision.layers import find_layer


def agreement(heatmaps: dict[str, Tensor], *, grid: int = 16) -> np.ndarray:
    """How far methods agree: the mean Spearman rank correlation of each pair's maps, (M, M), in the order given.

    `heatmaps` holds (N, H, W) maps of the same N pictures. Each is first averaged over blocks to `grid` x `grid`: two
    methods that mark the same place should agree even if their neighbouring pixels differ. 1 is the same order of
    importance, 0 none, -1 the opposite. A constant map has no order; its picture is left out, or NaN if no other is.
    """
    correlations = rank_correlations(heatmaps, grid=grid)  # (N, M, M)
    known = ~np.isnan(correlations)
    count = known.sum(0)
    total = np.where(known, correlations, 0).sum(0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def rank_correlations(heatmaps: dict[str, Tensor], *, grid: int = 16) -> np.ndarray:
    """What `agreement` averages: for every picture the rank correlations of all pairs of methods, (N, M, M)."""
    names = list(heatmaps)
    maps = [_maps(heatmaps[name]) for name in names]
    if not maps:
        raise ValueError("heatmaps is empty: give one (N, H, W) tensor of maps per method")
    for name, part in zip(names, maps, strict=True):
        if part.shape != maps[0].shape:
            raise ValueError(f"{name!r} has maps {tuple(part.shape)}, {names[0]!r} has {tuple(maps[0].shape)}")
    small = [F.adaptive_avg_pool2d(part, [min(grid, side) for side in part.shape[1:]]) for part in maps]
    ranks = np.stack([rankdata(part.flatten(1).numpy(), axis=1) for part in small], 1)  # (N, M, cells)
    ranks -= ranks.mean(2, keepdims=True)
    length = np.linalg.norm(ranks, axis=2, keepdims=True)  # 0 for a constant map
    ranks = np.divide(ranks, length, out=np.full_like(ranks, np.nan), where=length > 0)
    return ranks @ ranks.transpose(0, 2, 1)


def inside_share(heatmaps: Tensor, masks: Tensor) -> Tensor:
    """Share (N,) of each map (N, H, W) that falls on the object; `masks` (N, H, W) is true or 1 there.

    A map that knows nothing of the object scores the area it covers, `masks.float().mean((1, 2))`: compare with that.
    NaN for a map that is zero everywhere.
    """
    maps, masks = _maps(heatmaps), torch.as_tensor(masks).cpu().double()
    if masks.shape != maps.shape:
        raise ValueError(f"masks have shape {tuple(masks.shape)}, the maps {tuple(maps.shape)}: one mask per map")
    if (maps < 0).any():
        raise ValueError("a map with negative values has no shares: use hw9.vision.attribution.heatmap")
    return ((maps * masks).sum((1, 2)) / maps.sum((1, 2))).float()


def deletion_curve(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    heatmaps: Tensor,
    *,
    least_first: bool = False,
    steps: int = 20,
    baseline: Tensor | str | None = None,
    chunk: int | None = None,
) -> Tensor:
    """Probability of the target class while pixels are removed, the most important first, (N, steps + 1).

    Entry k has k/steps of the pixels replaced by the `baseline` (see `make_baseline`; None is black). The faster it
    falls, the more those pixels mattered to the network; compare with the curve of a random map (Petsiuk, Das &
    Saenko 2018, "RISE", section 4.2). With `least_first` they go in exactly the reverse order. Of equal pixels the one
    in the stronger neighbourhood counts as more important, so that the negative map has the reverse order, too.
    """
    maps = _maps(heatmaps)
    if maps.shape != (len(images), *images.shape[2:]):
        raise ValueError(f"the maps have shape {tuple(maps.shape)}, which does not fit pictures {tuple(images.shape)}")
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, not {steps}")
    order = torch.stack([_rising(part) for part in maps.numpy()])
    order = order if least_first else order.flip(1)

    def work(first: int, last: int) -> Tensor:
        numbers = torch.arange(first, last, device=pictures.device)
        rows, step = numbers // (steps + 1), numbers % (steps + 1)
        deleted = place[rows] < gone[step][:, None, None]  # (B, H, W)
        return check_scores(model(torch.where(deleted[:, None], empty[rows], pictures[rows])))

    with differentiable(model) as model, torch.no_grad():
        pictures, labels = on_device(model, images, targets)
        place = order.argsort(1).view(maps.shape).to(pictures.device)  # (N, H, W): 0 for the pixel that goes first
        empty = make_baseline(pictures, baseline)
        gone = torch.linspace(0, place[0].numel(), steps + 1).round().to(pictures.device)  # (steps + 1,) pixels
        said = in_turn(work, len(images) * (steps + 1), chunk, pictures)
        said = probabilities(check_logits(torch.cat(said)))
        check_targets(labels, len(labels), said.shape[1])
        curve = said.gather(1, labels.repeat_interleave(steps + 1)[:, None])
    return curve.view(len(images), steps + 1).cpu()


def strongest_filter(
    model: nn.Module, images: Tensor, targets: Tensor, layer: int | str, *, chunk: int | None = None
) -> Tensor:
    """Where the filter of `layer` that each picture's class uses most responds: maps (N, H, W) in [0, 1].

    "Uses most": the sum over places of activation times the gradient of the class score with respect to it is largest
    (place by place, as in HiResCAM, Draelos & Carin 2020; Grad-CAM, Selvaraju et al. 2017, section 3, takes one mean
    gradient for a channel).
    """
    caught = []

    def catch(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor | None:
        if caught:  # a layer used twice: its first maps, as everywhere else
            return None
        if not torch.is_grad_enabled():
            raise no_gradient("the model's scores")
        if not isinstance(output, Tensor):
            raise ValueError(f"layer {layer!r} returns a {type(output).__name__}: choose one with maps (N, C, h, w)")
        caught.append(output.detach().requires_grad_())
        return caught[-1].clone()  # a copy: the next layer may work in place

    def work(first: int, last: int) -> Tensor:
        caught.clear()
        logits = check_logits(model(pictures[first:last]))
        check_targets(labels, len(labels), logits.shape[1])
        if not caught or caught[0].ndim != 4:
            what = f"returns {tuple(caught[0].shape)}" if caught else "takes no part in the model's forward pass"
            raise ValueError(f"layer {layer!r} {what}: choose one with maps (N, C, h, w)")
        maps = caught[0]
        gradients = gradient(logits.gather(1, labels[first:last, None]).sum(), maps)
        best = (gradients * maps).sum((2, 3)).argmax(1)  # (B,)
        chosen = maps.detach()[torch.arange(last - first), best][:, None]  # (B, 1, h, w)
        return F.interpolate(chosen, images.shape[2:], mode="bilinear", align_corners=False)[:, 0].cpu()

    with differentiable(model) as model:
        pictures, labels = on_device(model, images, targets)
        handle = find_layer(model, layer).register_forward_hook(catch)
        try:
            return heatmap_of(torch.cat(in_turn(work, len(images), chunk, pictures)))
        finally:
            handle.remove()


def _rising(values: np.ndarray) -> Tensor:
    """The pixels of a map (H, W) from the least to the most important, (H * W,); those of -values the other way round.

    Ties go by a weighted sum of all pixels, near ones first and a little lopsided, so that symmetric maps have none.
    """
    kinds = ((1.0, 0), (0.01, (0, 1)), (0.02, (1, 0)))  # weight; which derivative of the blurred map
    blurred = [
        w * gaussian_filter(values, [side / 8 for side in values.shape], kind, mode="nearest", truncate=8)
        for w, kind in kinds
    ]
    return torch.from_numpy(np.lexsort((sum(blurred).ravel(), values.ravel())))


def _maps(values: Tensor) -> Tensor:
    maps = torch.as_tensor(values).detach().cpu().double()
    if maps.ndim != 3 or 0 in maps.shape:
        raise ValueError(f"maps must have shape (N, H, W), not {tuple(maps.shape)}")
    if not torch.isfinite(maps).all():
        raise ValueError("the maps contain NaN or infinite values")
    return maps
