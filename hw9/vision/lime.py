"""LIME: which superpixels speak for a class, and which against it (Ribeiro, Singh & Guestrin 2016).

The lime package does the regression and holds the explanation; only the perturbed pictures are made anew, a chunk of
them in one tensor operation on the model's device instead of one by one in NumPy.
"""

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lime.lime_image import ImageExplanation
from torch import Tensor, nn

from hw9.vision.baselines import make_baseline
from hw9.vision.inference import check_images, check_logits, check_targets, device_of, frozen, predict, probabilities
from hw9.vision.perturbation import TensorExplainer
from hw9.vision.superpixels import FIRST, NothingToHide, check_segments, superpixels


@dataclass(frozen=True)
class Recipe:
    """Everything in which the right method and the course's figure differ."""

    hide_color: str  # what is seen where a superpixel is hidden
    paired: bool  # masks are drawn together with their complements, or singly as the package does
    probabilities: bool  # what is regressed: softmax probabilities, or logits
    seed: int  # added to the caller's seed
    shown: int | None  # so many superpixels are drawn (None: all) ...
    min_weight: float  # ... of those with at least this absolute weight


RECIPES = {
    "paper": Recipe(hide_color="mean", paired=True, probabilities=True, seed=0, shown=None, min_weight=0.0),
    "course": Recipe(hide_color="superpixel", paired=False, probabilities=False, seed=16, shown=11, min_weight=0.05),
}

TOP, FAINT = 8, 0.1  # so many superpixels are painted of the paper's, none below this share of the strongest


@dataclass(frozen=True, eq=False)
class Explanation:
    """What LIME found for one picture; `weights[segments]` paints the weights on the picture.

    `segments` (H, W) int64 numbers the superpixels; `weights` (K,) float64 is, for each, the change of the target's
    probability (course: logit) when it is shown instead of hidden (0 where the regression dropped it; the course counts
    from 1, so its weights are (K + 1,), and the first belongs to no pixel); `score` is the
    weighted R^2 of the local surrogate; `intercept` + sum of the weights = `local_prediction`, beside the model's own
    `prediction`; `dtype` is the precision of the forward passes; `image_explanation` is the lime package's object.
    """

    segments: np.ndarray
    weights: np.ndarray
    target: int
    score: float
    intercept: float
    local_prediction: float
    prediction: float
    dtype: torch.dtype
    recipe: str
    image_explanation: ImageExplanation

    def top(self, count: int) -> np.ndarray:
        """The numbers of the `count` superpixels with the largest absolute weights, the largest first."""
        return np.argsort(-np.abs(self.weights), kind="stable")[:count]


@dataclass(frozen=True, eq=False)
class Stability:
    """Explanations of one picture that differ in the seed alone.

    `overlap` in [0, 1] is the mean Jaccard index (shared / together) of their `top` strongest superpixels over all
    pairs of seeds.
    """

    overlap: float
    top: int
    explanations: tuple[Explanation, ...]


