"""Folders of all kinds: which heads they hold, what is wrong with them, and that nothing is printed."""

import json
import shutil

import huggingface_hub.utils
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertForQuestionAnswering, BertModel

from hw9.language.bert import load


@pytest.fixture
def folder(tiny_folder, tmp_path):
    """A copy of the tiny model's folder, to be spoilt."""
    return shutil.copytree(tiny_folder, tmp_path / "copied")


def refused(folder, error, *parts):
    with pytest.raises(error) as caught:
        load(folder, device="cpu")
    message = str(caught.value)
    assert "\n" not in message and "copied" in message
    for part in parts:
        assert part in message


def rewrite(folder, change):
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors")


@pytest.mark.parametrize(
    "kind, mask, answer",
    [
        (BertModel, False, False),
        (BertForMaskedLM, True, False),
        (BertForPreTraining, True, False),
        (BertForQuestionAnswering, False, True),
    ],
)
def test_the_heads_a_checkpoint_holds(folder, kind, mask, answer):
    torch.manual_seed(1)
    saved = kind(BertConfig.from_pretrained(folder, attn_implementation="eager")).eval()
    saved.save_pretrained(folder)
    bert = load(folder, device="cpu")
    assert (bert.mask_head is not None, bert.answer_head is not None) == (mask, answer)
    encoder = saved if kind is BertModel else saved.bert
    ids = torch.tensor([[2, 50, 60, 3]])
    with torch.no_grad():
        hidden = encoder(ids).last_hidden_state
        assert torch.equal(bert.model(ids).last_hidden_state, hidden)
        if mask:
            assert torch.equal(bert.mask_head(hidden), saved.cls.predictions(hidden))
        if answer:
            assert torch.equal(bert.answer_head(hidden), saved.qa_outputs(hidden))


def test_the_mask_head_shares_the_word_embeddings_where_the_checkpoint_does(tiny, folder):
    assert tiny.mask_head.decoder.weight is tiny.model.embeddings.word_embeddings.weight
    config = BertConfig.from_pretrained(folder)
    config.tie_word_embeddings = False
    saved = BertForMaskedLM(config)
    saved.save_pretrained(folder)
    apart = load(folder, device="cpu")
    assert torch.equal(apart.mask_head.decoder.weight, saved.cls.predictions.decoder.weight)
    assert not torch.equal(apart.mask_head.decoder.weight, apart.model.embeddings.word_embeddings.weight)


def test_old_names_and_old_files(tiny, folder):
    """gamma and beta, vocab.txt and pytorch_model.bin: as in the first BERTs on the hub."""
    weights = load_file(folder / "model.safetensors")
    old = {key.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): weights[key] for key in weights}
    assert any(key.endswith("gamma") for key in old)
    torch.save(old, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    vocabulary = sorted(tiny.tokenizer.get_vocab(), key=tiny.tokenizer.get_vocab().get)
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    (folder / "tokenizer.json").unlink()
    bert = load(folder, device="cpu")
    text = "Unknowns ate 蘋果"
    assert bert.read(text).tokens == tiny.read(text).tokens
    assert torch.equal(bert.read(text).hidden_states, tiny.read(text).hidden_states)
    assert bert.mask_head is not None and bert.answer_head is not None


@pytest.mark.parametrize(
    ("capitals", "told"), [(True, None), (False, None), (True, False), (True, True), (False, True)]
)
def test_a_vocabulary_with_capitals_keeps_them_unless_the_tokenizer_is_told(tiny, folder, capitals, told):
    words = sorted(tiny.tokenizer.get_vocab(), key=tiny.tokenizer.get_vocab().get)
    words = [{"apple": "Apple", "she": "She"}.get(word, word) if capitals else word for word in words]
    words[words.index("&")] = "A"  # some uncased Chinese vocabularies hold single capitals
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (folder / "tokenizer.json").unlink()
    settings = {"model_max_length": 128} if told is None else {"do_lower_case": told}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    if told is None and not capitals:
        (folder / "tokenizer_config.json").unlink()  # vocab.txt alone
    tokens = load(folder, device="cpu").read("She bought an Apple").tokens[1:-1]
    if capitals and not told:
        assert tokens == ["She", "bought", "an", "Apple"]
    elif told is not False:
        assert "She" not in tokens and "Apple" not in tokens and ("apple" in tokens) != capitals
    else:
        assert tokens == ["[UNK]", "bought", "an", "A", "##p", "##p", "##l", "##e"]


def test_a_tokenizer_is_read_as_its_file_says(folder):
    """Without a tokenizer_config.json, capitals, accents and words are treated as tokenizer.json has them."""
    pipeline = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    pipeline["normalizer"] |= {"lowercase": False}
    pipeline["model"]["vocab"]["Apple"] = pipeline["model"]["vocab"].pop("apple")
    pipeline["pre_tokenizer"] = {"type": "WhitespaceSplit"}
    (folder / "tokenizer.json").write_text(json.dumps(pipeline), encoding="utf-8")
    (folder / "tokenizer_config.json").unlink()
    assert load(folder, device="cpu").read("Apple pie, apple").tokens[1:-1] == [
        "Apple",
        "[UNK]",
        "a",
        *[f"##{c}" for c in "pple"],
    ]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_weights_of_any_precision_are_read_as_float32(tiny, folder, dtype, file):
    weights = {key: part.to(dtype) for key, part in load_file(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    if file == "model.safetensors":
        save_file(weights, folder / file, metadata={"format": "pt"})
    else:
        torch.save(weights, folder / file)
    facts = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(facts | {"dtype": str(dtype).split(".")[1]}))
    bert = load(folder, device="cpu")
    assert {part.dtype for part in bert.model.parameters()} == {torch.float32}
    reading, wanted = bert.read("the cat sat"), tiny.read("the cat sat")
    assert torch.allclose(reading.hidden_states, wanted.hidden_states, atol=0.05)
    assert bert.answer("who?", "the cat sat").text in "the cat sat"


def test_nothing_is_printed_and_the_settings_come_back(folder, capfd):
    torch.manual_seed(0)
    BertForPreTraining(BertConfig.from_pretrained(folder)).save_pretrained(folder)  # keys unknown and keys missing
    transformers.logging.set_verbosity_info()
    capfd.readouterr()
    try:
        bert = load(folder, device="cpu")
        with pytest.raises(ValueError, match="tokens"):
            bert.read("蘋果" * 80)
        assert transformers.logging.get_verbosity() == transformers.logging.INFO
    finally:
        transformers.logging.set_verbosity_warning()
    assert capfd.readouterr() == ("", "")
    assert transformers.logging.is_progress_bar_enabled()
    assert not huggingface_hub.utils.are_progress_bars_disabled()
    (folder / "model.safetensors").write_bytes(b"")
    refused(folder, ValueError)
    assert transformers.logging.is_progress_bar_enabled()


def test_each_model_has_its_own_configuration_and_eager_attention(tiny, tiny_folder):
    other = load(tiny_folder, device="cpu")
    assert other.model.config is not tiny.model.config
    assert other.model.config._attn_implementation == "eager"


@pytest.mark.parametrize("kind", ["gpt2", "t5", "distilbert", None])
def test_what_is_not_a_bert(folder, kind):
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    refused(folder, ValueError, repr(kind), "not a BERT")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"is_decoder": True}, "a decoder, which reads from left to right"),
        ({"position_embedding_type": "relative_key_query"}, "'relative_key_query' positions, which transformers"),
        ({"num_hidden_layers": 2}, "no place for bert.encoder.layer.2."),
    ],
)
def test_a_bert_that_would_compute_something_else(folder, facts, said):
    known = json.loads((folder / "config.json").read_text())
    usual = known | {"is_decoder": False, "position_embedding_type": "absolute"}
    (folder / "config.json").write_text(json.dumps(usual))
    assert load(folder, device="cpu").layers == 3
    (folder / "config.json").write_text(json.dumps(usual | facts))
    refused(folder, ValueError, said)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_another_kind_of_tokenizer_needs_its_file(tiny, folder, file):
    facts = json.loads((folder / file).read_text()) | {"tokenizer_class": "BertJapaneseTokenizer"}
    (folder / "tokenizer_config.json").unlink()
    (folder / file).write_text(json.dumps(facts))
    assert load(folder, device="cpu").read("the cat").tokens == tiny.read("the cat").tokens
    vocabulary = sorted(tiny.tokenizer.get_vocab(), key=tiny.tokenizer.get_vocab().get)
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    (folder / "tokenizer.json").unlink()
    refused(folder, ValueError, "needs a BertJapaneseTokenizer and holds no tokenizer.json")


