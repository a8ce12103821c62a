"""The saved page in headless Chromium, and the widget's script: what it shows against what Python holds."""

import io
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from hw9.language.attention import head_patterns, predict_masked
from hw9.language.explorer import explorer, search
from hw9.language.explorer.page import bundle, style
from hw9.language.explorer.view import View, encode, links
from hw9.language.explorer.widget import answer

TEXT = "the dog ate the sweet red apple because it was new, and the cat sat."
HOSTILE = "the </script><script>document.title='no'</script> & \"dog\" <img src=x onerror=alert(2)> {{script}} <!--"


@pytest.fixture(scope="module")
def reading(tiny):
    return tiny.read(TEXT)


def ask(page, expression: str):
    """Something of the page's own record of what it shows."""
    return page.evaluate(f"document.querySelector('.hw9-explorer').explorer.{expression}")


def until(page, condition) -> None:
    """Wait for something of the record; Playwright's own wait evaluates strings, which the page's policy forbids."""
    for _ in range(400):
        if condition():
            return
        page.wait_for_timeout(20)
    raise AssertionError("the page did not get there in 8 seconds")


def drawn(page, size: int) -> np.ndarray:
    """The weights of the curves on screen, (T, T), 0 where there is none."""
    table = np.zeros((size, size))
    for curve in ask(page, "drawn().curves"):
        table[curve["from"], curve["to"]] = curve["weight"]
    return table


def expected(reading, **settings) -> np.ndarray:
    weights, shown = links(encode(reading.attentions), reading, View(**settings))
    return weights * shown


def token(page, side: str, at: int):
    return page.locator(f".tokens.{side} .token").nth(at)


def slide(page, top: int) -> None:
    page.locator("input[type=range]").fill(str(top))


def test_layer_and_heads_show_the_attentions_that_python_holds(tiny, reading, visit):
    page, size = visit(explorer(tiny, reading)), len(reading.tokens)
    slide(page, 100)
    page.locator(".layers .segment").nth(1).click()
    assert np.abs(drawn(page, size) - expected(reading, layer=2, top=100)).max() < 1e-12
    assert np.abs(drawn(page, size) - reading.attentions[1].mean(0).numpy()).max() < 0.004
    page.locator(".heads .segment").nth(2).dblclick()
    assert np.abs(drawn(page, size) - reading.attentions[1, 2].numpy()).max() < 0.004
    page.locator(".heads .segment").nth(0).click()
    assert np.abs(drawn(page, size) - expected(reading, layer=2, heads=[1, 3], top=100)).max() < 1e-12
    page.get_by_role("button", name="none").click()
    assert not drawn(page, size).any()
    assert page.locator(".status").first.inner_text() == "No head is chosen: choose one, or all"
    page.get_by_role("button", name="all", exact=True).click()
    assert np.abs(drawn(page, size) - expected(reading, layer=2, top=100)).max() < 1e-12


def test_the_slider_keeps_exactly_the_top_share_of_each_token(tiny, reading, visit):
    page, size = visit(explorer(tiny, reading, layer=3)), len(reading.tokens)
    squares = (encode(reading.attentions)[2].astype(int) ** 2).sum(0)
    for top in (0, 10, 35, 70, 99, 100):
        slide(page, top)
        shown = drawn(page, size) > 0
        assert np.array_equal(shown, links(encode(reading.attentions), reading, View(layer=3, top=top))[1])
        held = (squares * shown).sum(1)
        weakest = np.where(shown, squares, squares.max() + 1).min(1)
        assert (100 * held >= top * squares.sum(1)).all()
        assert (100 * (held - weakest) < top * squares.sum(1)).all()


def test_hidden_tokens_and_renormalised_rows(tiny, reading, visit):
    page, size = visit(explorer(tiny, reading, top=100)), len(reading.tokens)
    page.get_by_label("hide [CLS] [SEP]").check()
    assert np.abs(drawn(page, size) - expected(reading, top=100, hide_special=True)).max() < 1e-12
    assert not drawn(page, size)[[0, -1]].any() and not drawn(page, size)[:, [0, -1]].any()
    page.get_by_label("renormalise").check()
    assert np.allclose(drawn(page, size)[1:-1].sum(1), 1)
    assert np.abs(drawn(page, size) - expected(reading, top=100, hide_special=True, renormalise=True)).max() < 1e-12


