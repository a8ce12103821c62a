// All heads as thumbnails, in the order of what they do.

import { make, weightText } from "./dom.js";
import { say } from "./strings.js";

/** @param {Record<string, number[][]>} patterns @param {string} sort @returns {(l: number, h: number) => number} */
const scorer = (patterns, sort) => (l, h) => patterns[sort][l][h];

/** The order of the tiles. @param {import("./codec.js").Meta} meta @param {string} sort @returns {[number, number][]} */
export function tileOrder(meta, sort) {
  /** @type {[number, number][]} */
  const order = [];
  for (let l = 0; l < meta.layers; l++) for (let h = 0; h < meta.heads; h++) order.push([l, h]);
  if (sort === "layer") return order;
  const score = scorer(meta.patterns, sort);
  const sign = sort === "entropy" ? 1 : -1;
  return order.sort((a, b) => sign * (score(...a) - score(...b)));
}

/**
 * @param {import("./codec.js").Meta} meta @param {(layer: number, head: number) => void} open
 * @param {(sort: string) => void} sorted
 */
export function makeGrid(meta, open, sorted) {
  const select = make("select", { onchange: () => sorted(select.value) });
  const hint = make("span", { class: "hint" });
  const label = make("span");
  const tiles = make("div", { class: "tiles", role: "group" });
  const element = make("div", { class: "grid" }, [
    make("div", { class: "bar" }, [make("label", { class: "field" }, [label, select]), hint]),
    tiles,
  ]);
  const canvases = Array.from({ length: meta.layers }, (_, l) =>
    Array.from({ length: meta.heads }, (_, h) => {
      const canvas = make("canvas", { width: meta.tokens.length, height: meta.tokens.length });
      const caption = make("span", { class: "caption" });
      const button = make("button", { class: "tile", type: "button", onclick: () => open(l, h) }, [
        canvas,
        caption,
      ]);
      return { canvas, caption, button };
    }),
  );

  return {
    element,
    /** @param {{language: "en" | "zh", sort: string, layer: number, heads: boolean[]}} state */
    label(state) {
      label.textContent = say(state.language, "sort");
      const sorts = ["layer", ...Object.keys(meta.patterns)];
      select.replaceChildren(
        ...sorts.map((name) => make("option", { value: name, text: say(state.language, `sort_${name}`) })),
      );
      select.value = state.sort;
      tiles.replaceChildren(...tileOrder(meta, state.sort).map(([l, h]) => canvases[l][h].button));
      tiles.style.setProperty("--columns", String(meta.heads));
      canvases.forEach((row, l) =>
        row.forEach(({ caption, button }, h) => {
          const score = state.sort === "layer" ? "" : weightText(meta.patterns[state.sort][l][h]);
          caption.replaceChildren(`${l + 1}·${h + 1}`, ...(score ? [make("b", { text: score })] : []));
          button.title = `${say(state.language, "headTile", { layer: l + 1, head: h + 1 })}${score && `: ${score}`}`;
        }),
      );
    },
    /** @param {{language: "en" | "zh", layer: number, heads: boolean[], masked: number[]}} state */
    mark(state) {
      hint.textContent = say(state.language, "gridHint") + (state.masked.length ? say(state.language, "gridPlain") : "");
      canvases.forEach((row, l) =>
        row.forEach(({ button }, h) => {
          const open = l === state.layer && state.heads[h];
          button.classList.toggle("open", open);
          button.setAttribute("aria-pressed", String(open));
        }),
      );
    },
    /** @param {Uint8Array} codes @param {Record<string, any>} colours */
    paint(codes, colours) {
      const size = meta.tokens.length;
      const shades = new Uint8ClampedArray(256 * 4);
      for (let code = 0; code < 256; code++) {
        shades.set([...colours.ramp[code], 255], 4 * code);
      }
      canvases.forEach((row, l) =>
        row.forEach(({ canvas }, h) => {
          const image = new ImageData(size, size);
          const start = (l * meta.heads + h) * size * size;
          for (let i = 0; i < size * size; i++) {
            const code = 4 * codes[start + i];
            image.data.set(shades.subarray(code, code + 4), 4 * i);
          }
          canvas.getContext("2d").putImageData(image, 0, 0);
        }),
      );
    },
  };
}
