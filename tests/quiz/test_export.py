"""The quiz in the formats of learning platforms, read back: nothing in a text is taken for a mark of the format."""

import html
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from hw9.notebook import ROOT
from hw9.quiz.bank import Text, load_bank
from hw9.quiz.export import asked_of_all, export, written
from hw9.quiz.facts import Facts

HARD = "`a` *b* _c_ [CLS] <b> & $x$ a=b ~c { d } #e :: // 5% \\n -> 王"
SOUP = "1. =Soup"
BANK = """
salt: example
questions:
  - &one
    id: one
    part: cnn
    section: lime
    figure: cnn_06_lime
    kind: one
    english: &hard %s
    chinese: *hard
    options:
      - &a {english: *hard, chinese: 對}
      - &b {english: "%%50%%no", chinese: 錯}
      - &c {english: "# [no]", chinese: 不}
    key: {fixed: [a]}
    hint: &text {english: *hard, chinese: *hard}
    feedback: {b: *text}
    explanation: *text
  - {<<: *one, id: many, kind: many, key: {fixed: [a, c]}}
  - {<<: *one, id: order, kind: order, key: {fixed: [c, a, b]}, feedback: {}}
  - {<<: *one, id: close, kind: picture, options: {each: pictures.names, english: "{n} {label}", chinese: "{n}"},
     key: {lowest: lime.score}, margin: 0.02, feedback: {}}
  - {<<: *one, id: some, kind: many, options: {each: pictures.names, english: "{n} {label}", chinese: "{n}"},
     key: {above: lime.score, than: 0.6}, margin: 0.02, feedback: {}}
  - {<<: *one, id: how-many, kind: number, options: [], key: {value: lime.gap, within: 0.1}, feedback: {}}
  - {<<: *one, id: none, kind: number, options: [], key: {value: lime.nothing, within: 0.1}, feedback: {}}
"""
VALUES = {
    "pictures": {"names": ["Bread", "Egg", "Rice", SOUP]},
    "lime": {"score": [0.8, 0.61, 0.41, 0.4], "gap": 0.1, "nothing": None},
}


@pytest.fixture
def found(tmp_path):
    """The questions that are asked of all; `none` does not apply to this run."""
    quoted = '"' + HARD.replace("\\", "\\\\") + '"'
    (tmp_path / "bank.yaml").write_text(BANK % quoted, encoding="utf-8")
    bank = load_bank(tmp_path / "bank.yaml")
    named = tuple(replace(one, text=Text(f"{HARD} {one.id}?", HARD)) for one in bank.questions)
    asked, left_out = asked_of_all(replace(bank, questions=named), [Facts("cnn", "scenes", "abc", VALUES)])
    assert [one.question.id for one in asked] == ["one", "many", "order", "close", "some", "how-many"]
    assert len(left_out) == 1 and left_out[0].startswith("none: ")
    return asked


def test_answers_in_writing(found):
    assert [written(asked) for asked in found[:5]] == [["a"], ["ac"], ["cab"], ["c", "d"], ["a", "ab"]]


# A reader of GIFT, after what Moodle's importer does: marks that are escaped are put aside, then the text is cut.
def _read_gift(text: str) -> dict[str, dict]:
    questions = {}
    for block in re.split(r"\n\s*\n", text):
        block = "\n".join(line for line in block.splitlines() if not line.strip().startswith("//")).strip()
        if not block or block.startswith("$CATEGORY:"):
            continue
        block = re.sub(r"\\([\\~=#{}:])", lambda mark: chr(0xE000 + ord(mark[1])), block)
        name, _, rest = block.removeprefix("::").partition("::")
        assert rest.count("{") == rest.count("}") == 1 and rest.endswith("}")
        asked, answers = rest[:-1].split("{")
        answers, _, general = answers.rpartition("####")
        cut = re.findall(r"([~=])(%-?[\d.]+%)?([^~=#]*)(?:#([^~=]*))?", answers)
        questions[name] = {
            "text": _plain(asked.removeprefix("[html]")),
            "general": _plain(general),
            "number": [float(end) for end in answers.strip()[1:].split("..")] if answers.startswith("#") else None,
            "answers": [(mark, share.strip("%"), _plain(said), _plain(back)) for mark, share, said, back in cut],
        }
    return questions


def _plain(text: str) -> str:
    text = re.sub("[\ue000-\ue0ff]", lambda held: chr(ord(held[0]) - 0xE000), text)
    return html.unescape(text.replace("<br>", " ")).strip()