def test_the_curves_start_and_end_where_they_are_said_to(tiny, reading, visit):
    page, size = visit(explorer(tiny, reading, layer=2, pin=6, top=60)), len(reading.tokens)
    edges = page.evaluate("""() => {
      const board = document.querySelector("canvas.curves");
      const { data } = board.getContext("2d").getImageData(0, 0, board.width, board.height);
      const ink = (x) => Array.from({ length: board.height }, (_, y) => data[4 * (y * board.width + x) + 3]);
      return [ink(0), ink(board.width - 1)];
    }""")
    inked = [np.array(edge).reshape(size, -1).max(1) > 20 for edge in edges]  # (T,) at the left and at the right
    assert np.flatnonzero(inked[0]).tolist() == [6]
    assert np.array_equal(inked[1], drawn(page, size)[6] > 0) and 1 < inked[1].sum() < size


def test_the_matrices_add_up_what_each_head_gives_and_gets_along_the_curves(tiny, reading, visit):
    page, size = visit(explorer(tiny, reading, layer=2)), len(reading.tokens)
    shown = drawn(page, size) > 0
    heads = (encode(reading.attentions)[1] / 255.0) ** 2 * shown  # (H, T, T)
    record = ask(page, "drawn()")
    assert np.allclose(np.reshape(record["gives"], (size, 4)), heads.sum(2).T)
    assert np.allclose(np.reshape(record["gets"], (size, 4)), heads.sum(1).T)
    board = page.locator(".matrix.right canvas")
    board.hover(position={"x": 11 * 2 + 5, "y": 24 * 3 + 12})
    assert "layer 2, head 3: ate gets" in page.locator(".status").first.inner_text()
    board.click(position={"x": 11 * 2 + 5, "y": 24 * 3 + 12})
    assert ask(page, "state.heads") == [False, False, True, False]


def test_a_token_is_looked_at_pinned_and_let_go_by_mouse_and_by_keyboard(tiny, reading, visit):
    page, size = visit(explorer(tiny, reading)), len(reading.tokens)
    everything = drawn(page, size)
    token(page, "left", 3).hover()
    only = np.zeros_like(everything)
    only[3] = everything[3]
    assert np.array_equal(drawn(page, size), only)
    token(page, "right", 5).click()
    page.mouse.move(2, 2)
    only = np.zeros_like(everything)
    only[:, 5] = everything[:, 5]
    assert np.array_equal(drawn(page, size), only)
    token(page, "left", 2).hover()
    weight = links(encode(reading.attentions), reading, View())[0][2, 5]
    assert page.locator(".status").first.inner_text() == f"dog → sweet: {weight:.{3 if weight < 0.0995 else 2}f}"
    page.keyboard.press("ArrowDown")
    # What Notebook 7 asks before it takes a key for its own (seen there: without it M turned the cell into Markdown).
    assert page.evaluate("document.activeElement.dataset.lmSuppressShortcuts") == "true"
    page.keyboard.press("Enter")
    assert ask(page, "state.pin") == {"side": "right", "at": 6}
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    assert ask(page, "state.pin") is None and ask(page, "drawn().focus") is None
    assert np.array_equal(drawn(page, size), everything)
    page.keyboard.press("m")
    until(page, lambda: len(ask(page, "state.masked")) == 1)
    assert ask(page, "state.masked") == [6]


def test_a_mask_shows_what_predict_masked_gives_and_the_attention_of_the_masked_text(tiny, reading, visit):
    page, size = visit(explorer(tiny, reading, combinations=[[7, 2]], top=100)), len(reading.tokens)
    token(page, "left", 7).dblclick()
    until(page, lambda: len(ask(page, "state.masked")) == 1)
    page.mouse.move(2, 2)
    masked = tiny.read(TEXT, masked=[7]).attentions
    assert np.abs(drawn(page, size) - masked[0].mean(0).numpy()).max() < 0.004
    assert (masked - reading.attentions)[0].mean(0).abs().max() > 0.02
    token(page, "right", 7).hover()
    wanted = predict_masked(tiny, TEXT, [7])[0]
    assert token(page, "right", 7).inner_text() == "[MASK]"
    assert page.locator(".bars.guess .word").all_inner_texts() == [word for word, _ in wanted]
    assert np.allclose([guess["p"] for guess in ask(page, "guesses()")[7]], [p for _, p in wanted], atol=2e-5)
    token(page, "right", 2).dblclick()
    until(page, lambda: len(ask(page, "state.masked")) == 2)
    for position, row in zip([2, 7], predict_masked(tiny, TEXT, [2, 7]), strict=True):
        assert [guess["word"] for guess in ask(page, "guesses()")[position]] == [word for word, _ in row]
    page.get_by_role("button", name="unmask all").click()
    until(page, lambda: len(ask(page, "state.masked")) == 0)


