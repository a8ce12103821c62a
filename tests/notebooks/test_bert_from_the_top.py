"""The BERT notebook runs from top to bottom where nothing but the archive lies beside it."""

from lesson_cells import from_the_top


def test_it_runs_from_top_to_bottom(tmp_path, monkeypatch):
    assert from_the_top("hw9_bert_explanation.py", tmp_path, monkeypatch)
