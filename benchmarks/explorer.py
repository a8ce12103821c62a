"""The attention explorer beside BertViz's head view: size of the page, time to build it, time until curves are seen.

    python -m benchmarks.explorer [folder or name of a model]

Needs bertviz (any version, `pip install --no-deps bertviz` is enough for the head view), Playwright and Chromium.
BertViz's page fetches require.js, d3 and jQuery from a CDN. To be fair to it, and to need no network while measuring,
the three come from the npm registry beforehand (`npm pack`, where npm is installed) and lie beside its page, whose
addresses are changed to that; their size counts as part of it. Ours
carries every single mask with its predictions as well.
"""

import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from hw9.language.bert import load
from hw9.language.explorer import explorer

TEXT = "我昨天在台北的市場買了三斤蘋果和一串香蕉,老師說這種蘋果又脆又甜。"
LONG = TEXT[:-1] + ",可是同學比較想要蘋果公司新出的手機,因為相機在晚上也能拍得很清楚。"
ROUNDS = 7
# What the head view asks its CDN for, by the name there: npm package, file inside.
LIBRARIES = {
    "require.min.js": ("requirejs@2.3.6", "package/require.js"),
    "d3.min.js": ("d3@5.7.0", "package/dist/d3.min.js"),
    "jquery.min.js": ("jquery@2.2.4", "package/dist/jquery.min.js"),
}
# Notes the time of the first frame in which a selector matches, without waiting on the driver.
CLOCK = """
(() => {
  const look = () => document.querySelector(SELECTOR) ? (window.seen = performance.now()) : requestAnimationFrame(look);
  requestAnimationFrame(look);
})();
"""


def bertviz_page(reading) -> str:
    from bertviz import head_view

    layers = [layer[None] for layer in reading.attentions]
    body = head_view(layers, list(reading.tokens), html_action="return", layer=0).data
    beside = re.sub(r"https://cdnjs[^'\"]*/", "", body)
    return f"<!doctype html><meta charset=utf-8><body>{beside}</body>"


def libraries(folder: Path) -> dict[str, bytes] | None:
    """The three libraries of the head view, or None where npm is missing."""
    if shutil.which("npm") is None:
        return None
    found = {}
    for name, (package, member) in LIBRARIES.items():
        packed = subprocess.run(
            ["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True
        )
        with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
            found[name] = archive.extractfile(member).read()
    return found


def seconds(run) -> tuple[float, object]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def seen(browser, path: Path, selector: str) -> float:
    """Milliseconds from the start of the navigation to the frame in which the selector matches."""
    page = browser.new_page(viewport={"width": 900, "height": 1000})
    page.add_init_script(CLOCK.replace("SELECTOR", repr(selector)))
    page.goto(path.as_uri())
    page.locator(selector).first.wait_for(state="attached")
    page.wait_for_timeout(50)
    when = page.evaluate("window.seen")
    page.close()
    return when


def redraw(browser, path: Path) -> float:
    """Milliseconds of script and rasterising for one move of the slider, all curves shown."""
    page = browser.new_page(viewport={"width": 900, "height": 1000})
    page.goto(path.as_uri())
    page.locator("[data-ready]").wait_for()
    times = page.evaluate("""async () => {
      const { explorer } = document.querySelector(".hw9-explorer");
      const board = document.querySelector("canvas.curves").getContext("2d");
      const times = [];
      for (let i = 0; i < 60; i++) {
        const start = performance.now();
        await explorer.update({ top: 100 - (i % 5) });
        board.getImageData(0, 0, 1, 1); // waits for the curves to be on the canvas
        times.push(performance.now() - start);
      }
      return times;
    }""")
    page.close()
    return statistics.median(times)


def main(name: str | None) -> None:
    bert = load(name, device="cpu")
    reading, long = bert.read(TEXT), bert.read(LONG)
    bert.read(TEXT, masked=[3])
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds(lambda: explorer(bert, reading).html))
        theirs.append(seconds(lambda: bertviz_page(reading)))
    print(f"{bert.name}, {len(reading.tokens)} tokens, medians of {ROUNDS} interleaved rounds")
    build = [statistics.median(time for time, _ in runs) for runs in (ours, theirs)]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        files = libraries(folder) or {}
        pages = {"ours": folder / "ours.html", "bertviz": folder / "bertviz.html"}
        pages["ours"].write_text(ours[0][1], encoding="utf-8")
        pages["bertviz"].write_text(theirs[0][1], encoding="utf-8")
        size = [path.stat().st_size for path in pages.values()]
        for file, content in files.items():
            (folder / file).write_bytes(content)
            size[1] += len(content)
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            waits = {"ours": [], "bertviz": []}
            for _ in range(ROUNDS if files else 0):
                waits["ours"].append(seen(browser, pages["ours"], "[data-ready]"))
                waits["bertviz"].append(seen(browser, pages["bertviz"], "#attention line"))
            slider = redraw(browser, explorer(bert, long, top=100).save(folder / "long.html"))
            browser.close()
    print(f"page         {size[0] / 1e6:6.2f} MB, every single mask inside   BertViz {size[1] / 1e6:6.2f} MB, none")
    print(f"build        {build[0]:6.2f} s                     BertViz {build[1]:6.2f} s")
    if files:
        first = [statistics.median(times) for times in waits.values()]
        ratio = first[1] / first[0]
        print(f"curves seen  {first[0]:6.0f} ms                    BertViz {first[1]:6.0f} ms, {ratio:.1f} times ours")
    else:
        print("curves seen: not measured, since npm, which brings what BertViz fetches, is not installed")
    print(f"slider       {slider:6.1f} ms a redraw, {len(long.tokens)} tokens, all heads, all curves")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
