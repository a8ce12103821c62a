// The view as SVG, as PNG, as the line of Python that makes it again, and as a link into a saved page.

import { pen, points } from "./curves.js";

const FONT = "system-ui, 'Segoe UI', 'PingFang TC', 'Noto Sans CJK TC', 'Microsoft JhengHei', sans-serif";

/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** About how many pixels a token takes; Chinese characters are twice as wide as letters. @param {string} token */
const wide = (token) => [...token].reduce((sum, c) => sum + (c > "\u2e7f" ? 12.5 : 7.6), 0);

/** @param {number} number */
const short = (number) => String(Math.round(number * 100) / 100);

/**
 * @param {{tokens: string[], dim: {left: boolean[], right: boolean[]}, curves: import("./curves.js").Curve[],
 *   left: ReturnType<typeof import("./curves.js").cells>, right: ReturnType<typeof import("./curves.js").cells>,
 *   row: number, cell: number, heads: number, caption: string, curve: string, colours: Record<string, any>}} view
 * @returns {{svg: string, width: number, height: number}}
 */
export function drawSvg(view) {
  const { tokens, row, colours } = view;
  const side = view.cell * view.heads;
  const word = Math.max(110, 14 + Math.max(...tokens.map(wide)));
  const middle = 300;
  const top = 44;
  const x = [12, 12 + side + 8, 12 + side + 8 + word, 12 + side + 8 + word + middle, 12 + side + 16 + 2 * word + middle];
  const width = x[4] + side + 12;
  const height = top + tokens.length * row + 12;
  const rectangles = (/** @type {typeof view.left} */ list, /** @type {number} */ left) =>
    list
      .map((c) => `<rect x="${short(left + c.x)}" y="${short(top + c.y)}" width="${c.width}" height="${c.height}" fill="${c.colour}"/>`)
      .join("");
  const heads = (/** @type {number} */ left) =>
    Array.from(
      { length: view.heads },
      (_, h) => `<text x="${short(left + (h + 0.5) * view.cell)}" y="${top - 5}" font-size="7.5" text-anchor="middle" fill="${colours.muted}">${h + 1}</text>`,
    ).join("");
  const paths = view.curves
    .map((curve) => {
      const p = points(curve, middle, row).map((value, i) => short(value + (i % 2 ? top : x[2])));
      const look = pen(curve.weight, row, view.curves.length);
      return `<path d="M${p[0]} ${p[1]}C${p.slice(2).join(" ")}" stroke-width="${short(look.width)}" stroke-opacity="${short(look.alpha)}"/>`;
    })
    .join("");
  const words = (/** @type {"left" | "right"} */ where) =>
    tokens
      .map((token, t) => {
        const at = where === "left" ? x[2] - 6 : x[3] + 6;
        const anchor = where === "left" ? "end" : "start";
        const shade = view.dim[where][t] ? colours.muted : colours.ink;
        return `<text x="${at}" y="${short(top + (t + 0.5) * row + 4.2)}" text-anchor="${anchor}" fill="${shade}">${escaped(token)}</text>`;
      })
      .join("");
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${FONT}" font-size="12.5">` +
    `<rect width="100%" height="100%" fill="${colours.ground}"/>` +
    `<text x="12" y="20" font-size="12" fill="${colours.ink}">${escaped(view.caption)}</text>` +
    heads(x[0]) + heads(x[4]) + rectangles(view.left, x[0]) + rectangles(view.right, x[4]) +
    `<g fill="none" stroke="${view.curve}">${paths}</g>${words("left")}${words("right")}</svg>`;
  return { svg, width, height };
}

/** @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** @param {{svg: string, width: number, height: number}} drawing @returns {Promise<Blob>} at twice the size */
export async function toPng({ svg, width, height }) {
  const image = new Image();
  const address = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * width;
  canvas.height = 2 * height;
  const board = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  board.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(address);
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no picture"))), "image/png"));
}

/** A Python string literal. @param {string} text */
const literal = (text) => JSON.stringify(text).replace(/[\u2028\u2029\u007f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

/**
 * The settings that differ from the defaults, as Python and as a link would write them.
 * @param {import("./attention.js").View} view @returns {Record<string, any>}
 */
export function settings(view) {
  /** @type {Record<string, any>} */
  const changed = { layer: view.layer + 1 };
  if (!view.heads.every(Boolean)) changed.heads = view.heads.flatMap((on, h) => (on ? [h + 1] : []));
  if (view.top !== 70) changed.top = view.top;
  if (view.hideSpecial) changed.hide_special = true;
  if (view.renormalise) changed.renormalise = true;
  if (view.query !== "all") changed.query = view.query;
  if (view.key !== "all") changed.key = view.key;
  if (view.pin) changed.pin = view.pin.at;
  if (view.pin && view.pin.side === "right") changed.side = "right";
  if (view.masked.length) changed.masked = view.masked;
  return changed;
}

/**
 * Lines of Python that show the view again; they load the model, since no page knows what a notebook calls it.
 * @param {import("./codec.js").Meta} meta @param {import("./attention.js").View} view
 */
export function codeLines(meta, view) {
  const value = (/** @type {any} */ v) =>
    v === true ? "True" : typeof v === "string" ? literal(v) : Array.isArray(v) ? `[${v.join(", ")}]` : String(v);
  const parts = [`bert.load(${meta.load === null ? "" : literal(meta.load)})`, literal(meta.text)];
  if (meta.pair !== null) parts.push(literal(meta.pair));
  for (const [name, v] of Object.entries(settings(view))) parts.push(`${name}=${value(v)}`);
  return `from hw9.language import bert\nfrom hw9.language.explorer import explorer\n\nexplorer(${parts.join(", ")})`;
}

/** @param {import("./attention.js").View} view */
export function linkHash(view) {
  const parts = Object.entries(settings(view)).map(([name, v]) => `${name}=${Array.isArray(v) ? v.join(".") : v}`);
  return `#${parts.join("&")}`;
}

/** The settings that a link asks for. @param {string} hash @returns {Record<string, any>} */
export function readHash(hash) {
  /** @type {Record<string, any>} */
  const asked = {};
  for (const part of hash.replace(/^#/, "").split("&")) {
    const [name, value = ""] = part.split("=");
    if (name === "top" && /^\d+(\.\d+)?$/.test(value)) asked[name] = Number(value);
    if (["layer", "pin"].includes(name) && /^\d+$/.test(value)) asked[name] = Number(value);
    if (["heads", "masked"].includes(name) && /^(\d+(\.\d+)*)?$/.test(value)) asked[name] = value ? value.split(".").map(Number) : [];
    if (["hide_special", "renormalise"].includes(name)) asked[name] = value === "true";
    if (["query", "key"].includes(name) && /^(all|a|b)$/.test(value)) asked[name] = value;
    if (name === "side" && /^(left|right)$/.test(value)) asked[name] = value;
  }
  return asked;
}
