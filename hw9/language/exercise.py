"""The lesson's exercise: a distance of the student's own, tried, judged in one line, and used in place of ours."""

import contextlib
import inspect
import io
import math
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from hw9.language import similarity

RANDOM_VECTORS = 9


def check_distance(function: Callable, name: str = "euclidean") -> str:
    """One line that says whether `function` is the Euclidean distance, or the cosine similarity, or what is wrong.

    `function` takes two vectors (D,) and gives a number, or all vectors (N, D) and gives a matrix (N, N), in torch or
    in NumPy. `name` is "euclidean" or "cosine". The line begins with "Right" or with "Not yet".
    """
    if name not in SLIPS:
        raise ValueError(f"name must be 'euclidean' or 'cosine', not {name!r}")
    try:
        return _judge(function, name)
    except _Wrong as wrong:
        return f"Not yet: {wrong}."


def judged(function: Callable | None, name: str) -> tuple[str, Callable[[Tensor], Tensor]]:
    """The line of `check_distance`, and the distance of vectors (N, D) to use, (N, N): this one only if it is right.

    Until then, and where it fails after all, the lesson's own is used, and the line says so.
    """
    ours = getattr(similarity, name)
    line = check_distance(function, name)
    if not line.startswith("Right"):
        return f"{line} Until then the lesson's own is used.", ours

    def distance(vectors: Tensor) -> Tensor:
        try:
            return pairwise(function, vectors)
        except ValueError as error:
            print(f"my_{name}: {error}. The lesson's own is used.")
            return ours(vectors)

    return line, distance


def pairwise(function: Callable, vectors: Tensor) -> Tensor:
    """The matrix (N, N) that a student's function (see `check_distance`) makes of vectors (N, D), as float32.

    Raises ValueError with the line of `check_distance` where it makes none.
    """
    try:
        return _matrix(function, vectors).float()
    except _Wrong as wrong:
        raise ValueError(f"this function cannot be used: {wrong}") from wrong


class _Wrong(Exception):
    """What is wrong, as a clause."""


def _length(v: Tensor) -> Tensor:
    return v.square().sum().sqrt()


def _cos(a: Tensor, b: Tensor) -> Tensor:
    return a @ b / (_length(a) * _length(b))


