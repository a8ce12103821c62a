import zlib

import numpy as np
import torch
from transformers import BertConfig

from hw9.language.attention import head_patterns, predict_masked
from hw9.language.bert import Bert
from hw9.language.explorer import explorer
from hw9.language.explorer.payload import build
from hw9.language.explorer.view import encode
from hw9.language.loading import BertWithHeads


def block(payload, name: str, kind) -> np.ndarray:
    start, length = payload.meta["blocks"][name]
    return np.frombuffer(zlib.decompress(bytes(payload.blob[start : start + length])), kind)


def test_the_plain_sentence_is_carried_to_the_bit_and_masks_within_half_a_step(tiny):
    reading = tiny.read("the dog ate the apple.")
    payload = build(tiny, reading, [(2,), (1, 5)])
    plain = encode(reading.attentions)
    assert np.array_equal(block(payload, "codes:", np.uint8), plain.ravel())
    assert [variant["masked"] for variant in payload.meta["variants"]] == [[], [2], [1, 5]]
    for variant in payload.meta["variants"][1:]:
        masked = encode(tiny.read(reading.text, masked=variant["masked"]).attentions).ravel()
        carried = plain.ravel() + variant["step"] * block(payload, variant["block"], np.int8).astype(int)
        if variant["step"] == 1:
            carried %= 256
        assert np.abs(carried - masked).max() <= variant["step"] / 2


def test_predictions_are_those_of_predict_masked(tiny):
    text = "the dog ate the apple."
    payload = build(tiny, tiny.read(text), [(2,), (1, 5)])
    for variant in payload.meta["variants"][1:]:
        numbers, chances = block(payload, variant["guesses"], "<u2").reshape(2, -1, 5)
        for position, wanted in zip(variant["masked"], predict_masked(tiny, text, variant["masked"]), strict=True):
            assert [payload.meta["words"][k] for k in numbers[position]] == [word for word, _ in wanted]
            assert np.allclose(chances[position] / 65_535, [p for _, p in wanted], atol=1e-5)


def test_patterns_are_those_of_the_lesson(tiny):
    reading = tiny.read("the dog ate the apple.")
    found = build(tiny, reading, []).meta["patterns"]
    wanted = head_patterns(reading)
    assert set(found) == {name for name, values in wanted.items() if not values.isnan().any()}
    for name, rows in found.items():
        assert np.allclose(rows, wanted[name], atol=6e-5)


def test_a_model_without_a_mask_head_is_shown_without_predictions(tiny):
    bare = Bert(tiny.name, tiny.tokenizer, tiny.model, None, None)
    payload = explorer(bare, "the apple").payload(singles=True)
    assert [(v["masked"], v["guesses"]) for v in payload.meta["variants"]] == [([], None)]
    assert payload.meta["canMask"] is False


def test_a_page_of_32_tokens_with_its_masks_stays_below_a_megabyte_and_a_half(tiny):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tiny.model.config.vocab_size,
        hidden_size=48,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=48,
        initializer_range=0.4,  # large weights: attentions that differ from head to head and are hard to compress
    )
    model = BertWithHeads._from_config(config, attn_implementation="eager").eval()
    large = Bert("large", tiny.tokenizer, model.bert, model.cls.predictions, None)
    text = (
        "the dog ate the sweet red apple because it was new and the cat sat on a mat by the river and mary sold a book."
    )
    text = text.replace(" by the", " with apples, by the")
    shown = explorer(large, text)
    assert len(shown.reading.tokens) == 32
    carried = shown.payload(singles=True).meta["variants"]
    assert [variant["masked"] for variant in carried[:31]] == [[], *([k] for k in range(1, 31))]
    assert len(shown.html.encode()) < 1_500_000
