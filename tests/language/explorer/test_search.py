import importlib
import threading
import time

import numpy as np
import pytest
import torch
from tokenizers import normalizers

from hw9.language.bert import load
from hw9.language.explorer import explorer, index, search
from hw9.language.explorer.corpus import read_corpus
from hw9.language.explorer.results import as_json

QUERY = "mary ate the red apple."


def every_word(bert, texts):
    """(sentence, position) and reading of every word of the texts, one text at a time."""
    readings = [bert.read(text) for text in texts]
    places = [(s, p) for s, one in enumerate(readings) for p in range(len(one.tokens)) if not one.special[p]]
    return readings, places


def contexts(bert, reading, layer):
    """(H, T, D / H): what the heads of a layer, counted from 1, read, by their definition."""
    own = bert.model.encoder.layer[layer - 1].attention.self
    with torch.no_grad():
        values = own.value(reading.hidden_states[layer - 1])  # (T, D)
    parts = values.view(len(reading.tokens), bert.heads, -1).transpose(0, 1)
    return reading.attentions[layer - 1] @ parts


def agree(hits, places, similarities, top):
    best = np.sort(similarities)[::-1][:top]
    assert np.allclose(hits.scores, best, atol=2e-3)
    of = dict(zip(places, similarities, strict=True))
    mine = [of[place] for place in zip(hits.sentences.tolist(), hits.positions.tolist(), strict=True)]
    assert np.allclose(mine, hits.scores, atol=2e-3) and len(set(mine)) > 1
    assert len({*zip(hits.sentences.tolist(), hits.positions.tolist(), strict=True)}) == top


def test_a_read_only_disk_and_a_device_without_float64_do_not_stop_the_index(tiny, tmp_path, monkeypatch):
    """The index then lies among the temporary files; an Apple GPU has no float64, so nothing is double before it is on
    the CPU."""
    (tmp_path / "file").write_text("")
    (tmp_path / "corpus.txt").write_text("the cat sat\nthe dog ate", encoding="utf-8")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    moved, cpu, double = [], torch.Tensor.cpu, torch.Tensor.double
    monkeypatch.setattr(torch.Tensor, "cpu", lambda part: moved.append(id(part)) or cpu(part))
    monkeypatch.setattr(
        torch.Tensor, "double", lambda part: double(part) if id(part) in moved else pytest.fail("double")
    )
    found = index(tiny, tmp_path / "corpus.txt", folder=tmp_path / "file" / "cache")
    assert found.folder.parent == tmp_path / "hw9-cache" and len(found.words) == 10


def test_two_threads_build_one_index(tiny, tmp_path):
    """A cell may ask for it while the explorer builds the same."""
    (tmp_path / "corpus.txt").write_text("the cat sat\nthe dog ate", encoding="utf-8")
    built, found = [], []

    def build():
        built.append(threading.get_ident())
        time.sleep(0.3)  # a second one would begin now

    def ask():
        found.append(index(tiny, tmp_path / "corpus.txt", folder=tmp_path, progress=lambda *_: build()))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert len(found) == 2 and len(built) == 1


def test_search_by_embedding_is_what_brute_force_finds(tiny, corpus):
    readings, places = every_word(tiny, corpus.corpus.texts)
    query = tiny.read(QUERY)
    for layer, hits in enumerate(search(corpus, query, 5, top=7), 1):
        vectors = torch.stack([readings[s].hidden_states[layer, p] for s, p in places])
        agree(hits, places, torch.cosine_similarity(vectors, query.hidden_states[layer, 5][None]).numpy(), 7)


@pytest.mark.parametrize("heads", [[2], [1, 4], [1, 2, 3, 4]])
def test_search_by_heads_is_what_brute_force_finds(tiny, corpus, heads):
    readings, places = every_word(tiny, corpus.corpus.texts)
    query, chosen = tiny.read(QUERY), [head - 1 for head in heads]
    for layer, hits in enumerate(search(corpus, query, 5, heads=heads, top=7), 1):
        known = [contexts(tiny, reading, layer) for reading in readings]
        vectors = torch.stack([known[s][chosen, p] for s, p in places])  # (N, heads, D / H)
        asked = contexts(tiny, query, layer)[chosen, 5]
        agree(hits, places, torch.cosine_similarity(vectors, asked[None], dim=-1).mean(1).numpy(), 7)


@pytest.mark.parametrize("heads", [None, [3], [1, 2, 3, 4]])
def test_the_most_attended_word_is_that_of_the_attentions(tiny, corpus, heads):
    chosen = range(4) if heads is None else [head - 1 for head in heads]
    for layer, hits in enumerate(search(corpus, tiny.read(QUERY), 5, heads=heads, top=7)):
        for sentence, position, sees in zip(hits.sentences, hits.positions, hits.attended, strict=True):
            reading = tiny.read(corpus.corpus.texts[sentence])
            weights = reading.attentions[layer, list(chosen)].mean(0)[position].numpy()
            weights[np.array(reading.special)] = -1
            assert weights[sees] == pytest.approx(weights.max(), abs=1e-3)


