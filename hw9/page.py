"""A notebook as one HTML page that stands alone: pictures, formulas and the explorer are inside, nothing is fetched."""

import html
import re
from pathlib import Path

import nbformat
from latex2mathml.converter import convert
from nbconvert import HTMLExporter

from hw9.files import replacing

# Code and formulas of Markdown; code comes first, so that a $ in it stays what it is; a price is no formula.
MATHS = re.compile(
    r"(?P<code>```.*?```|`[^`\n]*`)|\$\$(?P<block>.+?)\$\$|(?<![\\$])\$(?P<inline>(?=\S)[^$\n`]+?(?<=\S))\$", re.DOTALL
)
HELD = re.compile("\ue000(\\d+)\ue001")  # characters of private use, which no text holds
PICTURES = ("image/png", "image/jpeg", "image/webp")


def save_page(notebook: Path, target: Path) -> Path:
    """Write the page of an executed notebook and return where it is; raises ValueError for one without outputs."""
    book = nbformat.read(notebook, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    if not any(cell.outputs for cell in code):
        raise ValueError(f"{notebook} has no outputs: run it and save it first")
    drawn: list[str] = []
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = _take_formulas(cell.source, drawn)
    for output in (output for cell in code for output in cell.outputs if "data" in output):
        _with_alt(output)
    book.metadata.pop("widgets", None)  # with their kept state nbconvert would fetch scripts that draw them
    nowhere = {name: "" for name in HTMLExporter.class_trait_names() if name.endswith("_js_url")}
    exporter = HTMLExporter(embed_images=True, mathjax_url="", **nowhere)
    text, _ = exporter.from_notebook_node(book, {"metadata": {"name": notebook.stem, "path": str(notebook.parent)}})
    text = HELD.sub(lambda held: drawn[int(held[1])], text)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part:
        part.write_text(text, encoding="utf-8")
    return target


def _take_formulas(markdown: str, drawn: list[str]) -> str:
    """Markdown with a place held for each formula ($...$, $$...$$); it joins `drawn` as MathML, which browsers draw.

    nbconvert would take the elements of MathML apart, so they go into the finished page.
    """

    def take(found: re.Match) -> str:
        if found["code"]:
            return found["code"]
        block = found["block"]
        text = (block or found["inline"]).strip().replace(r"\arg", r"\operatorname{arg}")  # which the library lacks
        drawn.append(convert(text, display="block" if block else "inline"))
        return f"\ue000{len(drawn) - 1}\ue001"

    return MATHS.sub(take, markdown)


def _with_alt(output: nbformat.NotebookNode) -> None:
    """Put a picture's alternative text, which nbconvert leaves out, into the page."""
    kind = next((kind for kind in PICTURES if kind in output.data), None)
    if kind is None or "text/html" in output.data:
        return
    said = html.escape(output.metadata.get(kind, {}).get("alt", ""), quote=True)
    output.data["text/html"] = f'<img src="data:{kind};base64,{output.data[kind]}" alt="{said}">'