def test_gift(found, tmp_path):
    assert export("gift", found, tmp_path / "quiz.gift.txt") == []
    read = _read_gift((tmp_path / "quiz.gift.txt").read_text(encoding="utf-8"))
    assert list(read) == ["one", "many", "order", "close", "some", "how-many"]
    assert all(one["text"].startswith(f"{HARD} {name}? (cnn_06_lime) {HARD}") for name, one in read.items())
    assert all(one["general"] == HARD for one in read.values())
    assert read["one"]["answers"] == [
        ("=", "", f"{HARD} 對", ""),
        ("~", "0", "%50%no 錯", HARD),
        ("~", "0", "# [no] 不", ""),
    ]
    assert [share for _, share, *_ in read["many"]["answers"]] == ["50", "-100", "50"]
    assert [(mark, said) for mark, _, said, _ in read["order"]["answers"]] == [("=", "cab")]
    assert "(a)" in read["order"]["text"] and "without spaces" in read["order"]["text"]
    assert [mark for mark, *_ in read["close"]["answers"]] == ["~", "~", "=", "="]
    assert read["close"]["answers"][3][2] == f"3 {SOUP} 3"
    assert [share for _, share, *_ in read["some"]["answers"]] == ["100", "0", "-100", "-100"]
    assert read["how-many"]["number"] == [0, 0.2]


def test_qti(found, tmp_path):
    assert export("qti", found, tmp_path / "quiz.zip") == []
    with zipfile.ZipFile(tmp_path / "quiz.zip") as archive:
        (name,) = (one for one in archive.namelist() if re.fullmatch(r"(\w+)/\1\.xml", one))
        tree = ElementTree.fromstring(archive.read(name))
    spaces = {"q": tree.tag[1:].split("}")[0]}
    read = {item.get("title"): item for item in tree.iterfind(".//q:item", spaces)}
    assert list(read) == ["one", "many", "order", "close", "some", "how-many"]

    def kind(name):
        return read[name].find(".//q:fieldentry", spaces).text

    def words(element):
        return html.unescape(
            re.sub("</?p>", "", element.find(".//q:mattext", spaces).text).replace("<br>", " ")
        ).strip()

    kinds = ["multiple_choice", "multiple_answers", "short_answer", "short_answer", "short_answer", "numerical"]
    assert [kind(name) for name in read] == [f"{one}_question" for one in kinds]
    assert all(words(item.find("q:presentation", spaces)).startswith(HARD) for item in read.values())
    labels = {one.get("ident"): words(one) for one in read["one"].iterfind(".//q:response_label", spaces)}
    assert list(labels.values()) == [f"{HARD} 對", "%50%no 錯", "# [no] 不"]

    def right(name):
        best = [
            one for one in read[name].iterfind(".//q:respcondition", spaces) if one.find("q:setvar", spaces) is not None
        ]
        return [one.text for one in best[0].iterfind(".//q:varequal", spaces)]

    assert [labels[one] for one in right("one")] == [f"{HARD} 對"]
    assert right("order") == ["cab"] and right("close") == ["c", "d"] and right("some") == ["a", "ab"]
    limits = [read["how-many"].find(f".//q:{one}", spaces).text for one in ("vargte", "varlte")]
    assert [float(limit) for limit in limits] == [-0.0001, 0.2]  # Canvas takes no 0


def test_markdown_has_questions_and_no_key(found, tmp_path):
    assert export("md", found, tmp_path / "quiz.md") == []
    text = (tmp_path / "quiz.md").read_text(encoding="utf-8")
    tokens = MarkdownIt().parse(text)
    inline = ["".join(part.content for part in token.children) for token in tokens if token.type == "inline"]
    assert inline[1] == f"1. {HARD} one? (cnn_06_lime) {HARD}"
    assert inline[2:5] == [f"(a) {HARD} 對", "(b) %50%no 錯", "(c) # [no] 不"]
    assert not any(
        part.type in ("code_inline", "html_inline", "link_open", "em_open") for t in tokens for part in t.children or ()
    )


def test_without_text2qti_it_is_named(found, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "text2qti.config", None)
    with pytest.raises(ImportError, match="pip install text2qti"):
        export("qti", found, tmp_path / "quiz.zip")


def test_nothing_to_ask_is_an_error_in_one_line(tmp_path):
    for kind in ("gift", "qti", "md"):
        with pytest.raises(ValueError, match="no question has a key on this run"):
            export(kind, [], tmp_path / "quiz.out")


def test_what_cannot_be_put_into_a_format_is_named(tmp_path):
    path = Path(tmp_path / "bank.yaml")
    path.write_text(
        (BANK % '"x"').split("  - {<<")[0]
        + "  - {<<: *one, id: long, kind: order, options: {each: pictures.names, english: '{n}', chinese: '{n}'},"
        + " key: {order: lime.score}, feedback: {}}\n"
    )
    facts = Facts("cnn", "scenes", "abc", {"pictures": {"names": list("abcdefgh")}, "lime": {"score": list(range(8))}})
    asked, left_out = asked_of_all(load_bank(path), [facts])
    assert not left_out
    for kind in ("gift", "qti"):
        (line,) = export(kind, asked, tmp_path / "quiz.out")
        assert line.startswith("long: an order of 8 options")


def test_the_example_in_the_teachers_page_is_a_question(tmp_path):
    text = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "bank.yaml").write_text(f"questions:\n{example}", encoding="utf-8")
    asked, left_out = asked_of_all(load_bank(tmp_path / "bank.yaml"), [Facts("cnn", "scenes", "abc", VALUES)])
    assert [written(one) for one in asked] == [["c", "d"]] and not left_out
