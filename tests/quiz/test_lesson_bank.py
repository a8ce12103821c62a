"""The lesson's own bank: what it covers, that the notebooks record what it reads, its keys on this and other runs."""

import copy
import itertools
import re
from collections import Counter
from pathlib import Path

import nbformat
import opencc
import pytest
import yaml

from hw9.quiz.asked import ask
from hw9.quiz.bank import EMBEDDED, load_bank
from hw9.quiz.checks import PARTS, paths
from hw9.quiz.export import asked_of_all, export
from hw9.quiz.facts import Facts, load
from hw9.quiz.written import as_text
from hw9.run import built, sources

BANK = load_bank(EMBEDDED)
BY_NAME = {question.id: question for question in BANK.questions}
HERE = Path(__file__).parent
SOURCES = {part: next(path for path in sources() if part in path.name).read_text(encoding="utf-8") for part in PARTS}


def facts_of(part: str) -> Facts:
    """The facts of the embedded run."""
    return load(HERE / f"facts-{part}.json")


def asked_of(question, facts, student=""):
    return ask(question, facts, salt=BANK.salt, student=student)


def texts_of(question) -> list:
    options = question.options.values() if isinstance(question.options, dict) else []
    made = [question.options.text] if hasattr(question.options, "each") else []
    return [question.text, question.hint, question.explanation, *question.feedback.values(), *options, *made]


# ---- what it covers


def test_the_courses_thirty_questions_in_its_proportions_and_those_on_tests():
    course = {"lime": 4, "saliency": 5, "smoothgrad": 4, "filters": 4, "gradients": 3}
    course |= {"attention": 4, "phases": 3, "comparison": 3}
    counted = Counter(question.id.rpartition("-")[0] for question in BANK.questions)
    assert {name: counted[name] for name in course} == course
    assert sum(counted.values()) - sum(course.values()) >= 6


def test_every_question_names_figures_that_its_notebook_draws_before_it_asks():
    for part, source in SOURCES.items():
        for question in BANK.of(part):
            assert question.figures, question.id
            asks = source.index(f'quiz.ask("{question.section}")')
            for figure in question.figures:
                assert 0 < source.index(f'"{figure}"') < asks, (question.id, figure)


def test_every_section_is_asked_once_and_in_order():
    for part, source in SOURCES.items():
        sections = list(dict.fromkeys(question.section for question in BANK.of(part)))
        assert re.findall(r'quiz\.ask\("([\w-]+)"\)', source) == sections
        assert source.index("quiz.begin(") < source.index("notebook.fact(")
        assert source.count("quiz.hand_in(NAME, NUMBER)") == 1


def test_the_notebooks_record_every_value_that_is_read_and_the_stored_facts_hold_it():
    raw = {one["id"]: one for one in yaml.safe_load(EMBEDDED.read_text(encoding="utf-8"))["questions"]}
    for question in BANK.questions:
        options, holes = raw[question.id].get("options", {}), []
        for text in texts_of(question):
            holes += re.findall(r"\{(\w+\.[\w.]+)\}", text.english + text.chinese)
        made = [options[name] for name in ("each", "count") if name in options] if isinstance(options, dict) else []
        read = [*paths(question.key), *question.vary.values(), *made, *holes]
        assert {path.split(".")[0] for path in read} <= {*question.facts, *(hole.split(".")[0] for hole in holes)}
        for fact, value in (path.split(".")[:2] for path in read):
            line = re.search(rf'notebook\.fact\("{fact}", \{{(.*)\}}\)', SOURCES[question.part])
            assert line and f'"{value}":' in line[1], (question.id, fact, value)
            assert value in facts_of(question.part).values[fact]


def test_chinese_is_traditional_and_in_every_text():
    traditional = opencc.OpenCC("s2tw")
    for question in BANK.questions:
        for text in texts_of(question):
            assert re.search(r"[\u4e00-\u9fff]", text.chinese) or len(text.chinese) < 8, (question.id, text.chinese)
            assert [c for c in text.chinese if traditional.convert(c) != c] == [], (question.id, text.chinese)
            assert not re.search(r"[\u4e00-\u9fff]", text.english), (question.id, text.english)