def test_masks_that_the_page_does_not_carry_are_said_and_not_shown(tiny, reading, visit):
    page = visit(explorer(tiny, reading))
    token(page, "left", 7).dblclick()
    token(page, "left", 4).dblclick()
    until(page, lambda: ask(page, "state.masked") == [4])
    assert page.locator(".status").first.inner_text().startswith("This saved page does not carry masks 4 + 7 together")


def test_the_corpus_search_is_that_of_python(tiny, corpus, reading, visit):
    page = visit(explorer(tiny, reading, corpus=corpus))
    page.get_by_role("tab", name="Corpus search").click()
    token(page, "left", 7).click()
    page.locator(".hits li").first.wait_for()

    def check(layers):
        hits = layers[ask(page, "state.layer")]
        assert np.allclose([float(t) for t in page.locator(".hits .score").all_inner_texts()], hits.scores, atol=6e-4)
        words = [corpus.offsets[corpus.starts[s] + p] for s, p in zip(hits.sentences, hits.positions, strict=True)]
        texts = [corpus.corpus.texts[s][a:b] for s, (a, b) in zip(hits.sentences, words, strict=True)]
        assert page.locator(".hits mark.match").all_inner_texts() == texts

    check(search(corpus, reading, 7))
    page.locator(".stack").nth(2).click()
    assert ask(page, "state.layer") == 2
    check(search(corpus, reading, 7))
    offsets = [int(t) for t in page.locator(".charts figure").last.locator(".value").all_inner_texts()]
    hits = search(corpus, reading, 7)[2]
    steps = np.clip(hits.attended.astype(int) - hits.positions, -5, 5)
    assert offsets == [(steps == k).sum() for k in range(-5, 6)]
    page.get_by_label("Nearest by").select_option("heads")
    page.wait_for_timeout(100)
    check(search(corpus, reading, 7, heads=[1, 2, 3, 4]))
    page.locator(".heads .segment").nth(0).dblclick()
    page.get_by_text("This page carries this search for all heads together: choose all heads.").wait_for()


def test_parts_of_a_pair_can_be_shown_alone(tiny, visit):
    pair = tiny.read("who ate the apple?", "the dog ate the sweet red apple.")
    page, size = visit(explorer(tiny, pair, top=100)), len(pair.tokens)
    page.locator(".sides").nth(0).get_by_text("A", exact=True).click()
    page.locator(".sides").nth(1).get_by_text("B", exact=True).click()
    assert np.abs(drawn(page, size) - expected(pair, top=100, query="a", key="b")).max() < 1e-12
    rows, columns = np.nonzero(drawn(page, size))
    assert {pair.segments[k] for k in rows} == {0} and {pair.segments[k] for k in columns} == {1}


