// From the page's bytes to numbers: blocks, variants of the sentence (which tokens are masked), stored searches.

/**
 * @typedef {[number, number]} Span
 * @typedef {{masked: number[], block: string, step: number, guesses: string | null}} VariantEntry
 * @typedef {{
 *   model: string, load: string | null, text: string, pair: string | null, tokens: string[], segments: number[], special: boolean[],
 *   maskToken: string, layers: number, heads: number, limitNote: boolean, words: string[],
 *   variants: VariantEntry[], blocks: Record<string, Span>, patterns: Record<string, number[][]>,
 *   corpus: {sentences: string, rows: string[], depth: number, count: number, name: string} | null,
 *   start: Record<string, any>, live: boolean, canMask: boolean, tour: import("./tour.js").Card[]
 * }} Meta
 * @typedef {{masked: number[], codes: Uint8Array, step: number, guesses: Guess[][] | null}} Variant
 * @typedef {{word: string, p: number}} Guess
 * @typedef {{sentence: number, at: number, sees: number, score: number}} Hit
 * @typedef {{layers: Hit[][], sentences: [string, string, Span[]][]}} Found
 */

export const GUESSES = 5;

/** @param {string} text @returns {Uint8Array} */
export function fromBase64(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/** @param {Uint8Array} bytes @returns {Promise<Uint8Array>} */
export async function inflate(bytes) {
  const stream = new Blob([/** @type {BlobPart} */ (bytes)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {Meta} meta @param {Uint8Array} blob @param {string} name */
export function block(meta, blob, name) {
  const [start, length] = meta.blocks[name];
  return inflate(blob.subarray(start, start + length));
}

/** Two-byte numbers, low byte first, whatever the machine. @param {Uint8Array} bytes */
export function shorts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers = new Uint16Array(bytes.length >> 1);
  for (let i = 0; i < numbers.length; i++) numbers[i] = view.getUint16(2 * i, true);
  return numbers;
}

/** @param {Uint8Array} bytes @param {string[]} words @param {number} tokens @returns {Guess[][]} */
export function readGuesses(bytes, words, tokens) {
  const numbers = shorts(bytes);
  const half = tokens * GUESSES;
  return Array.from({ length: tokens }, (_, t) =>
    Array.from({ length: GUESSES }, (_, k) => ({
      word: words[numbers[t * GUESSES + k]],
      p: numbers[half + t * GUESSES + k] / 65535,
    })),
  );
}

/** The name under which a set of masked positions is kept. @param {number[]} masked */
export const maskKey = (masked) => [...masked].sort((a, b) => a - b).join(",");

/**
 * The stored variant of a set of masks, or null where the page does not carry it. A masked variant is stored as its
 * difference from the plain sentence in units of `step` codes.
 * @param {Meta} meta @param {Uint8Array} blob @param {number[]} masked @param {Uint8Array | null} plain
 * @returns {Promise<Variant | null>}
 */
export async function storedVariant(meta, blob, masked, plain) {
  const entry = meta.variants.find((variant) => maskKey(variant.masked) === maskKey(masked));
  if (!entry) return null;
  let codes = await block(meta, blob, entry.block);
  if (entry.step && plain) {
    const change = new Int8Array(codes.buffer);
    const moved = (/** @type {number} */ code, /** @type {number} */ i) => code + entry.step * change[i];
    codes = plain.map(entry.step === 1 ? (c, i) => moved(c, i) & 255 : (c, i) => Math.max(0, Math.min(255, moved(c, i))));
  }
  const guesses = entry.guesses && readGuesses(await block(meta, blob, entry.guesses), meta.words, meta.tokens.length);
  return { masked: entry.masked, codes, step: entry.step, guesses: guesses || null };
}

/**
 * A stored search, or null where the page does not carry it.
 * @param {Meta} meta @param {Uint8Array} blob @param {string} name @returns {Promise<Found | null>}
 */
export async function storedSearch(meta, blob, name) {
  const corpus = meta.corpus;
  if (!corpus || !corpus.rows.includes(name)) return null;
  const numbers = shorts(await block(meta, blob, name));
  const sentences = JSON.parse(new TextDecoder().decode(await block(meta, blob, corpus.sentences)));
  const width = numbers.length / meta.layers / 4;
  const layers = Array.from({ length: meta.layers }, (_, l) =>
    Array.from({ length: width }, (_, k) => {
      const [sentence, at, sees, score] = numbers.subarray(4 * (l * width + k), 4 * (l * width + k) + 4);
      return { sentence, at, sees, score: score / 32767.5 - 1 };
    }),
  );
  return { layers, sentences };
}

/** The name of a stored search. @param {number} at @param {number[]} masked @param {boolean} byHeads */
export function searchName(at, masked, byHeads) {
  return `${byHeads ? "heads" : "near"}:${at}:${masked.join(",")}`;
}
