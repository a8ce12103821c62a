"""Hand-ins graded: every mark follows from the hand-in's own facts, every flaw is a note, no flaw stops the others."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest

from hw9.quiz import grading
from hw9.quiz.facts import Facts
from hw9.quiz.grading import grade
from hw9.quiz.incoming import collect
from hw9.quiz.received import receive
from hw9.quiz.reports import write
from hw9.quiz.session import Session
from tests.quiz.handins import BANK, FACTS, RIGHT, hand_in, put, variant


def one(folder: Path, content: dict) -> grading.Student:
    """The only student of one hand-in."""
    put(folder, "quiz.json", content)
    grades = grade(folder, BANK)
    assert not grades.problems
    return grades.students[0]


def test_points(tmp_path):
    student = one(tmp_path, hand_in(answers=RIGHT | {"lime-3": variant("b01")}))
    graded = student.parts["cnn"]
    assert (graded.points, graded.of, student.notes) == (3, 3, [])
    assert [mark.right for mark in graded.marks] == [True] * 3


def test_what_the_notebook_writes_is_graded_without_a_note(tmp_path):
    session = Session(FACTS, BANK, student="b01", folder=tmp_path)
    (right,) = (option.shown for option in session.ask("lime-1").options if option.key == "a")  # shuffled
    for question, given in (("lime-1", right), ("lime-2", 3), ("lime-3", variant("b01"))):
        session.answer(session.ask(question), given)
    path, _ = session.hand_in("Ada Lovelace", "b01")
    (student,) = grade(path, BANK).students
    assert (student.parts["cnn"].points, student.parts["cnn"].of, student.notes) == (3, 3, [])
    (others,) = grade(tmp_path, BANK).problems  # the answers that the notebook keeps are no hand-in
    assert others[0] == "answers-cnn-b01.json" and "the .json file that quiz.hand_in wrote is wanted" in others[1]


def test_answers_to_what_reads_otherwise_now_are_told(tmp_path):
    session = Session(copy.deepcopy(FACTS), BANK, student="b01", folder=tmp_path)
    for question, given in (("lime-1", "a"), ("lime-2", 3)):
        session.answer(session.ask(question), given)
    session.record("lime", FACTS.values["lime"] | {"score": [0.1, 0.6, 0.41, 0.4]})  # the run changes
    path, _ = session.hand_in("Ada", "b01")
    note = "cnn: answered on another run, or as the bank was then, and not looked at again: lime-2"
    assert grade(path, BANK).students[0].notes[-1] == note
    session.check(session.ask("lime-2"))
    path, _ = session.hand_in("Ada", "b01")
    assert not [said for said in grade(path, BANK).students[0].notes if "looked at again" in said]
    texts = {q.id: replace(q.text, english=q.text.english + "!") for q in BANK.questions}
    other = replace(BANK, questions=tuple(replace(q, text=texts[q.id]) for q in BANK.questions))
    assert grade(path, other).students[0].notes[-1].endswith(": lime-1, lime-2")


def test_who_hands_in_under_many_names_does_not_fill_the_notes_of_all(tmp_path):
    for at in range(40):
        put(tmp_path, f"{at}.json", hand_in(name=f"name {at:02}"))
    for student in grade(tmp_path, BANK).students:
        (said,) = [note for note in student.notes if "stands in" in note]
        assert said.endswith(" and 29 more as well") and said.count("name ") == 10


@pytest.mark.parametrize(
    ("answers", "points"),
    [
        ({"lime-2": ["2"]}, 1),  # within the margin of the lowest
        ({"lime-2": ["1"]}, 0),
        ({"lime-2": ["2", "3"]}, 0),  # one is asked for
        ({"lime-1": ["a"], "lime-2": ["3"]}, 2),
        ({"lime-1": ["b"], "lime-2": ["3"]}, 1),
        ({}, 0),
    ],
)
def test_answers_are_marked_by_the_own_facts(tmp_path, answers, points):
    assert one(tmp_path, hand_in(answers=answers)).parts["cnn"].points == points


def test_the_key_is_that_of_the_own_run(tmp_path):
    turned = copy.deepcopy(FACTS)
    turned.values["lime"]["score"].reverse()
    assert one(tmp_path, hand_in(answers={"lime-2": ["0"]}, facts=turned)).parts["cnn"].points == 1


def test_a_question_that_does_not_apply_counts_for_nobody(tmp_path):
    flat = copy.deepcopy(FACTS)
    flat.values["lime"]["score"] = [0.5] * 4
    content = hand_in(answers={"lime-1": ["a"], "lime-2": ["3"]}, facts=flat)
    student = one(tmp_path, content)
    assert (student.parts["cnn"].points, student.parts["cnn"].of) == (1, 2)
    assert not any("applying" in note for note in student.notes)  # as on most runs: there is no other
    for number in ("b02", "b03"):
        put(tmp_path, f"{number}.json", hand_in(number))
    notes = [[note for note in student.notes if "applying" in note] for student in grade(tmp_path, BANK).students]
    assert notes == [["cnn: not applying to this run, unlike most: lime-2"], [], []]


def test_facts_taken_out_earn_nothing(tmp_path):
    bare = Facts("cnn", FACTS.data, FACTS.weights, {})
    student = one(tmp_path, hand_in(facts=bare))
    assert (student.parts["cnn"].points, student.parts["cnn"].of) == (1, 3)
    assert any("2 of 3 questions without facts" in note for note in student.notes)


def test_edited_facts_are_graded_and_flagged(tmp_path):
    content = hand_in()
    content["facts"]["values"]["lime"]["score"][0] = 0.1
    content["answers"] = {"lime-2": ["0"]}
    student = one(tmp_path, content)
    assert student.parts["cnn"].points == 1
    assert any("the file was edited" in note for note in student.notes)


def test_notes(tmp_path):
    content = hand_in(salt="other", student="b99", hashes={"package": "f" * 64}, format=7, time="yesterday", nonce=[])
    content["answers"] |= {"lime-2": "three", "lime-99": ["a"]}
    put(tmp_path, "a.json", content)
    put(tmp_path, "b.json", hand_in("b02"))
    put(tmp_path, "c.json", hand_in("b03"))
    notes = grade(tmp_path, BANK).students[0].notes
    for said in (
        "written by another version (format 7)",
        "no time in it",
        "no nonce in it",
        "made with another version of the lesson",
        "1 of 3 questions unanswered",
        "1 of 3 questions answered with what is no answer",
        "1 answers to questions that are not in this bank",
        "another bank",
        "answers the variant of 'b99'",
    ):
        assert sum(said in note for note in notes) == 1, said
    assert len(notes) == 9 and all(note.startswith("cnn: ") for note in notes)


WRONG = [None, True, 10**400, -1, 0.5, "", "x" * 10_000, "\ud800\0\u202e<script>", [], [[]], {}, {"a": [1]}, [None, {}]]


@pytest.mark.parametrize("field", sorted(hand_in()))
def test_a_wrong_type_in_any_field_stops_nothing(tmp_path, field):
    """Only part and answers are needed; with anything else spoilt the concept question is still right."""
    for at, value in enumerate(WRONG):
        put(tmp_path, f"{at:02}.json", hand_in(f"b{at:02}", f"S{at:02}") | {field: value})
    put(tmp_path, "good.json", hand_in("b99", "Good"))
    grades = grade(tmp_path, BANK)
    write(grades, tmp_path / "out" / "grades.csv")
    spoilt = {"part": len(WRONG), "answers": sum(not isinstance(value, dict) for value in WRONG)}.get(field, 0)
    assert (len(grades.students), len(grades.problems)) == (1 + len(WRONG) - spoilt, spoilt)
    assert all("\n" not in line and len(line) < 300 for _, line in grades.problems)
    if field not in ("part", "answers"):
        assert all(student.parts["cnn"].marks[0].right for student in grades.students)


@pytest.mark.parametrize("where", ["pictures.names", "lime.score", "lime.clear", "lime", "values", "answer"])
def test_a_wrong_type_in_facts_and_answers_stops_nothing(tmp_path, where):
    for at, value in enumerate(WRONG):
        content = hand_in(f"b{at:02}", f"S{at:02}", answers=RIGHT | {"lime-3": 0.4})
        if where == "answer":
            content["answers"] = {name: value for name in content["answers"]}
        elif where == "values":
            content["facts"]["values"] = value
        elif where == "lime":
            content["facts"]["values"]["lime"] = value
        else:
            fact, name = where.split(".")
            content["facts"]["values"][fact][name] = value
        put(tmp_path, f"{at:02}.json", content)
    grades = grade(tmp_path, BANK)
    write(grades, tmp_path / "out" / "grades.csv")
    assert len(grades.students) == len(WRONG) and not grades.problems
    assert where == "answer" or all(student.parts["cnn"].marks[0].right for student in grades.students)


def test_whose_variant_is_said_where_it_is_not_the_own(tmp_path):
    put(tmp_path, "a.json", hand_in("b01", "Ada", student="B01"))
    put(tmp_path, "b.json", hand_in("b02", "Bob", student=""))
    notes = [[note for note in student.notes if "variant" in note] for student in grade(tmp_path, BANK).students]
    assert notes == [[], ["cnn: answers the variant of nobody"]]


@pytest.mark.parametrize(("salt", "student"), [("x" * 150, "b01"), ("exam  2026", "b01"), ("s", "b01\u200b")])
def test_variants_are_those_that_were_asked(tmp_path, salt, student):
    """What chose them is taken as it stands: the notebook does so too."""
    session = Session(FACTS, replace(BANK, salt=salt), student=student, folder=tmp_path)
    path, written = session.hand_in("Ada", "b01")
    asked = [mark.asked for mark in grade(path, session.bank).students[0].parts["cnn"].marks]
    assert asked == session.section("")
    received = receive(collect(path).found[0]).handin
    assert (received.salt, received.student) == (written.salt, written.student) == (salt, student)


def test_of_several_the_newest_counts_and_that_is_said(tmp_path):
    put(tmp_path, "z/quiz.json", hand_in(answers={}, time="2026-11-26T10:00:00+08:00"))
    put(tmp_path, "a/quiz.json", hand_in(name=" ada ", answers=RIGHT, time="2026-11-26T09:00:00Z"))  # later, in UTC
    put(tmp_path, "m/quiz.json", hand_in(answers={}, time=None))
    (student,) = grade(tmp_path, BANK).students
    assert student.parts["cnn"].points == 2
    assert "cnn: a/quiz.json counts, the newest; not m/quiz.json, z/quiz.json" in student.notes


def test_nobody_takes_anothers_place_by_writing_that_number(tmp_path):
    put(tmp_path, "a.json", hand_in("b01", "Ada"))
    put(tmp_path, "b.json", hand_in("B 01", "Eve", answers={}, time="2030-01-01T00:00:00Z"))
    ada, eve = sorted(grade(tmp_path, BANK).students, key=lambda student: student.name)
    assert (ada.parts["cnn"].points, eve.parts["cnn"].points) == (2, 0)
    assert any("hand-ins of Eve as well" in note for note in ada.notes)
    assert any("hand-ins of Ada as well" in note for note in eve.notes)


def test_nobody_is_given_anothers_part(tmp_path):
    bert = Facts("bert", "sentences", "0" * 16, {})
    put(tmp_path, "a.json", hand_in("b01", "Ada"))
    put(tmp_path, "b.json", hand_in("b01", "Eve", facts=bert, part="bert", time="2026-11-27T00:00:00Z"))
    ada, eve = grade(tmp_path, BANK).students
    assert (ada.name, list(ada.parts), eve.name, list(eve.parts)) == ("Ada", ["cnn"], "Eve", ["bert"])
    assert any("hand-ins of Eve as well" in note for note in ada.notes)


def test_parts_of_one_number_come_together_even_under_two_spellings(tmp_path):
    bert = Facts("bert", "sentences", "0" * 16, {})
    put(tmp_path, "a.json", hand_in("b01", "Ada"))
    put(tmp_path, "b.json", hand_in("b01", "Ada Lovelace", facts=bert, part="bert", time="2026-11-27T00:00:00Z"))
    (student,) = grade(tmp_path, BANK).students
    assert (student.name, sorted(student.parts)) == ("Ada Lovelace", ["bert", "cnn"])
    assert "also named Ada" in student.notes


def test_without_name_or_number(tmp_path):
    put(tmp_path, "Grace Hopper_12_assignsubmission_file/quiz.json", hand_in("", ""))
    put(tmp_path, "b/quiz.json", hand_in(None, None))
    put(tmp_path, "c/quiz.json", hand_in("", "Bob"))
    students = grade(tmp_path, BANK).students
    assert [student.name for student in students] == ["Bob", "Grace Hopper", "b/quiz.json"]
    assert [any("name nor number" in note for note in student.notes) for student in students] == [False, True, True]


def test_twenty_broken_among_eighty(tmp_path):
    broken = [b"", b"\xff\xfe\x00", b"[" * 50_000, b"{", b'{"cells": [], "nbformat": 4}', b"PK\3\4", b"null", b"{}"]
    for at in range(80):
        put(tmp_path, f"Student_{at}_assignsubmission_file/quiz.json", hand_in(f"b{at:02}"))
    for at in range(20):
        put(tmp_path, f"Broken_{at}_assignsubmission_file/quiz.json", broken[at % len(broken)])
    grades = grade(tmp_path, BANK)
    assert len(grades.students) == 80 and len(grades.problems) == 20
    assert len({where for where, _ in grades.problems}) == 20
    assert not any(student.notes != ["cnn: 1 of 3 questions unanswered"] for student in grades.students)


def test_work_grows_with_the_hand_ins_only(tmp_path, monkeypatch):
    """300 hand-ins: each file read once, each question asked once."""
    for at in range(300):
        put(tmp_path, f"{at}.json", hand_in(f"b{at}"))
    calls = {"asked": 0, "opened": 0}
    real_ask, real_open = grading.ask, Path.open

    def counted_ask(*arguments, **options):
        calls["asked"] += 1
        return real_ask(*arguments, **options)

    def counted_open(self, *arguments, **options):
        calls["opened"] += self.suffix == ".json"
        return real_open(self, *arguments, **options)

    monkeypatch.setattr(grading, "ask", counted_ask)
    monkeypatch.setattr(Path, "open", counted_open)
    assert len(grade(tmp_path, BANK).students) == 300
    assert calls == {"asked": 900, "opened": 300}
