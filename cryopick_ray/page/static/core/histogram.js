// Counts of all candidates at any cut, from a table of score bins x size bins.
//
// Sums over all bins from a score up make a look-up of two cells: exact where the cut is a stop.

/** @typedef {{first: number, last: number}} SizeRange bins from first up to, not including, last */

/**
 * How many candidates lie at or above a stop, within sizes.
 */
export class Sums {
  /**
   * @param {Uint32Array} counts (scoreBins, sizeBins); the last size bin holds unknown sizes
   * @param {number} scoreBins
   * @param {number} sizeBins
   */
  constructor(counts, scoreBins, sizeBins) {
    this.scoreBins = scoreBins;
    this.known = sizeBins - 1;
    const across = sizeBins + 1;
    /** Of stop k: sum over scores from k up, of sizes before bin s. */
    this.sums = new Float64Array((scoreBins + 1) * across);
    this.across = across;
    for (let k = scoreBins - 1; k >= 0; k--) {
      let row = 0;
      for (let s = 0; s < sizeBins; s++) {
        row += counts[k * sizeBins + s];
        this.sums[k * across + s + 1] = this.sums[(k + 1) * across + s + 1] + row;
      }
    }
  }

  /**
   * Candidates at or above stop k; those of unknown size always count.
   * @param {number} k
   * @param {SizeRange|null} sizes null: of any size
   */
  from(k, sizes = null) {
    const at = k * this.across;
    const { first, last } = sizes ?? { first: 0, last: this.known };
    const unknown = this.sums[at + this.known + 1] - this.sums[at + this.known];
    return this.sums[at + last] - this.sums[at + first] + unknown;
  }

  /** Whether all lie above every score: those without one do. */
  get isScoreless() {
    return this.from(0) > 0 && this.from(this.scoreBins - 1) === this.from(0);
  }

  /**
   * Candidates of every score bin, within sizes.
   * @param {SizeRange|null} sizes
   */
  perScore(sizes = null) {
    const bars = new Float64Array(this.scoreBins);
    for (let k = 0; k < this.scoreBins; k++) bars[k] = this.from(k, sizes) - this.from(k + 1, sizes);
    return bars;
  }
}

/**
 * The stop at which a cut at a value keeps the same: the first that is not below it, as float32.
 * @param {ArrayLike<number>} stops rising
 * @param {number} value
 */
export function stopAt(stops, value) {
  const wanted = Math.fround(value);
  let low = 0;
  let high = stops.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Math.fround(stops[middle]) < wanted) low = middle + 1;
    else high = middle;
  }
  return Math.min(low, stops.length - 1);
}

/**
 * Size bins that a cut keeps, at the stops nearest to it; null: all.
 * @param {number[]|null} stops
 * @param {{smallest_A: number|null, largest_A: number|null}} cut
 * @returns {SizeRange|null}
 */
export function rangeOf(stops, { smallest_A, largest_A }) {
  if (stops === null || (smallest_A === null && largest_A === null)) return null;
  const last = largest_A === null ? stops.length - 1 : Math.max(stopAt(stops, largest_A), 1);
  const first = smallest_A === null ? 0 : Math.min(stopAt(stops, smallest_A), last - 1);
  return { first, last };
}

/**
 * Whether counts at a cut are exact: it lies on stops, or keeps all.
 * @param {{score_stops: number[], size_stops_A: number[]|null}} stops
 * @param {import("./types.js").Cut} cut
 */
export function isAtStops({ score_stops, size_stops_A }, { threshold, smallest_A, largest_A }) {
  const isStop = (/** @type {number[]} */ stops, /** @type {number} */ value) => Math.fround(stops[stopAt(stops, value)]) === Math.fround(value);
  const isSized = [smallest_A, largest_A].every((size) => size === null || (size_stops_A !== null && isStop(size_stops_A, size)));
  return isSized && (threshold <= score_stops[0] || isStop(score_stops, threshold));
}

/**
 * Neighbouring bins added up until at most so many are left.
 * @param {ArrayLike<number>} bars
 * @param {number} most
 */
export function coarser(bars, most) {
  const each = Math.max(1, Math.ceil(bars.length / most));
  const sums = new Float64Array(Math.ceil(bars.length / each));
  for (let k = 0; k < bars.length; k++) sums[Math.floor(k / each)] += bars[k];
  return { sums, each };
}
