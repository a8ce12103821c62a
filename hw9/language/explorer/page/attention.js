// What is shown, computed: sums over heads, the top N %, what heads give and get. No drawing here.

/**
 * @typedef {{
 *   layer: number, heads: boolean[], top: number, hideSpecial: boolean, renormalise: boolean,
 *   query: "all" | "a" | "b", key: "all" | "a" | "b", pin: Focus | null, masked: number[]
 * }} View  layer counts from 0 here and from 1 wherever a person reads it
 * @typedef {{side: "left" | "right", at: number}} Focus
 * @typedef {{
 *   size: number, weights: Float64Array, kept: Uint8Array, rows: boolean[], columns: boolean[]
 * }} Links  weights and kept are (T, T), query by key
 */

// A code c stands for the attention (c / 255)^2: fine steps where attention is small. Its square is a whole number, so
// sums over heads are exact, and "at least N %" is decided without rounding, here as in Python.
export const ONE = 255 * 255;

/** @param {{special: boolean[], segments: number[]}} text @param {View} view @param {"query" | "key"} side */
function visible(text, view, side) {
  const wanted = view[side];
  return text.segments.map(
    (segment, t) => !(view.hideSpecial && text.special[t]) && (wanted === "all" || (wanted === "b") === (segment === 1)),
  );
}

/**
 * The mean of the selected heads' attention for every pair of tokens, and which of them are among the top N %: in each
 * row the strongest links (the earlier one of equals first) until they hold at least N % of what the row shows.
 * @param {Uint8Array} codes (L, H, T, T) @param {View} view
 * @param {{special: boolean[], segments: number[]}} text @returns {Links}
 */
export function links(codes, view, text) {
  const size = text.special.length;
  const rows = visible(text, view, "query");
  const columns = visible(text, view, "key");
  const sums = new Float64Array(size * size);
  const number = view.heads.filter(Boolean).length;
  view.heads.forEach((on, head) => {
    if (!on) return;
    const start = (view.layer * view.heads.length + head) * size * size;
    for (let i = 0; i < sums.length; i++) {
      const code = codes[start + i];
      sums[i] += code * code;
    }
  });
  const kept = new Uint8Array(size * size);
  const weights = new Float64Array(size * size);
  for (let q = 0; q < size; q++) {
    if (!rows[q]) continue;
    const order = [];
    let total = 0;
    for (let k = 0; k < size; k++) {
      if (!columns[k] || !sums[q * size + k]) continue;
      order.push(k);
      total += sums[q * size + k];
    }
    const unit = view.renormalise ? total : ONE * number;
    for (const k of order) weights[q * size + k] = sums[q * size + k] / unit;
    order.sort((a, b) => sums[q * size + b] - sums[q * size + a] || a - b);
    let held = 0;
    for (const k of order) {
      if (100 * held >= view.top * total) break;
      kept[q * size + k] = 1;
      held += sums[q * size + k];
    }
  }
  return { size, weights, kept, rows, columns };
}

/** Whether a link is drawn while `focus` is looked at. @param {Links} links @param {Focus | null} focus */
export function shown(links, focus) {
  const { size, kept } = links;
  if (!focus) return kept;
  const only = new Uint8Array(size * size);
  for (let t = 0; t < size; t++) {
    const i = focus.side === "left" ? focus.at * size + t : t * size + focus.at;
    only[i] = kept[i];
  }
  return only;
}

/**
 * How much of each head's attention runs along the links shown: what each token gives (T, H) and gets (T, H).
 * @param {Uint8Array} codes @param {View} view @param {Uint8Array} drawn (T, T)
 */
export function givesAndGets(codes, view, drawn) {
  const heads = view.heads.length;
  const size = Math.round(Math.sqrt(drawn.length));
  const gives = new Float64Array(size * heads);
  const gets = new Float64Array(size * heads);
  for (let head = 0; head < heads; head++) {
    const start = (view.layer * heads + head) * size * size;
    for (let q = 0, i = 0; q < size; q++) {
      for (let k = 0; k < size; k++, i++) {
        if (!drawn[i]) continue;
        const weight = (codes[start + i] * codes[start + i]) / ONE;
        gives[q * heads + head] += weight;
        gets[k * heads + head] += weight;
      }
    }
  }
  return { gives, gets };
}

/**
 * The strongest partners of a token among the links shown, strongest first.
 * @param {Links} links @param {Focus} focus @param {number} top @returns {[number, number][]} position and weight
 */
export function partners(links, focus, top) {
  const { size, weights } = links;
  /** @type {[number, number][]} */
  const found = [];
  for (let t = 0; t < size; t++) {
    const i = focus.side === "left" ? focus.at * size + t : t * size + focus.at;
    if (weights[i]) found.push([t, weights[i]]);
  }
  return found.sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, top);
}
