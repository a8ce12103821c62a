"""What a teacher gets: tables that a spreadsheet opens without computing anything, pages that obey nobody."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hw9.__main__ import main
from hw9.quiz import facts as facts_of_run
from hw9.quiz.feedback import page
from hw9.quiz.grading import grade
from hw9.quiz.reports import file_names, item_table, twin_table, write
from tests.quiz.handins import BANK, FACTS, RIGHT, hand_in, put, table, variant

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    """The tags of a page, with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.words = set(), set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.words += data


def test_nothing_that_a_student_wrote_becomes_html(tmp_path):
    put(tmp_path, "good.json", hand_in("b01", "Ada", answers=RIGHT | {"lime-3": variant("b01")}))
    evil = hand_in(EVIL[:40], EVIL, answers={"lime-1": EVIL, "lime-2": ["3"], "lime-3": EVIL, EVIL: [EVIL]})
    evil |= {
        "student": EVIL,
        "salt": EVIL,
        "nonce": EVIL,
        "time": EVIL,
        "versions": {EVIL: EVIL},
        "hashes": {"a": EVIL},
    }
    evil["facts"]["values"]["pictures"]["names"] = [EVIL] * 4
    evil["facts"]["values"]["lime"]["clear"] = [EVIL]
    put(tmp_path, f"{EVIL.replace('/', '_')}.json", evil)
    grades = grade(tmp_path, BANK)
    good, bad = sorted((Tags(page(student)) for student in grades.students), key=lambda tags: "alert" in tags.words)
    assert bad.tags <= good.tags | {"code"} and bad.attributes == good.attributes
    assert "script" not in bad.tags and "img" not in bad.tags
    assert EVIL in bad.words  # said, not swallowed
    write(grades, tmp_path / "out" / "grades.csv")
    assert len(list((tmp_path / "out" / "feedback").iterdir())) == 2


def test_a_page_stands_alone_and_has_both_languages(tmp_path):
    put(tmp_path, "a.json", hand_in(answers={"lime-1": ["c"], "lime-2": ["2"]}))
    text = page(grade(tmp_path, BANK).students[0])
    assert not re.search(r"(src=|href|url|@import|<script|https?:)", text)
    assert "default-src 'none'" in text
    words = Tags(text).words
    for said in (
        "Which picture has the lowest R²?",
        "哪一張圖的 R² 最低？",
        "LIME does not know what food is.",  # feedback to the wrong option
        "Showing it raises the probability of the class.",  # explanation
        "not answered 未作答 0 / 1",
        "1 of 3 points",
        "lime.score 0: 0.8, 1: 0.6, 2: 0.41, 3: 0.4",  # the numbers behind the key
        "✗ your answer",
        "✓ your answer",
        "also accepted",
    ):
        assert said in words, said


def test_a_browser_runs_and_fetches_nothing(tmp_path, browser):
    evil = hand_in("b01", EVIL, answers={"lime-1": EVIL})
    evil["facts"]["values"]["pictures"]["names"] = [EVIL] * 4
    put(tmp_path, "a.json", evil)
    write(grade(tmp_path, BANK), tmp_path / "out" / "grades.csv")
    heard, opened = [], browser.new_page()
    for event in ("dialog", "console", "pageerror"):
        opened.on(event, lambda said: heard.append(str(said)))
    opened.on("request", lambda request: heard.append(request.url))
    address = (tmp_path / "out" / "feedback" / "b01.html").as_uri()
    opened.goto(address)
    assert heard == [address]
    assert EVIL in opened.inner_text("body") and opened.locator("article").count() == 3
    assert opened.evaluate("document.body.scrollWidth <= document.documentElement.clientWidth")
    opened.close()


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", ' =HYPERLINK("x")', '"=1"'])
def test_tables_compute_nothing(tmp_path, name):
    content = hand_in(name, name)
    put(tmp_path, "a.json", content)
    put(tmp_path, "=cmd.json", b"{")
    write(grade(tmp_path, BANK), tmp_path / "out" / "grades.csv")
    cells = [cell for path in (tmp_path / "out").glob("*.csv") for row in table(path) for cell in row.values()]
    assert not [cell for cell in cells if re.match(r"\s*[=+@＝＋＠]", cell) or re.match(r"\s*[-－](?!$|[\d.]+$)", cell)]
    assert any(cell.lstrip("'").strip() == " ".join(name.split()) for cell in cells)


