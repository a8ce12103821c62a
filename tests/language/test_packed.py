"""The packed folder: how far the weights are from those put in, and that plain transformers reads it."""

import copy
import shutil

import pack_bert
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import BertForMaskedLM, BertForQuestionAnswering

from hw9.language.bert import load
from hw9.language.loading import BertWithHeads
from hw9.language.packed import pack, write_folder


@pytest.fixture(scope="module")
def model(tiny_folder):
    return BertWithHeads.from_pretrained(tiny_folder).eval()


@pytest.fixture(scope="module")
def packed(model, tiny, tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("packed") / "bert", model, tiny.tokenizer)


def test_no_weight_is_further_off_than_half_a_step(model):
    kept = pack(model.state_dict())
    steps = {torch.float8_e4m3fn: (2.0**-4, 2.0**-10), torch.float16: (2.0**-11, 2.0**-25)}  # relative, least
    for name, weights in model.state_dict().items():
        if name.startswith("cls.predictions.decoder"):
            continue
        relative, least = steps[kept[name].dtype]
        assert ((kept[name].float() - weights).abs() <= (relative * weights.abs()).clamp_min(least)).all(), name


def test_the_encoder_takes_one_byte_a_weight_the_rest_two_and_ties_are_stored_once(model):
    kept = pack(model.state_dict())
    for name, weights in kept.items():
        assert weights.element_size() == (1 if "encoder" in name and weights.dim() == 2 else 2), name
    assert model.state_dict().keys() - kept.keys() == {
        "cls.predictions.decoder.weight",
        "cls.predictions.decoder.bias",
    }


def test_plain_transformers_reads_both_heads(model, packed):
    kept = {name: weights.float() for name, weights in load_file(packed / "model.safetensors").items()}
    with safe_open(packed / "model.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt"}  # transformers 4 insists
    ids = torch.tensor([[2, 50, 60, 70, 3]])
    ours = load(packed, device="cpu")
    for kind, key in ((BertForMaskedLM, "cls.predictions.bias"), (BertForQuestionAnswering, "qa_outputs.weight")):
        read, report = kind.from_pretrained(packed, output_loading_info=True)
        assert not report["missing_keys"] and not report["mismatched_keys"]
        assert {weights.dtype for weights in read.parameters()} == {torch.float32}
        state = read.state_dict()
        assert key in kept and all(torch.equal(state[name], kept[name]) for name in kept if name in state)
        with torch.no_grad():
            out = read.eval()(ids)
            if kind is BertForMaskedLM:
                assert torch.allclose(out.logits, ours.mask_scores(ours.last_hidden(ids)), atol=1e-4)
            else:
                starts, ends = ours.answer_head(ours.model(ids).last_hidden_state).unbind(-1)
                assert torch.allclose(out.start_logits, starts, atol=1e-4)
                assert torch.allclose(out.end_logits, ends, atol=1e-4)


def test_the_packed_model_reads_as_the_whole_one_does(tiny, packed):
    text = "Unknowns ate 蘋果"
    whole, small = tiny.read(text), load(packed, device="cpu").read(text)
    assert small.tokens == whole.tokens and small.offsets == whole.offsets
    gap = (small.hidden_states - whole.hidden_states).norm() / whole.hidden_states.norm()
    assert 0 < gap < 0.1


def test_packing_twice_changes_nothing(packed, tiny, tmp_path):
    again = write_folder(tmp_path / "again", BertWithHeads.from_pretrained(packed), tiny.tokenizer)
    first, second = (load_file(folder / "model.safetensors") for folder in (packed, again))
    assert first.keys() == second.keys() and all(torch.equal(first[k].float(), second[k].float()) for k in first)


def test_the_packing_tool_writes_the_mean_and_the_length_penalty_and_keeps_one_that_is_there(
    tiny_folder, tiny, model, tmp_path, monkeypatch
):
    def call(*words):
        monkeypatch.setattr("sys.argv", ["pack_bert.py", *map(str, words)])
        pack_bert.main()
        return load(words[1], device="cpu")

    other = copy.deepcopy(model)
    torch.nn.init.zeros_(other.qa_outputs.weight)
    earlier = write_folder(tmp_path / "earlier", other, tiny.tokenizer)
    first, second = tmp_path / "first", tmp_path / "second"
    assert call(tiny_folder, first, "--length-penalty", 1.5).length_penalty == 1.5
    mean = call(first, second, "--earlier", earlier, "--share", 0.25)
    assert mean.length_penalty == 1.5
    torch.testing.assert_close(mean.answer_head.weight, 0.75 * model.qa_outputs.weight, rtol=2e-3, atol=1e-5)


def test_no_path_of_this_machine_is_written(packed, tiny_folder, tmp_path):
    moved = shutil.copytree(packed, tmp_path / "elsewhere")
    for file in moved.glob("*.json"):
        text = file.read_text(encoding="utf-8")
        assert str(tiny_folder) not in text and str(packed) not in text and "/tmp" not in text, file.name
    assert sorted(file.name for file in moved.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_numbers_that_do_not_fit_are_refused(model):
    name = "bert.encoder.layer.0.output.dense.weight"
    for value in (1000.0, torch.nan):
        with pytest.raises(ValueError, match=f"{name} holds NaN or numbers too large"):
            pack({name: torch.full((2, 2), value)})
    with pytest.raises(ValueError, match="too large"):
        pack({"qa_outputs.bias": torch.tensor([1e6])})
