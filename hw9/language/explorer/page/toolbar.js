// The controls above the curves. They only report what was asked for; the state lives in app.js.

import { make } from "./dom.js";
import { say } from "./strings.js";

/** A row of buttons of which one is on; arrow keys move. @param {string} role @param {number} number */
function segments(role, number, /** @type {(i: number) => void} */ choose) {
  const buttons = Array.from({ length: number }, (_, i) =>
    make("button", { type: "button", role: "radio", class: "segment", onclick: () => choose(i) }),
  );
  const element = make("div", { class: `segments ${role}`, role: "radiogroup" }, buttons);
  element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const now = buttons.indexOf(/** @type {HTMLElement} */ (event.target));
    const next = buttons[(now + step + number) % number];
    next.focus();
    next.click();
  });
  const mark = (/** @type {number} */ chosen) =>
    buttons.forEach((button, i) => {
      button.setAttribute("aria-checked", String(i === chosen));
      button.tabIndex = i === chosen ? 0 : -1;
    });
  return { element, buttons, mark };
}

const SIDES = /** @type {const} */ (["all", "a", "b"]);

/**
 * @param {import("./codec.js").Meta} meta
 * @param {{set: (changes: Record<string, any>) => void, toggleHead: (h: number) => void, onlyHead: (h: number) => void,
 *   theme: () => void, language: () => void, tour: () => void, save: (what: "svg" | "png" | "code" | "link") => void,
 *   read: ((text: string, pair: string) => void) | null}} act  `read`: takes another sentence, where a kernel is there
 */
export function makeToolbar(meta, act) {
  const layer = segments("layers", meta.layers, (l) => act.set({ layer: l }));
  layer.buttons.forEach((button, l) => (button.textContent = String(l + 1)));
  const heads = Array.from({ length: meta.heads }, (_, h) =>
    make("button", {
      type: "button",
      class: "segment head",
      text: String(h + 1),
      onclick: () => act.toggleHead(h),
      ondblclick: () => act.onlyHead(h),
    }),
  );
  const group = make("div", { class: "segments heads", role: "group" }, heads);
  const every = make("button", { type: "button", class: "link", onclick: () => act.set({ heads: heads.map(() => true) }) });
  const none = make("button", { type: "button", class: "link", onclick: () => act.set({ heads: heads.map(() => false) }) });
  const slider = make("input", {
    type: "range",
    min: 0,
    max: 100,
    step: 1,
    oninput: () => act.set({ top: Number(slider.value) }),
  });
  const top = make("output", { class: "number" });
  const special = make("input", { type: "checkbox", onchange: () => act.set({ hideSpecial: special.checked }) });
  const renormalise = make("input", { type: "checkbox", onchange: () => act.set({ renormalise: renormalise.checked }) });
  const sides = /** @type {const} */ (["query", "key"]).map((side) => ({
    side,
    label: make("span", { class: "label" }),
    group: segments("sides", 3, (i) => act.set({ [side]: SIDES[i] })),
  }));
  const labels = Object.fromEntries(
    ["sentence", "layer", "heads", "headsHint", "top", "topHint", "special", "renormalise"].map((name) => [
      name,
      make("span", { class: name.endsWith("Hint") ? "hint" : "label" }),
    ]),
  );
  const title = make("strong");
  const buttons = /** @type {const} */ ([
    ["tour", act.tour],
    ["exportSvg", () => act.save("svg")],
    ["exportPng", () => act.save("png")],
    ["copyCode", () => act.save("code")],
    ["copyLink", () => act.save("link")],
    ["language", act.language],
    ["theme", act.theme],
  ]).map(([name, run]) => ({ name, button: make("button", { type: "button", class: `quiet ${name}-button`, onclick: run }) }));
  if (meta.live || window.parent !== window) buttons[4].button.hidden = true; // only a page of its own has an address

  const text = make("input", { type: "text", class: "sentence", value: meta.text });
  const pair = make("input", { type: "text", class: "sentence", value: meta.pair ?? "" });
  const reads = make("button", { type: "submit", class: "action" });
  const ask = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    act.read?.(text.value, pair.value);
  };

  const element = make("header", {}, [
    make("div", { class: "line first" }, [
      make("span", { class: "name" }, [title, make("span", { class: "hint", text: meta.model })]),
      make("span", { class: "buttons" }, buttons.map((one) => one.button)),
    ]),
    act.read ? make("form", { class: "line", onsubmit: ask }, [labels.sentence, text, pair, reads]) : null,
    make("div", { class: "line" }, [labels.layer, layer.element]),
    make("div", { class: "line" }, [
      labels.heads,
      group,
      every,
      none,
      labels.headsHint,
    ]),
    make("div", { class: "line" }, [
      labels.top,
      make("label", { class: "slider" }, [slider, top]),
      labels.topHint,
      make("label", { class: "check" }, [special, labels.special]),
      make("label", { class: "check" }, [renormalise, labels.renormalise]),
      ...(meta.pair === null ? [] : sides.map(({ label, group }) => make("span", { class: "field" }, [label, group.element]))),
    ]),
  ]);

  return {
    element,
    lights: { layers: layer.element, special: element.lastElementChild },
    /** @param {"en" | "zh"} language */
    label(language) {
      for (const [name, label] of Object.entries(labels)) label.textContent = say(language, name);
      text.setAttribute("aria-label", say(language, "sentence"));
      pair.setAttribute("aria-label", say(language, "sentencePair"));
      pair.placeholder = say(language, "sentencePair");
      reads.textContent = say(language, "read");
      layer.element.setAttribute("aria-label", say(language, "layer"));
      group.setAttribute("aria-label", say(language, "heads"));
      title.textContent = say(language, "title");
      every.textContent = say(language, "all");
      none.textContent = say(language, "none");
      slider.setAttribute("aria-label", say(language, "top"));
      buttons.forEach(({ name, button }) => (button.textContent = say(language, name)));
      sides.forEach(({ side, label, group }) => {
        label.textContent = say(language, side);
        group.element.setAttribute("aria-label", say(language, side));
        ["both", "A", "B"].forEach((name, i) => (group.buttons[i].textContent = i ? name : say(language, name)));
      });
    },
    /** @param {import("./attention.js").View} view */
    mark(view) {
      layer.mark(view.layer);
      heads.forEach((button, h) => button.setAttribute("aria-pressed", String(view.heads[h])));
      slider.value = String(view.top);
      top.textContent = `${view.top} %`;
      special.checked = view.hideSpecial;
      renormalise.checked = view.renormalise;
      sides.forEach(({ side, group }) => group.mark(SIDES.indexOf(view[side])));
    },
  };
}
