"""The explorer as one self-contained HTML page: its JavaScript modules joined, every text escaped, nothing fetched."""

import base64
import hashlib
import html
import json
import re
from pathlib import Path

from hw9.language.explorer.payload import Payload

FOLDER = Path(__file__).parent / "page"
IMPORT = re.compile(r'^import .* from "\./(\w+\.js)";\n', re.MULTILINE)


def bundle(entry: str) -> str:
    """The module `entry` and all that it imports as one script, each module once and before those that need it.

    The modules share one scope, so their top-level names must differ; a test sees to that.
    """
    parts: dict[str, str] = {}

    def visit(name: str) -> None:
        text = (FOLDER / name).read_text(encoding="utf-8")
        for needed in IMPORT.findall(text):
            if needed not in parts:
                visit(needed)
        parts[name] = re.sub(r"^export ", "", IMPORT.sub("", text), flags=re.MULTILINE)

    visit(entry)
    return "\n".join(parts.values())


def style() -> str:
    return (FOLDER / "style.css").read_text(encoding="utf-8")


def render(payload: Payload, title: str) -> str:
    """The page. Its content security policy names the hashes of its own script and style and allows no connection."""
    sheet = style() + (FOLDER / "page.css").read_text(encoding="utf-8")
    script = bundle("saved.js") + "\nopenSaved().catch(tellBroken);\n"
    policy = f"default-src 'none'; img-src blob:; style-src '{_hash(sheet)}'; script-src '{_hash(script)}'"
    values = {
        "policy": policy,
        "title": html.escape(title),
        "style": sheet,
        "meta": in_script(payload.meta),
        "blob": base64.b64encode(payload.blob).decode(),
        "script": script,
    }
    frame = (FOLDER / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], frame)


def in_script(content: object) -> str:
    """JSON that cannot end the script element it stands in, whatever its strings hold."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
