"""The CNN notebook runs from top to bottom where nothing but the archive lies beside it."""

import re

from lesson_cells import from_the_top

CHOICE = "food = lesson.choose(DATA, model=MODEL, device=device)"
SMALLER = """
lesson.SCENES, lesson.TIMES = {name: (count // 4, of) for name, (count, of) in lesson.SCENES.items()}, 1
food = lesson.choose(DATA, device=device, size=48)
"""


def test_it_runs_from_top_to_bottom(tmp_path, monkeypatch):
    """A quarter of the pictures, 48 pixels instead of 96, to save time: the built notebook was executed in full."""
    outputs = from_the_top("hw9_cnn_explanation.py", tmp_path, monkeypatch, (CHOICE, SMALLER))
    apart = re.findall(r"plain torch and the library: (\S+) of", "".join(str(output.get("text")) for output in outputs))
    assert len(apart) == 2 and all(float(part) < 0.01 for part in apart)