def test_the_index_is_read_once_for_a_model_and_a_corpus(tiny, tmp_path):
    (tmp_path / "lines.txt").write_text("the cat sat.\n\n  the cat sat.\nthe dog ate.\n", encoding="utf-8")
    done = []
    first = index(tiny, tmp_path / "lines.txt", folder=tmp_path, progress=lambda *count: done.append(count))
    again = index(tiny, tmp_path / "lines.txt", folder=tmp_path, progress=lambda *count: done.append(count))
    assert done == [(2, 2)] and first.corpus.texts == ["the cat sat.", "the dog ate."]
    assert np.array_equal(first.hidden, again.hidden)
    (tmp_path / "lines.txt").write_text("the cat ate.\n", encoding="utf-8")
    index(tiny, tmp_path / "lines.txt", folder=tmp_path, progress=lambda *count: done.append(count))
    assert done == [(2, 2), (1, 1)]


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_an_interrupt_leaves_nothing_behind_and_nothing_spoilt(tiny, tmp_path, monkeypatch):
    """Another kernel may read the same files, and nobody would look for half of one again."""
    (tmp_path / "lines.txt").write_text("the cat sat.\nthe dog ate.\n", encoding="utf-8")
    corpus = index(tiny, tmp_path / "lines.txt", folder=tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(importlib.import_module("hw9.language.explorer.search"), "_padded", interrupt)
        search(corpus, tiny.read(QUERY), 5, heads=[1])
    (corpus.folder / "facts.npz").unlink()  # as if another kernel had written the first of the two files
    before = (corpus.folder / "hidden.f16").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(np.linalg, "norm", interrupt)
        index(tiny, tmp_path / "lines.txt", folder=tmp_path)
    assert {path.name: path.read_bytes() for path in corpus.folder.iterdir()} == {"hidden.f16": before}


def test_a_line_that_cannot_be_read_is_left_out_and_named(tiny, tmp_path):
    lines = ["the cat sat.", "\u200b", "the cat sat.", "the cat " * 99, "the dog ate."]
    (tmp_path / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
    with pytest.warns(RuntimeWarning) as caught:
        found = index(tiny, tmp_path / "lines.txt", folder=tmp_path)
    said = [str(warning.message) for warning in caught]
    assert found.corpus.texts == ["the cat sat.", "the dog ate."] and len(found.starts) == 3
    assert "leaves out line 2 (the text holds no character" in said[0] and "line 4 (the text has 200 tokens" in said[1]
    (tmp_path / "lines.txt").write_text("\u200b", encoding="utf-8")
    with (
        pytest.warns(RuntimeWarning, match="leaves out line 1"),
        pytest.raises(ValueError, match=r"can read no line of lines\.txt: give it other sentences"),
    ):
        index(tiny, tmp_path / "lines.txt", folder=tmp_path)


def test_another_tokenizer_has_an_index_of_its_own(tiny, tiny_folder, tmp_path):
    (tmp_path / "lines.txt").write_text("the Cat sat.", encoding="utf-8")
    tiny.answer("who?", "the cat sat")  # sets padding and truncation, which change nothing
    other = load(tiny_folder, device="cpu")
    folders = [index(tiny, tmp_path / "lines.txt", folder=tmp_path).folder]
    for lowercase in (True, False):
        other.tokenizer.backend_tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        folders.append(index(other, tmp_path / "lines.txt", folder=tmp_path).folder)
    assert folders[0] == folders[1] != folders[2]


def test_a_file_that_is_no_corpus_is_one_clear_line(tiny, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*: give a text file with one sentence a line"):
        index(tiny, tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n  \n")
    with pytest.raises(ValueError, match="holds no sentence: put one on each line"):
        index(tiny, tmp_path / "empty.txt")
    (tmp_path / "big5.txt").write_bytes("蘋果".encode("big5"))
    with pytest.raises(ValueError, match="is not UTF-8 text: save it as UTF-8, one sentence a line"):
        index(tiny, tmp_path / "big5.txt")


@pytest.mark.parametrize("heads", [[], [0], [5]])
def test_heads_that_do_not_exist_are_refused(tiny, corpus, heads):
    with pytest.raises(ValueError, match="heads are numbers from 1 to 4, at least one"):
        search(corpus, tiny.read(QUERY), 5, heads=heads)


def test_a_page_carries_the_searches_of_every_word_plain_and_masked(tiny, corpus):
    payload = explorer(tiny, "the apple", corpus=corpus).payload(singles=True)
    assert payload.meta["corpus"]["rows"] == ["near:1:", "near:2:", "near:1:1", "near:2:2", "heads:1:", "heads:2:"]
    assert payload.meta["corpus"]["count"] == 8


def test_json_of_hits_holds_the_sentences_with_their_spans(tiny, corpus):
    layers = search(corpus, tiny.read(QUERY), 5, top=3)
    found = as_json(corpus, layers)
    sentence, position, sees, score = found["layers"][0][0]
    text, tags, spans = found["sentences"][sentence]
    assert text == corpus.corpus.texts[layers[0].sentences[0]] and tags == "x" * len(text)
    reading = tiny.read(text)
    assert [tuple(span) for span in spans] == reading.offsets
    assert (position, sees) == (layers[0].positions[0], layers[0].attended[0]) and score <= 1


def test_the_shipped_corpus_is_bilingual_tagged_and_has_no_sentence_twice():
    corpus = read_corpus()
    assert len(corpus.texts) == len(set(corpus.texts)) >= 2000
    for text, tags in zip(corpus.texts, corpus.tags, strict=True):
        assert len(text) == len(tags) and set(tags) <= set("nevadrmtpcu.x ") and tags[-1] == "."
    chinese = [text for text in corpus.texts if "\u4e00" <= text[0] <= "\u9fff"]
    assert 800 < len(chinese) < 1200
    tags = dict(zip(corpus.texts, corpus.tags, strict=True))
    sentence = next(text for text in tags if text.startswith("The new phone from"))
    assert tags[sentence][4:7] == "aaa" and tags[sentence][8:13] == "nnnnn"
