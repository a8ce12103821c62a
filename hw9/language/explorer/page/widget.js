// The notebook cell: what the page carries is shown at once, the rest is asked of the kernel.

import { mount } from "./app.js";
import { inflate, readGuesses, searchName, storedSearch, storedVariant } from "./codec.js";

const PATIENCE = 120000; // ms until a silent kernel is given up

/** @param {DataView} view */
const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** @param {{model: any, el: HTMLElement}} cell as anywidget gives it */
export async function render({ model, el }) {
  /** @type {Map<number, {done: (reply: any) => void, tell: (done: number, count: number) => void, wait: () => void}>} */
  const waiting = new Map();
  let last = Math.floor(Math.random() * 2 ** 40); // replies reach all views and tabs: each counts from elsewhere

  const hear = (/** @type {any} */ reply, /** @type {DataView[]} */ buffers) => {
    for (const { wait } of waiting.values()) wait(); // the kernel is busy, not silent
    const one = waiting.get(reply.id);
    if (!one) return;
    if (reply.progress) return one.tell(reply.progress[0], reply.progress[1]);
    waiting.delete(reply.id);
    one.done({ ...reply, buffers });
  };
  model.on("msg:custom", hear);

  /** @param {Record<string, any>} question @param {(done: number, count: number) => void} [tell] @returns {Promise<any>} */
  const ask = (question, tell = () => {}) =>
    new Promise((done, fail) => {
      const id = ++last;
      const giveUp = () => {
        waiting.delete(id);
        fail({ known: "silent" });
      };
      let timer = setTimeout(giveUp, PATIENCE);
      waiting.set(id, {
        wait: () => {
          clearTimeout(timer);
          timer = setTimeout(giveUp, PATIENCE);
        },
        tell,
        done: (reply) => {
          clearTimeout(timer);
          if (reply.error) fail(new Error(reply.error));
          else done(reply);
        },
      });
      try {
        model.send({ ...question, id });
      } catch {
        waiting.delete(id); // the line to the kernel is closed: it was restarted, or the notebook opened again
        clearTimeout(timer);
        fail({ known: "restarted" });
      }
    });

  /**
   * Show a sentence: at first the cell's own, then whichever a reader types, of which every question then tells.
   * @param {import("./codec.js").Meta} meta @param {Uint8Array} blob @param {Record<string, any>} start
   * @param {{} | {text: string, pair: string | null}} typed
   */
  async function show(meta, blob, start, typed) {
    const plain = await storedVariant(meta, blob, [], null);
    const root = document.createElement("div");
    el.replaceChildren(root);
    await mount(root, meta, start, {
      async variant(masked) {
        if (!masked.length) return plain;
        const stored = await storedVariant(meta, blob, masked, plain && plain.codes);
        if (stored) return stored;
        const reply = await ask({ kind: "mask", masked, ...typed });
        const [codes, guesses] = await Promise.all(reply.buffers.map((/** @type {DataView} */ b) => inflate(bytesOf(b))));
        return { masked, codes, step: 0, guesses: guesses ? readGuesses(guesses, reply.words, meta.tokens.length) : null };
      },
      async search(query, tell) {
        const all = !query.heads || query.heads.length === meta.heads;
        const stored = all ? await storedSearch(meta, blob, searchName(query.at, query.masked, Boolean(query.heads))) : null;
        if (stored) return stored;
        const reply = await ask({ kind: "search", ...query, ...typed }, tell);
        return {
          sentences: reply.sentences,
          layers: reply.layers.map((/** @type {number[][]} */ hits) => hits.map(([sentence, at, sees, score]) => ({ sentence, at, sees, score }))),
        };
      },
      async read(text, pair, view) {
        const reply = await ask({ kind: "read", text, pair });
        await show(reply.meta, bytesOf(reply.buffers[0]), view, { text, pair });
      },
    });
  }

  const meta = model.get("meta");
  await show(meta, bytesOf(model.get("blob")), meta.start, {});
  return () => model.off("msg:custom", hear);
}