@pytest.mark.parametrize("name", ["Bob;=1+1;", 'Bob; "=1+1";', "Bob|@SUM(A1)"])
def test_tables_compute_nothing_where_they_are_cut_at_another_mark(tmp_path, name):
    put(tmp_path, "a.json", hand_in("b01", name))
    write(grade(tmp_path, BANK), tmp_path / "out" / "grades.csv")
    text = (tmp_path / "out" / "grades.csv").read_text(encoding="utf-8-sig")
    assert not [cell for cell in re.split(r"[;|]", text) if re.match(r'["\s]*[=+@-]', cell)]
    assert '"b01","Bob' in text  # a text is quoted: one that holds the mark is not cut where quotes are heeded


@pytest.mark.parametrize("name", ["items.csv", "Twins.csv", "problems.csv", "feedback"])
def test_grades_are_not_written_over(tmp_path, name):
    put(tmp_path, "a.json", hand_in())
    with pytest.raises(ValueError, match=r"give them another name, such as grades\.csv"):
        write(grade(tmp_path, BANK), tmp_path / "out" / name)
    assert not (tmp_path / "out").exists()


def test_table_of_grades(tmp_path):
    bert = facts_of_run.Facts("bert", "sentences", "0" * 16, {})
    put(tmp_path, "a.json", hand_in("b01", "Ada", answers=RIGHT | {"lime-3": variant("b01")}))
    put(tmp_path, "b.json", hand_in("b02", "王小明", answers={"lime-1": ["b"], "lime-2": ["3"]}))
    put(tmp_path, "c.json", hand_in("b03", "Cy", facts=bert, part="bert"))
    put(tmp_path, "d.json", b"{")
    write(grade(tmp_path, BANK), tmp_path / "out" / "grades.csv")
    ada, ming, cy = table(tmp_path / "out" / "grades.csv")
    assert (ada["points"], ada["of"], ada["percent"], ada["cnn points"], ada["bert points"]) == (
        "3",
        "3",
        "100.0",
        "3",
        "",
    )
    assert [ming[name] for name in ("name", "points", "lime-1", "lime-2", "lime-3")] == ["王小明", "1", "0", "1", ""]
    assert (cy["points"], cy["of"], cy["percent"], cy["cnn of"]) == ("0", "3", "0.0", "")
    assert "cnn: not handed in" in cy["notes"] and "bert: not handed in" in ada["notes"]
    for row in (ada, cy):  # the page says the same
        (said,) = (path.read_text() for path in (tmp_path / "out" / "feedback").glob(f"{row['number']}*.html"))
        assert f"<strong>{row['points']} of {row['of']} points</strong>" in said and "not handed in" in said
    assert table(tmp_path / "out" / "problems.csv") == [{"file": "d.json", "what is wrong": "no JSON (line 1: "
        "Expecting property name enclosed in double quotes): not read"}]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out" / "feedback").iterdir()) == [
        "b01.html",
        "b02.html",
        "b03.html",
    ]


def test_pages_of_an_earlier_grading_do_not_stay(tmp_path):
    put(tmp_path, "in/a.json", hand_in("b01", "Ada"))
    put(tmp_path, "in/e.json", hand_in("b01", "Eve"))  # her number is mistyped
    write(grade(tmp_path / "in", BANK), tmp_path / "grades.csv")
    pages = tmp_path / "feedback"
    (pages / "mine.html").write_text("<p>a teacher's own</p>", encoding="utf-8")
    assert {path.name for path in pages.iterdir()} == {"b01.html", "b01_2.html", "mine.html"}
    put(tmp_path, "in/e.json", hand_in("b02", "Eve"))
    write(grade(tmp_path / "in", BANK), tmp_path / "grades.csv")
    assert {path.name for path in pages.iterdir()} == {"b01.html", "b02.html", "mine.html"}


