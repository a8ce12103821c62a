"""The cells of the BERT notebook with other models than the embedded one, in one process and in any order.

The models are tiny and random; what they are asked is not whether they are right but whether all cells take them.
"""

import json
import re
import string

import pytest
import torch
from lesson_cells import Cells
from safetensors.torch import save_file
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertForQuestionAnswering, BertTokenizer

from hw9 import notebook
from hw9.language import questions, sentences
from hw9.language.hub import EMBEDDED
from hw9.language.lesson import choose
from hw9.language.loading import BertWithHeads

NOTEBOOK = "hw9_bert_explanation.py"
SPECIALS = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def config(size, layers, heads, **options):
    """A tiny BERT's; weights large enough that attentions differ."""
    return BertConfig(
        vocab_size=size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        hidden_size=2 * heads * (1 + (heads < 12)),
        intermediate_size=32,
        initializer_range=0.2,
        **options,
    )


def save(folder, kind, config):
    torch.manual_seed(0)
    kind(config).save_pretrained(folder)


def test_six_layers_of_eight_heads_with_one_type_of_segment_every_cell_and_again_in_another_order(
    tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "six"
    tokenizer = BertTokenizer.from_pretrained(EMBEDDED)
    tokenizer.save_pretrained(folder)
    save(folder, BertWithHeads, config(len(tokenizer), 6, 8, type_vocab_size=1))
    lesson = Cells(NOTEBOOK, monkeypatch, MODEL=str(folder), draws=2)
    assert lesson.run() == lesson.figures
    assert set(lesson.shown.values()) == {notebook.ROOT / "figures" / "own"}
    first = capsys.readouterr().out
    assert "reads Chinese: six, 6 layers of 8 heads" in first and "answers questions: six" in first
    assert "left out" not in first and "instead" not in first
    assert lesson.names["layer"] == 5  # 11 of 12, as a share
    lesson.shown, lesson.draw = {}, False
    lesson.run(reversed(range(len(lesson.cells))))
    assert set(lesson.shown) == lesson.figures
    again = capsys.readouterr().out
    assert sorted(again.splitlines()) == sorted(first.splitlines())


def test_twenty_four_layers_of_sixteen_heads_that_read_letters_and_cannot_answer(tmp_path, monkeypatch, capsys):
    """Cased, character by character: an English word has a token per letter, and is hidden and measured whole."""
    texts = [text for name, value in vars(sentences).items() if name.isupper() for text in _texts(value)]
    texts += [item.question + item.context for item in questions.QUESTIONS]
    letters = sorted({*"".join(texts), *string.ascii_letters} - {" "})
    folder = tmp_path / "twenty-four"
    words = {word: number for number, word in enumerate(["[PAD]", *SPECIALS, *letters])}
    core = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=False)
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("", "isolated")]
    )
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", words["[CLS]"]), ("[SEP]", words["[SEP]"])],
    )
    folder.mkdir()
    core.save(str(folder / "tokenizer.json"))
    save(folder, BertForMaskedLM, config(len(words), 24, 16))
    lesson = Cells(NOTEBOOK, monkeypatch, draw=False, MODEL=str(folder), draws=2)
    assert lesson.run() == lesson.figures
    said = capsys.readouterr().out
    assert "twenty-four has no answer head: bert-mini-zh-en answers the Chinese questions instead." in said
    assert "twenty-four has no answer head: bert-mini-zh-en answers the English questions instead." in said
    assert "[CLS] S h e p e e l e d" in said
    left = [line for line in said.splitlines() if "left out" in line]
    assert all("for 1 position(s)" in line for line in left), left  # section 9 asks about single tokens
    assert lesson.names["layer"] == 22


