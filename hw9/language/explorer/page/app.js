// The explorer: state in one object, everything on screen derived from it.

import { givesAndGets, links, partners, shown } from "./attention.js";
import { maskKey } from "./codec.js";
import { makeCorpus } from "./corpus.js";
import { cells, curveList, drawCells } from "./curves.js";
import { make, palette, rgb, weightText } from "./dom.js";
import { codeLines, download, drawSvg, linkHash, settings, toPng } from "./export.js";
import { makeGrid } from "./grid.js";
import { makePanel } from "./panel.js";
import { makePainter } from "./raster.js";
import { say } from "./strings.js";
import { followTheme, surroundingTheme } from "./theme.js";
import { makeToolbar } from "./toolbar.js";
import { makeTour } from "./tour.js";

/**
 * @typedef {import("./attention.js").View & {
 *   language: "en" | "zh", theme: "light" | "dark", tab: "grid" | "corpus", sort: string, by: "embedding" | "heads"
 * }} State
 * @typedef {{at: number, masked: number[], heads: number[] | null}} Query
 * @typedef {{
 *   variant: (masked: number[]) => Promise<import("./codec.js").Variant | null>,
 *   search: (query: Query, tell: (done: number, count: number) => void) => Promise<import("./codec.js").Found | null>,
 *   read?: (text: string, pair: string | null, view: Record<string, any>) => Promise<void>
 * }} Backend
 */

const CELL = 11; // pixels of a matrix cell's width, for 12 heads

/**
 * A state from the settings that Python or a link gives, counted as people count.
 * @param {import("./codec.js").Meta} meta @param {Record<string, any>} asked @returns {State}
 */
export function makeState(meta, asked) {
  const tokens = meta.tokens.length;
  const within = (/** @type {any} */ at) => Number.isInteger(at) && at >= 0 && at < tokens;
  const layer = Math.max(1, Math.min(meta.layers, asked.layer || 1));
  const strange = asked.heads && asked.heads.length && !asked.heads.some((/** @type {number} */ h) => h >= 1 && h <= meta.heads);
  const side = (/** @type {"all" | "a" | "b" | undefined} */ text) => (meta.pair === null ? "all" : text || "all");
  return {
    layer: layer - 1,
    heads: Array.from({ length: meta.heads }, (_, h) => !asked.heads || strange || asked.heads.includes(h + 1)),
    top: Math.max(0, Math.min(100, asked.top ?? 70)),
    hideSpecial: Boolean(asked.hide_special),
    renormalise: Boolean(asked.renormalise),
    query: side(asked.query),
    key: side(asked.key),
    pin: within(asked.pin) ? { side: asked.side || "left", at: asked.pin } : null,
    masked: (asked.masked || []).filter((/** @type {any} */ at) => within(at) && !meta.special[at]),
    language: asked.labels === "zh" ? "zh" : "en",
    theme: asked.theme === "light" || asked.theme === "dark" ? asked.theme : surroundingTheme(),
    tab: "grid",
    sort: "layer",
    by: "embedding",
  };
}

/**
 * Build the explorer inside `root`. Resolves when it is drawn.
 * @param {HTMLElement} root @param {import("./codec.js").Meta} meta @param {Record<string, any>} asked
 * @param {Backend} backend
 */
