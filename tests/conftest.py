"""The order of the tests; one browser for all that need one (a thread cannot drive two); how large text is shown."""

import shutil
from itertools import combinations

import pytest
from matplotlib.text import Text
from playwright.sync_api import sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]


def pytest_collection_modifyitems(items):
    """The longest files first (--no-loadscope-reorder keeps it so): two processes then come to an end together."""
    items.sort(key=lambda item: ("_from_the_top" not in item.path.name, item.path.parent.name != "notebooks"))


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, without a window."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def shown_sizes():
    """Size in pixels of all that a figure writes, [(size, text)], as a page 833 pixels wide shows what is kept of it.

    So wide is JupyterLab's column beside its file browser; wider figures are shrunk to it, smaller ones stay.
    """

    def sizes(figure, column: int = 833) -> list[tuple[float, str]]:
        figure.canvas.draw()
        kept = 96 * (figure.get_tightbbox().width + 0.2)  # pixels, as notebook.show keeps it: dpi 96, tight, a rim
        pixels = 96 / 72 * min(1, column / kept)
        texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
        return [(text.get_fontsize() * pixels, text.get_text()) for text in texts]

    return sizes


@pytest.fixture
def crowded():
    """Texts of a figure that lie on their neighbours: names along one axis, or what is written in one panel."""

    def found(figure) -> list[tuple[str, str]]:
        figure.draw_without_rendering()
        pairs = []
        for ax in (ax for ax in figure.axes if ax.axison):
            for texts in (ax.get_xticklabels(), ax.get_yticklabels(), ax.texts):
                texts = [text for text in texts if text.get_text().strip() and text.get_visible()]
                boxes = [text.get_window_extent() for text in texts]
                for (one, first), (other, second) in combinations(zip(texts, boxes, strict=True), 2):
                    width = min(first.x1, second.x1) - max(first.x0, second.x0)
                    height = min(first.y1, second.y1) - max(first.y0, second.y0)
                    if width > 1 and height > 1:
                        pairs.append((one.get_text(), other.get_text()))
        return pairs

    return found
