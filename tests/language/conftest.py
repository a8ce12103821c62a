"""A tiny random BERT with both heads, built once from a configuration and a small vocabulary; figures drawn."""

import json
import shutil
import warnings

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from transformers import BertConfig, BertTokenizer

from hw9.language.bert import Bert, load
from hw9.language.loading import BertWithHeads
from hw9.notebook import cjk_font

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
HAN = (
    "我你他她它的是在了不有人這个個中大上来來到时時吃喝想要買买賣卖蘋苹果手機机新電电腦脑公司股價价市場场派汁樹树園园紅红甜好看"
    "天氣气今明日北京台灣湾城東东西南學学生老師师狗貓猫水銀银行河岸錢钱"
)
WORDS = """
the a an i he she it they we you his her is was are were to of in on at and or not with by for from who what where
when why how that this cat dog sat mat apple apples fruit phone company bank river money tree red sweet new eat
ate buy bought sell sold pie juice mary john peter anna doctor nurse book gave said because tired trophy suitcase
fit big small paris france capital city live lives lived work works born old year ##s ##ing ##ed ##er ##ly un ##known
"""
MARKS = tuple(".,!?;:'\"-()<>/&。，！？；：、「」（）") + tuple("0123456789") + tuple("abcdefghijklmnopqrstuvwxyz")


def vocabulary() -> list[str]:
    letters = [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"]
    return list(dict.fromkeys([*SPECIALS, *WORDS.split(), *HAN, *MARKS, *letters]))


def make_tokenizer(limit: int) -> BertTokenizer:
    words = {word: number for number, word in enumerate(vocabulary())}
    core = Tokenizer(WordPiece(words, unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", words["[CLS]"]), ("[SEP]", words["[SEP]"])],
    )
    return BertTokenizer(tokenizer_object=core, do_lower_case=True, model_max_length=limit)


def make_model(limit: int) -> BertWithHeads:
    """3 layers, 4 heads, width 32, random weights far enough from zero that attentions are not flat."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary()),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=limit,
        initializer_range=0.2,
        architectures=["BertForMaskedLM"],
    )
    return BertWithHeads(config).eval()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A plain transformers folder with the tiny BERT and its tokenizer; tests that change it copy it first."""
    folder = tmp_path_factory.mktemp("tiny-bert")
    make_model(128).save_pretrained(folder)
    make_tokenizer(128).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder) -> Bert:
    """A Bert on the CPU: 3 layers, 4 heads, width 32, at most 128 tokens, both heads; tests leave it as it is."""
    return load(tiny_folder, device="cpu")


@pytest.fixture
def folder_with(tiny_folder, tmp_path):
    """Loads a copy of the tiny BERT with more tokens in its vocabulary."""

    def build(*words: str) -> Bert:
        folder = shutil.copytree(tiny_folder, tmp_path / "more")
        pipeline = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        known = pipeline["model"]["vocab"]
        known.update({word: len(known) + number for number, word in enumerate(w for w in words if w not in known)})
        (folder / "tokenizer.json").write_text(json.dumps(pipeline), encoding="utf-8")
        config = BertConfig.from_pretrained(folder)
        config.vocab_size = len(known) + 3  # as some models have it, rows to spare
        BertWithHeads(config).save_pretrained(folder)
        return load(folder, device="cpu")

    return build


@pytest.fixture
def drawn_without_warnings():
    """Every figure of a test is drawn, with the lesson's fonts, and nothing may be warned of: no glyph is missing."""
    with warnings.catch_warnings(), matplotlib.rc_context({"font.family": ["DejaVu Sans", cjk_font()]}):
        warnings.simplefilter("error")
        yield
        for number in plt.get_fignums():
            plt.figure(number).canvas.draw()
        plt.close("all")
