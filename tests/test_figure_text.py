"""What figures write is text: dollars, underscores, emoji, rare letters and long sentences, without a warning."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from hw9 import figure_text
from hw9.figure_text import plain, readable, wrapped
from hw9.language.figures import attention, heads, masks, similarity, trust
from hw9.language.similarity import Curves

NASTY = "花 $5 和 $6，x_1^2 \\alpha 🍎 𠮷 ก"
SENSES = ["$a$", "b_1", "🍎", "d", "e", "f", "g", "h", "i"]  # more than there are colours by hand
rng = np.random.default_rng(0)
MATRIX, TOKENS = rng.random((9, 9)), ["[CLS]", "$a$", "x_^b", "🍎", "𠮷", "蘋", "<b>", "\\frac", "[SEP]"]
LEVELS = Curves(*(rng.random(3) for _ in range(4)), chance=0.5)
MAPS = dict.fromkeys(["next", "$odd$"], rng.random((3, 4)))
FIGURES = {
    "matrices": lambda: attention.matrices(TOKENS, {NASTY: MATRIX, "2": MATRIX}, title=NASTY),
    "grid": lambda: attention.grid(MATRIX[None, None], title=NASTY),
    "rollout": lambda: attention.rollout(TOKENS, MATRIX[None], 3, title=NASTY),
    "patterns": lambda: heads.patterns(MAPS, title=NASTY),
    "one head": lambda: heads.one_head(dict.fromkeys(["next", "self", "entropy"], MAPS["next"]), 1, title=NASTY),
    "ablation": lambda: heads.ablation(MAPS["next"], title=NASTY),
    "coreference": lambda: heads.coreference(MAPS["next"], {"first": 0.5}, 0.8, title=NASTY),
    "predictions": lambda: masks.predictions({NASTY: [(t, 0.1) for t in TOKENS]}, expected="$a$", title=NASTY),
    "masked as well": lambda: masks.masked_as_well(TOKENS, MATRIX[0], [4, 5], token=NASTY, title=NASTY),
    "heat maps": lambda: similarity.heat_maps({NASTY: MATRIX}, TOKENS, SENSES, title=NASTY),
    "all layers": lambda: similarity.all_layers(MATRIX[None], SENSES, name=NASTY, title=NASTY),
    "curves": lambda: similarity.curves(LEVELS, title=NASTY),
    "answers": lambda: trust.answers(TOKENS, {"$a$": MATRIX[0], NASTY: MATRIX[1]}, 3, title=NASTY),
    "agreement": lambda: trust.agreement(
        {NASTY: [0.1, 0.2], "$x$": [0.1, 0.1]}, {NASTY: [0, 0.1]}, control="$x$", title=NASTY
    ),
    "erasure": lambda: trust.erasure({NASTY: [0.1, 0.2]}, {NASTY: [0.1, 0.2]}, title=NASTY),
    "interventions": lambda: trust.interventions(MAPS, title=NASTY),
    "layers": lambda: trust.mask_by_layer([[(t, 0.1) for t in TOKENS]] * 2, [0.1, 0.2], token="$a$", title=NASTY),
    "planes": lambda: similarity.planes(MATRIX[None, :, :2], SENSES, layers=[0], variance=[0.5], title=NASTY),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_writes_text_as_text(name):
    """Drawn without a warning, so no glyph is missing; nothing is set as mathematics; the title is there, letter by
    letter, but for what no font has."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = FIGURES[name]()
        figure.canvas.draw()
    texts = figure.findobj(Text)
    assert not any(text.get_parse_math() for text in texts if "$" in text.get_text())
    written = " ".join(text.get_text().replace("\n", " ") for text in texts)
    assert "花 $5 和 $6，x_1^2 \\alpha ‹red apple› ‹U+20BB7› ‹U+E01›" in written
    plt.close(figure)


def test_more_senses_than_colours_by_hand_stay_apart():
    figure = FIGURES["heat maps"]()
    assert len({text.get_color() for text in figure.axes[0].get_yticklabels()}) == len(SENSES)
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named[: len(SENSES)] == [readable(sense) for sense in SENSES]
    plt.close("all")


def test_stand_ins():
    assert readable("apple ≥ −1 → 蘋果苹果김あ「」…") == "apple ≥ −1 → 蘋果苹果김あ「」…"
    assert readable("a🍎b") == "a‹red apple›b"
    assert readable("👩\u200d👧") == "‹woman›‹girl›"  # joiners are no letters
    assert readable("❤\ufe0f\t1\u3000\u200b\x00\n2") == "❤ 1 \n2"
    assert readable("\ud83c") == "‹U+D83C›"  # half a character


def test_without_a_chinese_font_a_box_stands_for_a_character(monkeypatch):
    monkeypatch.setattr(figure_text, "cjk_font", lambda: None)
    figure_text.families.cache_clear()
    figure_text._stand_in.cache_clear()
    try:
        assert readable("a蘋果🍎") == "a□□‹red apple›"
    finally:
        monkeypatch.undo()
        figure_text.families.cache_clear()
        figure_text._stand_in.cache_clear()


def test_titles_fit_their_figure():
    title = "一" * 70 + " and words that are not broken " + "x" * 200
    lines = wrapped(title, 9).split("\n")
    assert len(lines) == 4 and all(figure_text._columns("一") * line.count("一") <= 106 for line in lines)
    assert "".join(lines).replace(" ", "") == title.replace(" ", "")
    assert wrapped("word " * 400, 9).endswith("…") and wrapped("word " * 400, 9).count("\n") == 3
    assert wrapped("two\nlines", 9) == "two\nlines"

    @plain(4)
    def draw(*, title):
        figure, _ = plt.subplots(figsize=(4, 2))
        figure.suptitle(title, fontsize=11)
        return figure

    figure = draw(title="今天天氣很好，我們一起去公園散步。" * 4)
    box = figure.texts[0].get_window_extent()
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
    plt.close(figure)
