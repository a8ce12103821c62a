"""The attention explorer: `explorer(bert, text)` in a notebook cell, `.save(path)` for a page; `index` for a corpus."""

from hw9.language.explorer.cell import Explorer, explorer
from hw9.language.explorer.search import Index, index, search

__all__ = ["Explorer", "Index", "explorer", "index", "search"]
