"""What is wrong with a question as it stands in a bank: a clause for each mistake, that names the field."""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hw9.quiz.rules import RULES

PATH = re.compile(r"[\w-]+(\.([\w-]+|\{\w+\}))+")  # fact.value, further in fact.value.3 or fact.value.{picture}
HOLE = re.compile(r"\{([\w.-]+)\}")  # a place in a text for a varied value, or for a fact
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
PARTS = ("cnn", "bert")
LETTERS = "abcdefghij"
COLUMNS = {"number", "name", "points", "of", "percent", "notes"}  # of grades.csv, where a question has a column, too
KINDS = ("one", "many", "number", "order", "picture")
FIELDS = {"id", "part", "section", "figure", "fact", "kind", "english", "chinese", "options", "shuffle", "key",
          "margin", "points", "hint", "feedback", "explanation", "vary"}  # fmt: skip
NEEDED = ("part", "section", "kind", "english", "chinese", "key", "hint", "explanation")


def mistakes(raw: Mapping[str, Any]) -> list[str]:
    """All mistakes of one question, each "field: what is wrong"; none for a good one."""
    found = [f"{name}: there is no such field" for name in raw if name not in FIELDS]
    found += [f"{name}: it is missing" for name in NEEDED if name not in raw]
    if found:
        return found
    if raw["part"] not in PARTS:
        found.append(f"part: {raw['part']!r} is neither cnn nor bert")
    if not isinstance(raw["section"], str) or not NAME.fullmatch(raw["section"]):
        found.append(f"section: {raw['section']!r} is no name of small letters, digits and -")
    for name in ("figure", "fact"):
        if not all(isinstance(one, str) and one for one in as_list(raw.get(name, []))):
            found.append(f"{name}: give a name, or a list of them")
    found += [f"{name}: give a number of 0 or more" for name in ("margin", "points") if not _size(raw.get(name, 0))]
    if not isinstance(raw.get("shuffle", True), bool):
        found.append("shuffle: true or false")
    vary = raw.get("vary", {})
    if not isinstance(vary, dict) or not all(
        isinstance(n, str) and n.isidentifier() and _path(p) for n, p in vary.items()
    ):
        found.append("vary: give names with the path of a fact each, such as picture: lime.eligible")
        vary = {}
    found += _texts(raw, set(vary))
    if raw["kind"] not in KINDS:
        return [*found, f"kind: {raw['kind']!r} is none of {', '.join(KINDS)}"]
    options = raw.get("options", [])
    found += _options(options, raw["kind"], set(vary))
    found += _rule(raw["key"], raw["kind"], options if isinstance(options, list) else None)
    holes = {hole for path in paths(raw["key"]) for hole in HOLE.findall(path)}
    return found + [f"key: {{{hole}}} is not in vary" for hole in sorted(holes - set(vary))]


def as_list(given: Any) -> list:
    """One thing or a list of things, as a list."""
    return given if isinstance(given, list) else [given]


def paths(rule: Any) -> list[str]:
    """The paths of all facts that a rule reads, as they stand in the bank."""
    return list(dict.fromkeys(_paths(rule)))


def _paths(rule: Any) -> Iterator[str]:
    if isinstance(rule, str):
        if PATH.fullmatch(rule):
            yield rule
    elif isinstance(rule, list):
        for one in rule:
            yield from _paths(one)
    elif isinstance(rule, dict):
        for name, one in rule.items():
            if name not in ("fixed", "except", "from"):
                yield from _paths(one)


def _path(given: Any) -> bool:
    return isinstance(given, str) and PATH.fullmatch(given) is not None


def _number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and abs(given) < 1e300


def _size(given: Any) -> bool:
    return _number(given) and given >= 0


def _text(given: Any, where: str, known: set[str]) -> list[str]:
    """Mistakes of a mapping with an English and a Chinese text."""
    if not isinstance(given, dict) or set(given) != {"english", "chinese"}:
        return [f"{where}: give english and chinese, and nothing else"]
    found = []
    for language, text in given.items():
        if not isinstance(text, str) or not text.strip():
            found.append(f"{where}: {language} is {text!r}, no text (put it in quotes)")
            continue
        unknown = [hole for hole in HOLE.findall(text) if hole not in known and not PATH.fullmatch(hole)]
        found += [f"{where}: {{{hole}}} is neither in vary nor the path of a fact" for hole in unknown]
    return found