def test_hostile_text_stays_text(tiny, visit):
    reading = tiny.read(HOSTILE, "</style><script>alert(3)</script>")
    tokens = ["</script><script>alert(4)</script>", "<img src=x onerror=alert(5)>", *reading.tokens[2:]]
    page = visit(explorer(tiny, replace(reading, tokens=tokens)))
    assert token(page, "left", 0).inner_text() == tokens[0] and token(page, "right", 1).inner_text() == tokens[1]
    assert page.title() == f"Attention in {HOSTILE[:60]}"
    assert page.locator("script").count() == 3 and page.locator("img").count() == 0
    token(page, "left", 1).click()
    assert page.locator(".big").inner_text() == tokens[1]
    svg = ElementTree.fromstring(ask(page, "picture()"))
    assert tokens[0] in [element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")]


def test_what_is_exported_is_what_is_shown(tiny, reading, visit):
    page = visit(explorer(tiny, reading, layer=2, pin=3))
    with page.expect_download() as svg:
        page.get_by_role("button", name="SVG").click()
    tree = ElementTree.fromstring(svg.value.path().read_text(encoding="utf-8"))
    paths = tree.findall(".//{http://www.w3.org/2000/svg}path")
    widths = sorted(float(path.get("stroke-width")) for path in paths)
    curves = ask(page, "drawn().curves")
    assert np.allclose(widths, sorted(0.5 + 12 * curve["weight"] for curve in curves), atol=0.006)
    with page.expect_download() as png:
        page.get_by_role("button", name="PNG").click()
    assert png.value.path().read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_line_of_code_and_the_link_bring_the_view_back(tiny, visit):
    text, pair = 'who "ate" the\\apple?', "the dog ate\nthe apple."
    settings = {"layer": 2, "heads": [1, 3], "top": 35, "hide_special": True, "renormalise": True, "query": "a",
                "key": "b", "pin": 2, "side": "right", "masked": [2]}  # fmt: skip
    page = visit(explorer(tiny, text, pair, **settings))
    *imports, line = ask(page, "code()").splitlines()
    names = {}
    exec("\n".join(imports), names)
    again = eval(line, names)  # as pasted, with nothing else there
    assert all(torch.equal(a, b) for a, b in zip(again.bert.model.parameters(), tiny.model.parameters(), strict=True))
    assert (again.reading.text, again.reading.pair) == (text, pair)
    assert {name: getattr(again.view, name) for name in settings} == settings
    page.get_by_role("button", name="Copy link").click()
    link = page.locator(".code").input_value()
    slide(page, 36)
    assert page.locator(".code").is_hidden()
    slide(page, 35)
    state = ask(page, "state")
    page = visit(explorer(tiny, text, pair), "#" + link.split("#")[1])
    assert ask(page, "state") == state


def test_a_link_brings_its_view_back_on_a_page_that_was_saved_with_another(tiny, visit):
    text, pair = "the dog ate the apple", "the apple was red"
    start = explorer(tiny, text, pair, heads=[3], top=50, hide_special=True, pin=4, side="right", masked=[2], query="a")
    link = "#layer=1"  # what a page of the defaults copies
    page = visit(explorer(tiny, text, pair), link)
    wanted = ask(page, "state")
    page = visit(start, link)
    assert ask(page, "state") == wanted
    page = visit(start)
    assert ask(page, "state.top") == 50


def test_a_link_opened_on_the_open_page_and_one_that_makes_no_sense(tiny, reading, visit):
    page = visit(explorer(tiny, reading, labels="zh"))
    page.evaluate("location.hash = '#layer=2&top=20&heads=3'")
    until(page, lambda: ask(page, "state.layer") == 1)
    state = ask(page, "state")
    assert (state["top"], state["heads"], state["language"]) == (20, [False, False, True, False], "zh")
    page.evaluate("location.hash = '#layer=1.5&heads=99&query=b'")
    until(page, lambda: ask(page, "state.top") == 70)
    state = ask(page, "state")
    assert (state["layer"], state["heads"], state["query"]) == (0, [True] * 4, "all")


def test_a_damaged_page_says_what_to_do(tiny, reading, page, tmp_path):
    whole = explorer(tiny, reading).html
    at = whole.index('id="hw9-blob">') + 60
    (tmp_path / "damaged.html").write_text(whole[:at] + "A" * 80 + whole[at + 80 :], encoding="utf-8")
    page.goto((tmp_path / "damaged.html").as_uri())
    until(page, lambda: page.locator("#hw9-root").inner_text().endswith(")"))
    assert "get it again" in page.locator("#hw9-root").inner_text()


def test_masked_views_that_are_stored_rounded_say_so(tiny, reading, visit, monkeypatch):
    monkeypatch.setattr("hw9.language.explorer.payload.BUDGET", 0)
    page = visit(explorer(tiny, reading))
    assert "rounded" not in page.locator(".status").first.inner_text()
    token(page, "left", 2).dblclick()
    until(page, lambda: ask(page, "state.masked") == [2])
    page.mouse.move(2, 2)
    until(page, lambda: "masked views rounded" in page.locator(".status").first.inner_text())


def test_what_the_keyboard_has_done_in_the_panel_leaves_it_there(tiny, reading, visit):
    page = visit(explorer(tiny, reading, pin=4))
    focus = "document.activeElement.textContent"
    page.get_by_role("button", name="Mask", exact=True).focus()
    page.keyboard.press("Enter")
    until(page, lambda: ask(page, "state.masked") == [4])
    assert page.evaluate(focus) == "Unmask"
    page.keyboard.press("Enter")
    until(page, lambda: ask(page, "state.masked") == [])
    assert page.evaluate(focus) == "Mask"
    token(page, "left", 4).focus()
    page.keyboard.press("Control+m")
    page.keyboard.press("Alt+ArrowDown")
    assert ask(page, "state.masked") == [] and token(page, "left", 4).evaluate("e => e === document.activeElement")


def test_a_hidden_token_is_said_to_be_hidden(tiny, reading, visit):
    page = visit(explorer(tiny, reading, pin=0, hide_special=True))
    assert page.locator(".status").first.inner_text().startswith("[CLS] is hidden by the settings above")


def test_a_thumbnail_opens_its_head_and_they_stand_in_the_order_of_what_they_do(tiny, reading, visit):
    page = visit(explorer(tiny, reading))
    page.locator(".tile").nth(6).click()
    assert (ask(page, "state.layer"), ask(page, "state.heads")) == (1, [False, False, True, False])
    page.get_by_label("Order by").select_option("next")
    scores = head_patterns(reading)["next"].flatten()
    first = [f"{k // 4 + 1}·{k % 4 + 1}" for k in scores.argsort(descending=True).tolist()]
    captions = page.locator(".tile .caption").all_inner_texts()
    assert [caption.split("\n")[0].split("0.")[0] for caption in captions] == first


def test_the_tour_sets_the_view_lights_up_one_part_and_asks_in_both_languages(tiny, reading, corpus, visit):
    page = visit(explorer(tiny, reading, corpus=corpus, top=20))
    page.get_by_role("button", name="Guided tour").focus()
    page.keyboard.press("Enter")
    cards = explorer(tiny, reading, corpus=corpus).payload(singles=False).meta["tour"]
    for card in cards:
        wanted = View(**{name: value for name, value in card["view"].items() if name not in ("tab", "sort")})
        until(page, lambda wanted=wanted: ask(page, "state.masked") == list(wanted.masked))
        state = ask(page, "state")
        assert (state["layer"] + 1, state["top"], state["renormalise"]) == (wanted.layer, 70, wanted.renormalise)
        assert state["heads"] == [wanted.heads is None or h + 1 in wanted.heads for h in range(4)]
        assert (state["tab"], state["sort"]) == (card["view"].get("tab", "grid"), card["view"].get("sort", "layer"))
        assert state["pin"] == (None if wanted.pin is None else {"side": "left", "at": wanted.pin})
        assert page.locator(".lit").count() == 1 and page.locator(".lit").is_visible()
        above = page.evaluate("document.querySelector('.tour').nextElementSibling === document.querySelector('.lit')")
        assert above == (card["light"] in ("grid", "corpus"))
        question = page.locator(".tour .asked").inner_text()
        assert question.endswith(("?", ".")) and "?" in question and "{" not in page.locator(".tour").inner_text()
        page.keyboard.press("ArrowRight")
    assert page.locator(".tour").is_hidden() and page.locator(".lit").count() == 0
    assert page.evaluate("document.activeElement.textContent") == "Guided tour"
    page.keyboard.press("Enter")
    page.get_by_role("button", name="中文").click()
    assert page.locator(".tour .asked").inner_text().endswith("比一比。")
    page.locator(".tour").focus()
    page.keyboard.press("Escape")
    assert page.locator(".tour").is_hidden()


def test_languages_and_themes(tiny, reading, visit):
    page = visit(explorer(tiny, reading, labels="zh", theme="dark"))
    assert page.locator("header strong").inner_text() == "注意力瀏覽器"
    ground = "getComputedStyle(document.querySelector('.hw9-explorer')).backgroundColor"
    assert page.evaluate(ground) == "rgb(20, 24, 31)"
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="light / dark").click()
    assert page.locator("header strong").inner_text() == "Attention explorer"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
    page = visit(explorer(tiny, reading))
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")  # what surrounds the page changes while it is open
    until(page, lambda: page.evaluate(ground) == "rgb(20, 24, 31)")
    page.get_by_role("button", name="light / dark").click()
    page.emulate_media(color_scheme="light")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(200)
    assert page.evaluate(ground) == "rgb(255, 255, 255)"  # what was chosen stays
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_theme_of_vs_code(tiny, reading, visit):
    page = visit(explorer(tiny, reading))
    for name, theme in (
        ("vscode-high-contrast", "dark"),
        ("vscode-light", "light"),
        ("vscode-dark", "dark"),
        ("vscode-high-contrast vscode-high-contrast-light", "light"),
    ):
        page.evaluate(f"document.body.className = '{name}'")
        until(page, lambda theme=theme: ask(page, "state.theme") == theme)


