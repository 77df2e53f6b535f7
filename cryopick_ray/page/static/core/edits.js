// Rows of decisions that a gesture means.

import { ADDED, JUNK, REMOVED, isPick } from "./picked.js";
import { nearestFilament } from "./filaments.js";
import { discsAlong, inBox, inPolygon, nearest, where } from "./geometry.js";

/** @typedef {import("./types.js").Row} Row */
/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Candidates} Candidates */

/** Decisions this near mean the same place. */
const SAME_PX = 1;

/**
 * A click: on a pick, remove it; on one that was removed, keep it; on another candidate, add it; else add a pick.
 * @param {Candidates} candidates
 * @param {Uint8Array} kinds
 * @param {Point} point
 * @param {number} reach
 * @param {(kind: number) => boolean} shown kinds that can be seen and so be meant
 * @returns {Row[]}
 */
export function clicked(candidates, kinds, point, reach, shown) {
  const pick = nearest(candidates, point, reach, (k) => isPick(kinds[k]));
  if (pick >= 0) return [at("remove", candidates, pick)];
  const other = nearest(candidates, point, reach, (k) => !isPick(kinds[k]) && kinds[k] !== JUNK && shown(kinds[k]));
  if (other < 0) return [{ action: "add", x_px: point.x, y_px: point.y }];
  return [at(kinds[other] === REMOVED ? "keep" : "add", candidates, other)];
}

/**
 * A click among filaments: on one that is picked, remove all of it; on one that was removed, keep it; draw another one
 * anew where it lies.
 * @param {Candidates} candidates
 * @param {Uint8Array} kinds
 * @param {Point} point
 * @param {number} reach
 * @param {(kind: number) => boolean} shown
 * @returns {Row[]} none where there is no filament
 */
export function clickedFilament(candidates, kinds, point, reach, shown) {
  const picked = nearestFilament(candidates, point, reach, (k) => isPick(kinds[k]));
  if (picked !== null) return erased(candidates, picked.filter((k) => isPick(kinds[k])));
  const other = nearestFilament(candidates, point, reach, (k) => kinds[k] !== JUNK && shown(kinds[k]));
  if (other === null) return [];
  const removed = other.filter((k) => kinds[k] === REMOVED);
  if (removed.length > 0) return removed.map((k) => at("keep", candidates, k));
  return drawn(other.map((k) => ({ x: candidates.x_px[k], y: candidates.y_px[k] })));
}

/**
 * A filament through corners, of which those are left out that are where another one is.
 * @param {Point[]} path
 * @returns {Row[]} none where it is no line
 */
export function drawn(path) {
  /** @type {Point[]} */
  const corners = [];
  for (const { x, y } of path) if (corners.every((one) => Math.hypot(one.x - x, one.y - y) >= SAME_PX)) corners.push({ x, y });
  return corners.length < 2 ? [] : corners.map(({ x, y }) => ({ action: "trace", x_px: x, y_px: y }));
}

/**
 * A mark for teaching: what is there is a particle, or is none.
 * @param {Candidates} candidates
 * @param {Uint8Array} kinds
 * @param {Point} point
 * @param {number} reach
 * @param {boolean} isParticle
 * @returns {Row[]}
 */
export function marked(candidates, kinds, point, reach, isParticle) {
  const there = nearest(candidates, point, reach, (k) => kinds[k] !== JUNK);
  if (there < 0) return [{ action: isParticle ? "add" : "remove", x_px: point.x, y_px: point.y }];
  const kind = kinds[there];
  if (!isParticle) return [at("remove", candidates, there)];
  return [at(isPick(kind) && kind !== ADDED || kind === REMOVED ? "keep" : "add", candidates, there)];
}

/**
 * A pick carried elsewhere.
 * @param {Candidates} candidates
 * @param {number} k
 * @param {Point} point
 * @returns {Row[]}
 */
export function carried(candidates, k, point) {
  return [at("remove", candidates, k), { action: "add", x_px: point.x, y_px: point.y }];
}

/**
 * Whether another pick is where one is carried to: of two within a pixel one would be lost.
 * @param {Candidates} candidates
 * @param {Uint8Array} kinds
 * @param {number} k
 * @param {Point} point
 */
export function isTaken(candidates, kinds, k, point) {
  return nearest(candidates, point, SAME_PX, (other) => other !== k && isPick(kinds[other])) >= 0;
}

/**
 * All picks inside a lasso are removed.
 * @param {Candidates} candidates
 * @param {Uint8Array} kinds
 * @param {Point[]} polygon
 * @returns {Row[]}
 */
export function lassoed(candidates, kinds, polygon) {
  return erased(candidates, where(candidates, (x, y, k) => isPick(kinds[k]) && inPolygon(polygon, x, y)));
}

/**
 * All picks in a box are removed.
 * @param {Candidates} candidates
 * @param {Uint8Array} kinds
 * @param {Point} a
 * @param {Point} b
 * @returns {Row[]}
 */
export function boxed(candidates, kinds, a, b) {
  return erased(candidates, where(candidates, (x, y, k) => isPick(kinds[k]) && inBox(a, b, x, y)));
}

/**
 * A stroke of the brush is junk.
 * @param {Point[]} path
 * @param {number} radius_px
 * @returns {Row[]}
 */
export function painted(path, radius_px) {
  return discsAlong(path, radius_px).map(({ x, y }) => ({ action: "junk", x_px: x, y_px: y, radius_px }));
}

/**
 * Discs that a point lies in are taken back.
 * @param {Row[]} discs
 * @param {Point} point
 * @returns {Row[]}
 */
export function cleaned(discs, point) {
  return discs
    .filter(({ x_px = 0, y_px = 0, radius_px = 0 }) => Math.hypot(x_px - point.x, y_px - point.y) <= radius_px)
    .map(({ x_px, y_px, radius_px }) => ({ action: "clean", x_px, y_px, radius_px }));
}

/**
 * Discs of junk that hold after all decisions of a micrograph, in their order.
 * @param {Row[]} rows
 * @returns {Row[]}
 */
export function discsOf(rows) {
  /** @type {Map<string, Row>} */
  const discs = new Map();
  for (const row of rows) {
    const key = `${row.x_px},${row.y_px},${row.radius_px}`;
    if (row.action === "junk") discs.set(key, row);
    else if (row.action === "clean") discs.delete(key);
  }
  return [...discs.values()];
}

/**
 * @param {Candidates} candidates
 * @param {number[]} found
 * @returns {Row[]}
 */
const erased = (candidates, found) => found.map((k) => at("remove", candidates, k));

/**
 * @param {string} action
 * @param {Candidates} candidates
 * @param {number} k
 * @returns {Row}
 */
const at = (action, candidates, k) => ({ action, x_px: candidates.x_px[k], y_px: candidates.y_px[k] });
