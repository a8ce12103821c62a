"""Both notebooks in a real JupyterLab, in Chromium: what is stored is seen before it is trusted, what is live answers.

The cells themselves are executed in full elsewhere (lesson_cells); what only a JupyterLab can show is how outputs of
each kind are drawn, who gets the keys, and what a restart leaves. So one cell of each kind runs here, with the embedded
model and a real kernel, and the built notebooks are opened as they lie at the top. Screenshots go to build/jupyterlab.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from playwright.sync_api import TimeoutError

from hw9.notebook import ROOT
from hw9.run import built, from_source, sources

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
# How the cells begin that run: set-up, settings, models, own words, code shown, explorer, question, figure, stepper.
LIVE = ("REPOSITORY", "MODEL =", "from functools", "MINE =", "source(attention.predict", "from hw9.language.explorer",
        "def ask(", "planes, variance =", "stepper(")  # fmt: skip
SERVER = ("--no-browser", "--allow-root", "--ip=127.0.0.1", "--ServerApp.port=0", "--IdentityProvider.token=",
          "--LabApp.news_url=None", "--LabApp.expose_app_in_browser=True")  # fmt: skip
SEEN = ROOT / "build" / "jupyterlab"
EXPLORER = ".hw9-explorer[data-ready]"
# Run the first cells, or, of a list of texts, add a cell at the end for each and run that.
RUN = """async (texts) => {
  const { commands, shell } = window.jupyterapp;
  const { content } = shell.currentWidget;
  for (const [at, text] of texts.entries()) {
    content.activeCellIndex = text === null ? at : content.widgets.length - 1;
    if (text !== null) {
      await commands.execute("notebook:insert-cell-below");
      content.activeCell.model.sharedModel.setSource(text);
    }
    await commands.execute("notebook:run-cell");
  }
}"""
# A quiz on facts that are written down; the last section's figure has not been drawn.
LIME = '{"score": [0.8, 0.5, 0.51, 0.7], "clear": [1]}'
QUIZ = (
    'import os\nos.environ |= {"HW9_BANK": "bank.yaml", "HW9_RUNS": "answers"}\nfrom hw9 import notebook, quiz\n'
    'quiz.begin("cnn", "demo", "0123456789abcdef")',
    f'notebook.fact("pictures", {{"names": ["Bread", "Egg", "Soup", "Rice"]}})\nnotebook.fact("lime", {LIME})',
    'quiz.ask("lime")',
    'quiz.ask("saliency")',
)
# Save the notebook, end its kernel, and write a copy whose outputs nobody has vouched for.
COPY = """async () => {
  const { commands, serviceManager } = window.jupyterapp;
  await commands.execute("docmanager:save");
  await serviceManager.sessions.shutdownAll();
  const { content } = await serviceManager.contents.get("quiz.ipynb");
  for (const cell of content.cells) [cell.source, cell.metadata] = [`${cell.source} # copied`, {}];
  await serviceManager.contents.save("copied.ipynb", { type: "notebook", format: "json", content });
}"""
IDLE = "window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.status === 'idle'"
LAYER = "document.querySelector('.hw9-stepper output').textContent"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab of its own, without a user's settings, on a copy of the lesson."""
    home = tmp_path_factory.mktemp("lesson")
    for part in ("hw9", "checkpoints", "data/sprites", "data/corpus", "figures"):
        shutil.copytree(ROOT / part, home / part, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (ROOT / "requirements.txt", *map(built, sources())):
        shutil.copy(path, home)
    book = from_source(next(source for source in sources() if "bert" in source.name))
    book.cells = [cell for cell in book.cells if cell.cell_type == "code" and cell.source.startswith(LIVE)]
    assert len(book.cells) == len(LIVE)
    nbformat.write(book, home / "live.ipynb")
    shutil.copy(ROOT / "tests" / "quiz" / "bank.yaml", home / "bank.yaml")
    book.cells = [nbformat.v4.new_code_cell(source) for source in QUIZ]
    nbformat.write(book, home / "quiz.ipynb")
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    env = {name: str(home / ".own" / name) for name in (*places, "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    env["OMP_NUM_THREADS"] = "1"  # the browser has the other core
    # No news from the network; and cells out of sight are drawn as well.
    for file, settings in {"apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
                           "notebook-extension/tracker": {"windowingMode": "none"}}.items():  # fmt: skip
        path = home / ".own" / "JUPYTERLAB_SETTINGS_DIR" / "@jupyterlab" / f"{file}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "jupyterlab", *SERVER]
    with open(home / "lab.log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=home, env={**os.environ, **env}, stdout=log, stderr=log)
    try:
        yield _address(home / ".own" / "JUPYTER_RUNTIME_DIR", server)
    finally:
        server.terminate()
        server.wait(30)


def _address(runtime, server) -> str:
    for _ in range(3000):  # the first start in a new environment compiles a thousand files
        assert server.poll() is None, "JupyterLab ended: see lab.log beside the copy of the lesson"
        for file in runtime.glob("jpserver-*.json"):
            address = json.loads(file.read_text(encoding="utf-8"))["url"]
            try:
                urllib.request.urlopen(f"{address}api", timeout=5)
                return address
            except OSError:
                pass
        time.sleep(0.1)
    raise AssertionError("JupyterLab did not start within five minutes")


@pytest.fixture(scope="module")
def page(lab, browser):
    """A window; at the end nothing may have failed in it, and nothing been asked for elsewhere."""
    failed, elsewhere = [], []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(300_000)  # with other work beside it a cell takes its time
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("request", lambda request: elsewhere.append(request.url))
    SEEN.mkdir(parents=True, exist_ok=True)
    yield page
    context.close()
    assert failed == []
    assert [url for url in elsewhere if not url.startswith((lab, "data:", "blob:", "about:"))] == []


def open_notebook(page, lab, name: str) -> None:
    page.goto(f"{lab}lab/tree/{name}?reset")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.wait_for_function("window.jupyterapp.shell.currentWidget?.context?.sessionContext?.isReady", polling=200)


def command(page, name: str, **arguments) -> None:
    page.evaluate("([name, given]) => void window.jupyterapp.commands.execute(name, given)", [name, arguments])


def restart(page) -> None:
    command(page, "kernelmenu:restart")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    until(page, IDLE)


def until(page, script: str) -> None:
    try:
        page.wait_for_function(script, polling=200)
    except TimeoutError:
        page.screenshot(path=SEEN / "stuck.png")
        raise


def picture(page, name: str, selector: str) -> None:
    """Screenshots in both themes and at both widths, with the first match of `selector` in sight."""
    for theme in ("Dark", "Light"):
        command(page, "apputils:change-theme", theme=f"JupyterLab {theme}")
        until(page, f"document.body.dataset.jpThemeLight === '{str(theme == 'Light').lower()}'")
        for width in (833, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            page.locator(selector).first.scroll_into_view_if_needed()
            page.wait_for_timeout(300)
            page.screenshot(path=SEEN / f"{name}_{width}_{theme.lower()}.png")


@pytest.mark.parametrize("name", [built(source).name for source in sources()])
def test_what_is_stored_is_seen_before_the_notebook_is_trusted(page, lab, name):
    open_notebook(page, lab, name)
    pictures = page.locator(".jp-Notebook .jp-OutputArea img")
    code = sum(cell.cell_type == "code" for cell in nbformat.read(ROOT / name, as_version=4).cells)
    assert pictures.count() > code / 3
    assert pictures.evaluate_all("all => all.every((one) => one.complete && one.naturalWidth > 100)")
    # Lines of code are not broken; one too long scrolls by itself and moves nothing else.
    blocks = page.locator(".jp-RenderedHTML pre")
    assert blocks.count() >= 5
    assert blocks.evaluate_all("all => all.every((one) => getComputedStyle(one).whiteSpace === 'pre')")
    wide = (
        "all => all.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent.slice(0, 80))"
    )
    assert page.locator(".jp-RenderedHTML, .jp-RenderedImage").evaluate_all(wide) == []
    assert page.locator(".jp-Notebook mjx-container").count() >= 3  # formulas, typeset without network
    assert page.locator(".jp-Notebook iframe").count() == 0  # not trusted
    if "bert" in name:
        assert page.get_by_text("run this cell, or trust the notebook").is_visible()
        assert page.get_by_alt_text("Attention between the tokens of").evaluate("one => one.clientWidth") > 500
        assert page.get_by_alt_text("The tokens as points in a plane").evaluate("one => one.clientWidth") > 500
        picture(page, "stored", "img[alt^='Attention between']")


def test_live_outputs_answer_keep_their_keys_and_say_what_to_do_after_a_restart(page, lab):
    open_notebook(page, lab, "live.ipynb")

    def run(number: int = len(LIVE)):
        page.evaluate(RUN, [None] * number)
        until(page, f"document.querySelector('{EXPLORER}') !== null")
        assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0

    def state(which: int, what: str):
        return page.evaluate(f"document.querySelectorAll('{EXPLORER}')[{which}].explorer.{what}")

    run()
    explorer = page.locator(EXPLORER).first
    explorer.locator(".layers .segment").nth(4).click()
    explorer.locator(".tokens.left .token").nth(3).click()
    page.keyboard.press("m")  # in JupyterLab M makes the cell Markdown
    until(page, f"document.querySelector('{EXPLORER}').explorer.state.masked.join() === '3'")
    for key in ("ArrowDown", "ArrowRight", "Enter", "m"):
        page.keyboard.press(key)
    until(page, f"document.querySelector('{EXPLORER}').explorer.state.masked.join() === '3,4'")
    assert page.locator(".jp-MarkdownCell").count() == 0 and page.locator(".jp-CodeCell").count() == len(LIVE)

    explorer.get_by_role("button", name="Copy code").click()
    code = explorer.locator(".code").input_value()
    page.evaluate(RUN, [code])  # pasted into a cell of its own
    until(page, f"document.querySelectorAll('{EXPLORER}').length === 2")
    for what in ("state", "guesses()[3]"):
        assert state(1, what) == state(0, what)

    page.locator(".hw9-stepper").focus()
    before = page.evaluate(LAYER)
    page.keyboard.press("ArrowRight")
    assert before.startswith("layer 0") and page.evaluate(LAYER).startswith("layer 1")

    explorer.get_by_role("button", name="Guided tour").click()
    page.keyboard.press("ArrowRight")
    assert explorer.locator(".tour .count").inner_text().startswith("2 of ")
    picture(page, "explorer", EXPLORER)  # ends light
    assert explorer.get_attribute("data-theme") == "light"
    page.keyboard.press("Escape")

    restart(page)
    explorer.locator(".tokens.left .token").nth(7).dblclick()
    explorer.get_by_text("it was restarted. Run the set-up cell").wait_for()
    run(6)  # up to the explorer; the pasted one, below it, stays as it was
    fresh = f"[...document.querySelectorAll('{EXPLORER}')].map((one) => one.explorer.state.masked.length).join()"
    until(page, f"{fresh} === '0,2'")
    page.locator(EXPLORER).first.locator(".tokens.left .token").nth(7).dblclick()
    until(page, f"document.querySelector('{EXPLORER}').explorer.state.masked.join() === '7'")


def test_cards_of_the_quiz_answer_to_mouse_and_keys_and_are_there_again_after_a_restart(page, lab):
    open_notebook(page, lab, "quiz.ipynb")
    cards, shown = page.locator(".hw9-quiz-card"), page.locator(".hw9-quiz-written")

    def run(texts):
        page.evaluate(RUN, texts)
        until(page, IDLE)
        assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0

    def said(card: int, part: str):
        cards.nth(card).get_by_role("alert").filter(has_text=part).wait_for()

    run([None] * len(QUIZ))
    cards.nth(4).wait_for()
    assert cards.count() == 5 and not shown.first.is_visible()
    assert page.get_by_text("saliency-1: First run the cells that draw cnn_09_saliency").is_visible()

    # By keys alone; in JupyterLab M makes the cell Markdown, arrows go to the next one.
    page.locator(".hw9-quiz-card [data-lm-suppress-shortcuts]").first.wait_for()  # what cards do for that comes last
    cards.nth(0).get_by_role("radio").first.focus()
    for key in ("Space", "ArrowDown", "ArrowDown", "m", "Tab", "Enter"):
        page.keyboard.press(key)
    said(0, "Look again at cnn_06_lime: Read the line below the figure.")
    assert cards.nth(0).get_by_role("radio").nth(2).is_checked()
    assert page.locator(".jp-MarkdownCell").count() == 0 and page.locator(".jp-CodeCell").count() == len(QUIZ)

    cards.nth(1).get_by_role("button", name="Check").click()
    said(1, "Not yet answered.")
    cards.nth(1).get_by_label("picture 2: Soup").check()  # as low as the lowest, within the margin
    cards.nth(2).get_by_label("Number").fill("0,5")
    cards.nth(3).get_by_label("picture 0: Bread").check()
    cards.nth(3).get_by_label("picture 3: Rice").check()
    for place, option in enumerate((2, 3, 1)):
        cards.nth(4).get_by_role("combobox").nth(place).select_option(index=option)
    for card in (1, 2, 3, 4):
        cards.nth(card).get_by_role("button", name="Check").click()
        said(card, "It fits your figure.")
    cards.nth(2).get_by_label("Number").fill("half")
    cards.nth(2).get_by_role("button", name="Check").click()
    said(2, "lime-3 wants a number, not 'half'")
    cards.nth(3).get_by_role("button", name="Hint").click()
    said(3, "cnn_06_lime and cnn_07_lime_stability: Look at R²")
    picture(page, "quiz", ".hw9-quiz-card")

    def kept():
        cards.nth(4).get_by_role("combobox").nth(2).wait_for()
        assert cards.nth(0).get_by_role("radio").nth(2).is_checked()
        assert cards.nth(1).get_by_label("picture 2: Soup").is_checked()
        assert cards.nth(2).get_by_label("Number").input_value() == "0.5"
        assert [box.is_checked() for box in cards.nth(3).get_by_role("checkbox").all()] == [True, False, False, True]
        assert cards.nth(4).get_by_role("combobox").first.input_value().startswith("b)")

    run([None] * 3)
    kept()
    restart(page)
    before = "getComputedStyle(document.querySelector('.hw9-quiz'), '::before').content"
    until(page, f"{before}.includes('The kernel was restarted')")
    run([None] * 3)
    kept()
    run([f'notebook.fact("lime", {LIME.replace("[1]", "[0]")})\nquiz.ask("lime")'])
    page.get_by_text(
        "Your run has changed since you answered lime-2, lime-3 and lime-4: the answers are kept"
    ).wait_for()
    cards.nth(2).get_by_role("button", name="Check").click()
    said(2, "Your run has changed: run this cell again.")

    # Stored, and opened without that kernel: what was live is not there, what is written is.
    page.evaluate(COPY)
    for name in ("quiz.ipynb", "copied.ipynb"):  # trusted, as it was written here; changed elsewhere
        page.goto(f"{lab}lab/tree/{name}?reset")
        shown.nth(1).wait_for()
        page.wait_for_timeout(3000)  # time for widgets to be looked for in vain
        assert [one.is_visible() for one in shown.all()] == [True, True]
        assert shown.first.get_by_text("Which picture has the lowest R²?").is_visible()
        for left in ("model not found", "Loading widget"):
            assert page.get_by_text(left).filter(visible=True).count() == 0
        picture(page, f"quiz_{name.split('.')[0]}", ".hw9-quiz-written")
