"""Files that appear whole or not at all."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` in one step at the end and is removed if that is not
    reached: nobody ever sees a half-written `path`."""
    # Not the name and more: it may be as long as names can be.
    short = hashlib.blake2b(os.fsencode(path.name), digest_size=8).hexdigest()
    part = path.with_name(f".{short}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        with suppress(OSError):  # Windows, while an exception keeps the file open
            part.unlink()
