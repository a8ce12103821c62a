"""The archive for Colab: everything a notebook opened alone needs beside it."""

import zipfile
from pathlib import Path

from hw9.files import replacing
from hw9.notebook import ROOT
from hw9.run import built, check_built, sources

PARTS = ("hw9", "checkpoints", "data/sprites", "data/photos", "data/corpus", "requirements.txt", "LICENSE", "README.md",
         "figures/attention_explorer.png")  # fmt: skip


def pack(target: Path) -> Path:
    """Write package, weights, embedded data and the built notebooks into one zip; returns its path.

    Raises ValueError for a notebook that is not as it was built, one that somebody has begun to run for instance.
    """
    for source in sources():
        check_built(source)
    files = [path for part in PARTS for path in _files(ROOT / part)] + [built(source) for source in sources()]
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(ROOT).as_posix())
    return target


def _files(part: Path) -> list[Path]:
    if part.is_file():
        return [part]
    inside = (path for path in part.rglob("*") if path.is_file())
    # Large or private things that may lie there: byte code, resumable training state, a course checkpoint of 170 MB.
    left_out = {"__pycache__", ".ipynb_checkpoints"}
    return sorted(p for p in inside if left_out.isdisjoint(p.parts) and p.suffix not in {".resume", ".part", ".pth"})