def test_the_right_option_of_a_concept_is_neither_always_the_longest_nor_in_one_place():
    concepts = [question for question in BANK.questions if question.kind == "one" and "fixed" in question.key]
    right = [question.key["fixed"][0] for question in concepts]
    assert max(Counter(right).values()) <= len(concepts) / 2
    sizes = [[len(text.english) for text in question.options.values()] for question in concepts]
    longest = [max(size) == size["abcdefgh".index(key)] for key, size in zip(right, sizes, strict=True)]
    assert sum(longest) <= len(concepts) / 2


# ---- keys


# Read off the figures, not off the facts: for each computed question the answers that a careful reader may give.
SEEN = {
    "lime-3": [("1", "2", "4")],
    "lime-4": ["9"],
    "saliency-3": ["c"],
    "saliency-4": ["a"],
    "smoothgrad-2": ["c"],
    "smoothgrad-3": [("0", "4", "6")],
    "filters-1": ["c"],
    "filters-4": [("1", "2", "3")],
    "gradients-1": ["c"],
    "removal-1": ["0"],
    "square-1": [("0", "2", "3", "4")],
    "objects-1": [("3", "6")],
    "attention-2": ["a"],
    "attention-3": ["b"],
    "attention-4": ["a"],
    "ablation-1": ["a"],
    "phases-1": ["12"],
    "phases-2": [("a", "c", "b", "d")],
    "comparison-2": ["a"],
    "mattered-1": ["b"],
    "by-layer-1": [8.0],
}


@pytest.mark.parametrize("name", SEEN)
def test_the_key_is_what_was_read_off_the_figure(name):
    asked = asked_of(BY_NAME[name], facts_of(BY_NAME[name].part))
    for answer in SEEN[name]:
        assert asked.fits((answer,) if isinstance(answer, str) else answer), (asked.key, asked.reason)
    right = str(asked.key).split(" (with")[0]
    assert len(SEEN[name]) > 1 or asked.question.kind != "one" or right == SEEN[name][0], "and nothing else"


def test_every_question_can_be_asked_on_the_embedded_run():
    for question in BANK.questions:
        asked = asked_of(question, facts_of(question.part))
        assert asked.key is not None, (question.id, asked.reason)
        assert asked.fits(an_answer(asked)), question.id
        if question.kind in ("one", "picture"):
            right = [option.key for option in asked.options if asked.fits((option.key,))]
            assert 1 <= len(right) < len(asked.options), question.id


def test_the_head_that_is_asked_about_differs_from_student_to_student_and_so_does_the_key():
    facts, question = facts_of("bert"), BY_NAME["attention-1"]
    asked = [asked_of(question, facts, f"b0990{number:04d}") for number in range(60)]
    assert len({one.text.english for one in asked}) > 5
    assert len({str(one.key) for one in asked}) > 2
    for one in asked:
        layer = int(re.search(r"layer (\d+)", one.text.english)[1])
        shares = facts.values["head"]["shares"][layer]
        right = [letter for letter in "abcdefg" if one.fits((letter,))]
        assert right == ["abcdefg"[shares.index(max(shares))]] and max(shares) >= 0.25, "and no tie is asked about"


@pytest.mark.parametrize("part", PARTS)
def test_the_stored_notebook_asks_what_the_bank_asks_on_its_run(part):
    source = next(path for path in sources() if part in path.name)
    asked = {}
    for cell in nbformat.read(built(source), as_version=4).cells:
        if cell.cell_type == "code" and (section := re.search(r'quiz\.ask\("([\w-]+)"\)', cell.source)):
            asked[section[1]] = [output.data["text/plain"] for output in cell.outputs if "data" in output][-1]
    wanted = {question.section: [] for question in BANK.of(part)}
    for question in BANK.of(part):
        wanted[question.section].append(asked_of(question, facts_of(part)))
    assert asked == {section: as_text(questions) for section, questions in wanted.items()}, "run: make notebooks"


# ---- other runs


