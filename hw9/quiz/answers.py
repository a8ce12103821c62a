"""The answers of one part, kept in a file as they are given, so that neither a restart nor a crash loses one."""

import hashlib
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from hw9.quiz.asked import Asked
from hw9.quiz.facts import Facts, write_json
from hw9.quiz.handin import answers
from hw9.quiz.keys import Answer


@dataclass
class Kept:
    """Answers by question, each with the stamp of what it was given to."""

    answers: dict[str, Answer] = field(default_factory=dict)
    stamps: dict[str, str] = field(default_factory=dict)
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))

    def put(self, name: str, given: Answer | None, stamp: str) -> None:
        """Keep an answer, or forget one (None)."""
        if given is None:
            self.answers.pop(name, None)
            self.stamps.pop(name, None)
        else:
            self.answers[name], self.stamps[name] = given, stamp


def stamp(asked: Asked, facts: Facts) -> str:
    """A short hash of what is asked and of the facts behind it; where it differs, an answer was to something else."""
    behind = {name: facts.values.get(name) for name in asked.question.facts}
    seen = [asked.text.english, sorted(option.key + option.text.english for option in asked.options), behind]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:12]


def load(path: Path) -> Kept:
    """The answers kept at `path`; none where there is no file.

    Raises OSError, or ValueError with one line for a file that cannot be understood, which is renamed, so that it is
    not written over.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not isinstance(content.get("stamps"), dict):
            raise ValueError("it holds no answers")
        nonce = content.get("nonce")
        return Kept(
            answers(content.get("answers")), dict(content["stamps"]), *([nonce] if isinstance(nonce, str) else [])
        )
    except FileNotFoundError:
        return Kept()
    except (ValueError, RecursionError):
        aside = path.with_suffix(".damaged")
        os.replace(path, aside)
        raise ValueError(f"the answers in {path.name} cannot be read: they are now in {aside.name}") from None


def save(kept: Kept, path: Path) -> None:
    """Keep answers; raises OSError."""
    write_json(path, {"answers": kept.answers, "stamps": kept.stamps, "nonce": kept.nonce})
