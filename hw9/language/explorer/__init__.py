"""The attention explorer: `explorer(bert, text)` in a notebook cell, `.save(path)` for a page; `index` for a corpus."""

from hw9.language.explorer.cell import Explorer, explorer
from hw9.language.explorer.index import Index, index
from hw9.language.explorer.search import search

__all__ = ["Explorer", "Index", "explorer", "index", "search"]
