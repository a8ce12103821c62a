"""From a folder to a BERT with its tokenizer and the heads that its weights hold: checked, quiet, eager attention."""

import contextlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import torch
import transformers
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from tokenizers import Tokenizer
from torch import nn
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

TOKENIZERS = ("tokenizer.json", "vocab.txt")
USUAL = {"normalizer": "BertNormalizer", "pre_tokenizer": "BertPreTokenizer", "model": "WordPiece"}
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
CLASSES = ("BertTokenizer", "BertTokenizerFast")  # that vocab.txt alone is enough for
LENGTH_PENALTY = "answer_length_penalty"  # in config.json, of a model whose answers were trained with one


class BertWithHeads(BertForMaskedLM):
    """A BERT with a mask head and an answer head, their weights named as in transformers' own two classes."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)
        self.post_init()


def read_config(folder: Path, name: str) -> BertConfig:
    """The configuration in `folder`, a new object, with eager attention: other kinds of attention return no weights.

    `name` is what messages call the model. Raises FileNotFoundError or ValueError, also for what is not a BERT.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{name} holds no config.json: give a folder that save_pretrained wrote")
    with _refused(f"config.json of {name}"):
        facts = json.loads(path.read_text(encoding="utf-8"))
        kind = facts.get("model_type")
    if kind != "bert":
        raise ValueError(f"{name} is of the type {kind!r}, not a BERT: take a model whose model_type is 'bert'")
    if facts.get("is_decoder"):
        raise ValueError(f"{name} is a decoder, which reads from left to right: take a BERT that reads both ways")
    if (places := facts.get("position_embedding_type") or "absolute") != "absolute":
        raise ValueError(f"{name} has {places!r} positions, which transformers no longer knows: take an 'absolute' one")
    penalty = facts.get(LENGTH_PENALTY, 0.0)
    if not (type(penalty) in (int, float) and 0 <= penalty < float("inf")):
        raise ValueError(f"config.json of {name} sets {LENGTH_PENALTY} to {penalty!r}: make it 0 or a number above")
    with _refused(f"config.json of {name}"):
        return BertConfig.from_pretrained(folder, attn_implementation="eager")


def read_tokenizer(folder: Path, name: str, config: BertConfig) -> BertTokenizer:
    """The fast tokenizer in `folder`; FileNotFoundError or ValueError where there is none that fits the model."""
    if not any((folder / file).is_file() for file in TOKENIZERS):
        raise FileNotFoundError(f"{name} holds no tokenizer ({' or '.join(TOKENIZERS)}): copy it beside the weights")
    with _refused(f"the tokenizer of {name}"):
        settings, pipeline = (_facts(folder / file) for file in ("tokenizer_config.json", "tokenizer.json"))
        told = "do_lower_case" in settings
        kind = settings.get("tokenizer_class") or getattr(config, "tokenizer_class", None)
    if not pipeline and kind not in (None, *CLASSES):
        raise ValueError(f"{name} needs a {kind} and holds no tokenizer.json: take a model with a {CLASSES[0]}")
    with _refused(f"the tokenizer of {name}"):
        # transformers takes capitals away where it is not told, and forgets most of what tokenizer.json says.
        tokenizer = BertTokenizer.from_pretrained(
            folder, **({} if told or pipeline else {"do_lower_case": _uncased(folder / "vocab.txt")})
        )
        if pipeline:
            own = Tokenizer.from_file(str(folder / "tokenizer.json"))
            for part, usual in USUAL.items():
                if not told or (pipeline[part] or {}).get("type") != usual:
                    setattr(tokenizer.backend_tokenizer, part, getattr(own, part))
        tokenizer("?")  # an empty vocabulary fails only here
        if len(tokenizer) > config.vocab_size:
            raise LookupError(f"it has {len(tokenizer)} tokens, the model {config.vocab_size}")
    return tokenizer


def read_model(folder: Path, name: str, config: BertConfig) -> tuple[BertWithHeads, bool, bool]:
    """The model, float32, on the CPU, in eval mode; whether its weights hold the mask head and the answer head.

    Nothing in the files is executed. Raises FileNotFoundError or ValueError for weights that are missing, damaged or
    of another model.
    """
    if not any((folder / file).is_file() for file in WEIGHTS):
        raise FileNotFoundError(f"{name} holds no weights ({' or '.join(WEIGHTS)}): copy or download it again")
    with _refused(f"the file of weights of {name}"):
        model, report = BertWithHeads.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            weights_only=True,
            ignore_mismatched_sizes=True,  # they are reported, and refused below
            output_loading_info=True,
        )
    for key, found, wanted in report["mismatched_keys"]:
        raise ValueError(f"the weights of {name} do not fit its config.json: {key} is {[*found]}, not {[*wanted]}")
    missing = {key.split(".")[0] for key in report["missing_keys"]}
    if "bert" in missing:
        lost = sorted(key for key in report["missing_keys"] if key.startswith("bert."))
        raise ValueError(
            f"the weights of {name} are not those of a whole BERT: {len(lost)} are missing ({lost[0]} ...)"
        )
    if over := sorted(key for key in report["unexpected_keys"] if key.removeprefix("bert.").startswith("encoder.")):
        raise ValueError(f"the weights of {name} do not fit its config.json: it has no place for {over[0]}")
    if not all(torch.isfinite(weights).all() for weights in model.parameters()):
        raise ValueError(f"the weights of {name} hold NaN or infinite numbers: copy or download it again")
    return model.eval().requires_grad_(False), "cls" not in missing, "qa_outputs" not in missing


def _facts(file: Path) -> dict:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _uncased(vocabulary: Path) -> bool:
    """Whether no word of a vocab.txt has a capital letter, so that they must be taken away.

    Single letters and names in brackets, [UNK] or <S>, do not count: Chinese vocabularies have such.
    """
    words = (line.strip().removeprefix("##") for line in vocabulary.read_text(encoding="utf-8").splitlines())
    return not any(word != word.lower() and len(word) > 1 and word[0] not in "[<" for word in words)


@contextlib.contextmanager
def _refused(what: str) -> Iterator[None]:
    """Inside, transformers reports nothing, and whatever it raises becomes one ValueError about `what`.

    Its readers raise errors of many libraries (safetensors, tokenizers, pickle, struct, json), some plain Exceptions.
    """
    level = transformers.logging.get_verbosity()
    active, shown = transformers.logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()  # the hub's bars with it
    try:
        yield
    except pickle.UnpicklingError as error:
        raise ValueError(f"{what} holds more than tensors and could run code, so it was not opened") from error
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{what} cannot be used ({reason}): copy or download it again") from error
    finally:
        transformers.logging.set_verbosity(level)
        if active:
            transformers.logging.enable_progress_bar()
        (enable_progress_bars if shown else disable_progress_bars)()
