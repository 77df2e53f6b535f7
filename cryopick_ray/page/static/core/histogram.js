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