def test_a_table_that_is_open_elsewhere_is_named_and_stays_whole(tmp_path, monkeypatch):
    put(tmp_path, "in/a.json", hand_in("b01", "Ada"))
    grades = grade(tmp_path / "in", BANK)
    write(grades, tmp_path / "grades.csv")
    before = (tmp_path / "items.csv").read_bytes()

    def refuse(source, target):  # as Windows does while Excel shows it
        if target.name == "items.csv":
            raise PermissionError(13, "Access is denied")
        os.rename(source, target)

    monkeypatch.setattr("hw9.files.os.replace", refuse)
    with pytest.raises(ValueError, match=r"items\.csv cannot be written: if a spreadsheet shows it, close it there"):
        write(grades, tmp_path / "grades.csv")
    assert (tmp_path / "items.csv").read_bytes() == before and not list(tmp_path.glob("*.part"))


def test_what_is_given_and_no_answer_has_no_points_and_an_empty_one_no_number(tmp_path):
    put(tmp_path, "a.json", hand_in("b01", "Ada", answers={"lime-1": "?", "lime-2": []}))
    write(grade(tmp_path, BANK), tmp_path / "out" / "grades.csv")
    (ada,) = table(tmp_path / "out" / "grades.csv")
    assert (ada["lime-1"], ada["lime-2"]) == ("0", "")


def test_items(tmp_path):
    """Six students: who is right on lime-1 is right on lime-2 as well; lime-2 is misread twice in the same way."""
    for at in range(6):
        answers = {"lime-1": ["a"], "lime-2": ["3"], "lime-3": 9.0}
        if at >= 4:
            answers = {"lime-1": ["c"], "lime-2": ["1"]}
        put(tmp_path, f"{at}.json", hand_in(f"b{at}", f"S{at}", answers=answers))
    one, two, three = item_table(grade(tmp_path, BANK))
    assert (one["counts for"], one["answered"], one["right"], one["share right"]) == (6, 6, 4, 0.67)
    assert one["discrimination"] == two["discrimination"] == 1.0
    assert (one["commonest wrong answer"], one["times"], one["which says"]) == ("c", 2, "It is food.")
    assert (two["commonest wrong answer"], two["times"], two["which says"]) == ("1", 2, "")
    assert (three["answered"], three["right"], three["discrimination"]) == (4, 0, "")
    assert three["commonest wrong answer"] == "9"


def test_discrimination_leaves_the_question_itself_out(tmp_path):
    """Two questions, 3 students right on both, one on each alone, one on none: phi = (3 - 1) / 8."""
    for at, (first, second) in enumerate([("a", "3"), ("a", "3"), ("a", "3"), ("a", "0"), ("b", "3"), ("b", "0")]):
        put(tmp_path, f"{at}.json", hand_in(f"b{at}", f"S{at}", answers={"lime-1": [first], "lime-2": [second]}))
    assert [row["discrimination"] for row in item_table(grade(tmp_path, BANK))] == [0.25, 0.25, ""]


def test_twins(tmp_path):
    copied = {"lime-1": ["b"], "lime-2": ["3"]}
    put(tmp_path, "a.json", hand_in("b01", "Ada", answers=copied))
    # The same wrong answer on the same facts, whatever digest the file claims.
    put(tmp_path, "b.json", hand_in("b02", "Bob", answers=copied, digest="0" * 64))
    put(tmp_path, "c.json", hand_in("b03", "Cy", answers=RIGHT))
    put(tmp_path, "d.json", hand_in("b04", "Di", answers=RIGHT))  # alike, as all right answers are
    put(tmp_path, "e.json", hand_in("b05", "Eve", answers=RIGHT, nonce="nonce of b03"))  # a copy of the file
    put(tmp_path, "f.json", hand_in("b03", "Cy", answers={}, time="2020-01-01T00:00:00Z"))  # an earlier one of the same
    rows = twin_table(grade(tmp_path, BANK))
    assert [(row["what is the same"], row["wrong answers in common"], row["students"]) for row in rows] == [
        ("facts and answers", 1, "b01 Ada; b02 Bob"),
        ("nonce", 0, "b03 Cy; b05 Eve"),
    ]


