"""`python -m benchmarks --device cuda`: the table of the device; without options every benchmark in turn.

In turn: two threads, ratios of medians; seconds depend on the machine.
"""

import runpy
import sys
from pathlib import Path

ALL = ("attribution", "lime_speed", "filters_speed", "reading", "language_figures", "explorer")
for script in ALL if len(sys.argv) == 1 else ("device",):
    print(f"\n== {script}", flush=True)
    runpy.run_path(str(Path(__file__).with_name(f"{script}.py")), run_name="__main__")
