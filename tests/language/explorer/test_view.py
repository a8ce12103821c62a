from dataclasses import replace

import numpy as np
import pytest
import torch

from hw9.language.explorer import explorer
from hw9.language.explorer.view import View, encode, links


def test_codes_are_within_half_a_step_of_the_square_root():
    attention = torch.linspace(0, 1, 10_001)
    error = np.abs((encode(attention) / 255.0) ** 2 - attention.numpy())
    assert (error <= np.sqrt(attention.numpy()) / 255 + 1e-5).all()


def test_links_of_a_reading_by_hand(tiny):
    reading = tiny.read("apple pie", "red")  # [CLS] apple pie [SEP] red [SEP]
    codes = np.zeros((1, 2, 6, 6), np.uint8)
    codes[0, 0, 1] = [9, 8, 0, 0, 8, 0]  # squares 81, 64, 64
    codes[0, 1, 1] = [3, 0, 0, 0, 0, 0]  # adds 9 to the first: 90, 64, 64 of 218
    weights, shown = links(codes, reading, View(top=41))
    assert weights[1].tolist() == [90 / (2 * 255**2), 64 / (2 * 255**2), 0, 0, 64 / (2 * 255**2), 0]
    assert np.flatnonzero(shown[1]).tolist() == [0]  # 90/218 = 41.3 %
    assert np.flatnonzero(links(codes, reading, View(top=42))[1][1]).tolist() == [0, 1]  # of equals, the earlier one
    assert np.flatnonzero(links(codes, reading, View(top=100))[1][1]).tolist() == [0, 1, 4]  # no link of weight 0
    assert not links(codes, reading, View(top=0))[1].any()
    weights, shown = links(codes, reading, View(top=100, hide_special=True, renormalise=True))
    assert weights[1].tolist() == [0, 0.5, 0, 0, 0.5, 0]
    assert np.flatnonzero(links(codes, reading, View(top=100, key="b"))[1][1]).tolist() == [4]
    assert not links(codes, reading, View(top=100, query="b"))[1].any()
    assert links(codes, reading, View(heads=[2]))[0][1, 0] == 9 / 255**2
    assert not links(codes, reading, View(heads=[]))[0].any()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"layer": 4}, "layer takes whole numbers from 1 to 3, not 4"),
        ({"layer": 0}, "layer takes whole numbers from 1 to 3, not 0"),
        ({"heads": [1, 5]}, "heads takes whole numbers from 1 to 4, not 5"),
        ({"top": 101}, "top is a percentage from 0 to 100, not 101"),
        ({"pin": 4}, "pin takes whole numbers from 0 to 3, not 4"),
        ({"masked": [9]}, "masked takes whole numbers from 0 to 3, not 9"),
        ({"masked": [0]}, "token 0 is [CLS], which cannot be masked"),
        ({"combinations": [[1, 3]]}, "token 3 is [SEP], which cannot be masked"),
        ({"query": "c"}, "query is one of all, a, b, not 'c'"),
        ({"labels": "de"}, "labels is one of en, zh, not 'de'"),
        ({"theme": "blue"}, "theme is one of auto, light, dark, not 'blue'"),
    ],
)
def test_a_setting_that_does_not_exist_is_one_clear_line(tiny, setting, message):
    with pytest.raises(ValueError) as error:
        explorer(tiny, "apple pie", **setting)
    assert str(error.value) == message


def test_too_long_a_text_and_a_second_pair_are_refused(tiny):
    reading = tiny.read("apple pie")
    with pytest.raises(ValueError, match="the text has 129 tokens and the explorer shows 128 at most: shorten it"):
        explorer(tiny, replace(reading, tokens=["a"] * 129))
    with pytest.raises(ValueError, match="a reading holds its pair already: give no second text"):
        explorer(tiny, reading, "red")
    with pytest.raises(ValueError, match=r"the text holds nothing but \[CLS\], \[SEP\], \[SEP\]: give it at least one"):
        explorer(tiny, "[SEP]")


def test_a_masked_reading_is_refused_and_a_text_with_a_mask_is_not(tiny):
    with pytest.raises(ValueError, match=r"the reading is masked, .*: give the text, and masked=\[\.\.\.\] beside it"):
        explorer(tiny, tiny.read("apple pie", masked=[1]))
    assert explorer(tiny, tiny.read("a [MASK] pie")).reading.tokens[2] == "[MASK]"
