// The look of the curves between the two columns of tokens, and the head-by-token matrices beside them.

import { sharp } from "./dom.js";

/** @typedef {{from: number, to: number, weight: number}} Curve */

/** @param {import("./attention.js").Links} links @param {Uint8Array} drawn @returns {Curve[]} weakest first */
export function curveList(links, drawn) {
  const found = [];
  for (let i = 0; i < drawn.length; i++) {
    if (drawn[i]) found.push({ from: Math.floor(i / links.size), to: i % links.size, weight: links.weights[i] });
  }
  return found.sort((a, b) => a.weight - b.weight);
}

/**
 * The look of a curve: faint ones step back only where there are many.
 * @param {number} weight @param {number} row height of a token in pixels @param {number} number of curves drawn
 */
export function pen(weight, row, number) {
  const least = number > 400 ? 0.1 : 0.35;
  return { width: 0.5 + weight * row * 0.5, alpha: Math.min(1, least + (1 - least) * weight ** 0.6) };
}

/** Control points of a curve across `width` pixels. @param {Curve} curve @param {number} width @param {number} row */
export function points(curve, width, row) {
  const y1 = (curve.from + 0.5) * row;
  const y2 = (curve.to + 0.5) * row;
  return [0, y1, width * 0.45, y1, width * 0.55, y2, width, y2];
}

/**
 * The cells of a matrix, tokens downwards and heads across, as rectangles with colours.
 * @param {Float64Array} values (T, H) @param {boolean[]} heads @param {number} cell @param {number} row
 * @param {Record<string, any>} colours
 */
export function cells(values, heads, cell, row, colours) {
  let most = 1e-9;
  values.forEach((value, i) => {
    if (heads[i % heads.length]) most = Math.max(most, value);
  });
  return Array.from(values, (value, i) => {
    const head = i % heads.length;
    const token = Math.floor(i / heads.length);
    const colour = heads[head] ? colours.shades[Math.round(255 * Math.sqrt(Math.min(1, value / most)))] : colours.ground;
    return { x: head * cell + 0.5, y: token * row + 1, width: cell - 1, height: row - 2, colour };
  });
}

/** @param {HTMLCanvasElement} canvas @param {ReturnType<typeof cells>} list @param {number} width @param {number} height */
export function drawCells(canvas, list, width, height) {
  const board = sharp(canvas, width, height);
  for (const one of list) {
    board.fillStyle = one.colour;
    board.fillRect(one.x, one.y, one.width, one.height);
  }
}
