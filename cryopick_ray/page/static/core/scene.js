// What is drawn of candidates: circles in view, by kind. Colours are for a grey picture, shapes tell them apart, too.

import { ADDED, DUPLICATE, EDGE, JUNK, KINDS, LOW, OTHER, PICKED, REMOVED, SIZE } from "./picked.js";

/** @typedef {import("./types.js").Candidates} Candidates */
/** @typedef {{x: number, y: number, scale: number}} View */
/** @typedef {{colour: string, label: string, dash: number[], width: number, cross: boolean}} Style */

/**
 * @param {string} label
 * @param {string} colour
 * @param {{dash?: number[], width?: number, cross?: boolean}} [more]
 * @returns {Style}
 */
const style = (label, colour, { dash = [], width = 1.5, cross = false } = {}) => ({ label, colour, dash, width, cross });

/** @type {Readonly<Record<string, Style>>} */
export const STYLES = Object.freeze({
  picked: style("picked", "#4ade9f", { width: 1.6 }),
  added: style("added by hand", "#67d4ff", { width: 2 }),
  removed: style("removed by hand", "#ff7b72", { cross: true }),
  low: style("below the threshold", "#b9a7ff", { width: 1.4, dash: [4, 3] }),
  size: style("of another size", "#f4f6f8", { width: 1.4, dash: [2, 3] }),
  duplicate: style("duplicate or surplus", "#d9c9ff", { cross: true }),
  edge: style("near an edge", "#f2cc60", { cross: true }),
  junk: style("on junk", "#ffa657", { cross: true }),
  other: style("kept out otherwise", "#e5e9ec", { cross: true }),
  truth: style("truth", "#ffe766", { dash: [5, 3], width: 1.5 }),
});

/** Of further sources, in turn. */
export const SECOND_COLOURS = Object.freeze(["#ff8ad8", "#ffb86b", "#9ecbff", "#d2f26b"]);

/** In the order of the panel. */
export const KINDS_TOLD = Object.freeze([PICKED, ADDED, REMOVED, LOW, SIZE, DUPLICATE, EDGE, JUNK, OTHER].map((kind) => KINDS[kind]));

/**
 * Circles of one kind in view as x, y, radius on the screen.
 * @param {Candidates} candidates
 * @param {(k: number) => boolean} meant
 * @param {View} view
 * @param {{width: number, height: number, diameter_px: number, pixel_size_A: number|null}} frame
 */
export function circles(candidates, meant, view, frame) {
  const found = [];
  const plain = (frame.diameter_px / 2) * view.scale;
  const perA = frame.pixel_size_A === null ? 0 : view.scale / (2 * frame.pixel_size_A);
  for (let k = 0; k < candidates.n; k++) {
    if (!meant(k)) continue;
    const size_A = candidates.size_A[k];
    const radius = Math.max(2, perA > 0 && size_A > 0 ? size_A * perA : plain);
    const x = (candidates.x_px[k] + 0.5) * view.scale + view.x;
    const y = (candidates.y_px[k] + 0.5) * view.scale + view.y;
    if (x + radius < 0 || y + radius < 0 || x - radius > frame.width || y - radius > frame.height) continue;
    found.push(x, y, radius);
  }
  return found;
}
