"""Take the picture of the attention explorer that the notebook and the README show.

PYTHONPATH=. python tools/picture_explorer.py figures/attention_explorer.png

Needs Debian's chromium, like the explorer's tests. One token is masked and pinned.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from hw9.language import bert
from hw9.language.explorer import explorer

TEXT = "今天早上我在市場買了三斤蘋果和一串香蕉，老師說這種蘋果又脆又甜。"
VIEW = {"layer": 5, "top": 60, "hide_special": True, "renormalise": True, "theme": "light"}


def main(target: Path) -> None:
    apple = TEXT.index("果") + 1  # [CLS] is token 0
    view = VIEW | {"masked": [apple], "pin": apple, "side": "right", "combinations": [(apple - 1, apple)]}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page_file = explorer(bert.load(device="cpu"), TEXT, **view).save(Path(folder) / "explorer.html")
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 1240})
        page.goto(page_file.as_uri())
        page.get_by_text("Also in this page").wait_for()
        page.wait_for_timeout(500)  # the thumbnails are drawn after the curves
        drawn = page.screenshot()
        browser.close()
    Image.open(io.BytesIO(drawn)).convert("RGB").quantize(256).save(target, "PNG", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
