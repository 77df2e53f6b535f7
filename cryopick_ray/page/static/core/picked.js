// Which candidates of one micrograph are picks at a cut, and why the others are not.

/** @typedef {import("./types.js").Candidates} Candidates */
/** @typedef {import("./types.js").Cut} Cut */

export const BY_HAND = 1;
export const MATCHED = 2;

export const Why = Object.freeze({
  BELOW_THRESHOLD: 1, ON_JUNK: 2, NEAR_EDGE: 4, EXCLUDED_MICROGRAPH: 8, DUPLICATE: 16,
  REMOVED_BY_HAND: 32, WRONG_SIZE: 64, SURPLUS: 128, TOO_FEW_VOTES: 256, OTHER: 512, BAD_CLASS: 1024,
});

/** What the page decides itself at its slider; other reasons hold at any cut. */
const OF_CUT = Why.BELOW_THRESHOLD;

/** How a candidate is shown; the order is that of drawing, picks above the others. */
export const KINDS = Object.freeze(["low", "size", "other", "edge", "duplicate", "junk", "removed", "picked", "added"]);
export const [LOW, SIZE, OTHER, EDGE, DUPLICATE, JUNK, REMOVED, PICKED, ADDED] = KINDS.keys();

/**
 * Kind of every candidate at a cut, as indices of KINDS. Scores are compared as float32, as the server does; what
 * has no score or no known size is left out by none.
 * @param {Candidates} candidates
 * @param {Cut} cut
 * @param {Uint8Array} [into] reused where it is long enough
 */
export function kindsAt(candidates, cut, into) {
  const { n, score, size_A, unpicked, marks } = candidates;
  const kinds = into !== undefined && into.length >= n ? into : new Uint8Array(n);
  const threshold = Math.fround(cut.threshold);
  const smallest = Math.fround(cut.smallest_A ?? -Infinity);
  const largest = Math.fround(cut.largest_A ?? Infinity);
  for (let k = 0; k < n; k++) {
    const kept = unpicked[k] & ~OF_CUT;
    if (kept !== 0) kinds[k] = kindOf(kept);
    else if (marks[k] & BY_HAND) kinds[k] = ADDED;
    else if (score[k] < threshold) kinds[k] = LOW;
    else if (size_A[k] < smallest || size_A[k] > largest) kinds[k] = SIZE;
    else kinds[k] = PICKED;
  }
  return kinds;
}

/**
 * @param {number} flags
 */
function kindOf(flags) {
  if (flags & Why.REMOVED_BY_HAND) return flags & Why.ON_JUNK ? JUNK : REMOVED;
  if (flags & Why.ON_JUNK) return JUNK;
  if (flags & Why.NEAR_EDGE) return EDGE;
  if (flags & Why.WRONG_SIZE) return SIZE;
  if (flags & (Why.DUPLICATE | Why.SURPLUS)) return DUPLICATE;
  return OTHER;
}

/** @param {number} kind */
export const isPick = (kind) => kind >= PICKED;

/**
 * @param {Candidates} candidates
 * @param {Uint8Array} kinds
 */
export function tally(candidates, kinds) {
  const counts = new Uint32Array(KINDS.length);
  let matched = 0;
  for (let k = 0; k < candidates.n; k++) {
    counts[kinds[k]]++;
    if (kinds[k] >= PICKED && candidates.marks[k] & MATCHED) matched++;
  }
  return { counts, picks: counts[PICKED] + counts[ADDED], matched };
}

/**
 * Share of picks that are true, and of truth that is picked; null where there is nothing to divide by.
 * @param {number} matched
 * @param {number} picks
 * @param {number|null} truth
 */
export function precisionRecall(matched, picks, truth) {
  return {
    precision: picks > 0 ? matched / picks : null,
    recall: truth !== null && truth > 0 ? matched / truth : null,
  };
}

/**
 * Words of the flags that keep a candidate out.
 * @param {number} flags
 * @param {string[]} words by bit
 */
export function reasonsOf(flags, words) {
  const found = [];
  for (let bit = 0; bit < 16; bit++) if (flags & (1 << bit)) found.push(words[bit] ?? "other");
  return found.join(", ");
}
