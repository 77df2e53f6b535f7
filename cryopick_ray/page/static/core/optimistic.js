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
  const after = grown(before, rows.filter(({ action }) => action === "add").length);
  for (const row of rows) apply(after, row);
  return after;
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
  const best = n > 0 ? before.score[0] : 1;
  return {
    n, unpicked, junk, marks,
    x_px: floats(before.x_px, 0), y_px: floats(before.y_px, 0),
    score: floats(before.score, best), size_A: floats(before.size_A, NaN),
  };
}
