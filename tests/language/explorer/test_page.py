import json
import re
from dataclasses import replace

import pytest

from hw9.language.explorer import explorer
from hw9.language.explorer.page import FOLDER, bundle, in_script

HOSTILE = 'the </script><script>alert(1)</script> & "dog" <img src=x onerror=alert(2)> {{script}} <!--'


@pytest.mark.parametrize("entry", ["saved.js", "widget.js"])
def test_every_module_is_in_the_bundle_once_and_no_name_twice(entry):
    script = bundle(entry)
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    names = re.findall(r"^(?:const|let|function|async function) (\w+)", script, re.MULTILINE)
    assert len(names) == len(set(names)) > 30


def test_the_page_names_no_address_but_those_of_name_spaces(tiny):
    html = explorer(tiny, "the dog").html
    assert set(re.findall(r"https?://[\w./-]*", html)) == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in html and "connect-src" not in html
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|innerHTML|eval)\b", bundle("saved.js"))


def test_hostile_text_ends_no_element(tiny):
    reading = tiny.read(HOSTILE)
    html = explorer(tiny, replace(reading, tokens=["</script>", *reading.tokens[1:]])).html
    assert html.count("<script") == html.count("</script>") == 3
    assert "<img" not in html and html.count("<!--") == 0
    meta = json.loads(re.search(r'id="hw9-meta">(.*?)</script>', html)[1])
    assert meta["text"] == HOSTILE and meta["tokens"][0] == "</script>"


def test_json_in_a_script_keeps_its_meaning():
    content = {"a": "</script> \u2028 <!-- é 蘋果 😀"}
    assert "<" not in in_script(content) and json.loads(in_script(content)) == content


def test_all_that_a_person_reads_is_there_in_both_languages():
    text = (FOLDER / "strings.js").read_text(encoding="utf-8")
    english, chinese = (re.findall(r"^    (\w+): ", part, re.MULTILINE) for part in text.split("  zh: {"))
    assert english == chinese and len(english) > 50
