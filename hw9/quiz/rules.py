"""What a key rests on: a closed set of rules over facts. A rule gives a key, or says why the question counts for none.

Rules are data, never code. Options are known by their keys, "a", "b", ... or, where they are made from facts, "0",
"1", ...; value i of a list belongs to option i. Values closer than the margin count as equal: both are right.

    {fixed: [a, c]}                       the same for every run (a concept); or an order, or a number (and `within`)
    {highest: lime.score}                 the option with the highest value; `except: [0]` leaves options out
    {lowest: lime.score}
    {above: lime.score, than: 0.5}        kind many: all options with a value above; one, picture: any of them
    {below: lime.score, than: 0.5}        `than` is a number or a path
    {bin: lime.overlap, edges: [0.3, 0.7]}
                                          where a number lies: option a below the first edge, b up to the next, ...;
                                          within the margin of an edge both sides; options beyond are never right
    {order: lime.score}                   options from the highest value to the lowest; `from: lowest` the other way
    {value: lime.overlap, within: 0.1}    a number, right within that distance
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hw9.quiz.facts import Facts
from hw9.quiz.keys import NEAR, Chosen, Key, NotAsked, Ordered, Within

SINGLE = ("one", "picture")


@dataclass(frozen=True)
class Case:
    """What a rule is applied to."""

    rule: Mapping[str, Any]
    facts: Facts
    options: Sequence[str]
    kind: str
    margin: float

    def number(self, given: Any) -> float | None:
        """A number, or the one at a path; None where the run has none there."""
        return _number(self.at(given) if isinstance(given, str) else given)

    def at(self, path: str) -> Any:
        try:
            return self.facts.get(path)
        except KeyError as error:
            raise NotAsked(f"this run has no {error.args[0]}") from None

    def numbers(self, path: str) -> list[float | None]:
        found = self.at(path)
        if not isinstance(found, list):
            raise NotAsked(f"{path} is no list")
        return [_number(one) for one in found]

    def values(self, path: str) -> dict[str, float | None]:
        """The values at a path by option, but for those that `except` names."""
        found = self.numbers(path)
        if len(found) != len(self.options):
            raise NotAsked(f"{path} has {len(found)} values for {len(self.options)} options")
        left_out = {str(one) for one in self.rule.get("except", ())}
        return {key: value for key, value in zip(self.options, found, strict=True) if key not in left_out}

    def sides(self, values: Mapping[str, float | None], limit: float | None) -> tuple[set[str], set[str]]:
        """The options surely above the limit, and those within the margin of it (or without a value)."""
        if limit is None:
            raise NotAsked("this run has no number to compare with")
        known = {key: value - limit for key, value in values.items() if value is not None}
        near = {key for key, away in known.items() if abs(away) <= self.margin + NEAR * abs(limit)}
        return {key for key, away in known.items() if away > 0} - near, near | (set(values) - set(known))


def key(rule: Mapping[str, Any], facts: Facts, options: Sequence[str], *, kind: str, margin: float = 0.0) -> Key:
    """The key of a question whose options have these keys; raises NotAsked where the rule does not apply."""
    name = next(name for name in RULES if name in rule)
    return RULES[name].apply(Case(rule, facts, options, kind, margin))


def winners(values: Mapping[str, float | None], margin: float, sign: int) -> set[str]:
    """The options with the highest value (sign 1) or the lowest (-1), or within the margin of it."""
    known = {key: sign * value for key, value in values.items() if value is not None}
    if len(known) < 2:
        raise NotAsked("there are no two values to compare")
    best = max(known.values())
    found = {key for key, value in known.items() if best - value <= margin + NEAR * abs(best)}
    if len(found) == len(known):
        raise NotAsked("all values are within the margin of each other")
    return found


def _number(given: Any) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) < 1e300:
        return None
    return float(given)


def _said(path: str, values: Mapping[str, float | None]) -> str:
    told = [f"{key}: {'none' if value is None else format(value, '.4g')}" for key, value in values.items()]
    return f"{path} {', '.join(told)}"


def _any(found: set[str], because: str) -> Chosen:
    """One option is asked for, and each of these is right."""
    return Chosen(*((found, set()) if len(found) == 1 else (set(), found)), because=because)


def _fixed(case: Case) -> Key:
    given = case.rule["fixed"]
    if case.kind == "number":
        within = case.rule.get("within", 0)
        return Within(given - within, given + within, "always")
    if missing := sorted({str(one) for one in given} - set(case.options)):
        raise NotAsked(f"this run has no option {', '.join(missing)}")
    if case.kind == "order":
        return Ordered({str(one): -float(at) for at, one in enumerate(given)}, 0.0, "always")
    return Chosen({str(one) for one in given}, set(), "always", single=case.kind in SINGLE)


def _extreme(name: str, sign: int) -> Callable[[Case], Key]:
    def apply(case: Case) -> Key:
        values = case.values(case.rule[name])
        return _any(winners(values, case.margin, sign), _said(case.rule[name], values))

    return apply


def _beyond(name: str, sign: int) -> Callable[[Case], Key]:
    def apply(case: Case) -> Key:
        values, limit = case.values(case.rule[name]), case.number(case.rule["than"])
        above, may = case.sides(values, limit)
        must = above if sign > 0 else set(values) - above - may
        because = f"{_said(case.rule[name], values)}; {name} {limit:.4g}"
        if not must:
            raise NotAsked(f"no value is clearly {name} {limit:.4g} ({because})")
        if case.kind in SINGLE:
            if len(must | may) == len(values):
                raise NotAsked(f"every option would be right ({because})")
            return _any(must | may, because)
        return Chosen(must, may, because, single=False)

    return apply


def _bin(case: Case) -> Key:
    path, edges = case.rule["bin"], case.rule["edges"]
    value = case.number(path)
    if value is None:
        raise NotAsked(f"{path} is no number")
    places = zip(case.options, (-math.inf, *edges), (*edges, math.inf), strict=False)
    slack = case.margin + NEAR * abs(value)
    found = {key for key, low, high in places if low - slack <= value <= high + slack}
    return _any(found, f"{path} {value:.4g}")


def _order(case: Case) -> Key:
    values = case.values(case.rule["order"])
    because = _said(case.rule["order"], values)
    if None in values.values():
        raise NotAsked(f"a value is missing ({because})")
    winners(values, case.margin, 1)  # raises where all are alike
    sign = -1 if case.rule.get("from") == "lowest" else 1
    return Ordered({key: sign * value for key, value in values.items()}, case.margin, because)


def _value(case: Case) -> Key:
    value = case.number(case.rule["value"])
    if value is None:
        raise NotAsked(f"{case.rule['value']} is no number")
    within = case.rule["within"]
    return Within(value - within, value + within, f"{case.rule['value']} {value:.4g}")


@dataclass(frozen=True)
class Rule:
    """How a rule is applied, to which kinds of question, and what it must and may say beside its name."""

    apply: Callable[[Case], Key]
    kinds: tuple[str, ...]
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


CHOICE = ("one", "picture", "many")
RULES = {
    "fixed": Rule(_fixed, (*CHOICE, "number", "order"), may=("within",)),
    "highest": Rule(_extreme("highest", 1), SINGLE, may=("except",)),
    "lowest": Rule(_extreme("lowest", -1), SINGLE, may=("except",)),
    "above": Rule(_beyond("above", 1), CHOICE, ("than",), ("except",)),
    "below": Rule(_beyond("below", -1), CHOICE, ("than",), ("except",)),
    "bin": Rule(_bin, ("one",), ("edges",)),
    "order": Rule(_order, ("order",), may=("from",)),
    "value": Rule(_value, ("number",), ("within",)),
}
