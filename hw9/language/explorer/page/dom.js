// Elements made one by one: text from a sentence only ever becomes text.

/**
 * @param {string} tag @param {Record<string, any>} [attributes] `class`, `text`, `on…` handlers, others as attributes
 * @param {(Node | string | null)[]} [children] @returns {any}
 */
export function make(tag, attributes = {}, children = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false || value === undefined) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/**
 * Replace what is in `element`. A control that had the keyboard keeps it, known by its `data-act`, or gives it to the first.
 * @param {HTMLElement} element @param {Node[]} children
 */
export function rebuild(element, children) {
  const active = /** @type {Document} */ (element.getRootNode()).activeElement;
  const held = active instanceof HTMLElement && element.contains(active) ? active.dataset.act : undefined;
  element.replaceChildren(...children);
  if (held === undefined) return;
  const controls = /** @type {HTMLElement[]} */ ([...element.querySelectorAll("[data-act]")]);
  (controls.find((one) => one.dataset.act === held) || controls[0])?.focus();
}

/** A canvas of `width` x `height` CSS pixels, sharp on this screen, cleared. @param {HTMLCanvasElement} canvas */
export function sharp(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const w = Math.max(1, Math.round(width * ratio));
  const h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}

/** The colours in use, read from the style sheet. @param {Element} root @returns {Record<string, any>} */
export function palette(root) {
  const style = getComputedStyle(root);
  const names = ["ground", "ink", "muted", "line", "give", "get", "mask", "cell", "full"];
  /** @type {Record<string, any>} */
  const found = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  found.ramp = ramp(found.cell, found.full);
  found.shades = found.ramp.map((/** @type {number[]} */ shade) => `rgb(${shade.join(",")})`);
  return found;
}

/** Red, green and blue of #rrggbb. @param {string} colour */
export const rgb = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));

/** 256 colours from `a` to `b`, both #rrggbb, as [red, green, blue]. @param {string} a @param {string} b */
function ramp(a, b) {
  const [from, to] = [rgb(a), rgb(b)];
  return Array.from({ length: 256 }, (_, t) => from.map((part, i) => Math.round(part + ((to[i] - part) * t) / 255)));
}

/** @param {number} share @returns {string} */
export const percent = (share) => (share >= 0.0995 ? `${(100 * share).toFixed(0)} %` : `${(100 * share).toFixed(1)} %`);

/** Attention as a person reads it. @param {number} weight */
export const weightText = (weight) => weight.toFixed(weight < 0.0995 ? 3 : 2);
