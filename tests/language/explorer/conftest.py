"""The explorer of a tiny random BERT, and a browser that fails a test for any request, error or console message."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page

from hw9.language.explorer import index

HERE = Path(__file__).parent
CHROMIUM = shutil.which("chromium")
TEXT = "the dog ate the sweet red apple because it was new, and the cat sat."
LINES = """😀 the cat ate a sweet apple.
mary bought the new apple phone.
我想吃又甜又大的蘋果。
蘋果的新手機在台北賣。
a dog sat on the mat by the river bank.
the doctor gave the nurse a red book.
今天市場的水果不貴。
老師說電腦公司的股價不好。"""


def pytest_collection_modifyitems(items):
    missing = pytest.mark.skip(reason="Chromium is not installed: apt-get install chromium")
    for item in items:
        if CHROMIUM is None and item.path.parent == HERE and "page" in item.fixturenames:
            item.add_marker(missing)


@pytest.fixture(scope="session")
def corpus(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "lines.txt").write_text(LINES, encoding="utf-8")
    return index(tiny, folder / "lines.txt", folder=folder)


@pytest.fixture
def page(browser) -> Page:
    """A new page of 900 pixels; afterwards it must have asked for nothing but its own file and said nothing."""
    context = browser.new_context(viewport={"width": 900, "height": 1000}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(10_000)
    requests, messages = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    yield page
    context.close()
    assert messages == []
    assert [url for url in requests if not url.startswith(("file:", "blob:"))] == []


@pytest.fixture
def visit(page, tmp_path):
    """Save an explorer, open the page and wait until it is drawn; `address` is added to its address."""

    def go(explorer, address: str = "") -> Page:
        path = explorer.save(tmp_path / "attention.html")
        page.goto(path.as_uri() + address)
        page.locator("[data-ready]").wait_for()
        return page

    return go