def explain(
    model: nn.Module,
    image: Tensor,
    *,
    target: int | None = None,
    samples: int = 1000,
    seed: int | np.random.RandomState = 0,
    recipe: str = "paper",
    segments: np.ndarray | None = None,
    hide_color: float | str | Tensor | None = None,
    dtype: torch.dtype | None = None,
    chunk: int | None = None,
) -> Explanation:
    """Weigh the superpixels of `image` (3, H, W) in [0, 1] for class `target` (None: the predicted one).

    `samples` copies of the picture, the first one whole, each hide about half of the superpixels. A ridge regression
    from shown/hidden to the class probability, in which copies close to the picture count more, gives the weights
    (Ribeiro, Singh & Guestrin 2016, "Why Should I Trust You?", section 3). Copies come in pairs, one hiding what the
    other shows (paired sampling, Covert & Lee 2021): so every superpixel is hidden in half of them, and the weights are
    as exact as with three times the samples drawn singly (measured on CompactCNN). The superpixels are those of
    `superpixels`, or `segments` (H, W).

    Hidden superpixels take the picture's mean colour, or `hide_color`: "superpixel" (each its own mean colour, the
    package's default), "black", "white", "blur", a tensor (see `make_baseline`) or a grey from 0 to 1. A superpixel's
    own mean colour leaves a small picture nearly as it was, so that little is learnt about what the network needs. On
    the lesson's ten pictures (500 samples, 2 seeds), own mean / picture's mean / blur: largest weight 0.03 / 0.14 /
    0.11, share of the weights on food 57 / 66 / 63 %, R^2 0.98 / 0.85 / 0.86, overlap of the top 5 between seeds 1.00 /
    0.93 / 0.87, and mean probability while pixels are blackened in the order of the weights 0.20 / 0.17 / 0.18 (in
    random order 0.20).

    The forward passes run in bfloat16 where the processor is fast in it and a first look shows that it changes the
    regressed values by less than a twentieth of their spread, otherwise in float32; `dtype` chooses one. The result is
    the same for any `chunk`.

    recipe="course" is the course's figure: superpixels are numbered from 1 while the package hides those numbered 0 to
    K-1, so weight 0 belongs to no pixel and the last superpixel is never hidden (weight 0); logits are regressed;
    superpixels are slic's with the course's parameters, hidden by their own mean colours; the 11 strongest from 0.05
    up are drawn; `seed` counts from the course's 16. (The course seeds NumPy once for all its pictures: pass them one
    `np.random.RandomState(16)`.)

    Raises ValueError for a picture without two superpixels or of one colour, fewer than 10 samples or a model that
    returns NaN; IndexError for a target the model has not; warns where samples do not outnumber superpixels.
    """
    if recipe not in RECIPES:
        raise ValueError(f"there is no recipe {recipe!r}: take 'paper' or 'course'")
    if samples < 10:
        raise ValueError(f"samples={samples} does not do: take 10 or more")
    how = RECIPES[recipe]
    image = _one_picture(image)
    with frozen(model) as model, torch.no_grad():
        logits = check_logits(model(image[None].to(device_of(model))))  # (1, classes)
    target = logits.argmax() if target is None else target
    target = int(check_targets(torch.as_tensor(target).reshape(-1), 1, logits.shape[1]))
    segments = superpixels(image, recipe=recipe) if segments is None else segments
    segments = check_segments(segments, image, FIRST[recipe])
    count = len(np.unique(segments))
    if count >= samples:
        few = f"{samples} samples cannot tell {count} superpixels apart"
        warnings.warn(f"{few}: take at least twice as many samples as superpixels", RuntimeWarning, stacklevel=2)
    random = seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(how.seed + seed)
    explainer = TensorExplainer(model, target, how.paired, dtype, random)
    with frozen(model) as model, torch.no_grad():
        found = explainer.explain_instance(
            np.ascontiguousarray(image.permute(1, 2, 0).cpu()),
            lambda logits: probabilities(logits) if how.probabilities else logits,
            labels=(target,),
            top_labels=None,
            hide_color=_hidden(image, how.hide_color if hide_color is None else hide_color),
            num_samples=samples,
            batch_size=chunk,
            segmentation_fn=lambda _: segments,
        )
    weights = np.zeros(int(segments.max()) + 1)
    for number, weight in found.local_exp[target]:
        weights[number] = weight
    return Explanation(
        segments=segments,
        weights=weights,
        target=target,
        score=float(found.score),
        intercept=float(found.intercept[target]),
        local_prediction=float(found.local_pred[0]),
        prediction=explainer.prediction,
        dtype=explainer.dtype,
        recipe=recipe,
        image_explanation=found,
    )


