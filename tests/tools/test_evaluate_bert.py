"""How answers are counted: known answers of CMRC2018's and SQuAD's own rules; how the tool is called."""

import re
from types import SimpleNamespace

import evaluate_bert
import pytest
from evaluate_bert import answers, f1, mask_accuracy, word_f1

from hw9.language import bert as bert_module


def test_chinese_answers_are_compared_by_their_longest_common_run():
    assert f1("清晨四点。", "清晨四点") == 1
    assert f1("四点", "清晨四点") == pytest.approx(2 * 2 / 6)
    assert f1("点四", "清晨四点") == pytest.approx(2 * 1 / 6)  # in another order
    assert f1("Linux 內核", "linux內核") == 1 and f1("早上", "清晨四点") == 0


def test_english_answers_are_compared_word_by_word_without_articles_and_in_any_order():
    assert word_f1("The street lamps.", "street lamps") == 1
    assert word_f1("lamps in the street", "a street") == pytest.approx(2 * 1 / (3 + 1))
    assert word_f1("lamps lamps", "lamps") == pytest.approx(2 * 1 / 3)  # said twice, wanted once
    assert word_f1("very very old", "very very") == pytest.approx(2 * 2 / 5)
    assert word_f1("the", "a") == 0 and word_f1("anthem", "them") == 0


def test_the_best_accepted_answer_counts_by_the_rule_of_its_language():
    said = {"q1": "the red barn", "q2": "at four"}
    bert = SimpleNamespace(answer=lambda question, context: SimpleNamespace(text=said[question]))
    items = [{"question": q, "context": "", "answers": a} for q, a in (("q1", ["mill", "red barn"]), ("q2", ["four"]))]
    assert answers(bert, items, english=True) == {"questions": 2, "f1": pytest.approx((1 + 2 / 3) / 2), "exact": 0.5}
    assert answers(bert, items)["exact"] == 0


def test_the_documented_command_has_no_other_options_than_the_tool(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["evaluate_bert.py", "--help"])
    with pytest.raises(SystemExit):
        evaluate_bert.main()
    told = set(re.findall(r"--[a-z]+", capsys.readouterr().out))
    assert {"--text", "--questions"} <= set(re.findall(r"--[a-z]+", evaluate_bert.__doc__)) <= told


def test_masks_are_read_on_whatever_device_the_model_is():
    """By the calls that move what they are given; the network itself would want it on its own device."""
    bert = bert_module.load(device="cpu")
    calls = {name: getattr(bert, name) for name in ("tokenizer", "last_hidden", "mask_scores")}
    texts = ["The capital of France is Paris, and the river there is the Seine.", "今天天氣很好，我們去公園。"]
    assert 0.1 < mask_accuracy(SimpleNamespace(**calls), texts * 20) < 1
