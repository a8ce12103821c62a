// The saved page: everything comes from the page itself.

import { makeState, mount } from "./app.js";
import { fromBase64, searchName, storedSearch, storedVariant } from "./codec.js";
import { readHash } from "./export.js";

/** The sentence that stands there until the explorer is drawn says what to do. @param {any} error */
export function tellBroken(error) {
  document.getElementById("hw9-root")?.append(` (${error.message || error})`);
}

export async function openSaved() {
  const text = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id)).textContent || "";
  /** @type {import("./codec.js").Meta} */
  const meta = JSON.parse(text("hw9-meta"));
  const blob = fromBase64(text("hw9-blob").trim());
  const plain = await storedVariant(meta, blob, [], null);
  const root = /** @type {HTMLElement} */ (document.getElementById("hw9-root"));
  // A link says what differs from the defaults, not from what this page was saved with.
  const linked = readHash(location.hash);
  const { labels, theme } = meta.start;
  const start = Object.keys(linked).length ? { labels, theme, ...linked } : meta.start;
  await mount(root, meta, start, {
    variant: async (masked) => (masked.length ? storedVariant(meta, blob, masked, plain && plain.codes) : plain),
    search: (query) => {
      const all = !query.heads || query.heads.length === meta.heads;
      return all ? storedSearch(meta, blob, searchName(query.at, query.masked, Boolean(query.heads))) : Promise.resolve(null);
    },
  });
  const explorer = () => /** @type {any} */ (root).explorer;
  addEventListener("hashchange", () => {
    const asked = readHash(location.hash);
    const { language, theme, tab, sort, by } = explorer().state;
    if (Object.keys(asked).length) explorer().update({ ...makeState(meta, asked), language, theme, tab, sort, by });
  });
  const paper = () => (document.documentElement.dataset.theme = root.dataset.theme);
  new MutationObserver(paper).observe(root, { attributeFilter: ["data-theme"] });
  paper();
}
