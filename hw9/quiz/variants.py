"""Which picture or sentence a student is asked about: one generator per question, from salt, student and question."""

import hashlib
import random


def generator(salt: str, student: str, question: str) -> random.Random:
    """The generator of one student's question: the same on every machine and Python."""
    return random.Random(int.from_bytes(hashlib.sha256(f"{salt}|{student}|{question}".encode()).digest()))
