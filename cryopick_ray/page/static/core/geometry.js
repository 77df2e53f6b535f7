// Places inside shapes, and the nearest to a point; all in pixels of the micrograph.

/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Places} Places */

/**
 * Whether a point lies inside a closed polygon (crossings of a ray to the right).
 * @param {Point[]} polygon
 * @param {number} x
 * @param {number} y
 */
export function inPolygon(polygon, x, y) {
  let inside = false;
  for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
    const [p, q] = [polygon[a], polygon[b]];
    if (p.y > y !== q.y > y && x < ((q.x - p.x) * (y - p.y)) / (q.y - p.y) + p.x) inside = !inside;
  }
  return inside;
}

/**
 * Whether a point lies in the box between two corners, edges included.
 * @param {Point} a
 * @param {Point} b
 * @param {number} x
 * @param {number} y
 */
export function inBox(a, b, x, y) {
  return x >= Math.min(a.x, b.x) && x <= Math.max(a.x, b.x) && y >= Math.min(a.y, b.y) && y <= Math.max(a.y, b.y);
}

/**
 * Indices of places for which a test holds.
 * @param {Places} places
 * @param {(x: number, y: number, k: number) => boolean} test
 */
export function where(places, test) {
  const found = [];
  for (let k = 0; k < places.n; k++) if (test(places.x_px[k], places.y_px[k], k)) found.push(k);
  return found;
}

/**
 * Index of the place nearest to a point within reach, or -1.
 * @param {Places} places
 * @param {Point} point
 * @param {number} reach
 * @param {(k: number) => boolean} [counts] which places are meant
 */
export function nearest(places, point, reach, counts = () => true) {
  let best = -1;
  let least = reach * reach;
  for (let k = 0; k < places.n; k++) {
    const away = (places.x_px[k] - point.x) ** 2 + (places.y_px[k] - point.y) ** 2;
    if (away <= least && counts(k)) [best, least] = [k, away];
  }
  return best;
}

/**
 * Centres of discs that cover a stroke, half a radius apart at most so that no gap is left.
 * @param {Point[]} path
 * @param {number} radius
 * @returns {Point[]}
 */
export function discsAlong(path, radius) {
  if (path.length === 0) return [];
  const step = radius / 2;
  const centres = [path[0]];
  let last = path[0];
  for (const next of path.slice(1)) {
    let away = Math.hypot(next.x - last.x, next.y - last.y);
    while (away >= step) {
      last = { x: last.x + ((next.x - last.x) * step) / away, y: last.y + ((next.y - last.y) * step) / away };
      centres.push(last);
      away = Math.hypot(next.x - last.x, next.y - last.y);
    }
  }
  return centres;
}

/**
 * A stroke without points nearer to the last kept one than so many pixels.
 * @param {Point[]} path
 * @param {number} least
 */
export function thinned(path, least) {
  /** @type {Point[]} */
  const kept = [];
  for (const point of path) {
    const last = kept.at(-1);
    if (last === undefined || Math.hypot(point.x - last.x, point.y - last.y) >= least) kept.push(point);
  }
  return kept;
}

/**
 * A point moved into a micrograph: its pixels' centres are 0 .. width - 1.
 * @param {Point} point
 * @param {number} width
 * @param {number} height
 * @returns {Point}
 */
export function clamped(point, width, height) {
  return { x: Math.min(Math.max(point.x, 0), width - 1), y: Math.min(Math.max(point.y, 0), height - 1) };
}