@pytest.fixture
def kernel(tiny, reading, corpus, page, tmp_path):
    """The widget in a page, slow to answer: `asked()` takes the oldest question that waits, `reply` answers one."""
    shown = explorer(tiny, reading, live=True, corpus=corpus)
    payload = shown.payload(singles=False, live=True)
    (tmp_path / "cell.html").write_text(
        f"<meta charset=utf-8><style>{style()}</style><div id=cell></div><script type=module>{bundle('widget.js')}\n"
        f"const meta = {json.dumps(payload.meta)}, bytes = new Uint8Array({list(payload.blob)});\n"
        "const traits = { meta, blob: new DataView(bytes.buffer) }, heard = [];\n"
        "window.questions = [];\n"
        "window.tell = (reply, ...buffers) => heard.forEach((hear) =>\n"
        "  hear(reply, buffers.map((b) => new DataView(new Uint8Array(b).buffer))));\n"
        "const model = { get: (name) => traits[name], on: (_, hear) => heard.push(hear), off() {},\n"
        "  send: (question) => window.questions.push(question) };\n"
        "window.cell = (el) => render({ model, el });\n"
        "cell(document.getElementById('cell'));</script>",
        encoding="utf-8",
    )
    page.goto((tmp_path / "cell.html").as_uri())
    page.locator("[data-ready]").wait_for()
    slide(page, 100)

    class Kernel:
        def asked(self):
            until(page, lambda: page.evaluate("questions.length"))
            return page.evaluate("questions.shift()")

        def send(self, content, buffers=()):
            page.evaluate("parts => tell(...parts)", [content, *map(list, buffers)])

        def reply(self, question):
            answer(self, shown, question)

    return Kernel()