def explain_each(
    model: nn.Module, images: Tensor, targets: Tensor | None = None, *, names: Sequence[str] | None = None, **options
) -> list[Explanation]:
    """`explain` each of `images` (N, 3, H, W) for its class in `targets` (N,) (None: the predicted one).

    A picture of which nothing can be hidden, such as a blank one, is named in a warning (by `names`, or its number) and
    gets an empty explanation: one superpixel of weight 0, and NaN as its score.
    """
    check_images(images)
    targets = predict(model, images).argmax(1) if targets is None else check_targets(targets, len(images))
    found = []
    for number, (image, target) in enumerate(zip(images, targets.tolist(), strict=True)):
        try:
            found.append(explain(model, image, target=target, **options))
        except NothingToHide as error:
            name = names[number] if names else f"picture {number}"
            warnings.warn(f"LIME leaves out {name}: {error}", RuntimeWarning, stacklevel=2)
            found.append(_empty(image, target, options.get("recipe", "paper")))
    return found


def _empty(image: Tensor, target: int, recipe: str) -> Explanation:
    segments = np.zeros(tuple(image.shape[1:]), np.int64)
    unknown = dict.fromkeys(("score", "intercept", "local_prediction", "prediction"), math.nan)
    nothing = ImageExplanation(_one_picture(image).permute(1, 2, 0).cpu().numpy(), segments)
    return Explanation(
        segments, np.zeros(1), target, **unknown, dtype=torch.float32, recipe=recipe, image_explanation=nothing
    )


def stability(
    model: nn.Module,
    image: Tensor,
    *,
    target: int | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    top: int | None = None,
    **options,
) -> Stability:
    """Explain `image` (3, H, W) once per seed, on the same superpixels, and say how far the explanations agree.

    `top` is 5, or less where there are not more superpixels. `options` are those of `explain`. Raises
    ValueError for fewer than two seeds, or where `top` superpixels would be all there are.
    """
    if len(seeds) < 2:
        raise ValueError(f"stability compares explanations: give at least two seeds, not {len(seeds)}")
    first = explain(model, image, target=target, seed=seeds[0], **options)
    top = min(5, len(first.weights) - 1) if top is None else top
    if not 1 <= top < len(first.weights):
        raise ValueError(f"top={top} does not do for {len(first.weights)} superpixels: take fewer, but at least 1")
    shared = options | {"target": first.target, "segments": first.segments}
    explanations = (first, *(explain(model, image, seed=seed, **shared) for seed in seeds[1:]))
    strongest = [set(explanation.top(top).tolist()) for explanation in explanations]
    overlaps = [len(a & b) / len(a | b) for a, b in itertools.combinations(strongest, 2)]
    return Stability(float(np.mean(overlaps)), top, explanations)


def segment_map(explanation: Explanation) -> np.ndarray:
    """Signed weights painted on their superpixels, (H, W) float64; above 0 speaks for the target, below 0 against.

    All superpixels in the paper's recipe; in the course's, 0 where the course's figure shows no colour.
    """
    how = RECIPES[explanation.recipe]
    drawn = np.zeros_like(explanation.weights)
    chosen = explanation.top(how.shown or len(drawn))
    chosen = chosen[np.abs(explanation.weights[chosen]) >= how.min_weight]
    drawn[chosen] = explanation.weights[chosen]
    return drawn[explanation.segments]


def _one_picture(image: Tensor) -> Tensor:
    """`image` as a detached float32 (3, H, W); raises unless it is one picture."""
    if isinstance(image, Tensor) and image.ndim == 4 and len(image) > 1:
        raise ValueError(f"explain takes one picture (3, H, W), not {len(image)}: call it once per picture")
    image = image[0] if isinstance(image, Tensor) and image.ndim == 4 and len(image) else image
    check_images(image[None] if isinstance(image, Tensor) else image)
    return image.detach().float().contiguous()


def _hidden(image: Tensor, kind: float | str | Tensor) -> np.ndarray | None:
    """The picture (H, W, 3) that is seen in hidden superpixels; None leaves it to the package: their mean colours."""
    if isinstance(kind, str) and kind == "superpixel":
        return None
    kind = kind if isinstance(kind, str | Tensor) else torch.tensor(float(kind))
    return make_baseline(image[None], kind)[0].permute(1, 2, 0).cpu().numpy()
