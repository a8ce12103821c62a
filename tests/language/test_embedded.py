"""The BERT that ships knows what the lesson says it knows, and plain transformers reads its folder."""

import pytest
import torch
from transformers import AutoTokenizer, BertForMaskedLM, BertForQuestionAnswering

from hw9.language import attention, bert, questions, sentences, similarity
from hw9.language.words import positions


@pytest.fixture(scope="module")
def embedded():
    return bert.load()


def test_it_is_small_and_plain_transformers_finds_every_weight_of_both_heads(embedded):
    assert sum(file.stat().st_size for file in bert.EMBEDDED.iterdir()) < 40e6
    assert (embedded.layers, embedded.heads, embedded.width) == (12, 12, 384)
    tokenizer = AutoTokenizer.from_pretrained(bert.EMBEDDED)
    batch = tokenizer("今天買了蘋果，真好吃！", return_tensors="pt")
    assert tokenizer.unk_token_id not in batch["input_ids"]
    for kind, head in ((BertForMaskedLM, embedded.mask_head), (BertForQuestionAnswering, embedded.answer_head)):
        model, report = kind.from_pretrained(bert.EMBEDDED, output_loading_info=True)
        assert not report["missing_keys"]
        with torch.no_grad():
            out = model.eval()(**batch)
            ours = head(embedded.model(**batch).last_hidden_state)
        theirs = out.logits if kind is BertForMaskedLM else torch.stack([out.start_logits, out.end_logits], -1)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["APPLE_TRADITIONAL", "APPLE_SIMPLIFIED", "NEW_APPLE_TRADITIONAL",
                                  "NEW_APPLE_SIMPLIFIED"])  # fmt: skip
def test_the_nearest_use_of_an_apple_has_its_sense_in_the_upper_layers_but_not_at_the_bottom(embedded, name):
    group = getattr(sentences, name)
    found = similarity.layer_curves(embedded, group.texts, group.senses, "果")
    assert found.accuracy[6:].max() >= 0.9
    assert found.accuracy[0] < 0.6


@pytest.mark.parametrize("group", [sentences.APPLE_ENGLISH, sentences.BANK_ENGLISH], ids=lambda group: group.word)
def test_english_senses_part_as_well(embedded, group):
    assert similarity.layer_curves(embedded, group.texts, group.senses, group.word).accuracy[6:].max() >= 0.9


@pytest.mark.parametrize("gap", sentences.GAPS_CHINESE + sentences.GAPS_ENGLISH, ids=lambda gap: gap.word)
def test_a_hidden_word_is_among_the_likeliest_and_less_likely_without_the_other(embedded, gap):
    reading = embedded.read(gap.text)
    (place,), also = positions(reading, gap.word), positions(reading, gap.also)
    likeliest = attention.predict_masked(embedded, gap.text, [place], top=10)[0]
    assert gap.word in [word for word, _ in likeliest]
    alone = attention.masked_probability(embedded, gap.text, place, gap.word)
    assert attention.masked_probability(embedded, gap.text, place, gap.word, also) < alone


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans"])
def test_it_answers_questions_in_both_scripts(embedded, language):
    assert embedded.length_penalty > 0  # lost where it is packed again without care, and answers get too long
    items = questions.questions(language)
    said = [embedded.answer(item.question, item.context) for item in items]
    overlap = [max(0, min(a.end, i.end) - max(a.start, i.start)) for a, i in zip(said, items, strict=True)]
    assert sum(shared > 0 for shared in overlap) >= 2
    assert any((a.start, a.end) == (i.start, i.end) for a, i in zip(said, items, strict=True))
