"""Which picture or sentence a student is asked about: one generator per question, from salt, student and question."""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def generator(salt: str, student: str, question: str) -> random.Random:
    """The generator of one student's question; b01 and B01 are one student."""
    return random.Random(int.from_bytes(hashlib.sha256(f"{salt}|{student.casefold()}|{question}".encode()).digest()))


def pick(rng: random.Random, items: Sequence[Item]) -> Item:
    """One of the items; by bits alone, which every version of Python draws alike."""
    return items[rng.getrandbits(64) % len(items)]


def shuffled(rng: random.Random, items: Sequence[Item]) -> list[Item]:
    """The items in another order."""
    return [items[at] for _, at in sorted((rng.getrandbits(64), at) for at in range(len(items)))]