def test_names_of_files(tmp_path):
    for at, number in enumerate(["../../etc/passwd", "CON", "b01", "B01", "", "王", "x" * 300, "a/b", "a:b"]):
        put(tmp_path, f"{at}.json", hand_in(number, f"N{at}"))
    names = file_names(grade(tmp_path, BANK).students)
    assert len({name.casefold() for name in names}) == 9
    assert all(re.fullmatch(r"[\w-]{1,64}", name) for name in names)
    assert {"etc_passwd", "CON_2", "B01", "b01_2", "N4", "王"} <= set(names)


def test_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HW9_BANK", str(Path(__file__).with_name("small_bank.yaml")))
    monkeypatch.setenv("HW9_RUNS", str(tmp_path / "runs"))
    put(tmp_path, "in/a.json", hand_in("b01", "Ada\x1b[31m", answers={}))
    put(tmp_path, "in/b.json", b"[]")
    assert main(["grade", str(tmp_path / "in"), "--out", f"{tmp_path / 'out'}/"]) == 0  # a folder that is to be made
    assert (tmp_path / "out" / "grades.csv").is_file() and (tmp_path / "out" / "feedback" / "b01.html").is_file()
    said = capsys.readouterr().out
    assert "b.json: JSON, but no hand-in (a list): not read\nb01 Ada[31m: cnn: 3 of 3 questions unanswered\n" in said
    assert "1 students graded, 1 files not" in said and "\x1b" not in said
    put(tmp_path, "bad/b.json", b"[]")
    for folder, error in (("bad", "no hand-in that can be graded"), ("none", "no such folder")):
        assert main(["grade", str(tmp_path / folder)]) == 1
        assert re.fullmatch(f"error: .*{error}.*\n", capsys.readouterr().err)
    assert main(["key"]) == 1
    assert re.fullmatch("error: .*holds no facts: run a notebook first.*\n", capsys.readouterr().err)
    facts_of_run.save(FACTS, tmp_path / "runs" / "facts")
    assert main(["key", "--student", "b01"]) == 0
    said = capsys.readouterr().out
    assert "- *Right:* 2) picture 2: Rice (accepted); 3) picture 3: &lt;b>Soup&lt;/b> (accepted)\n" in said
    assert "- *Behind it:* lime.score 0: 0.8, 1: 0.6, 2: 0.41, 3: 0.4" in said
    assert main(["key", "--student", "b01", "--out", str(tmp_path / "key.md")]) == 0
    assert (tmp_path / "key.md").read_text(encoding="utf-8") == said and capsys.readouterr().out.endswith("key.md\n")
    for kind in ("gift", "md"):
        assert main(["quiz", "--to", kind, "--out", str(tmp_path / kind)]) == 0
        assert "lowest R²" in (tmp_path / kind).read_text(encoding="utf-8")
    assert main(["quiz", "--to", "md", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "hw9-quiz.md").is_file()


def test_a_terminal_without_chinese(tmp_path):
    put(tmp_path, "in/王.json", b"[]")
    done = subprocess.run(
        [sys.executable, "-m", "hw9", "grade", str(tmp_path / "in")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "HW9_BANK": str(Path(__file__).with_name("small_bank.yaml"))},
    )
    assert done.stdout.startswith("?.json: JSON, but no hand-in") and done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_grading_needs_no_torch():
    code = (
        "import sys, hw9.quiz.reports, hw9.quiz.keypage, hw9.quiz.export; print({'torch', 'numpy'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
