"""What is right: a key of options, of a number or of an order, each with the numbers behind it."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

NEAR = 1e-9  # what rounding may do to a value, as a share of it

Answer = tuple[str, ...] | float  # keys of the options chosen (for "order" in order), or a number


class NotAsked(Exception):
    """A rule does not apply to this run, for the reason given: the question counts for nobody."""


@dataclass(frozen=True)
class Chosen:
    """A key of options. `single`: any one of them; else all of `must` and none beside `may`."""

    must: Set[str]
    may: Set[str]  # within the margin: with or without, an answer is right
    because: str  # the numbers behind it, readable
    single: bool = True

    def fits(self, answer: Answer) -> bool:
        """Whether an answer is right."""
        if isinstance(answer, float):
            return False
        chosen = set(answer)
        if self.single:
            return len(answer) == 1 and chosen <= self.must | self.may
        return bool(chosen) and self.must <= chosen <= self.must | self.may

    def __str__(self) -> str:
        if self.single:
            return " or ".join(sorted(self.must | self.may))
        maybe = f" (with or without {', '.join(sorted(self.may))})" if self.may else ""
        return ", ".join(sorted(self.must)) + maybe


@dataclass(frozen=True)
class Within:
    """A key of a number: right from `low` to `high`, both included."""

    low: float
    high: float
    because: str

    def fits(self, answer: Answer) -> bool:
        """Whether an answer is right; 0.3 - 0.06 is right for 0.24, whatever binary fractions make of it."""
        slack = NEAR * max(abs(self.low), abs(self.high))
        return isinstance(answer, float) and self.low - slack <= answer <= self.high + slack

    def __str__(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g}" if self.low < self.high else f"{self.low:.4g}"


@dataclass(frozen=True)
class Ordered:
    """A key of an order: values fall from option to option; two closer than the margin may change places."""

    values: Mapping[str, float]
    margin: float
    because: str

    def fits(self, answer: Answer) -> bool:
        """Whether an answer is right."""
        if isinstance(answer, float) or sorted(answer) != sorted(self.values):
            return False
        values = [self.values[key] for key in answer]
        slack = self.margin + NEAR * max(map(abs, values))
        return all(first >= later - slack for at, first in enumerate(values) for later in values[at + 1 :])

    def __str__(self) -> str:
        return ", ".join(sorted(self.values, key=lambda key: -self.values[key]))


Key = Chosen | Within | Ordered
