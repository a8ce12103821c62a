"""`make bench`: every benchmark in turn, two threads, ratios of medians; seconds depend on the machine."""

import runpy
import sys
from pathlib import Path

sys.argv = sys.argv[:1]
for script in ("attribution", "lime_speed", "filters_speed", "reading", "language_figures", "explorer"):
    print(f"\n== {script}", flush=True)
    runpy.run_path(str(Path(__file__).with_name(f"{script}.py")), run_name="__main__")