export async function mount(root, meta, asked, backend) {
  const size = meta.tokens.length;
  const row = size <= 26 ? 24 : size <= 44 ? 20 : 17;
  const cell = meta.heads <= 12 ? CELL : Math.max(5, Math.floor((12 * CELL) / meta.heads));
  const state = makeState(meta, asked);
  /** @type {import("./attention.js").Focus | null} */
  let hover = null;
  let message = "";
  let note = ""; // what setting masks has to say, until the next change
  const plain = await backend.variant([]);
  if (!plain) throw new Error("the page carries no attention");
  /** @type {import("./codec.js").Variant} */
  let variant = plain;
  /** @type {any} */
  let drawn = null; // what is on screen, for exports and for tests
  let loading = 0;
  let width = 0; // of the curves, in pixels
  /** @type {Record<string, any>} */
  let colours = {};
  let requested = state.masked; // the masks asked for last, shown or on their way
  let searched = ""; // the search asked for last
  /** @type {import("./codec.js").Found | null} */
  let found = null; // what it gave, once it is there
  let listed = ""; // what of it is on screen
  let searching = 0; // how many searches were asked for
  let follows = asked.theme !== "light" && asked.theme !== "dark"; // the theme of what is around, until one is chosen

  const toolbar = makeToolbar(meta, {
    set: update,
    toggleHead: (h) => update({ heads: state.heads.map((on, i) => (i === h ? !on : on)) }),
    onlyHead,
    theme: () => {
      follows = false;
      update({ theme: state.theme === "dark" ? "light" : "dark" });
    },
    language: () => update({ language: state.language === "en" ? "zh" : "en" }),
    tour: () => tour.start(),
    save,
    read: backend.read ? read : null,
  });
  const panel = makePanel(meta, { mask: toggleMask, setMasks: (masked) => update({ masked }), pin: (at) => togglePin("left", at) });
  const grid = makeGrid(meta, (layer, head) => update({ layer, heads: state.heads.map((_, i) => i === head) }), (sort) => update({ sort }));
  const corpus = makeCorpus(meta, { by: (by) => update({ by }), layer: (layer) => update({ layer }) });

  const columns = { left: column("left"), right: column("right") };
  const matrices = { left: matrix("left"), right: matrix("right") };
  const canvas = make("canvas", { class: "curves", "aria-hidden": true });
  const paintCurves = makePainter(canvas);
  const middle = make("div", { class: "middle" }, [canvas]);
  const status = make("p", { class: "status", role: "status" });
  const code = make("textarea", { class: "code", readonly: true, hidden: true, spellcheck: "false", "aria-label": "code" });
  const heading = Object.fromEntries(["gives", "from", "gap", "to", "gets"].map((name) => [name, make("div", { class: "title" })]));
  const numbers = { gives: headNumbers(), gets: headNumbers() };
  const stage = make("div", { class: "stage" }, [
    ...Object.entries(heading).map(([name, title]) =>
      make("div", { class: `heading ${name}` }, [title, name === "gives" || name === "gets" ? numbers[name].element : null]),
    ),
    matrices.left.element,
    columns.left.element,
    middle,
    columns.right.element,
    matrices.right.element,
  ]);
  stage.style.setProperty("--row", `${row}px`);
  stage.style.setProperty("--side", `${cell * meta.heads}px`);
  const tabs = /** @type {const} */ (["grid", "corpus"]).map((name) =>
    make("button", { type: "button", role: "tab", class: "tab", onclick: () => update({ tab: name }) }),
  );
  const views = { grid: make("div", { role: "tabpanel" }, [grid.element]), corpus: make("div", { role: "tabpanel" }, [corpus.element]) };
  const tour = makeTour(meta.tour, {
    show: ({ view: { tab = "grid", sort = "layer", ...view } }) => {
      const { language, theme } = state;
      update({ ...makeState(meta, view), tab, sort, language, theme });
    },
    home: (card) => toolbar.element.after(card),
    lights: {
      layers: toolbar.lights.layers,
      special: toolbar.lights.special,
      stage: middle,
      gets: matrices.right.element,
      panel: panel.element,
      grid: views.grid,
      corpus: views.corpus,
    },
  });
  root.classList.add("hw9-explorer");
  // A notebook has keys of its own: there M makes the cell Markdown, and the output is gone. What is pressed in here stays
  // here: JupyterLab and Notebook 7 spare what has the attribute, the others do not get to hear of it.
  root.dataset.lmSuppressShortcuts = "true";
  // A shortcut is matched against what has the focus before anything around it is asked, so that needs it as well.
  root.addEventListener("focusin", (event) => (event.target.dataset.lmSuppressShortcuts = "true"));
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  root.replaceChildren(
    toolbar.element,
    tour.element,
    status,
    code,
    make("main", {}, [stage, panel.element]),
    make("nav", { class: "tabs", role: "tablist" }, tabs),
    views.grid,
    views.corpus,
  );

  /** The numbers of the heads, above a matrix; a click selects that head. */
  function headNumbers() {
    const spans = state.heads.map((_, h) => make("span", { text: String(h + 1), onclick: () => onlyHead(h) }));
    return { element: make("div", { class: "numbers", "aria-hidden": true }, spans), spans };
  }

  /** One column of tokens. @param {"left" | "right"} side */
  function column(side) {
    const buttons = meta.tokens.map((token, at) =>
      make("button", {
        type: "button",
        class: "token",
        title: token,
        tabindex: at ? -1 : 0,
        onclick: () => togglePin(side, at),
        ondblclick: () => toggleMask(at),
        onmouseenter: () => setHover({ side, at }),
        onfocus: () => {
          columns[side].buttons.forEach((button, i) => (button.tabIndex = i === at ? 0 : -1));
          setHover({ side, at });
        },
        // Its panel, which Tab goes to, is there as long as the token is looked at.
        onblur: (/** @type {FocusEvent} */ event) => panel.element.contains(/** @type {Node | null} */ (event.relatedTarget)) || setHover(null),
        onkeydown: (/** @type {KeyboardEvent} */ event) => tokenKey(event, side, at),
      }),
    );
    // The mask's width is kept free from the start, so that masking moves nothing.
    const sizer = make("div", { class: "sizer", "aria-hidden": true, text: meta.maskToken });
    const element = make("div", { class: `tokens ${side}`, role: "group", onmouseleave: () => setHover(null) }, [...buttons, sizer]);
    return { element, buttons };
  }

  /** One head-by-token matrix. @param {"left" | "right"} side */
  function matrix(side) {
    const board = make("canvas", { "aria-hidden": true });
    const find = (/** @type {MouseEvent} */ event) => ({
      head: Math.max(0, Math.min(meta.heads - 1, Math.floor(event.offsetX / cell))),
      at: Math.max(0, Math.min(size - 1, Math.floor(event.offsetY / row))),
    });
    board.addEventListener("click", (/** @type {MouseEvent} */ event) => onlyHead(find(event).head));
    board.addEventListener("mousemove", (/** @type {MouseEvent} */ event) => {
      const { head, at } = find(event);
      const values = side === "left" ? drawn.gives : drawn.gets;
      const verb = say(state.language, side === "left" ? "looks" : "seen");
      const value = weightText(values[at * meta.heads + head]);
      tell(say(state.language, "cell", { layer: state.layer + 1, head: head + 1, token: meta.tokens[at], verb, value }));
    });
    board.addEventListener("mouseleave", () => tell(""));
    return { element: make("div", { class: `matrix ${side}` }, [board]), board };
  }

  /** @param {KeyboardEvent} event @param {"left" | "right"} side @param {number} at */
  function tokenKey(event, side, at) {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own
    const go = { ArrowDown: [side, at + 1], ArrowUp: [side, at - 1], ArrowLeft: ["left", at], ArrowRight: ["right", at], Home: [side, 0], End: [side, size - 1] }[event.key];
    if (go) {
      event.preventDefault();
      const next = columns[/** @type {"left" | "right"} */ (go[0])].buttons[Math.max(0, Math.min(size - 1, Number(go[1])))];
      next.focus();
    } else if (event.key === "m" || event.key === "M") {
      toggleMask(at);
    } else if (event.key === "Escape") {
      hover = null;
      update({ pin: null });
    }
  }

  /** @param {import("./attention.js").Focus | null} focus */
  function setHover(focus) {
    hover = focus;
    message = "";
    paint();
  }

  /** @param {string} text */
  function tell(text) {
    message = text;
    sayStatus();
  }

  function sayStatus() {
    status.textContent = message || note || statusLine();
    status.classList.toggle("whole", !message && Boolean(note));
  }

  /** @param {"left" | "right"} side @param {number} at */
  function togglePin(side, at) {
    const same = state.pin && state.pin.side === side && state.pin.at === at;
    if (same && matchMedia("(hover: none)").matches) hover = null; // a finger that let go points at nothing
    update({ pin: same ? null : { side, at } });
  }

  /** @param {number} head */
  function onlyHead(head) {
    update({ heads: state.heads.map((_, i) => i === head) });
  }

  /** @param {number} at */
  function toggleMask(at) {
    if (meta.special[at] || !meta.canMask) return;
    const masked = requested.includes(at) ? requested.filter((t) => t !== at) : [...requested, at];
    update({ masked: masked.sort((a, b) => a - b) }, at);
  }

  /** Why the kernel could not answer; some reasons have a text in both languages. @param {any} error */
  function reason(error) {
    const text = error.known ? say(state.language, error.known) : error.message || String(error);
    return say(state.language, "failed", { reason: text });
  }

  /** Show another sentence in place of this one, in the same view. @param {string} text @param {string} pair */
  async function read(text, pair) {
    const { pin, side, masked, query, key, ...view } = settings(state); // those belong to the tokens that go
    message = "";
    note = say(state.language, "waiting");
    sayStatus();
    try {
      await backend.read?.(text, pair.trim() || null, { ...view, labels: state.language, theme: follows ? "auto" : state.theme });
    } catch (error) {
      note = reason(error);
      sayStatus();
    }
  }

  /** Fetch what the masks ask for; where a saved page lacks it, the token just chosen alone, with a word about it. */
  async function setMasks(/** @type {number[]} */ masked, /** @type {number | undefined} */ latest) {
    const turn = ++loading;
    requested = masked;
    let said = "";
    let there = null;
    const slow = setTimeout(() => {
      if (turn !== loading) return;
      note = say(state.language, "waiting");
      sayStatus();
    }, 300);
    try {
      there = await backend.variant(masked);
      if (!there && latest !== undefined && masked.includes(latest) && masked.length > 1) {
        there = await backend.variant([latest]);
        if (there) said = say(state.language, "masksCarried", { wanted: masked.join(" + "), now: latest });
      }
      if (!there) said = say(state.language, "masksNotCarried", { wanted: masked.join(" + ") });
    } catch (error) {
      said = reason(error);
    }
    clearTimeout(slow);
    if (turn !== loading) return;
    if (there) {
      variant = there;
      grid.paint(variant.codes, colours);
    }
    requested = state.masked = [...variant.masked];
    note = said;
  }

  /** Change the state and draw. @param {Record<string, any>} changes @param {number} [latest] the token just masked */
  async function update(changes, latest) {
    const { masked, ...rest } = changes;
    Object.assign(state, rest);
    message = note = "";
    code.hidden = true; // it tells of the view before
    if (masked && maskKey(masked) !== maskKey(variant.masked)) await setMasks(masked, latest);
    else if (masked) {
      ++loading; // what is on its way is wanted no more
      requested = masked;
    }
    if ("theme" in rest || "language" in rest || "sort" in rest) dress();
    paint();
    if (state.tab === "corpus") await search();
  }

  /** Everything that language and theme decide. */
  function dress() {
    const { language } = state;
    root.dataset.theme = state.theme;
    root.lang = language === "zh" ? "zh-Hant" : "en";
    toolbar.label(language);
    tour.label(language);
    grid.label(state);
    corpus.label(state);
    columns.left.element.setAttribute("aria-label", say(language, "from"));
    columns.right.element.setAttribute("aria-label", say(language, "to"));
    heading.gives.textContent = say(language, "looks");
    heading.from.textContent = say(language, "from");
    heading.to.textContent = say(language, "to");
    heading.gets.textContent = say(language, "seen");
    tabs.forEach((tab, i) => (tab.textContent = say(language, i ? "corpusTab" : "gridTab")));
    colours = palette(root);
    grid.paint(variant.codes, colours);
  }

  /** What is looked at: the token under the pointer, unless it is on the other side of the pinned one. */
  function focusNow() {
    if (state.pin && (!hover || hover.side !== state.pin.side)) return state.pin;
    return hover || state.pin;
  }

  function statusLine() {
    const { pin } = state;
    if (!state.heads.some(Boolean)) return say(state.language, "noHeads");
    if (pin && hover && hover.side !== pin.side) {
      const [from, to] = pin.side === "left" ? [pin.at, hover.at] : [hover.at, pin.at];
      const value = weightText(drawn.links.weights[from * size + to]);
      return say(state.language, "pair", { from: meta.tokens[from], to: meta.tokens[to], value });
    }
    const focus = drawn.focus;
    if (focus && !(focus.side === "left" ? drawn.links.rows : drawn.links.columns)[focus.at]) {
      return say(state.language, "hiddenToken", { token: meta.tokens[focus.at] });
    }
    if (focus && !drawn.visible.includes(1)) {
      return say(state.language, "weak", { token: meta.tokens[focus.at], top: state.top });
    }
    return say(state.language, variant.step > 1 ? "rounded" : "idle");
  }

  function paint() {
    const focus = focusNow();
    const all = links(variant.codes, state, meta);
    const visible = shown(all, focus);
    const { gives, gets } = givesAndGets(variant.codes, state, visible);
    const colour = focus && focus.side === "right" ? colours.get : colours.give;
    drawn = { links: all, visible, gives, gets, focus, colour };
    paintCurves(all, visible, { width, row }, rgb(colour));
    const wide = cell * meta.heads;
    drawCells(matrices.left.board, cells(gives, state.heads, cell, row, colours), wide, size * row);
    drawCells(matrices.right.board, cells(gets, state.heads, cell, row, colours), wide, size * row);
    paintTokens(all, visible, focus);
    for (const { spans } of Object.values(numbers)) spans.forEach((span, h) => span.classList.toggle("on", state.heads[h]));
    toolbar.mark(state);
    grid.mark(state);
    panel.show({
      language: state.language,
      focus,
      masked: state.masked,
      guesses: variant.guesses,
      gives: focus ? partners(all, { side: "left", at: focus.at }, 5) : [],
      gets: focus ? partners(all, { side: "right", at: focus.at }, 5) : [],
    });
    tabs.forEach((tab, i) => tab.setAttribute("aria-selected", String((i ? "corpus" : "grid") === state.tab)));
    views.grid.hidden = state.tab !== "grid";
    views.corpus.hidden = state.tab !== "corpus";
    sayStatus();
  }

  /** @param {import("./attention.js").Links} all @param {Uint8Array} visible @param {import("./attention.js").Focus | null} focus */
  function paintTokens(all, visible, focus) {
    for (const side of /** @type {const} */ (["left", "right"])) {
      columns[side].buttons.forEach((button, at) => {
        const masked = state.masked.includes(at);
        const there = side === "left" ? all.rows[at] : all.columns[at];
        let weight = 0;
        if (focus && focus.side !== side) {
          const i = focus.side === "left" ? focus.at * size + at : at * size + focus.at;
          weight = visible[i] ? all.weights[i] : 0;
        }
        const text = masked ? meta.maskToken : meta.tokens[at];
        if (button.textContent !== text) button.textContent = text;
        button.classList.toggle("masked", masked);
        button.classList.toggle("hidden-token", !there);
        button.classList.toggle("special", meta.special[at]);
        button.classList.toggle("b", meta.segments[at] === 1);
        button.classList.toggle("focus", Boolean(focus && focus.side === side && focus.at === at));
        button.classList.toggle("partner", weight > 0);
        button.style.setProperty("--weight", `${Math.round(100 * Math.min(0.85, Math.sqrt(weight)))}%`);
        button.setAttribute("aria-pressed", String(Boolean(state.pin && state.pin.side === side && state.pin.at === at)));
      });
    }
  }

  /** Search the corpus for the pinned token, when that tab is open. */
  async function search() {
    const { pin, language } = state;
    const depth = meta.corpus ? meta.corpus.depth : 50;
    const none = (/** @type {string} */ text) => {
      searched = listed = "";
      ++searching; // what is on its way is wanted no more
      corpus.tell(text);
    };
    if (!meta.corpus) return none(say(language, "corpusNone"));
    if (!pin) return none(say(language, "corpusPick", { depth }));
    if (meta.special[pin.at]) return none(say(language, "corpusSpecial", { token: meta.tokens[pin.at] }));
    const chosen = state.heads.flatMap((on, h) => (on ? [h] : []));
    const heads = state.by === "heads" ? chosen : null;
    if (heads && !heads.length) return none(say(language, "noHeads"));
    const wanted = JSON.stringify([pin.at, state.masked, heads]); // the answer holds all layers
    if (wanted === searched && !found) return; // it is on its way
    if (wanted === searched) return list();
    searched = wanted;
    found = null;
    const turn = ++searching;
    corpus.tell(say(language, "searching"));
    let answer = null;
    try {
      // Two searches may wait for one index: its progress is told to whichever is wanted now.
      answer = await backend.search({ at: pin.at, masked: state.masked, heads }, (done, count) => {
        if (searched && !found) corpus.tell(say(state.language, "reading", { done, count }));
      });
    } catch (error) {
      if (turn === searching) none(reason(error));
      return;
    }
    if (turn !== searching) return;
    if (!answer) {
      corpus.clear();
      return none(say(state.language, heads && chosen.length < meta.heads ? "corpusAllHeads" : "corpusNotCarried"));
    }
    found = answer;
    listed = "";
    list();
  }

  /** Show what the search found, of the layer and in the language chosen now. */
  function list() {
    const { pin, language } = state;
    const now = JSON.stringify([searched, state.layer, language]);
    if (!found || !pin || !meta.corpus || now === listed) return;
    listed = now;
    const token = state.masked.includes(pin.at) ? meta.maskToken : meta.tokens[pin.at];
    const { count, name } = meta.corpus;
    const facts = { depth: found.layers[state.layer].length, token, layer: state.layer + 1, count, name };
    corpus.show(found, language, state.layer, say(language, "corpusFound", facts));
  }

  function picture() {
    const { gives, gets, visible, colour, links: all } = drawn;
    return drawSvg({
      tokens: meta.tokens.map((token, t) => (state.masked.includes(t) ? meta.maskToken : token)),
      dim: { left: all.rows.map((on) => !on), right: all.columns.map((on) => !on) },
      curves: curveList(all, visible),
      left: cells(gives, state.heads, cell, row, colours),
      right: cells(gets, state.heads, cell, row, colours),
      row,
      cell,
      heads: meta.heads,
      caption: `${meta.model}: ${Object.entries(settings(state)).map(([name, value]) => `${name} ${value}`).join(", ")}`,
      curve: colour,
      colours,
    });
  }

  /** @param {"svg" | "png" | "code" | "link"} what */
  async function save(what) {
    if (what === "svg") return download(new Blob([picture().svg], { type: "image/svg+xml" }), "attention.svg");
    if (what === "png") return download(await toPng(picture()), "attention.png");
    const text = what === "code" ? codeLines(meta, state) : location.href.split("#")[0] + linkHash(state);
    code.value = text;
    code.rows = text.split("\n").length;
    code.hidden = false;
    code.select();
    // Where the page may not write to the clipboard (a frame, an address without https), the older way often may.
    const written = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    tell(say(state.language, written || document.execCommand("copy") ? "copied" : "notCopied"));
  }

  dress();
  if (state.masked.length) await setMasks(state.masked, undefined);
  width = middle.clientWidth;
  paint();
  new ResizeObserver(() => {
    // A notebook may build a cell's output before that is on the page, where no style sheet tells the colours.
    const bare = !colours.ground && root.isConnected;
    if (bare) dress();
    if (middle.clientWidth === width && !bare) return;
    width = middle.clientWidth;
    paint();
  }).observe(middle);
  followTheme(root, (theme) => follows && theme !== state.theme && update({ theme }));
  root.dataset.ready = "";
  // For scripts and tests: the state, what is drawn, and the way to change it.
  Object.assign(root, {
    explorer: {
      state,
      update,
      redraw: paint,
      picture: () => picture().svg,
      code: () => codeLines(meta, state),
      drawn: () => ({
        curves: curveList(drawn.links, drawn.visible),
        gives: Array.from(drawn.gives),
        gets: Array.from(drawn.gets),
        focus: drawn.focus,
      }),
      guesses: () => variant.guesses,
    },
  });
}