def _texts(raw: Mapping[str, Any], vary: set[str]) -> list[str]:
    found = _text({name: raw[name] for name in ("english", "chinese")}, "english, chinese", vary)
    for name in ("hint", "explanation"):
        found += _text(raw[name], name, vary)
    feedback = raw.get("feedback", {})
    if not isinstance(feedback, dict):
        return [*found, "feedback: give a text for each option, such as a: {english: ..., chinese: ...}"]
    for key, text in feedback.items():
        found += _text(text, f"feedback {key}", vary)
        options = raw.get("options")
        keys = LETTERS[: len(options)] if isinstance(options, list) else None
        keys = ("low", "high") if raw["kind"] == "number" else keys
        if keys is not None and str(key) not in keys:
            found.append(f"feedback {key}: there is no such option")
    return found


def _options(options: Any, kind: str, vary: set[str]) -> list[str]:
    if kind == "number":
        return ["options: a number has none"] if options else []
    if isinstance(options, list):
        if kind == "picture":
            return ["options: kind picture has options made from facts, {each: ...} or {count: ...}"]
        if not 2 <= len(options) <= len(LETTERS):
            return [f"options: give 2 to {len(LETTERS)}"]
        return [one for key, text in zip(LETTERS, options, strict=False) for one in _text(text, f"option {key}", vary)]
    if not isinstance(options, dict) or len({"each", "count"} & set(options)) != 1:
        return ["options: give a list of {english, chinese}, or {each: path, ...} or {count: number or path, ...}"]
    found = [f"options: there is no such field, {name}" for name in options if name not in MADE]
    if "each" in options and not _path(options["each"]):
        found.append("options: each is no path of a fact")
    count = options.get("count", 2)
    if not _path(count) and not (isinstance(count, int) and 2 <= count <= 60):
        found.append("options: count is no path of a fact and no number from 2 to 60")
    if options.get("first", 0) not in (0, 1):
        found.append("options: first is 0 or 1")
    text = {language: options.get(language, "{n}") for language in ("english", "chinese")}
    return found + _text(text, "options", {"n", "label"})


MADE = ("each", "count", "first", "english", "chinese")


def _rule(rule: Any, kind: str, options: list | None) -> list[str]:
    """Mistakes of a rule for a question of this kind; `options` is None where they are made from facts."""
    named = [name for name in rule if name in RULES] if isinstance(rule, dict) else []
    if len(named) != 1:
        return [f"key: give one rule out of {', '.join(RULES)}"]
    name = named[0]
    spec = RULES[name]
    found = [f"key: {name} knows no {other}" for other in rule if other not in (name, *spec.needs, *spec.may)]
    found += [f"key: {name} needs {other}" for other in spec.needs if other not in rule]
    if kind not in spec.kinds:
        found.append(f"key: {name} is for {', '.join(spec.kinds)}, not for {kind}")
    if found:
        return found
    if "within" in rule and not _size(rule["within"]):
        found.append("key: within is no number of 0 or more")
    if "than" in rule and not (_path(rule["than"]) or _number(rule["than"])):
        found.append("key: than is neither a number nor the path of a fact")
    if rule.get("from", "lowest") not in ("lowest", "highest"):
        found.append("key: from is lowest or highest")
    if not isinstance(rule.get("except", []), list):
        found.append("key: except is no list of options")
    given = rule[name]
    if name == "fixed":
        return found + _fixed(given, kind, options)
    if name == "bin" and (options is None or not _edges(rule["edges"], len(options))):
        found.append("key: edges is no list of rising numbers, fewer than there are options")
    if not _path(given):
        found.append(f"key: {name} is no path of a fact, such as lime.score")
    return found


def _fixed(given: Any, kind: str, options: list | None) -> list[str]:
    if kind == "number":
        return [] if _number(given) else ["key: fixed is no number"]
    if not isinstance(given, list) or not given:
        return ["key: fixed is no list of options"]
    keys = [str(one) for one in given]
    if options is None:
        return []
    found = [f"key: there is no option {key}" for key in keys if key not in LETTERS[: len(options)]]
    if kind == "one" and len(keys) != 1:
        found.append("key: kind one has one right option")
    if kind == "order" and sorted(keys) != list(LETTERS[: len(options)]):
        found.append("key: an order names each option once")
    return found


def _edges(given: Any, options: int) -> bool:
    good = isinstance(given, list) and given and all(map(_number, given)) and len(given) < options
    return bool(good) and all(low < high for low, high in itertools.pairwise(given))
