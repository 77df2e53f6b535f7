// What a person marked to teach from: particles (added or kept) and what is none (removed).

/** @typedef {import("./types.js").Row} Row */
/** @typedef {import("./types.js").Point} Point */

const REACH_PX = 1;

/**
 * The last mark at every place.
 * @param {Row[]} rows oldest first
 * @returns {{particles: Point[], wrong: Point[]}}
 */
export function marksOf(rows) {
  /** @type {{at: Point, isParticle: boolean}[]} */
  const marks = [];
  for (const { action, x_px = 0, y_px = 0 } of rows) {
    if (!["add", "keep", "remove"].includes(action)) continue;
    const at = { x: x_px, y: y_px };
    const before = marks.findIndex((one) => Math.hypot(one.at.x - at.x, one.at.y - at.y) <= REACH_PX);
    const taken = before >= 0 ? marks.splice(before, 1)[0] : null;
    if (action === "remove" && taken?.isParticle && wasAdded(rows, at)) continue;
    marks.push({ at, isParticle: action !== "remove" });
  }
  const of = (/** @type {boolean} */ isParticle) => marks.filter((one) => one.isParticle === isParticle).map(({ at }) => at);
  return { particles: of(true), wrong: of(false) };
}

/**
 * Whether a pick was put there by hand: to remove it only takes that back.
 * @param {Row[]} rows
 * @param {Point} at
 */
const wasAdded = (rows, at) =>
  rows.some(({ action, x_px = 0, y_px = 0 }) => action === "add" && Math.hypot(x_px - at.x, y_px - at.y) <= REACH_PX);
