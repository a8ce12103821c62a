"""The snippet carries its data and nothing from elsewhere, is small, and no text in it can become HTML."""

import base64
import io
import json
import re
from dataclasses import replace

import pytest
import torch
from PIL import Image

from hw9.language.embeddings import explained_variance, project, roles
from hw9.language.figures.stepper import stepper

QUESTION, CONTEXT = "where is the dog?", "the cat is big. the dog is in paris. john is old."


@pytest.fixture(scope="module")
def reading(tiny):
    return tiny.read(QUESTION, CONTEXT)


@pytest.fixture(scope="module")
def parts(reading):
    start = CONTEXT.find("paris")
    return roles(reading, (start, start + 5), (start - 3, start + 5))


def data_of(snippet) -> dict:
    """The data that the script starts with, as a browser's JSON would read it."""
    return json.loads(re.search(r"const data = (\{.*?\});\n", snippet.data)[1])


def without_scripts(page: str) -> str:
    """What a sanitiser leaves of the page: no script, no style, no tags."""
    return re.sub(r"<[^>]*>", "", re.sub(r"(?s)<(script|style)>.*?</\1>", "", page)).strip()


def test_the_data_are_the_points_roles_and_names(reading, parts):
    points = project(reading)
    data = data_of(stepper(points, reading, parts, variance=explained_variance(reading), start=2, title="Where?"))
    assert data["tokens"] == reading.tokens
    assert data["title"] == "Where?"
    assert data["start"] == 2
    share = float(explained_variance(reading)[1].sum())
    assert data["names"][0].startswith("layer 0 (input), ")
    assert data["names"][1] == f"layer 1, {share:.0%} of the variance"
    by_name = {token: role for token, role in zip(data["tokens"], data["roles"], strict=True)}
    assert by_name["[CLS]"] == by_name["[SEP]"] == "special"
    assert (by_name["where"], by_name["paris"], by_name["john"]) == ("question", "answer", "context")
    assert [t for t, flag in zip(data["tokens"], data["predicted"], strict=True) if flag] == ["in", "paris"]


def test_every_layer_fills_the_frame_with_its_words_and_keeps_their_order(reading, parts):
    points = project(reading)
    words = ~parts.special
    frames = torch.tensor(data_of(stepper(points, reading, parts))["points"]).reshape(4, -1, 2)
    for frame, layer in zip(frames[:, words], points[:, words], strict=True):
        assert (frame.amin(0).tolist(), frame.amax(0).tolist()) == ([0, 0], [1000, 1000])
        for axis, way in ((0, 1), (1, -1)):  # the page's y grows downwards
            order = (way * layer[:, axis]).argsort()
            assert (frame[order, axis].diff() >= 0).all()


def test_numbers_of_chosen_layers_are_their_names(reading, parts):
    names = data_of(stepper(project(reading, layers=[1, 3]), reading, parts, layers=[1, 3]))["names"]
    assert names == ["layer 1", "layer 3"]


def test_no_token_or_title_can_become_html(reading, parts):
    evil = '</script><img src=x onerror=alert(1)><!-- "&\u2028'
    tokens = [evil if token == "dog" else token for token in reading.tokens]
    page = stepper(project(reading), replace(reading, tokens=tokens), parts, title=evil)
    assert data_of(page)["title"] == evil
    assert evil in data_of(page)["tokens"]
    assert page.data.count("</script>") == 1
    assert page.data.count("<img") == 1 and "onerror=alert(1)>" not in page.data.split("<script>")[0]
    assert "<!--" not in page.data
    assert "innerHTML" not in page.data


def test_without_its_script_the_snippet_is_a_picture_of_the_layer_and_a_sentence(reading, parts):
    pages = [stepper(project(reading), reading, parts, title="Where?", start=start).data for start in (0, 2)]
    left = without_scripts(pages[0])
    assert left.startswith("Where?Here the tokens move") and len(left) < 200
    stills = [re.search(r'<img src="data:image/png;base64,(.*?)" alt="[^"]', page)[1] for page in pages]
    pictures = [Image.open(io.BytesIO(base64.b64decode(still))) for still in stills]
    assert all(picture.width > 800 and len(picture.convert("L").getcolors()) > 10 for picture in pictures)
    assert pictures[0].tobytes() != pictures[1].tobytes()


def test_nothing_is_fetched_from_anywhere(reading, parts):
    page = stepper(project(reading), reading, parts).data
    assert set(re.findall(r"https?://[^\"'\s)]*", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert not re.search(r"<link|@import|url\(|fetch\(|import\(|XMLHttpRequest|<iframe|\bsrc=(?!.data:)", page)
    assert "__" not in page, "a placeholder was not filled"


def test_snippets_find_their_own_box_by_content(reading, parts):
    def key(**options):
        page = stepper(project(reading), reading, parts, **options).data
        keys = set(re.findall(r'data-stepper="(\w+)"', page))
        assert len(keys) == 1, "the script looks for the box above it"
        return keys.pop()

    assert key() == key()
    assert key() != key(title="another")
    assert " id=" not in stepper(project(reading), reading, parts).data, "ids would clash on a page with several"


def test_160_tokens_in_13_layers_stay_below_200_kilobytes(tiny):
    context = " ".join(["the cat is big.", *["the dog is in paris."] * 18])
    reading = tiny.read(QUESTION, context)
    reading = replace(reading, hidden_states=torch.randn(13, len(reading.tokens), 32))
    assert len(reading.tokens) >= 115
    page = stepper(project(reading), reading, roles(reading, (4, 7))).data
    assert len(page.encode()) * 160 / len(reading.tokens) < 150_000


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 2)])
def test_points_of_another_reading_are_refused(reading, parts, shape):
    with pytest.raises(ValueError, match=r"points must be \(layers, \d+, 2\) for this reading"):
        stepper(torch.zeros(shape), reading, parts)