def test_a_slow_kernel_gets_every_mask_and_its_late_answers_change_nothing(page, kernel):
    token(page, "left", 2).dblclick()
    token(page, "left", 7).dblclick()  # before the first is answered
    first, second = kernel.asked(), kernel.asked()
    assert [first["masked"], second["masked"]] == [[2], [2, 7]]
    kernel.reply(first)
    kernel.reply(second)
    until(page, lambda: ask(page, "state.masked") == [2, 7])
    token(page, "left", 9).dblclick()
    token(page, "left", 9).dblclick()  # thought better of it
    kernel.reply(kernel.asked())
    token(page, "left", 9).dblclick()
    late = kernel.asked()
    assert ask(page, "state.masked") == [2, 7] and page.evaluate("questions.length") == 0
    until(page, lambda: page.locator(".status").first.inner_text() == "Waiting for the kernel …")
    kernel.send({"id": late["id"], "error": "MemoryError: full"})
    until(page, lambda: "MemoryError: full" in page.content())
    assert ask(page, "state.masked") == [2, 7]
    token(page, "left", 4).dblclick()
    assert kernel.asked()["masked"] == [2, 4, 7]  # without the one that failed


def test_a_search_given_up_says_nothing_and_a_token_let_go_can_be_searched_again(page, kernel):
    page.get_by_role("tab", name="Corpus search").click()
    line = page.locator(".corpus .status")
    token(page, "left", 7).click()
    first = kernel.asked()
    token(page, "left", 5).click()
    second = kernel.asked()
    kernel.send({"id": first["id"], "progress": [3, 8]})  # of the index that both wait for
    until(page, lambda: "3" in line.inner_text() and "8" in line.inner_text())
    kernel.send({"id": first["id"], "error": "MemoryError: full"})
    assert "MemoryError" not in page.content()
    kernel.reply(second)
    page.locator(".hits li").first.wait_for()
    found = line.inner_text()
    token(page, "left", 5).click()  # let go
    until(page, lambda: line.inner_text() != found)
    token(page, "left", 5).click()
    third = kernel.asked()
    token(page, "left", 5).click()  # let go before it is answered
    pick = line.inner_text()
    kernel.send({"id": third["id"], "progress": [3, 8]})
    kernel.reply(third)
    page.wait_for_timeout(100)
    assert line.inner_text() == pick != found
    token(page, "left", 5).click()
    again = kernel.asked()
    token(page, "left", 5).click()
    token(page, "left", 5).click()  # the same once more, before it is answered
    last = kernel.asked()
    kernel.send({"id": again["id"], "error": "MemoryError: full"})
    kernel.reply(last)
    until(page, lambda: line.inner_text() == found)


