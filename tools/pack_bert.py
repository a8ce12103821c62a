"""Write the packed folder that ships.

PYTHONPATH=. python tools/pack_bert.py runs/bert/plain checkpoints/bert-mini-zh-en
"""

import sys
from pathlib import Path

from hw9.language.loading import read_config, read_model, read_tokenizer
from hw9.language.packed import write_folder


def main(source: Path, target: Path) -> None:
    config = read_config(source, source.name)
    model, _, _ = read_model(source, source.name, config)
    write_folder(target, model, read_tokenizer(source, source.name, config))
    size = sum(file.stat().st_size for file in target.iterdir()) / 2**20
    print(f"{target}: {size:.1f} MB")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
