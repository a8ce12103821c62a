"""Beside JupyterLab's file browser every word of a figure is still 9 pixels high, and none lies on its neighbour.

Shapes and words are those of the lesson: twelve layers of twelve heads, its sentences, and texts longer than any of it.
"""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from hw9.language import sentences
from hw9.language.bert import load
from hw9.language.embeddings import explained_variance, project, roles
from hw9.language.figures import attention, embeddings, heads, masks, similarity, trust
from hw9.language.questions import questions
from hw9.language.similarity import Curves
from hw9.language.words import snippet

pytestmark = pytest.mark.usefixtures("drawn_without_warnings")

rng = np.random.default_rng(0)
LAYERS = HEADS = 12
HAN = ["[CLS]", *sentences.READ_CHINESE[0], "[SEP]"]
LONG = ["[CLS]", *"".join(sentences.APPLE_TRADITIONAL.texts[:6]), "[SEP]"]  # more than a hundred characters
ENGLISH = ["[CLS]", *" ".join(gap.text for gap in sentences.GAPS_ENGLISH).replace(".", " .").split(), "[SEP]"]
TOKENS = {"short": HAN, "English": ENGLISH, "long": LONG}
NAMES = [name for name in heads.PATTERNS]
EFFECTS = rng.normal(size=(LAYERS, HEADS)) / 4
ANSWERS = ("integrated gradients", "value zeroing, multiplied", "attention, mean of layers", "nearness (control)")


def weights(*shape):
    values = rng.random(shape) ** 4
    return values / values.sum(-1, keepdims=True)


def of_senses(count):
    """Matrices of `count` sentences with 蘋果."""
    both = sentences.APPLE_TRADITIONAL + sentences.NEW_APPLE_TRADITIONAL
    texts = (both.texts * 3)[:count]
    near = 0.9 + 0.09 * rng.random((count, count))
    labels = [snippet(text, "蘋果") for text in texts]
    maps = {"Euclidean distance": 9 + 3 * near, "cosine similarity": near}
    return maps, labels, sorted((both.senses * 3)[:count])


@pytest.fixture(scope="module")
def read():
    """The lesson's first question as a picture of planes: reading, points (13, T, 2), roles, variance."""
    bert = load(device="cpu")
    item = questions("zh-Hant")[0]
    reading = bert.read(item.question, item.context)
    said = bert.answer(item.question, item.context)
    parts = roles(reading, (item.start, item.end), (said.start, said.end))
    return reading, project(reading), parts, explained_variance(reading)


def curve():
    return torch.rand(3, LAYERS + 1)


TITLE = sentences.APPLE_TRADITIONAL.texts[-1]
FIGURES = {
    "grid": lambda: attention.grid(weights(LAYERS, HEADS, 16, 16), title=TITLE),
    "patterns": lambda: heads.patterns(
        {name: rng.random((LAYERS, HEADS)) for name in NAMES}, uniform=dict.fromkeys(NAMES, 0.07), head=11
    ),
    "patterns all at 100": lambda: heads.patterns({name: np.ones((LAYERS, HEADS)) for name in NAMES}),
    "one head": lambda: heads.one_head({name: rng.random((LAYERS, HEADS)) for name in NAMES}, 11),
    "ablation": lambda: heads.ablation(EFFECTS, title=TITLE),
    "coreference": lambda: heads.coreference(rng.random((LAYERS, HEADS)), {"first": 0.5, "nearest": 0.5}, 0.83),
    "predictions": lambda: masks.predictions(
        {name: [(word, 0.1) for word in "東西南北中"] for name in ("only 西 hidden", "東 hidden as well")}
    ),
    "curves": lambda: similarity.curves(Curves(*torch.rand(4, LAYERS + 1), chance=0.44), title=TITLE),
    "all layers": lambda: similarity.all_layers(
        rng.random((LAYERS + 1, 10, 10)), ["fruit"] * 5 + ["company"] * 5, name="cosine", shared=False
    ),
    "planes": lambda: similarity.planes(
        rng.normal(size=(4, 10, 2)), of_senses(10)[2], layers=range(4), variance=[0.5] * 4, title=TITLE
    ),
    "agreement": lambda: trust.agreement(
        *[{name: rng.normal(size=9) for name in ANSWERS}] * 2, control=ANSWERS[0], title=TITLE
    ),
    "erasure": lambda: trust.erasure(*[{name: rng.random(9) for name in ANSWERS}] * 2, title=TITLE),
    "interventions": lambda: trust.interventions(
        dict.fromkeys(("zeroed", "uniform", "permuted"), EFFECTS), title=TITLE
    ),
    "mask by layer": lambda: trust.mask_by_layer(
        [[("because", 0.3), ("himself", 0.2), ("##ing", 0.1)]] * 13, rng.random(13), token="her", title=TITLE
    ),
    "phases": lambda: embeddings.phase_curves(
        {"same word": curve(), "same phrase": curve(), "question match": curve(), "answer apart": 2 * curve()}
    ),
}
for name, tokens in TOKENS.items():
    square = weights(LAYERS, len(tokens), len(tokens))
    FIGURES |= {
        f"matrices, {name}": lambda t=tokens, s=square: attention.matrices(t, {f"layer {k}": s[k] for k in range(3)}),
        f"rollout, {name}": lambda t=tokens, s=square: attention.rollout(t, s, 3, title=TITLE),
        f"answers, {name}": lambda t=tokens, s=square: trust.answers(t, dict(zip(ANSWERS, s[0], strict=False)), 3),
        f"masked as well, {name}": lambda t=tokens, s=square: masks.masked_as_well(
            t, s[0, 0], 3, token="她", title=TITLE
        ),
    }
for count in (10, 20, 80):
    FIGURES[f"heat maps, {count}"] = lambda n=count: similarity.heat_maps(*of_senses(n), title=TITLE)


def draw(name, read):
    reading, points, parts, variance = read
    if name == "planes":
        return embeddings.grid(points, reading, parts, variance=variance, title=TITLE)
    return embeddings.plane(points[-1], reading, parts, title=TITLE) if name == "plane" else FIGURES[name]()


@pytest.mark.parametrize("name", [*FIGURES, "planes", "plane"])
def test_nothing_is_written_smaller_than_nine_pixels_or_on_its_neighbour(name, read, shown_sizes, crowded):
    figure = draw(name, read)
    assert [text for text in shown_sizes(figure) if text[0] < 9] == []
    assert crowded(figure) == []
    plt.close(figure)
