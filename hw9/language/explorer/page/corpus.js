// Corpus search: the nearest tokens in context, what they attend to, and histograms over them.

import { make, rebuild } from "./dom.js";
import { PARTS, say } from "./strings.js";

/**
 * @typedef {import("./codec.js").Found} Found
 * @typedef {import("./codec.js").Hit} Hit
 */

/** The part of speech of a token of a sentence. @param {Found["sentences"][0]} sentence @param {number} at */
function partOf(sentence, at) {
  const [, tags, spans] = sentence;
  const [start, end] = spans[at];
  return start === end ? "s" : tags[start] || "x";
}

/** How often each part of speech occurs. @param {Found} found @param {Hit[]} hits @param {"at" | "sees"} which */
export function countParts(found, hits, which) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const hit of hits) {
    const part = partOf(found.sentences[hit.sentence], hit[which]);
    counts[part] = (counts[part] || 0) + 1;
  }
  return counts;
}

const FAR = 5;

/** How often the most attended token stands so many tokens further on; 5 means 5 or more. @param {Hit[]} hits */
export function countOffsets(hits) {
  const counts = new Array(2 * FAR + 1).fill(0);
  for (const hit of hits) counts[FAR + Math.max(-FAR, Math.min(FAR, hit.sees - hit.at))]++;
  return counts;
}

/** A sentence with both tokens marked, cut into what stands before, at and after the match. */
function inContext(/** @type {Found["sentences"][0]} */ [sentence, , spans], /** @type {Hit} */ hit) {
  const letters = [...sentence]; // Python counts whole characters, JavaScript's strings halves of those beyond 16 bits
  const text = (/** @type {number} */ a, /** @type {number} */ b) => letters.slice(a, b).join("");
  const [start, end] = spans[hit.at];
  const [from, to] = spans[hit.sees];
  const piece = (/** @type {number} */ a, /** @type {number} */ b) => {
    if (from === to || from < a || to > b) return [text(a, b)];
    return [text(a, from), make("mark", { class: "sees", text: text(from, to) }), text(to, b)];
  };
  const same = hit.sees === hit.at;
  const edge = from === to ? make("mark", { class: "sees", text: hit.sees === 0 ? "[CLS]" : "[SEP]" }) : null;
  const before = make("span", { class: "before" }, [
    make("span", {}, [hit.sees === 0 && edge ? edge : null, ...(same ? [text(0, start)] : piece(0, start))]),
  ]);
  const after = make("span", { class: "after" }, [
    ...(same ? [text(end, letters.length)] : piece(end, letters.length)),
    hit.sees !== 0 && edge ? edge : null,
  ]);
  const match = make("mark", { class: `match${same ? " sees" : ""}`, text: text(start, end) });
  return make("li", {}, [make("span", { class: "score", text: hit.score.toFixed(3) }), before, match, after]);
}

/** @param {"en" | "zh"} language @param {string} title @param {[string, number, string, string][]} rows */
function histogram(language, title, rows) {
  const most = Math.max(1, ...rows.map((row) => row[1]));
  const lines = rows.map(([label, count, kind, hint]) => {
    const bar = make("i", { class: `bar ${kind}` });
    bar.style.width = `${(100 * count) / most}%`;
    return make("li", { title: hint }, [make("span", { class: "word", text: label }), bar, make("span", { class: "value", text: count })]);
  });
  return make("figure", { class: "histogram", lang: language }, [make("figcaption", { text: title }), make("ol", {}, lines)]);
}

/** @param {"en" | "zh"} language @param {Record<string, number>} counts @returns {[string, number, string, string][]} */
function partRows(language, counts) {
  return PARTS.filter(([letter]) => counts[letter]).map(([letter, en, zh]) => {
    const label = language === "zh" ? zh : en;
    return [label, counts[letter], `part-${letter === "." ? "dot" : letter}`, label];
  });
}

/** The colours of the stacks, of all parts of speech that occur in any layer. @param {"en" | "zh"} language @param {Found} found */
function partsLegend(language, found) {
  const counts = Object.assign({}, ...found.layers.map((hits) => countParts(found, hits, "at")));
  const entries = partRows(language, counts).map(([name, , kind]) => make("span", {}, [make("i", { class: kind }), name]));
  return make("p", { class: "parts" }, entries);
}

/**
 * @param {import("./codec.js").Meta} meta
 * @param {{by: (by: "embedding" | "heads") => void, layer: (layer: number) => void}} act
 */
export function makeCorpus(meta, act) {
  const select = make("select", { onchange: () => act.by(select.value) });
  const label = make("span");
  const status = make("p", { class: "status", role: "status" });
  const body = make("div", { class: "found" });
  const element = make("div", { class: "corpus" }, [
    make("div", { class: "bar" }, [make("label", { class: "field" }, [label, select]), status]),
    body,
  ]);

  return {
    element,
    /** @param {{language: "en" | "zh", by: string}} state */
    label({ language, by }) {
      label.textContent = say(language, "by");
      select.replaceChildren(
        make("option", { value: "embedding", text: say(language, "byEmbedding") }),
        make("option", { value: "heads", text: say(language, "byHeads") }),
      );
      select.value = by;
    },
    /** @param {string} message */
    tell(message) {
      status.textContent = message;
      body.classList.add("stale");
    },
    clear() {
      body.replaceChildren();
    },
    /** @param {Found} found @param {"en" | "zh"} language @param {number} layer @param {string} message */
    show(found, language, layer, message) {
      status.textContent = message;
      body.classList.remove("stale");
      const hits = found.layers[layer];
      const list = make("ol", { class: "hits", tabindex: 0 }, hits.map((hit) => inContext(found.sentences[hit.sentence], hit)));
      const stacks = found.layers.map((layerHits, l) => {
        const counts = countParts(found, layerHits, "at");
        const parts = partRows(language, counts).map(([name, count, kind]) => {
          const part = make("i", { class: kind, title: `${name}: ${count}` });
          part.style.flexGrow = String(count);
          return part;
        });
        return make(
          "button",
          { class: `stack${l === layer ? " now" : ""}`, type: "button", "data-act": `layer ${l}`, title: say(language, "layerTile", { layer: l + 1 }), onclick: () => act.layer(l) },
          [make("span", { class: "column" }, parts), make("small", { text: l + 1 })],
        );
      });
      const offsets = countOffsets(hits).map((count, i) => {
        const offset = i - FAR;
        const sign = offset > 0 ? "+" : offset < 0 ? "−" : "";
        const text = `${Math.abs(offset) === FAR ? (offset < 0 ? "≤ " : "≥ ") : ""}${sign}${Math.abs(offset)}`;
        return /** @type {[string, number, string, string]} */ ([text, count, "part-get", text]);
      });
      const legend = make("p", { class: "legend" }, [
        make("mark", { class: "match", text: say(language, "matchedWord") }),
        " ",
        make("mark", { class: "sees", text: say(language, "attendedWord") }),
      ]);
      rebuild(body, [
        make("div", { class: "list" }, [legend, list]),
        make("div", { class: "charts" }, [
          make("figure", { class: "histogram layers" }, [
            make("figcaption", { text: say(language, "perLayer") }),
            make("div", { class: "stacks" }, stacks),
            partsLegend(language, found),
          ]),
          histogram(language, say(language, "posMatched"), partRows(language, countParts(found, hits, "at"))),
          histogram(language, say(language, "posAttended"), partRows(language, countParts(found, hits, "sees"))),
          histogram(language, say(language, "offset"), offsets),
        ]),
      ]);
    },
  };
}