# What students write instead, and what to tell them.
SLIPS: dict[str, dict[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "euclidean": {
        "the square root is missing": lambda a, b: (a - b).square().sum(),
        "it adds up the differences without squaring them": lambda a, b: (a - b).sum(),
        "it adds up the absolute differences (Manhattan distance): square them and take the root": lambda a, b: (
            (a - b).abs().sum()
        ),
        "it takes the mean of the squares: take their sum": lambda a, b: (a - b).square().mean().sqrt(),
        "it takes the mean of the squares, without a root: take the root of their sum": lambda a, b: (
            (a - b).square().mean()
        ),
        "it takes the largest difference: square all, add them up and take the root": lambda a, b: (a - b).abs().max(),
        "its sign is wrong: a distance is 0 or more": lambda a, b: -_length(a - b),
        "it adds the vectors: take their difference": lambda a, b: _length(a + b),
        "it compares the lengths of the vectors only: subtract the vectors first": lambda a, b: (
            _length(a) - _length(b)
        ).abs(),
        "this is the cosine similarity": _cos,
        "this is the dot product": lambda a, b: a @ b,
    },
    "cosine": {
        "the dot product is not divided by the two lengths (norms)": lambda a, b: a @ b,
        "the dot product is divided by the length of the first vector only": lambda a, b: a @ b / _length(a),
        "the dot product is divided by the length of the second vector only": lambda a, b: a @ b / _length(b),
        "the lengths lack their square root": lambda a, b: a @ b / (_length(a) * _length(b)) ** 2,
        "the lengths are added: multiply them": lambda a, b: a @ b / (_length(a) + _length(b)),
        "it takes a mean where a sum belongs": lambda a, b: (a * b).mean() / (_length(a) * _length(b)),
        "this is the cosine distance: the similarity has no '1 -'": lambda a, b: 1 - _cos(a, b),
        "its sign is wrong: equal vectors have similarity 1": lambda a, b: -_cos(a, b),
        "it takes the absolute value: opposite vectors have similarity -1": lambda a, b: _cos(a, b).abs(),
        "this is the angle: its cosine is wanted": lambda a, b: _cos(a, b).arccos(),
        "this is the Euclidean distance": lambda a, b: _length(a - b),
    },
}


def _judge(function: Callable, name: str) -> str:
    if function is None:
        raise _Wrong(f"there is no function my_{name}: keep this name")
    ours = getattr(similarity, name)
    random = torch.Generator().manual_seed(0)
    vectors = torch.randn(RANDOM_VECTORS, 7, generator=random)
    found, wanted = _matrix(function, vectors), ours(vectors).double()
    if not _close(found, wanted):
        apart = ~torch.eye(len(vectors), dtype=torch.bool)  # a vector and itself tell little, and may be nan
        for slip, wrong in SLIPS[name].items():
            theirs = torch.stack([torch.stack([wrong(a, b) for b in vectors]) for a in vectors]).double()
            if _close(found[apart], theirs[apart]):
                raise _Wrong(slip)
    cases = {
        "these two vectors": torch.tensor([[3.0, 4.0], [0.0, 1.0]]),
        "opposite vectors": torch.tensor([[1.0, -2.0], [-1.0, 2.0]]),
        "vectors at a right angle": torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        "two equal vectors": torch.tensor([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]),
        "vectors of one number": torch.tensor([[2.0], [-3.0]]),
        "long vectors": 1e3 * torch.randn(3, 768, generator=random),
        "random vectors": vectors,
    }
    for case, rows in cases.items():
        found, wanted = _matrix(function, rows), ours(rows).double()
        if not _close(found, wanted):
            far = (found - wanted).abs().nan_to_num(torch.inf, torch.inf)
            i, j = divmod(int(far.argmax()), len(rows))
            shown = f", {rows[i].tolist()} and {rows[j].tolist()}," if rows.shape[1] < 3 else ""
            raise _Wrong(f"for {case}{shown} it gives {found[i, j]:.4g}, and {wanted[i, j]:.4g} is right")
    kind = "matrix" if _takes_all(function) else "number"
    what = {"euclidean": "Euclidean distance", "cosine": "cosine similarity"}[name]
    return f"Right: your {kind} is the {what} for {RANDOM_VECTORS} random vectors and for every special case tried."


def _close(found: Tensor, wanted: Tensor) -> bool:
    # Ours is float32; near zero the scale of the other entries tells what is near.
    return torch.allclose(found, wanted, rtol=1e-4, atol=1e-5 * max(1.0, float(wanted.abs().max())))


def _matrix(function: Callable, vectors: Tensor) -> Tensor:
    count = len(vectors)
    if not _takes_all(function):
        rows = [[_number(_call(function, a, b)) for b in vectors] for a in vectors]
        return torch.tensor(rows, dtype=torch.float64)
    result = _call(function, vectors)
    try:
        matrix = torch.as_tensor(result, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _Wrong(f"it returns {_kind(result)}, and a matrix (N, N) is wanted") from error
    if matrix.shape != (count, count):
        raise _Wrong(
            f"of {count} vectors with {vectors.shape[1]} numbers it makes {tuple(matrix.shape)}, and "
            f"{(count, count)} is wanted"
        )
    return matrix


def _number(result) -> float:
    if getattr(result, "shape", ()) and math.prod(result.shape) != 1:
        raise _Wrong(f"it returns an array of shape {tuple(result.shape)}, and one number is wanted: add up")
    try:
        return float(result.item() if hasattr(result, "item") else result)
    except (TypeError, ValueError) as error:
        raise _Wrong(f"it returns {_kind(result)}" + ", and a number is wanted" * (result is not ...)) from error


def _kind(result) -> str:
    if result is ...:
        return "the three dots it came with: write your code in their place"
    return "nothing (is there a return?)" if result is None else f"a {type(result).__name__}"


def _takes_all(function: Callable) -> bool:
    """Whether the function wants all vectors at once; two vectors is what is taken for granted."""
    try:
        wanted = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return (
        len([p for p in wanted if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]) == 1
    )


def _call(function: Callable, *vectors: Tensor):
    """What it makes of tensors, or of NumPy arrays where it cannot take tensors; the inputs must stay as they are."""
    names = set(getattr(getattr(function, "__code__", None), "co_names", ()))
    ways = [lambda v: v.clone(), lambda v: v.numpy().copy()]
    first_error = None
    for way in reversed(ways) if names & {"np", "numpy"} else ways:
        given = [way(v) for v in vectors]
        try:
            # What it prints, it would print some thousand times.
            with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                result = function(*given)
        except Exception as error:  # whatever a student's code raises is the answer
            first_error = first_error or error
            continue
        if not all(np.array_equal(np.asarray(g), v.numpy()) for g, v in zip(given, vectors, strict=True)):
            raise _Wrong("it changes the vectors that it is given: work on a copy")
        return result
    line = str(first_error).strip().split("\n")[0]
    raise _Wrong(f"it raises {type(first_error).__name__}" + (f" ({line})" if line else ""))
