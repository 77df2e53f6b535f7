// Candidates as decisions will leave them, shown until the server has answered.

import { BY_HAND, Why } from "./picked.js";
import { nearest } from "./geometry.js";

/** @typedef {import("./types.js").Candidates} Candidates */
/** @typedef {import("./types.js").Row} Row */

const REACH_PX = 1;

/**
 * @param {Candidates} before
 * @param {Row[]} rows
 * @returns {Candidates}
 */
export function applied(before, rows) {
  const after = grown(before, rows.filter(({ action }) => action === "add" || action === "trace").length);
  for (const row of rows) apply(after, row);
  return traced(after, rows.filter(({ action }) => action === "trace"));
}

/**
 * @param {Candidates} all
 * @param {Row} row
 */
function apply(all, { action, x_px = 0, y_px = 0, radius_px = 0 }) {
  const point = { x: x_px, y: y_px };
  if (action === "junk") {
    for (let k = 0; k < all.n; k++) {
      if (Math.hypot(all.x_px[k] - x_px, all.y_px[k] - y_px) <= radius_px) all.unpicked[k] |= Why.ON_JUNK | Why.REMOVED_BY_HAND;
    }
  } else if (action === "remove") {
    const k = nearest(all, point, REACH_PX, (one) => !(all.unpicked[one] & Why.REMOVED_BY_HAND));
    if (k >= 0) all.unpicked[k] |= Why.REMOVED_BY_HAND;
  } else if (action === "keep") {
    const k = nearest(all, point, REACH_PX);
    if (k >= 0) all.unpicked[k] &= ~Why.REMOVED_BY_HAND;
  } else if (action === "add") {
    let k = nearest(all, point, REACH_PX);
    if (k < 0) k = all.n++;
    [all.x_px[k], all.y_px[k], all.unpicked[k]] = [x_px, y_px, 0];
    all.marks[k] |= BY_HAND;
  }
}

/**
 * With a filament that was drawn: its corners stand for the segments that the server will cut.
 * @param {Candidates} all with room for them
 * @param {Row[]} corners
 */
function traced(all, corners) {
  if (corners.length === 0) return all;
  all.filament ??= new Int32Array(all.x_px.length).fill(-1);
  all.track_A ??= new Float32Array(all.x_px.length).fill(NaN);
  const number = all.filament.subarray(0, all.n).reduce((most, one) => Math.max(most, one), -1) + 1;
  for (const [at, { x_px = 0, y_px = 0 }] of corners.entries()) {
    const k = all.n++;
    [all.x_px[k], all.y_px[k], all.filament[k], all.track_A[k]] = [x_px, y_px, number, at];
    all.marks[k] |= BY_HAND;
  }
  return all;
}

/**
 * A copy with room for more; what is added has the best score and an unknown size.
 * @param {Candidates} before
 * @param {number} more
 * @returns {Candidates}
 */
function grown(before, more) {
  const { n } = before;
  const floats = (/** @type {Float32Array} */ values, /** @type {number} */ fill) => {
    const copy = new Float32Array(n + more).fill(fill);
    copy.set(values.subarray(0, n));
    return copy;
  };
  const unpicked = new Uint16Array(n + more);
  unpicked.set(before.unpicked.subarray(0, n));
  const [junk, marks] = [before.junk, before.marks].map((values) => {
    const copy = new Uint8Array(n + more);
    copy.set(values.subarray(0, n));
    return copy;
  });
  const filament = before.filament === null ? null : new Int32Array(n + more).fill(-1);
  filament?.set(/** @type {Int32Array} */ (before.filament).subarray(0, n));
  const best = n > 0 ? before.score[0] : 1;
  return {
    n, unpicked, junk, marks, filament, track_A: before.track_A === null ? null : floats(before.track_A, NaN),
    x_px: floats(before.x_px, 0), y_px: floats(before.y_px, 0),
    score: floats(before.score, best), size_A: floats(before.size_A, NaN),
  };
}
