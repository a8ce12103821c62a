// The panel beside the curves: the token looked at, what the model predicts there, its partners, what is masked.

import { make, percent, rebuild, weightText } from "./dom.js";
import { say } from "./strings.js";

const ROWS = 5;

/** A list of fixed height: words with bars. @param {[string, number, string][]} rows @param {string} kind */
function bars(rows, kind) {
  const most = Math.max(...rows.map((row) => row[1]), 1e-9);
  const items = rows.map(([word, size, text]) => {
    const bar = make("i", { class: "bar" });
    bar.style.width = `${(100 * size) / most}%`;
    return make("li", {}, [make("span", { class: "word", text: word, title: word }), make("span", { class: "value", text }), bar]);
  });
  while (items.length < ROWS) items.push(make("li", { class: "empty" }));
  return make("ol", { class: `bars ${kind}` }, items);
}

/**
 * @param {import("./codec.js").Meta} meta
 * @param {{mask: (at: number) => void, setMasks: (masked: number[]) => void, pin: (at: number) => void}} act
 */
export function makePanel(meta, act) {
  const element = make("aside", { class: "panel", "aria-live": "off" });
  const name = (/** @type {number} */ at) => meta.tokens[at];
  let last = "";

  return {
    element,
    /**
     * @param {{language: "en" | "zh", focus: import("./attention.js").Focus | null, masked: number[],
     *   guesses: import("./codec.js").Guess[][] | null, gives: [number, number][], gets: [number, number][]}} state
     */
    show({ language, focus, masked, guesses, gives, gets }) {
      // Moving the slider changes nothing here, and building this takes longer than drawing the curves.
      const now = JSON.stringify([language, focus, masked, gives, gets]);
      if (now === last) return;
      last = now;
      const text = (/** @type {string} */ key, values = {}) => say(language, key, values);
      const at = focus ? focus.at : null;
      const isMasked = at !== null && masked.includes(at);
      const maskable = at !== null && meta.canMask && !meta.special[at];
      const head = make("div", { class: "card" }, [
        make("div", { class: at === null ? "big none" : "big", text: at === null ? text("nothing") : name(at), title: at === null ? "" : name(at) }),
        make("div", {
          class: "hint",
          text: at === null ? text("nothingLong") : text("tokenOf", { at, last: meta.tokens.length - 1 }),
        }),
        at === null
          ? null
          : make("button", {
              class: "action",
              "data-act": "mask",
              type: "button",
              disabled: !maskable,
              text: text(isMasked ? "unmask" : "mask"),
              onclick: () => act.mask(at),
            }),
      ]);
      const lists = [];
      if (guesses) {
        const rows = at === null ? [] : guesses[at].map((g) => /** @type {[string, number, string]} */ ([g.word, g.p, percent(g.p)]));
        lists.push(make("h4", { text: text(isMasked ? "guessesMasked" : "guesses") }), bars(rows, "guess"));
      } else {
        lists.push(make("h4", { text: text("guesses") }), make("p", { class: "hint", text: text("noGuesses") }));
      }
      const rows = (/** @type {[number, number][]} */ list) =>
        list.map(([t, w]) => /** @type {[string, number, string]} */ ([masked.includes(t) ? meta.maskToken : name(t), w, weightText(w)]));
      lists.push(make("h4", { text: text("looksAt") }), bars(rows(gives), "give"));
      lists.push(make("h4", { text: text("seenBy") }), bars(rows(gets), "get"));

      const chips = masked.map((t) =>
        make("button", { class: "chip masked", type: "button", "data-act": `pin ${t}`, onclick: () => act.pin(t) }, [
          name(t),
          ...(guesses ? [make("small", { text: ` → ${guesses[t][0].word}` })] : []),
        ]),
      );
      const more = meta.variants.filter((v) => v.masked.length > 1).map((v) =>
        make("button", {
          class: "chip",
          type: "button",
          "data-act": `masks ${v.masked}`,
          text: v.masked.map((t) => `${name(t)} ${t}`).join(" + "),
          onclick: () => act.setMasks(v.masked),
        }),
      );
      lists.push(make("h4", { text: text("masks") }));
      lists.push(make("div", { class: "chips" }, chips.length ? chips : [make("span", { class: "hint", text: text("noMasks") })]));
      if (masked.length) {
        lists.push(make("button", { class: "link", type: "button", "data-act": "none", text: text("unmaskAll"), onclick: () => act.setMasks([]) }));
      }
      if (more.length && !meta.live) {
        lists.push(make("h4", { text: text("carried") }), make("div", { class: "chips" }, more));
      }
      rebuild(element, [head, ...lists]);
    },
  };
}
