// Thousands of curves within a frame. The canvas's own strokes take 50 ms for 4,000 of them where no graphics card helps.
// All curves have one colour: where layers of opacity a, b, ... lie on each other, (1 - a)(1 - b) ... of the ground shows
// through, whose logarithms are added as whole numbers. And curves of equal weight that climb equally many rows are the same picture, moved by whole pixels: each
// picture is computed once, as the list of pixels that it dims and by how much.

import { pen } from "./curves.js";

const MANY = 2500; // curves: from here on a screen's finer pixels cannot be told apart
const SHADES = 32; // steps of weight, finer where it is small
const KEPT = 4000; // pictures remembered
const MARGIN = 64; // pixels above and below, for the width of the outermost curves

const UNIT = 1024; // of the logarithms

// The opacity, 0 to 255, of sums of logarithms; eight units and more are opaque.
const OPACITY = Uint8Array.from({ length: 8 * UNIT + 1 }, (_, sum) => Math.round(255 * (1 - Math.exp(-sum / UNIT))));

/** @typedef {{at: Int32Array, ink: Int32Array}} Picture pixels from the middle of the curve's first row; -log(1 - opacity) */

/**
 * The shape S of a curve at the middle of each column, from 0 to 1, and its slope per column: the curve of `points`.
 * @param {number} columns
 */
function shape(columns) {
  const height = new Float32Array(columns);
  const slope = new Float32Array(columns);
  for (let x = 0; x < columns; x++) {
    const wanted = (x + 0.5) / columns;
    let t = wanted;
    for (let k = 0; k < 6; k++) {
      const now = 1.35 * t * (1 - t) ** 2 + 1.65 * t * t * (1 - t) + t ** 3;
      const rise = 1.35 * (1 - t) * (1 - 3 * t) + 1.65 * t * (2 - 3 * t) + 3 * t * t;
      t -= (now - wanted) / rise;
    }
    height[x] = t * t * (3 - 2 * t);
    const rise = 1.35 * (1 - t) * (1 - 3 * t) + 1.65 * t * (2 - 3 * t) + 3 * t * t;
    slope[x] = (6 * t * (1 - t)) / (rise * columns);
  }
  return { height, slope };
}

/**
 * The picture of a curve that climbs `rise` pixels. @param {number} rise @param {{width: number, alpha: number}} look
 * @param {ReturnType<typeof shape>} curve @param {number} stride pixels of a column @returns {Picture}
 */
function picture(rise, look, curve, stride) {
  const at = [];
  const ink = [];
  for (let x = 0; x < curve.height.length; x++) {
    const steep = Math.abs(rise * curve.slope[x]);
    const area = look.width * Math.sqrt(1 + steep * steep); // of the stroke inside this column
    const extent = Math.max(area, steep, 1);
    const opacity = (look.alpha * area) / extent;
    const top = rise * curve.height[x] - extent / 2;
    for (let y = Math.floor(top); y < top + extent; y++) {
      const part = Math.min(y + 1, top + extent) - Math.max(y, top);
      if (opacity * part < 1 / 512) continue; // too faint for a screen
      at.push(x * stride + y);
      ink.push(Math.round(-UNIT * Math.log(Math.max(1e-4, 1 - opacity * part))));
    }
  }
  return { at: Int32Array.from(at), ink: Int32Array.from(ink) };
}

/**
 * Lay a picture on the ground.
 * @param {Int32Array} ground @param {Int32Array} at @param {Int32Array} ink @param {number} start
 */
function lay(ground, at, ink, start) {
  for (let k = 0; k < at.length; k++) ground[start + at[k]] += ink[k];
}

/** A painter of one canvas, which remembers its pictures. @param {HTMLCanvasElement} canvas */
export function makePainter(canvas) {
  let columns = 0;
  let step = 0; // pixels of a row
  /** @type {ReturnType<typeof shape>} */
  let curve = shape(1);
  /** @type {Map<number, Picture>} */
  const pictures = new Map();

  /**
   * @param {import("./attention.js").Links} links @param {Uint8Array} drawn
   * @param {{width: number, row: number}} size in CSS pixels @param {number[]} colour red, green, blue
   */
  return (links, drawn, size, colour) => {
    let number = 0;
    for (let i = 0; i < drawn.length; i++) number += drawn[i];
    const scale = number > MANY ? 1 : window.devicePixelRatio || 1;
    const [wide, high] = [Math.max(1, Math.round(size.width * scale)), Math.round(size.row * scale)];
    if (wide !== columns || high !== step) {
      [columns, step, curve] = [wide, high, shape(wide)];
      pictures.clear();
    }
    const looks = Array.from({ length: SHADES + 1 }, (_, shade) => pen((shade / SHADES) ** 2, size.row, number));
    const rows = links.size * step;
    const stride = rows + 2 * MARGIN;
    const ground = new Int32Array(columns * stride);
    for (let from = 0, i = 0; from < links.size; from++) {
      const start = Math.floor(MARGIN + (from + 0.5) * step);
      for (let to = 0; to < links.size; to++, i++) {
        if (!drawn[i]) continue;
        const shade = Math.ceil(SHADES * Math.sqrt(Math.min(1, links.weights[i])));
        const look = looks[shade];
        const key = ((to - from + links.size) * (SHADES + 1) + shade) * 1000 + Math.round(look.alpha * 999);
        let one = pictures.get(key);
        if (!one) {
          if (pictures.size > KEPT) pictures.clear();
          one = picture((to - from) * step, { width: look.width * scale, alpha: look.alpha }, curve, stride);
          pictures.set(key, one);
        }
        lay(ground, one.at, one.ink, start);
      }
    }
    canvas.width = columns;
    canvas.height = rows;
    canvas.style.width = `${size.width}px`;
    canvas.style.height = `${links.size * size.row}px`;
    const image = new ImageData(columns, rows);
    const pixels = new Uint32Array(image.data.buffer);
    const shade = (colour[2] << 16) | (colour[1] << 8) | colour[0];
    for (let x = 0; x < columns; x++) {
      for (let y = 0, at = x * stride + MARGIN; y < rows; y++, at++) {
        if (ground[at]) pixels[y * columns + x] = (OPACITY[Math.min(8 * UNIT, ground[at])] << 24) | shade;
      }
    }
    /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(image, 0, 0);
  };
}