def test_the_widget_asks_the_kernel_for_what_it_does_not_hold(tiny, reading, corpus, page, kernel):
    token(page, "left", 2).dblclick()
    kernel.reply(kernel.asked())
    until(page, lambda: ask(page, "state.masked") == [2])
    token(page, "left", 7).dblclick()
    kernel.reply(kernel.asked())
    until(page, lambda: ask(page, "state.masked") == [2, 7])
    page.mouse.move(2, 2)
    masked = tiny.read(TEXT, masked=[2, 7])
    assert np.abs(drawn(page, len(reading.tokens)) - masked.attentions[0].mean(0).numpy()).max() < 0.004
    for position, row in zip([2, 7], predict_masked(tiny, TEXT, [2, 7]), strict=True):
        assert [guess["word"] for guess in ask(page, "guesses()")[position]] == [word for word, _ in row]
    page.locator(".heads .segment").nth(1).dblclick()
    page.get_by_role("tab", name="Corpus search").click()
    page.get_by_label("Nearest by").select_option("heads")
    token(page, "left", 7).click()
    kernel.reply(kernel.asked())
    page.locator(".hits li").first.wait_for()
    hits = search(corpus, masked, 7, heads=[2])[0]
    assert np.allclose([float(t) for t in page.locator(".hits .score").all_inner_texts()], hits.scores, atol=6e-4)
    assert torch.equal(masked.ids[[2, 7]], torch.full((2,), tiny.tokenizer.mask_token_id))
    page.locator(".layers .segment").nth(1).click()
    scores = search(corpus, masked, 7, heads=[2])[1].scores
    until(
        page, lambda: np.allclose([float(t) for t in page.locator(".hits .score").all_inner_texts()], scores, atol=6e-4)
    )
    page.get_by_role("button", name="中文").click()
    page.get_by_role("button", name="全不選").click()
    assert page.locator(".corpus .status").inner_text().startswith("沒有選任何頭")
    assert page.evaluate("questions.length") == 0  # the answer held all layers, and no head is no question


def test_another_sentence_can_be_typed_and_is_masked_and_searched_like_the_first(tiny, corpus, page, kernel):
    text, pair = "the cat sat on the mat.", "where is the cat?"
    page.locator(".layers .segment").nth(1).click()
    page.get_by_label("Sentence").fill(text)
    page.get_by_label("second text").fill(pair)
    page.keyboard.press("Enter")
    kernel.reply(kernel.asked())
    typed = tiny.read(text, pair)
    until(page, lambda: page.locator(".tokens.left .token").all_inner_texts() == typed.tokens)
    assert np.abs(drawn(page, len(typed.tokens)) - typed.attentions[1].mean(0).numpy()).max() < 0.004
    token(page, "left", 2).dblclick()
    kernel.reply(kernel.asked())
    until(page, lambda: ask(page, "state.masked") == [2])
    (row,) = predict_masked(tiny, text, [2], pair=pair)
    assert [guess["word"] for guess in ask(page, "guesses()")[2]] == [word for word, _ in row]
    page.get_by_role("tab", name="Corpus search").click()
    token(page, "left", 2).click()
    kernel.reply(kernel.asked())
    page.locator(".hits li").first.wait_for()
    scores = search(corpus, tiny.read(text, pair, masked=[2]), 2)[1].scores
    assert np.allclose([float(t) for t in page.locator(".hits .score").all_inner_texts()], scores, atol=6e-4)
    page.get_by_label("Sentence").fill(" ")
    page.get_by_label("second text").fill("")
    page.get_by_role("button", name="Read").click()
    kernel.reply(kernel.asked())
    until(page, lambda: "give" in page.locator(".status").first.inner_text())
    assert page.locator(".tokens.left .token").count() == len(typed.tokens)  # nothing is lost


def test_a_cell_drawn_before_it_is_on_the_page_has_its_colours_there(page, kernel):
    """JupyterLab builds outputs that are far out of sight so."""
    page.evaluate(
        """async () => {
            const el = document.createElement("div");
            await cell(el);
            document.getElementById("cell").replaceChildren(el);
        }"""
    )
    until(page, lambda: 'height="100%" fill="#ffffff"' in ask(page, "picture()"))
    for part in (".matrix.right", ".middle", ".grid canvas >> nth=0"):
        picture = Image.open(io.BytesIO(page.locator(part).screenshot())).convert("L")
        assert np.asarray(picture).mean() > 100, f"{part} is black"
