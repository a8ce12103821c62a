"""The hand-in: one JSON file with who, the answers and the facts of the run they are about."""

import dataclasses
import hashlib
import importlib.metadata
import platform
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw9.notebook import ROOT
from hw9.quiz.facts import Facts, as_json, write_json
from hw9.quiz.keys import Answer

FORMAT = 1
NUMBER = re.compile(r"[\w.-]{1,40}")  # a student number names a file
VERSIONS = ("torch", "torchvision", "numpy", "transformers", "lime")


@dataclass(frozen=True)
class HandIn:
    """What a hand-in file holds. `intact` says whether the digest in the file is that of its facts."""

    name: str
    number: str
    part: str
    salt: str
    student: str  # whose variant was asked; "" where none was given as the part began
    answers: dict[str, Answer]
    facts: Facts
    digest: str
    hashes: dict[str, str]  # data, weights, package
    versions: dict[str, str]
    time: str  # ISO 8601, UTC
    nonce: str  # drawn with the answers; the same in two files where one is a copy or both are from one run
    stamps: dict[str, str] = field(default_factory=dict)  # of what each answer was given to, by question
    intact: bool = True


def who(name: Any, number: Any) -> tuple[str, str]:
    """A name and a student number, tidied; raises ValueError with one line for what is none."""
    name = " ".join(str("" if name is None else name).split())
    number = tidy(number)
    if not name or len(name) > 100 or not name.isprintable():
        raise ValueError(
            "NAME holds no name. Fill it in in the settings at the top, then run the notebook again from that cell on"
        )
    if not NUMBER.fullmatch(number):
        raise ValueError(f"{number[:50]!r} is no student number: give up to 40 letters, digits, - _ or .")
    return name, number


def tidy(number: Any) -> str:
    """A student number as it is kept, with full-width letters and digits made plain."""
    return unicodedata.normalize("NFKC", str("" if number is None else number)).strip()


def write(handin: HandIn, folder: Path) -> Path:
    """Write the file hw9-<part>-<number>.json into `folder` and return its path; raises OSError."""
    target = folder / f"hw9-{handin.part}-{handin.number}.json"
    content = {"format": FORMAT} | dataclasses.asdict(handin) | {"facts": as_json(handin.facts)}
    del content["intact"]
    write_json(target, content)
    return target


def answers(content: Any) -> dict[str, Answer]:
    """Answers from what JSON held, by question; raises ValueError with one line for what is none."""
    if not isinstance(content, dict) or len(content) > 1000:
        raise ValueError("its answers are no list of answers by question")
    found: dict[str, Answer] = {}
    for question, given in content.items():
        if isinstance(given, int | float) and not isinstance(given, bool) and abs(given) < 1e300:
            found[question[:40]] = float(given)
        elif isinstance(given, list) and len(given) <= 100 and all(isinstance(one, str) for one in given):
            found[question[:40]] = tuple(one[:40] for one in given)
        else:
            raise ValueError(f"its answer to {question[:40]!r} is neither a list of options nor a number")
    return found


def package_hash() -> str:
    """The SHA-256 of the package's sources, the same with the line ends of any system."""
    found = hashlib.sha256()
    package = ROOT / "hw9"
    sources = (p for p in package.rglob("*") if p.suffix in {".py", ".yaml", ".js", ".css", ".html"})
    for path in sorted(p for p in sources if ".ipynb_checkpoints" not in p.parts):  # JupyterLab's copies
        found.update(path.relative_to(package).as_posix().encode() + b"\0")
        found.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return found.hexdigest()


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that numbers depend on, and the kind of machine."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name in VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
