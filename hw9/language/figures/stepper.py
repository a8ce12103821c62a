"""The layers as one picture whose points move from layer to layer: a slider that needs no kernel, widget or network.

Jupyter, VS Code and Colab run the script of an output; GitHub and untrusted notebooks take it out and leave a picture
of the first layer and one sentence. All text reaches the page as data of the script and from there as text nodes, or
escaped, never as HTML.
"""

import base64
import hashlib
import html
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from PIL import Image
from torch import Tensor

from hw9.language.bert import Reading
from hw9.language.embeddings import Roles
from hw9.language.figures.embeddings import plane

PAGE = Path(__file__).with_name("stepper.html")


def stepper(
    points: Tensor,
    reading: Reading,
    roles: Roles,
    *,
    layers: Sequence[int] | None = None,
    variance: Tensor | None = None,
    start: int = 0,
    title: str = "",
) -> HTML:
    """Points (layers, T, 2) with play button, slider and arrow keys, each layer to its own scale.

    `layers` are their numbers (None: 0, 1, ...); `variance` (layers, 2) is written beside them; `start` is the place in
    `points` that is shown first. Raises ValueError where the points do not fit the reading.
    """
    if points.ndim != 3 or points.shape[1:] != (len(reading.tokens), 2):
        raise ValueError(
            f"points must be (layers, {len(reading.tokens)}, 2) for this reading, not {tuple(points.shape)}"
        )
    numbers = range(len(points)) if layers is None else layers
    names = [f"layer {number}" if number else "layer 0 (input)" for number in numbers]
    if variance is not None:
        names = [
            f"{name}, {float(share.sum()):.0%} of the variance" for name, share in zip(names, variance, strict=True)
        ]
    data = {
        "title": title,
        "names": names,
        "start": start,
        "tokens": reading.tokens,
        "roles": _names(roles),
        "predicted": roles.predicted.int().tolist(),
        "points": [layer.ravel().tolist() for layer in _framed(points, np.asarray(~roles.special))],
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    # Inside a script only "<" can end it or open a comment, and JSON has it in strings alone, where it may be escaped.
    text = text.replace("<", "\\u003c")
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    filled = {
        "KEY": key,
        "TITLE": html.escape(title),
        "STILL": _still(points[start], reading, roles, names[start]),
        "DATA": text,
    }
    return HTML(re.sub(r"__(KEY|TITLE|STILL|DATA)__", lambda place: filled[place[1]], PAGE.read_text(encoding="utf-8")))


def _still(points: Tensor, reading: Reading, roles: Roles, name: str) -> str:
    """The points (T, 2) of one layer as a PNG, in base64."""
    figure = plane(points, reading, roles, title=name)
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=96)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(32).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def _names(roles: Roles) -> list[str]:
    """One role per token; an answer is an answer before it is context."""
    return [
        next(name for name in ("special", "question", "answer", "context") if getattr(roles, name)[token])
        for token in range(len(roles.special))
    ]


def _framed(points: Tensor, words: np.ndarray) -> np.ndarray:
    """Whole numbers (layers, T, 2) from 0 to 1000 for the words, y downwards; specials may lie outside."""
    points = np.asarray(points, dtype=np.float64) * (1, -1)
    low, high = points[:, words].min(1, keepdims=True), points[:, words].max(1, keepdims=True)
    return np.rint(1000 * (points - low) / np.maximum(high - low, 1e-12)).clip(-5000, 5000).astype(int)
