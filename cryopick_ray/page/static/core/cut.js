// A cut through the candidates: what of it a person moved, and what it leaves of the whole data set.

/** @typedef {import("./types.js").Cut} Cut */

/**
 * The threshold that the curated source has by itself.
 * @param {import("./types.js").About} about
 */
export const ownThreshold = ({ sources }) => sources[0]?.threshold ?? 0;

/**
 * What of a cut is not as the source has it; nothing else is to be sent, for a threshold that is sent is fixed.
 * @param {Cut} cut
 * @param {number} own threshold of the source
 * @returns {Partial<Cut>}
 */
export function moved({ threshold, smallest_A, largest_A }, own) {
  return {
    ...(Math.fround(threshold) === Math.fround(own) ? {} : { threshold }),
    ...(smallest_A === null ? {} : { smallest_A }),
    ...(largest_A === null ? {} : { largest_A }),
  };
}

/**
 * A command with what was moved of a cut, as the command line spells it.
 * @param {string} command
 * @param {Partial<Cut>} cut
 */
export function withCut(command, cut) {
  const words = Object.entries(cut).map(([name, value]) => `--${name.replace(/_A$/, "")}=${value}`);
  return [command, ...words].join(" ");
}

/**
 * Picks of the whole data set. Where nobody counted this very cut, the histogram's, of which decisions leave the same share
 * as at the cut that was counted last.
 * @param {{counted: number|null, histogram: number|null, share: number, isSure: boolean}} known `isSure`: the
 *   histogram is exact at this cut, and nothing is decided
 * @returns {{picks: number|null, isExact: boolean}}
 */
export function total({ counted, histogram, share, isSure }) {
  if (counted !== null) return { picks: counted, isExact: true };
  if (histogram === null) return { picks: null, isExact: false };
  return isSure ? { picks: histogram, isExact: true } : { picks: Math.round(histogram * share), isExact: false };
}

/**
 * Sum of a column; null where it is not known everywhere.
 * @param {ArrayLike<unknown>|undefined} column
 */
export function summed(column) {
  if (column === undefined) return null;
  let sum = 0;
  for (let i = 0; i < column.length; i++) {
    const value = column[i];
    if (typeof value !== "number") return null;
    sum += value;
  }
  return sum;
}