def _texts(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [text for one in value for text in _texts(getattr(one, "text", one))]
    return _texts(getattr(value, "texts", ()))


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    """Facts and answers of the quiz go there, not into the checkout."""
    monkeypatch.setenv("HW9_RUNS", str(tmp_path / "runs"))


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Two sentences with a gap in each language, to save time."""
    for name in ("GAPS_CHINESE", "GAPS_ENGLISH"):
        monkeypatch.setattr(sentences, name, getattr(sentences, name)[:2])


@pytest.fixture
def stand_ins(tmp_path):
    """The README's examples: their vocabularies' layout and size, their files and names of weights; the width is tiny.

    google-bert/bert-base-chinese (masks, no answers, old names gamma and beta), an extractive question answerer with
    the same vocabulary (vocab.txt and pytorch_model.bin, no masks), google-bert/bert-base-cased.
    """
    tokens = BertTokenizer.from_pretrained(EMBEDDED).get_vocab()
    unused = [f"[unused{number}]" for number in range(1, 100)]
    marks = [c for c in map(chr, range(33, 127)) if not c.isalpha()]
    han = [token for token in tokens if len(token) == 1 and not token.isascii()]
    chinese = ["[PAD]", *unused, *SPECIALS, "<S>", "<T>", *marks, *string.ascii_lowercase, *han]
    pieces = ["##s", *(f"##{token}" for token in [*string.ascii_lowercase, *string.digits, *han])]
    texts = _texts((sentences.READ_ENGLISH, sentences.BANK_ENGLISH, sentences.GAPS_ENGLISH))
    english = sorted({word for text in texts for word in re.findall(r"\w+", text)})
    letters = [f"##{c}" for c in string.ascii_letters]
    cased = ["[PAD]", *unused, *SPECIALS, *marks, *string.ascii_letters, *english, *letters]
    for name, words, size, kind in (
        ("bert-base-chinese", [*chinese, *pieces], 21128, BertForPreTraining),
        ("roberta-base-chinese-extractive-qa", [*chinese, *pieces], 21128, BertForQuestionAnswering),
        ("bert-base-cased", cased, 28996, BertForPreTraining),
    ):
        model, folder = kind(config(size, 12, 12)), tmp_path / name
        model.config.save_pretrained(folder)
        words = list(dict.fromkeys(words))
        words += [f"##filler{number}" for number in range(size - len(words))]
        (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "model_max_length": 512}))
        state = {key: weights.clone() for key, weights in model.state_dict().items()}
        if kind is BertForQuestionAnswering:
            torch.save(state, folder / "pytorch_model.bin")
        else:
            old = {
                key.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): state[key] for key in state
            }
            save_file(old, folder / "model.safetensors", metadata={"format": "pt"})
    return tmp_path


def test_the_readmes_own_examples(stand_ins, monkeypatch, capsys):
    names = {
        "MODEL": "bert-base-chinese",
        "ANSWERS": "roberta-base-chinese-extractive-qa",
        "ENGLISH": "bert-base-cased",
    }
    settings = {setting: str(stand_ins / name) for setting, name in names.items()}
    lesson = Cells(NOTEBOOK, monkeypatch, draw=False, draws=2, **settings)
    assert lesson.run() == lesson.figures
    said = capsys.readouterr().out
    for line in (
        "bert-base-cased has no answer head: bert-mini-zh-en answers the English questions instead.",
        "reads Chinese: bert-base-chinese, 12 layers of 12 heads, 24 numbers per token",
        "answers questions: roberta-base-chinese-extractive-qa, 12 layers",
        "reads English: bert-base-cased, 12 layers",
    ):
        assert line in said
    assert said.count("instead") == 1 and "left out" not in said


@pytest.mark.parametrize(
    ("model", "lines"),
    [
        ("bert-base-cased", ["reads [UNK] for", "has no answer head"]),
        ("roberta-base-chinese-extractive-qa", ["has no mask head: bert-mini-zh-en fills masks in Chinese instead"]),
        ("bert-base-chinese", ["has no answer head: bert-mini-zh-en answers the Chinese questions instead"]),
    ],
)
def test_what_a_model_cannot_do_the_embedded_one_does_and_one_line_says_so(stand_ins, capsys, model, lines):
    models = choose(model=str(stand_ins / model), device="cpu")
    said = capsys.readouterr().out
    assert all(line in said for line in lines)
    assert models.filler.mask_head and models.english_filler.mask_head
    assert models.answerer.answer_head and models.english_answerer.answer_head
    assert models.reader.read("蘋果").tokens[1:3] == ["蘋", "果"]
