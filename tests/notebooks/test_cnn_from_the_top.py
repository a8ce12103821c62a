"""The CNN notebook runs from top to bottom where nothing but the archive lies beside it. The longest test, so alone."""

import re

from lesson_cells import from_the_top

CHOICE = "lesson.choose(DATA, model=MODEL, device=device)"


def test_it_runs_from_top_to_bottom(tmp_path, monkeypatch):
    """Pictures have a side of 48 pixels instead of 96, to save time: at 96 the built notebook was executed."""
    small = (CHOICE, "lesson.choose(DATA, device=device, size=48)")
    outputs = from_the_top("hw9_cnn_explanation.py", tmp_path, monkeypatch, small)
    apart = re.findall(r"plain torch and the library: (\S+) of", "".join(str(output.get("text")) for output in outputs))
    assert len(apart) == 2 and all(float(part) < 0.01 for part in apart)
