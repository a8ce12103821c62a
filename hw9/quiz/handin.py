"""The hand-in: one JSON file with who, the answers and the facts of the run they are about."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw9.quiz.facts import Facts
from hw9.quiz.rules import Answer

FORMAT = 1
LARGEST = 2_000_000  # bytes; a real one has some 50,000


@dataclass(frozen=True)
class HandIn:
    """What a hand-in file holds. `intact` says whether the digest in the file is that of its facts."""

    name: str
    number: str
    part: str
    salt: str
    student: str  # whose variant was asked; the number, unless none was given when the part began
    answers: dict[str, Answer]
    facts: Facts
    digest: str
    hashes: dict[str, str]  # data, weights, package
    versions: dict[str, str]
    time: str  # ISO 8601, UTC
    nonce: str
    intact: bool = True


def read(content: bytes) -> HandIn:
    """A hand-in from the bytes of its file; raises ValueError with one line for anything else."""
    raise NotImplementedError


def write(handin: HandIn, folder: Path) -> Path:
    """Write the file hw9-<part>-<number>.json into `folder` and return its path; raises OSError."""
    raise NotImplementedError


def as_json(handin: HandIn) -> dict[str, Any]:
    """What the file holds: {"format": 1, "name", "number", "part", "salt", "student", "answers", "facts", "digest",
    "hashes", "versions", "time", "nonce"}; an answer is a list of option keys, or a number."""
    return json.loads("{}")
