"""What an eye sees in a figure, as a number: the facts that the quiz's questions about pictures rest on."""

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional as F

from hw9.vision.evaluation import inside_share
from hw9.vision.lime import FAINT, TOP, Explanation


def both_colours(explanation: Explanation) -> float:
    """How strong the weaker of two colours is in what `figures_lime.overlay` paints: from 0 (one colour only) to 1.

    The strongest superpixel of the colour that is weaker, as a share of the strongest of all. 0 where nothing of it
    is painted.
    """
    weights = explanation.weights[explanation.top(TOP)]
    largest = np.abs(weights).max()
    if not largest > 0:
        return 0.0
    weaker = min(weights.max(initial=0.0), -weights.min(initial=0.0)) / largest
    return float(weaker) if weaker >= FAINT else 0.0


def half_area(maps: Tensor) -> Tensor:
    """How much of each map (N, H, W), from 0 up, the brightest pixels take that hold half of all its brightness, (N,).

    0.5 for a map that is equally bright everywhere, near 0 for a few bright spots; nan for one that is 0 everywhere.
    """
    falling = torch.as_tensor(maps).detach().cpu().flatten(1).double().sort(1, descending=True).values
    share = falling.cumsum(1) / falling.sum(1, keepdim=True)
    area = (share < 0.5).sum(1) / falling.shape[1]
    return torch.where(share.isfinite().all(1), area, torch.nan)


def follows_brightness(maps: Tensor, images: Tensor) -> float:
    """Rank correlation of activation maps (N, h, w) with how bright the pictures (N, 3, H, W) are at the same places.

    1: the filter responds most to what is bright, -1: to what is dark, 0: brightness says nothing; nan for flat maps.
    """
    bright = F.adaptive_avg_pool2d(images.mean(1, keepdim=True), maps.shape[1:])[:, 0]
    return rank_correlation(maps, bright)


def at_the_bottom(maps: Tensor) -> float:
    """Share of the cells of maps (N, h, w) that have the lowest value of all: large behind a ReLU."""
    return float((maps == maps.min()).float().mean())


def on_object(maps: Tensor, masks: Tensor | None) -> float:
    """How much more of maps (N, H, W) lies on the objects than of maps that know nothing of them, the mean ratio.

    1 is chance, 2 twice as much; nan without masks.
    """
    if masks is None:
        return float("nan")
    return float((inside_share(maps, masks) / masks.float().mean((1, 2)).cpu()).nanmean())


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of two rows of numbers: 1 the same order, -1 the reverse, nan where one has none."""
    first, second = (torch.as_tensor(part).detach().cpu().flatten() for part in (first, second))
    if first.min() == first.max() or second.min() == second.max():
        return float("nan")
    return float(spearmanr(first, second).statistic)
