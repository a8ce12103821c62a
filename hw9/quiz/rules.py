"""What a key rests on: a closed set of rules over facts. A rule gives a key, or says why the question counts for nobody.

Rules are data, never code. Where two values are closer than the margin both count. Options are known by their keys,
"a", "b", ... or, where they are made from facts, "0", "1", ...; value i of a list belongs to option i.

    {fixed: [a, c]}                     the same for every run (a concept); a number or an order as well
    {highest: lime.score}               the option with the highest value; `except: [0]` leaves places out
    {lowest: lime.score}
    {above: lime.score, than: 0.5}      all options with a value above; `than` may be a path
    {below: lime.score, than: 0.5}
    {first_above: phases.p, than: 0.5}  the first option with a value above
    {compare: [a.b, c.d]}               of three options: the first is higher, the second is higher, about equal
    {holds: [true, false, {above: a.b, than: 1}, {below: a.b, than: c.d}, {higher: a.b, lower: c.d}]}
                                        each option is a statement, true or false by itself
    {value: lime.overlap, within: 0.1}  a number, right within that distance
    {order: lime.score}                 options from the highest value to the lowest; `{order: ..., from: lowest}`
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hw9.quiz.facts import Facts

Answer = tuple[str, ...] | float  # keys of the options chosen (for "order" in order), or a number


@dataclass(frozen=True)
class Chosen:
    """A key of options. Kind "many": all of `must`, and none beside `may`; else: one of either."""

    must: frozenset[str]
    may: frozenset[str]  # within the margin: with or without, an answer is right
    because: str  # the numbers behind it, readable
    single: bool = True

    def fits(self, answer: Answer) -> bool:
        """Whether an answer is right."""
        if isinstance(answer, float):
            return False
        chosen = frozenset(answer)
        if self.single:
            return len(answer) == 1 and chosen <= self.must | self.may
        return self.must <= chosen <= self.must | self.may and bool(chosen)

    def __str__(self) -> str:
        if self.single:
            return " or ".join(sorted(self.must | self.may))
        maybe = f" (with or without {', '.join(sorted(self.may))})" if self.may else ""
        return ", ".join(sorted(self.must)) + maybe


@dataclass(frozen=True)
class Within:
    """A key of a number: right from `low` to `high`."""

    low: float
    high: float
    because: str

    def fits(self, answer: Answer) -> bool:
        """Whether an answer is right."""
        return isinstance(answer, float) and self.low <= answer <= self.high

    def __str__(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g}"


@dataclass(frozen=True)
class Ordered:
    """A key of an order: values falling from option to option; two closer than the margin may change places."""

    values: Mapping[str, float]
    margin: float
    because: str

    def fits(self, answer: Answer) -> bool:
        """Whether an answer is right."""
        if isinstance(answer, float) or sorted(answer) != sorted(self.values):
            return False
        values = [self.values[key] for key in answer]
        return all(first >= later - self.margin for at, first in enumerate(values) for later in values[at + 1 :])

    def __str__(self) -> str:
        return " > ".join(sorted(self.values, key=lambda key: -self.values[key]))


Key = Chosen | Within | Ordered


class NotAsked(Exception):
    """The rule does not apply to this run, for the reason given: the question counts for nobody."""


def key(rule: Mapping[str, Any], facts: Facts, options: Sequence[str], *, kind: str, margin: float = 0.0) -> Key:
    """The key of a question whose options have these keys; raises NotAsked where the rule does not apply."""
    raise NotImplementedError


def mistakes(rule: Any, kind: str) -> list[str]:
    """What is wrong with a rule, as it stands in a bank: one clause each, none for a good one."""
    raise NotImplementedError


def paths(rule: Mapping[str, Any]) -> list[str]:
    """The paths of all facts that a rule reads."""
    raise NotImplementedError
