"""A small bank, the facts of a run, and hand-ins about them, for the tests of the teacher's side."""

import copy
import csv
import json
from pathlib import Path

from hw9.quiz.asked import ask
from hw9.quiz.bank import load_bank
from hw9.quiz.facts import Facts, as_json, digest
from hw9.quiz.handin import package_hash

BANK = load_bank(Path(__file__).with_name("small_bank.yaml"))
FACTS = Facts(
    "cnn",
    "scenes-64",
    "abcdef0123456789",
    {
        "pictures": {"names": ["Bread", "Egg", "Rice", "<b>Soup</b>"]},
        "lime": {"score": [0.8, 0.6, 0.41, 0.4], "clear": [0, 1, 2]},
    },
)
RIGHT = {"lime-1": ["a"], "lime-2": ["3"]}


def hand_in(number="b01", name="Ada", answers=RIGHT, facts=FACTS, **more) -> dict:
    """What a hand-in file holds, with a right answer to the number question of this student's variant."""
    content = {"format": 1, "name": name, "number": number, "part": "cnn", "salt": BANK.salt, "student": number}
    content |= {"answers": dict(answers), "facts": copy.deepcopy(as_json(facts)), "digest": digest(facts)}
    content |= {"hashes": {"package": package_hash()}, "versions": {}, "time": "2026-11-26T10:00:00+00:00"}
    content |= {"nonce": f"nonce of {number}"}
    return content | more


def put(folder: Path, name: str, content: object) -> None:
    """Write a file; bytes and text as they are."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def variant(number: str) -> float:
    """The right answer to lime-3 for a student."""
    asked = ask(BANK["lime-3"], FACTS, salt=BANK.salt, student=number)
    return FACTS.values["lime"]["score"][int(asked.text.english.split("picture ")[1][0])]


def table(path: Path) -> list[dict[str, str]]:
    """A written table, read as a spreadsheet reads it."""
    with path.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))
