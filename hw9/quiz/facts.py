"""Facts: the numbers behind the figures of one run, kept in a file, on which the key of the quiz rests."""

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw9.files import replacing
from hw9.notebook import ROOT

DIGITS = 6  # significant digits that are kept of a number

Value = None | bool | int | float | str | list["Value"]


@dataclass
class Facts:
    """The facts of one part ("cnn" or "bert"), for one data set (a short name) and one model (a short hash)."""

    part: str
    data: str
    weights: str
    values: dict[str, dict[str, Value]] = field(default_factory=dict)  # by the name of a fact, then of a value

    def __post_init__(self) -> None:
        for name in ("part", "data", "weights"):
            value = getattr(self, name)
            if not isinstance(value, str) or not re.fullmatch(r"[\w.+-]{1,80}", value):
                raise ValueError(f"{name} of the facts is {value!r}: give 1 to 80 letters, digits, - _ + or .")

    def get(self, path: str) -> Value:
        """The value at "fact.value", or further in: "lime.weights.3"; KeyError names what is missing."""
        name, *rest = path.split(".")
        if name not in self.values:
            raise KeyError(name)
        found: Any = self.values[name]
        for step in rest:
            if isinstance(found, Mapping) and step in found:
                found = found[step]
            elif isinstance(found, list) and step.isdecimal() and len(step) < 10 and int(step) < len(found):
                found = found[int(step)]
            else:
                raise KeyError(path)
        return found


def plain(value: Any) -> Value:
    """Numbers, texts, lists, tensors and arrays as JSON holds them: six significant digits, no NaN or infinity (None).

    Raises TypeError for anything else.
    """
    if hasattr(value, "tolist"):  # tensors and arrays, and their scalars
        value = value.tolist()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < 10**300 else None
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    raise TypeError(f"a fact is a number, a text or a list of them, not {type(value).__name__}")


def digest(facts: Facts) -> str:
    """The SHA-256, in hex, of facts as canonical JSON: the same for the same facts in any order."""
    return hashlib.sha256(json.dumps(as_json(facts), sort_keys=True).encode()).hexdigest()


def as_json(facts: Facts) -> dict[str, Any]:
    """Facts as JSON holds them: {"part", "data", "weights", "values"}."""
    return {"part": facts.part, "data": facts.data, "weights": facts.weights, "values": facts.values}


def from_json(content: Any) -> Facts:
    """Facts from what JSON held; raises ValueError with one line for anything that is not facts."""
    if not isinstance(content, dict) or not {"part", "data", "weights", "values"} <= set(content):
        raise ValueError("these are no facts: part, data, weights or values are missing")
    values = content["values"]
    if not isinstance(values, dict) or not all(isinstance(one, dict) for one in values.values()):
        raise ValueError("these are no facts: values must hold a mapping for each figure")
    try:
        kept = {str(name): {str(key): plain(one) for key, one in of.items()} for name, of in values.items()}
    except (TypeError, RecursionError) as error:
        raise ValueError(f"these are no facts: {error}") from None
    return Facts(content["part"], content["data"], content["weights"], kept)


def runs_folder() -> Path:
    """Where facts (in facts/), answers and hand-ins are kept: $HW9_RUNS, or else runs/ at the root of the project."""
    return Path(os.environ.get("HW9_RUNS") or ROOT / "runs")


def path_of(facts: Facts, folder: Path) -> Path:
    """The file that keeps facts: <part>-<data>-<first eight characters of weights>.json."""
    return folder / f"{facts.part}-{facts.data}-{facts.weights[:8]}.json"


def save(facts: Facts, folder: Path) -> Path:
    """Write facts into `folder`, whole or not at all, and return the path; raises OSError."""
    target = path_of(facts, folder)
    write_json(target, as_json(facts))
    return target


def load(path: str | Path) -> Facts:
    """Read facts; raises OSError, or ValueError with one line that names the file."""
    try:
        return from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} holds no facts of a run: {error}") from None


def write_json(target: Path, content: Any) -> None:
    """Write JSON so that a reader never sees half a file; raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part:
        part.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