def an_answer(asked):
    """A right answer, by the key."""
    key = asked.key
    if asked.question.kind == "number":
        return (key.low + key.high) / 2
    if asked.question.kind == "order":
        return tuple(sorted(key.values, key=lambda option: -key.values[option]))
    if asked.question.kind == "many":
        return tuple(sorted(key.must))
    return (min(key.must | key.may),)


def changed(facts: Facts, change) -> Facts:
    """Facts with `change` made to every number in them, lists and texts as they are."""

    def go(value):
        if isinstance(value, list):
            return [go(one) for one in value]
        return change(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    found = copy.deepcopy(facts)
    found.values = {name: {key: go(value) for key, value in of.items()} for name, of in found.values.items()}
    return found


def wobbled(facts: Facts, step: float) -> Facts:
    """Facts in which every other number is larger by `step`, and the others smaller; counts stay as they are."""
    sign = itertools.cycle((1, -1))
    return changed(facts, lambda number: number if isinstance(number, int) else number + next(sign) * step)


def cut(facts: Facts, length: int, to: int) -> Facts:
    """Facts whose lists of `length` have only their first `to` members."""
    found = copy.deepcopy(facts)
    for of in found.values.values():
        for key, value in of.items():
            if isinstance(value, list) and len(value) == length:
                of[key] = value[:to]
    return found


def computed(part):
    return [question for question in BANK.of(part) if "fixed" not in question.key]


def test_another_network_has_another_key():
    """One that was trained on photographs and looks at the embedded scenes, few samples, not run to the end."""
    facts = load(HERE / "facts-cnn-other.json")
    found = {question.id: asked_of(question, facts) for question in computed("cnn")}
    assert {name for name, asked in found.items() if asked.missing} == {"square-1", "objects-1"}
    right = {name: str(asked.key) for name, asked in found.items() if asked.key}
    assert right == {
        "lime-3": "1, 2, 3, 4, 5, 6, 8, 9",
        "lime-4": "2",
        "saliency-3": "c",
        "saliency-4": "a",
        "smoothgrad-2": "c",
        "smoothgrad-3": "0, 1, 3, 4, 7, 8",
        "filters-1": "c",
        "filters-4": "1, 2, 3",
        "gradients-1": "b",
        "saliency-5": "1",
        "removal-1": "0",
    }


@pytest.mark.parametrize("part", PARTS)
def test_where_nothing_is_known_no_computed_question_is_asked_and_the_others_are(part):
    unknown = changed(facts_of(part), lambda number: None)
    empty = copy.deepcopy(unknown)
    empty.values = {name: {key: [] if isinstance(v, list) else v for key, v in of.items()}
                    for name, of in empty.values.items()}  # fmt: skip
    for facts in (unknown, empty):
        for question in BANK.of(part):
            asked = asked_of(question, facts)
            assert (asked.key is None) == ("fixed" not in question.key), question.id
            assert asked.key is not None or (asked.reason and not asked.missing), question.id


@pytest.mark.parametrize("part", PARTS)
def test_what_has_not_run_is_missing_and_not_for_nobody(part):
    nothing = Facts(part, "other", "0" * 8)
    for question in computed(part):
        assert asked_of(question, nothing).missing


def test_with_seven_pictures_the_key_is_among_them():
    facts = facts_of("cnn")
    facts.values["together"]["like"] = [0.5, 0.6, 0.7, 0.3, 0.32, 0.8, 0.9, 0.1, 0.2, 0.5]
    facts = cut(facts, 10, 7)
    for name in ("lime-3", "lime-4", "smoothgrad-3", "saliency-5"):
        asked = asked_of(BY_NAME[name], facts)
        assert [option.key for option in asked.options] == list("0123456")
        assert asked.fits(an_answer(asked)) and not asked.fits(("9",))
    scores = facts.values["lime"]["score"]
    assert asked_of(BY_NAME["lime-4"], facts).fits((str(scores.index(min(scores))),))


def test_photographs_without_masks_and_objects_ask_nothing_about_them():
    facts = facts_of("cnn")
    facts.values["saliency"]["on_food"] = None
    facts.values["objects"] = {"names": [], "loses": []}
    facts.values["together"]["like"] = [0.1 * k for k in range(10)]
    asked = {question.id: asked_of(question, facts).key for question in BANK.of("cnn")}
    assert [name for name, key in asked.items() if key is None] == ["saliency-3", "objects-1"]


def test_a_bert_of_four_layers_is_asked_about_its_own():
    facts = facts_of("bert")
    shares = facts.values["head"]["shares"][:5]
    facts.values["head"] |= {"shares": shares, "clear": [1, 3], "number": 3}
    facts.values["phases"] |= {"peaks": [0.0, 2.0, 3.0, 4.0], "apart": [1.0, 1.1, 1.3, 1.9, 1.5], "layers": 5}
    facts.values["by_layer"] = {"since": None}  # the right word is not on top at the end
    asked = {question.id: asked_of(question, facts, "42") for question in BANK.of("bert")}
    assert re.match(r"Head 3 of layer [13]:", asked["attention-1"].text.english)
    assert [option.text.english for option in asked["phases-1"].options] == [f"layer {n}" for n in range(5)]
    assert str(asked["phases-1"].key) == "3" and asked["phases-2"].fits(("a", "b", "c", "d"))
    assert [name for name, one in asked.items() if one.key is None] == ["by-layer-1"]


@pytest.mark.parametrize("part", PARTS)
def test_where_all_is_equal_nothing_is_highest(part):
    facts = changed(facts_of(part), lambda number: 1 if isinstance(number, int) else 0.5)
    for question in computed(part):
        asked = asked_of(question, facts)
        if {"highest", "lowest", "order"} & set(question.key):
            assert asked.key is None, question.id
        assert asked.key is None or asked.fits(an_answer(asked)), question.id


@pytest.mark.parametrize("part", PARTS)
def test_a_change_within_the_margin_keeps_a_right_answer_right(part):
    """Another processor, another seed: what the eye cannot tell apart does not turn a mark round."""
    for question in computed(part):
        before = asked_of(question, facts_of(part))
        if before.key is None:
            continue
        for sign in (1, -1):
            facts = wobbled(facts_of(part), sign * question.margin / 2.01)
            after = asked_of(question, facts)
            assert after.key is not None, (question.id, after.reason)
            if question.kind != "many":  # of many, one more may become clear
                assert after.fits(an_answer(before)), (question.id, before.key, after.key)


def test_no_two_options_read_alike_in_an_export(tmp_path):
    """It has nothing but the text to tell them apart by; Canvas takes none of two that are equal."""
    found, left_out = asked_of_all(BANK, [facts_of("cnn"), facts_of("bert")])
    assert not left_out
    assert export("md", found, tmp_path / "quiz.md") == export("qti", found, tmp_path / "quiz.zip") == []
    for block in (tmp_path / "quiz.md").read_text(encoding="utf-8").split("**")[2::2]:
        options = [line.split(")", 1)[1] for line in block.splitlines() if line.startswith("- (")]
        assert len(set(options)) == len(options), block


def test_an_order_that_the_run_decides_is_not_listed_in_that_order():
    question, facts = BY_NAME["phases-2"], facts_of("bert")
    for student in ("", "b04901001"):
        asked = asked_of(question, facts, student)
        listed = tuple(option.key for option in asked.options)
        assert sorted(listed) == list("abcd") and [option.shown for option in asked.options] == list("abcd")
        assert listed != tuple("abcd") and not asked.fits(listed)


def test_the_numbers_behind_an_order_go_by_the_letters_that_a_student_sees():
    run = facts_of("bert")
    (question,) = (one for one in BANK.questions if one.id == "phases-2")
    peaks = dict(zip(question.options, run.values["phases"]["peaks"], strict=True))
    seen = set()
    for student in ("", "b1", "b2", "b3"):
        asked = asked_of(question, run, student)
        for option in asked.options:
            assert f" {option.shown}: {peaks[option.key]:.4g}" in asked.key.because
        seen.add(asked.key.because)
    assert len(seen) > 1
