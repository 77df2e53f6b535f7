// Filaments: lists of their segments in order along them, which of them is met, and lines through them.

/** @typedef {import("./types.js").Candidates} Candidates */
/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./scene.js").View} View */

/** @type {WeakMap<Candidates, number[][]>} */
const known = new WeakMap();

/**
 * Segments of every filament in their order along it.
 * @param {Candidates} candidates
 */
export function filamentsOf(candidates) {
  let found = known.get(candidates);
  if (found === undefined) {
    found = ordered(candidates);
    known.set(candidates, found);
  }
  return found;
}

/**
 * @param {Candidates} candidates
 * @returns {number[][]}
 */
function ordered({ n, filament, track_A }) {
  if (filament === null || track_A === null) return [];
  /** @type {Map<number, number[]>} */
  const groups = new Map();
  for (let k = 0; k < n; k++) {
    if (filament[k] < 0) continue;
    const own = groups.get(filament[k]);
    if (own === undefined) groups.set(filament[k], [k]);
    else own.push(k);
  }
  return [...groups.values()].map((own) => own.sort((a, b) => track_A[a] - track_A[b]));
}

/**
 * Whether a candidate is a segment of a filament.
 * @param {Candidates} candidates
 * @param {number} k
 */
export const isSegment = ({ filament }, k) => filament !== null && filament[k] >= 0;

/**
 * The filament whose line is nearest to a point within reach, or null.
 * @param {Candidates} candidates
 * @param {Point} point
 * @param {number} reach
 * @param {(k: number) => boolean} counts which segments are meant
 */
export function nearestFilament(candidates, point, reach, counts) {
  let [best, least] = [/** @type {number[]|null} */ (null), reach];
  for (const own of filamentsOf(candidates)) {
    const meant = own.filter(counts);
    for (let at = 0; at < meant.length; at++) {
      const away = distance(candidates, meant[Math.max(at - 1, 0)], meant[at], point);
      if (away <= least) [best, least] = [own, away];
    }
  }
  return best;
}

/**
 * Distance of a point from the line between two segments.
 * @param {Candidates} candidates
 * @param {number} a
 * @param {number} b
 * @param {Point} point
 */
function distance({ x_px, y_px }, a, b, { x, y }) {
  const [dx, dy] = [x_px[b] - x_px[a], y_px[b] - y_px[a]];
  const squared = dx * dx + dy * dy;
  const part = squared === 0 ? 0 : Math.min(Math.max(((x - x_px[a]) * dx + (y - y_px[a]) * dy) / squared, 0), 1);
  return Math.hypot(x - x_px[a] - part * dx, y - y_px[a] - part * dy);
}

/**
 * Filaments of which some segments are meant.
 * @param {Candidates} candidates
 * @param {(k: number) => boolean} meant
 */
export const countFilaments = (candidates, meant) => filamentsOf(candidates).filter((own) => own.some(meant)).length;

/**
 * Lines on the screen through neighbouring segments that are meant: x, y of both ends in turn.
 * @param {Candidates} candidates
 * @param {number[][]} filaments
 * @param {(k: number) => boolean} meant
 * @param {View} view
 */
export function lines({ x_px, y_px }, filaments, meant, view) {
  const found = [];
  for (const own of filaments) {
    for (let at = 1; at < own.length; at++) {
      const [a, b] = [own[at - 1], own[at]];
      if (!meant(a) || !meant(b)) continue;
      for (const k of [a, b]) found.push((x_px[k] + 0.5) * view.scale + view.x, (y_px[k] + 0.5) * view.scale + view.y);
    }
  }
  return found;
}

/**
 * A stroke across each segment that is meant, as wide as the filament; only where they stand apart on the screen.
 * @param {Candidates} candidates
 * @param {number[][]} filaments
 * @param {(k: number) => boolean} meant
 * @param {View} view
 * @param {number} width_px of the filament
 * @param {number} least distance of neighbours on the screen
 */
export function ticks({ x_px, y_px }, filaments, meant, view, width_px, least) {
  const found = [];
  for (const own of filaments) {
    for (let at = 0; at < own.length; at++) {
      const [before, here, after] = [own[Math.max(at - 1, 0)], own[at], own[Math.min(at + 1, own.length - 1)]];
      if (!meant(here)) continue;
      const [dx, dy] = [x_px[after] - x_px[before], y_px[after] - y_px[before]];
      const length = Math.hypot(dx, dy);
      const steps = Math.min(at + 1, own.length - 1) - Math.max(at - 1, 0);
      if (own.length > 1 && (length * view.scale) / steps < least) continue;
      const [ux, uy] = length === 0 ? [1, 0] : [dx / length, dy / length];
      const [x, y, half] = [(x_px[here] + 0.5) * view.scale + view.x, (y_px[here] + 0.5) * view.scale + view.y, (width_px / 2) * view.scale];
      found.push(x - uy * half, y + ux * half, x + uy * half, y - ux * half);
    }
  }
  return found;
}
