"""The bank of questions: a YAML file in both languages, read and checked.

    salt: hw9-2022                # what variants depend on, beside student and question
    check: true                   # false (one file is enough): the notebook does not say whether an answer fits
    questions:
      - id: lime-3                # small letters, digits, -
        part: cnn                 # or bert
        section: lime             # `quiz.ask("lime")`
        figure: cnn_06_lime       # the figure (or a list) that answers it
        fact: lime                # what must have run before (or a list); by default the facts that are read below
        kind: picture             # one, many, number, order; picture: one of options made from facts
        english: Which picture has the lowest R²?
        chinese: 哪一張圖的 R² 最低？
        options:                  # a list of {english, chinese}, with the keys a, b, c, ...; or
          each: pictures.names    # one for each label in a fact, with the keys 0, 1, 2, ...
          english: "picture {n}: {label}"
          chinese: "圖 {n}：{label}"
                                  # or count: 12 (or the path of a number or list) instead of each; first: 1
        shuffle: false            # options of a concept (rule `fixed`) have an order for each student, unless false;
                                  # those to be put in an order that the run decides always have one
        key: {lowest: lime.score} # see hw9/quiz/rules.py
        margin: 0.02              # values closer than this count as equal (default 0)
        points: 1
        hint: {english: Look at the numbers below the pictures., chinese: 看圖下方的數字。}   # where to look again
        feedback: {a: {english: ..., chinese: ...}}     # in the report, for that wrong option; low, high of a number
        explanation: {english: ..., chinese: ...}       # in the report
        vary: {picture: lime.eligible}   # a list in the facts, of which each student gets one value

{picture} stands for the value of `vary`, in texts and in paths of the rule; a text may hold any fact: {lime.samples}.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hw9.quiz.checks import COLUMNS, HOLE, LETTERS, NAME, PATH, as_list, mistakes, paths

EMBEDDED = Path(__file__).with_name("bank.yaml")


@dataclass(frozen=True)
class Text:
    """The same sentence in both languages."""

    english: str
    chinese: str


@dataclass(frozen=True)
class Made:
    """Options made from facts: one for each label at `each`, or else `count` numbered ones."""

    text: Text  # with {n} and {label}
    each: str = ""
    count: int | str = 0
    first: int = 0


@dataclass(frozen=True)
class Question:
    """One question as it stands in the bank; `hw9.quiz.asked.ask` makes of it what one student sees on one run."""

    id: str
    part: str
    section: str
    kind: str
    text: Text
    key: Mapping[str, Any]
    hint: Text
    explanation: Text
    figures: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()  # names of the facts it needs
    options: Mapping[str, Text] | Made = field(default_factory=dict)  # by their keys
    shuffle: bool = True
    margin: float = 0.0
    points: float = 1.0
    feedback: Mapping[str, Text] = field(default_factory=dict)
    vary: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bank:
    """All questions, in the order in which they are asked."""

    questions: tuple[Question, ...]
    salt: str = "hw9"
    check: bool = True

    def __getitem__(self, name: str) -> Question:
        for question in self.questions:
            if question.id == name:
                return question
        raise KeyError(name)

    def of(self, part: str, section: str = "") -> list[Question]:
        """The questions of a part, or of one of its sections."""
        return [one for one in self.questions if one.part == part and section in ("", one.section)]


class _Loader(yaml.SafeLoader):
    """YAML in which a field given twice is a mistake, as it is nearly always one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        names = [key.value for key, _ in node.value]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise yaml.MarkedYAMLError(problem=f"{twice} is given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def load_bank(path: str | Path | None = None) -> Bank:
    """The bank at `path`, a YAML file or a folder of them; None: at $HW9_BANK, or else the lesson's own.

    Raises ValueError with a line for each mistake, naming question and field; OSError for a file that cannot be read.
    """
    path = Path(path or os.environ.get("HW9_BANK") or EMBEDDED).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such bank; look at HW9_BANK")
    files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path} holds no bank: a .yaml file is looked for")
    found, wrong, salts, check = {}, [], [], True
    for file in files:
        content = _read(file)
        salts += [str(content["salt"])] if "salt" in content else []
        if not isinstance(may := content.get("check", True), bool):
            wrong.append(f"{file.name}: check is {may!r}, neither true nor false")
        check = check and may
        for at, raw in enumerate(content["questions"], 1):
            name = raw.get("id") if isinstance(raw, dict) else None
            if not isinstance(name, str) or not NAME.fullmatch(name):
                wrong.append(f"{file.name}, question {at}: id is {name!r}, no name of small letters, digits and -")
                continue
            about = mistakes(raw) + (["id: another question has it"] if name in found else [])
            about += ["id: a column of the grades has that name"] if name in COLUMNS else []
            wrong += [f"{file.name}, {name}, {one}" for one in about]
            if not about:
                found[name] = _question(raw)
    if len(set(salts)) > 1:
        wrong.append(f"salt: the files name several ({', '.join(sorted(set(salts)))}): name one")
    if wrong:
        raise ValueError("\n".join(wrong))
    return Bank(tuple(found.values()), *salts[:1], check=check)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"{file.name}{where}: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("questions"), list) or not content["questions"]:
        raise ValueError(f"{file.name}: there is no list `questions`")
    return content


def _question(raw: Mapping[str, Any]) -> Question:
    """A question from fields that have been checked."""
    options = raw.get("options", [])
    if isinstance(options, dict):
        made = {name: options[name] for name in ("each", "count", "first") if name in options}
        text = Text(*(options.get(language, "{n}") for language in ("english", "chinese")))
        options = Made(text, **made)
        read = [str(options.each or options.count)]
    else:
        options, read = {key: Text(**text) for key, text in zip(LETTERS, options, strict=False)}, []
    texts = [raw, raw["hint"], raw["explanation"], *raw.get("feedback", {}).values(), *_listed(raw)]
    holes = [hole for text in texts for language in ("english", "chinese") for hole in HOLE.findall(text[language])]
    read += [*paths(raw["key"]), *raw.get("vary", {}).values(), *holes]
    facts = as_list(raw["fact"]) if "fact" in raw else [path.split(".")[0] for path in read if PATH.fullmatch(path)]
    return Question(
        id=raw["id"],
        part=raw["part"],
        section=raw["section"],
        kind=raw["kind"],
        text=Text(raw["english"], raw["chinese"]),
        key=raw["key"],
        hint=Text(**raw["hint"]),
        explanation=Text(**raw["explanation"]),
        figures=tuple(as_list(raw.get("figure", []))),
        facts=tuple(dict.fromkeys(facts)),
        options=options,
        shuffle=raw.get("shuffle", True),
        margin=float(raw.get("margin", 0)),
        points=float(raw.get("points", 1)),
        feedback={str(key): Text(**text) for key, text in raw.get("feedback", {}).items()},
        vary=raw.get("vary", {}),
    )


def _listed(raw: Mapping[str, Any]) -> list[Mapping[str, str]]:
    options = raw.get("options", [])
    return options if isinstance(options, list) else []