def test_the_length_penalty_of_answers_is_read_and_must_be_a_number(folder):
    facts = json.loads((folder / "config.json").read_text())
    for penalty in (0, 1.5):
        (folder / "config.json").write_text(json.dumps(facts | {"answer_length_penalty": penalty}))
        assert load(folder, device="cpu").length_penalty == penalty
    for penalty in (-1, "1", True, None, [1], float("nan"), float("inf")):
        (folder / "config.json").write_text(json.dumps(facts | {"answer_length_penalty": penalty}))
        refused(folder, ValueError, f"to {penalty!r}", "a number above")


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_without_a_file(folder, file):
    (folder / file).unlink()
    refused(folder, FileNotFoundError, "holds no", file)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("left", [0.0, 0.4, 0.98])
def test_a_file_cut_short(folder, file, left):
    data = (folder / file).read_bytes()
    (folder / file).write_bytes(data[: int(left * len(data))])
    refused(folder, ValueError, "cannot be used", "copy or download it again")


def test_weights_that_are_not_weights(folder):
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n")
    refused(folder, ValueError, "cannot be used")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"junk")
    refused(folder, ValueError, "cannot be used")


class Trap:
    """Unpickled, it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_file_of_weights_does_not_run(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    torch.save({"bert.pooler.dense.bias": Trap(tmp_path / "ran")}, folder / "pytorch_model.bin")
    refused(folder, ValueError, "could run code, so it was not opened")
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_size(folder):
    key = "bert.embeddings.position_embeddings.weight"
    rewrite(folder, lambda weights: {**weights, key: torch.zeros(64, 32)})
    refused(folder, ValueError, f"{key} is [64, 32], not [128, 32]")


def test_half_a_model(folder):
    rewrite(folder, lambda weights: {key: weights[key] for key in weights if ".layer.2." not in key})
    refused(folder, ValueError, "not those of a whole BERT: 16 are missing")


def test_weights_with_nan(folder):
    key = "bert.encoder.layer.1.output.dense.weight"
    rewrite(folder, lambda weights: {**weights, key: weights[key].index_fill(0, torch.tensor([3]), torch.nan)})
    refused(folder, ValueError, "NaN")


def test_a_tokenizer_of_another_model(folder):
    rewrite(folder, lambda weights: weights)
    facts = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    facts["model"]["vocab"]["one-too-many"] = len(facts["model"]["vocab"])
    (folder / "tokenizer.json").write_text(json.dumps(facts), encoding="utf-8")
    refused(folder, ValueError, "the tokenizer of copied", "290 tokens, the model 289")


def test_a_device_that_is_not_there(tiny_folder):
    for device in ("cuda:99", "nonsense"):
        with pytest.raises(ValueError, match=f"there is no device '{device}' here: use 'cpu'"):
            load(tiny_folder, device=device)
