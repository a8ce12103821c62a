"""From a folder to a BERT with its tokenizer and the heads that its weights hold; quiet, eager, checked."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import torch
import transformers
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from torch import nn
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
TOKENIZERS = ("tokenizer.json", "vocab.txt")


class BertWithHeads(BertForMaskedLM):
    """A BERT with a mask head and a question-answering head; the names are those of transformers' own classes."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)
        self.post_init()


def read_config(folder: Path) -> BertConfig:
    """The configuration in `folder`, with eager attention; a ValueError for a model that is not a BERT."""
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no config.json: give a folder that save_pretrained wrote, or a name")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        kind = facts.get("model_type")
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged or no model's configuration: copy or download it again") from error
    if kind != "bert":
        raise ValueError(f"{folder} holds a model of type {kind!r}, not a BERT: take one whose model_type is 'bert'")
    with quiet():
        return BertConfig.from_pretrained(folder, attn_implementation="eager")


def read_tokenizer(folder: Path) -> BertTokenizer:
    """The fast tokenizer in `folder`."""
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise FileNotFoundError(f"{folder} holds no tokenizer ({' or '.join(TOKENIZERS)}): copy it beside the weights")
    with quiet():
        return BertTokenizer.from_pretrained(folder)


def read_model(folder: Path, config: BertConfig) -> tuple[BertWithHeads, bool, bool]:
    """The model, in float32 on the CPU, and whether its weights hold the mask head and the answer head."""
    if not any((folder / name).is_file() for name in WEIGHTS):
        raise FileNotFoundError(f"{folder} holds no weights ({' or '.join(WEIGHTS)}): copy or download it again")
    with quiet():
        model, report = BertWithHeads.from_pretrained(
            folder, config=config, dtype=torch.float32, output_loading_info=True
        )
    missing = report["missing_keys"]
    return model.eval(), not any("cls." in key for key in missing), not any("qa_outputs." in key for key in missing)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No reports and no bars of transformers inside, whatever they were before afterwards."""
    level, bars = transformers.logging.get_verbosity(), not are_progress_bars_disabled()
    active = transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)
        if active:
            transformers.logging.enable_progress_bar()
        (enable_progress_bars if bars else disable_progress_bars)()
