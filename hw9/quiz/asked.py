"""A question as one student is asked it on one run: texts filled in, options made and put in order, key computed."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from hw9.quiz import rules
from hw9.quiz.bank import Made, Question, Text
from hw9.quiz.checks import HOLE, LETTERS
from hw9.quiz.facts import Facts
from hw9.quiz.keys import Answer, Key, NotAsked
from hw9.quiz.variants import generator, pick, shuffled

MOST = 60  # options that can be asked about


@dataclass(frozen=True)
class Option:
    """One option. `key` is its name in the bank, in answers that are kept and in the key; `shown` is what a student
    sees and writes: the two differ where a variant changes the order."""

    key: str
    shown: str
    text: Text


@dataclass(frozen=True)
class Asked:
    """A question for one student and run. `key` is None where it cannot be asked, for the reason in `reason`."""

    question: Question
    text: Text
    hint: Text
    explanation: Text
    feedback: Mapping[str, Text]  # by the key of an option
    options: tuple[Option, ...] = ()  # as shown; () for a number
    key: Key | None = None
    reason: str = ""
    missing: tuple[str, ...] = ()  # names of facts that are not there: that part of the notebook has not run

    def fits(self, answer: Answer) -> bool:
        """Whether an answer is right; never, where there is no key."""
        return self.key is not None and self.key.fits(answer)

    def shown(self, answer: Answer) -> str:
        """An answer as the student sees it: "b", "a, c", "0.5"."""
        if isinstance(answer, float):
            return f"{answer:g}"
        names = {option.key: option.shown for option in self.options}
        return ", ".join(names.get(key, key) for key in answer)


def ask(question: Question, facts: Facts, *, salt: str, student: str = "") -> Asked:
    """The question for one student ("" for all) on the run that left these facts; never raises."""
    asked = Asked(question, question.text, question.hint, question.explanation, question.feedback)
    missing = tuple(name for name in question.facts if name not in facts.values)
    if missing:
        return replace(asked, reason=f"{', '.join(missing)} is not among the facts", missing=missing)
    rng = generator(salt, student, question.id)
    try:
        varied = {name: _say(_one(path, facts, rng)) for name, path in question.vary.items()}
        fill = partial(_filled, varied=varied, facts=facts)
        asked = replace(
            asked,
            text=fill(question.text),
            hint=fill(question.hint),
            explanation=fill(question.explanation),
            feedback={key: fill(text) for key, text in question.feedback.items()},
            options=tuple(_options(question.options, varied, facts)),
        )
        rule, keys = _put(question.key, varied), [option.key for option in asked.options]
        asked = replace(asked, key=rules.key(rule, facts, keys, kind=question.kind, margin=question.margin))
    except NotAsked as error:
        return replace(asked, reason=str(error))
    # An order that a run decides may be the one in which the bank lists it.
    mixed = student and question.shuffle if "fixed" in question.key else question.kind == "order"
    if mixed and isinstance(question.options, Mapping):
        order = shuffled(rng, asked.options)
        asked = replace(asked, options=tuple(Option(o.key, LETTERS[at], o.text) for at, o in enumerate(order)))
        letters = {option.key: option.shown for option in asked.options}
        because = re.sub(r"(?<= )\w(?=: )", lambda key: letters.get(key[0], key[0]), asked.key.because)
        asked = replace(asked, key=replace(asked.key, because=because))  # by the letters that the student sees
    return asked


def parse(asked: Asked, given: Any) -> Answer | None:
    """An answer as a student writes it ("b", "a, c", ["a", "c"], 3, "0.5"), checked; None for an empty one.

    Raises ValueError with one line for what is no answer to this question.
    """
    if asked.key is None:
        raise ValueError(f"{asked.question.id} cannot be asked on this run: {asked.reason}")
    if hasattr(given, "tolist"):
        given = given.tolist()
    if isinstance(given, list | tuple | set | frozenset):
        given = " ".join(map(_word, given))
    if given is not None and not isinstance(given, str | int | float):
        raise ValueError(f"{asked.question.id} cannot be answered with {type(given).__name__}: {_how(asked)}")
    text = unicodedata.normalize("NFKC", "" if given is None else _word(given)).strip().lower()
    if not text:
        return None
    if asked.question.kind == "number":
        return _number(asked, text)
    names = {option.shown: option.key for option in asked.options}
    words = [word for word in re.split(r"[\s,;、。.()\[\]'\"]+", text) if word]
    if len(words) == 1 and words[0] not in names and set(words[0]) <= set(names) <= set(LETTERS):
        words = list(words[0])  # "ac"
    if unknown := next((word for word in words if word not in names), None):
        raise ValueError(f"{asked.question.id} has no option {unknown[:20]!r}: {_how(asked)}")
    words = list(dict.fromkeys(words))
    if asked.question.kind == "order":
        if len(words) != len(names):
            raise ValueError(f"{asked.question.id} wants all options, each once: {_how(asked)}")
    elif len(words) > 1 and asked.question.kind != "many":
        raise ValueError(f"{asked.question.id} has one right option, not {len(words)}: {_how(asked)}")
    elif asked.question.kind == "many":
        return tuple(sorted(names[word] for word in words)) or None
    return tuple(names[word] for word in words) or None


def _word(given: Any) -> str:
    """One option as a word; 2.0, out of a tensor, is 2."""
    return f"{given:.0f}" if isinstance(given, float) and given.is_integer() else str(given)


def _number(asked: Asked, text: str) -> float:
    if re.fullmatch(r"-?[1-9]\d{0,2},\d{3}", text):  # a thousand to some, between one and two to others
        whole, part = text.replace(",", ""), text.replace(",", ".")
        raise ValueError(f"{asked.question.id}: {text} can be read in two ways: write {whole} or {part}")
    try:
        number = float(re.sub(r"^(-?\d+),(\d+)$", r"\1.\2", text))
    except ValueError:
        number = float("nan")
    if not abs(number) < 1e300:
        raise ValueError(f"{asked.question.id} wants a number, not {text[:20]!r}: {_how(asked)}")
    return number


def _how(asked: Asked) -> str:
    """What an answer looks like."""
    shown = [option.shown for option in asked.options]
    if asked.question.kind == "number":
        return "give a number without a unit, such as 0.5"
    if asked.question.kind == "order":
        return f'give them first to last, such as "{" ".join(reversed(shown))}"'
    listed = f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) < 6 else f"{shown[0]} to {shown[-1]}"
    return f"give {'all that are right out of ' if asked.question.kind == 'many' else ''}{listed}"


def _one(path: str, facts: Facts, rng: Any) -> Any:
    found = _at(path, facts)
    if not isinstance(found, list) or not found or isinstance(found[0], list):
        raise NotAsked(f"{path} has nothing to ask about")
    return pick(rng, found)


def _at(path: str, facts: Facts) -> Any:
    try:
        return facts.get(path)
    except KeyError as error:
        raise NotAsked(f"this run has no {error.args[0]}") from None


def _say(value: Any) -> str:
    """A value of a fact in a text: two digits, or all before the point."""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 10 or value.is_integer() else f"{value:.2g}"
    return str(value)[:200]


def _filled(text: Text, varied: Mapping[str, str], facts: Facts) -> Text:
    """A text with varied values and facts in their places."""

    def fill(hole: re.Match) -> str:
        return varied[hole[1]] if hole[1] in varied else _say(_at(hole[1], facts))

    return Text(HOLE.sub(fill, text.english), HOLE.sub(fill, text.chinese))


def _put(rule: Any, varied: Mapping[str, str]) -> Any:
    """A rule with this student's values in its paths."""
    if isinstance(rule, str):
        return HOLE.sub(lambda hole: varied.get(hole[1], hole[0]), rule)
    if isinstance(rule, list):
        return [_put(one, varied) for one in rule]
    return {name: _put(one, varied) for name, one in rule.items()} if isinstance(rule, Mapping) else rule


def _options(options: Mapping[str, Text] | Made, varied: Mapping[str, str], facts: Facts) -> Iterator[Option]:
    if isinstance(options, Mapping):
        for key, text in options.items():
            yield Option(key, key, _filled(text, varied, facts))
        return
    path = options.each or options.count
    found = _at(path, facts) if isinstance(path, str) else path
    if isinstance(found, int) and not isinstance(found, bool) and 0 < found <= MOST:
        found = [*range(options.first, options.first + found)]
    if not isinstance(found, list) or not 2 <= len(found) <= MOST:
        raise NotAsked(f"{options.each or options.count} makes no 2 to {MOST} options")
    for at, label in enumerate(found, options.first):
        yield Option(str(at), str(at), _filled(options.text, {**varied, "n": str(at), "label": _say(label)}, facts))
