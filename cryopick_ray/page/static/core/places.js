// Moving through micrographs: the next in the list, the next that needs a look.

/** @typedef {import("./types.js").Micrographs} Micrographs */

/**
 * The micrograph so many steps on in the list as shown; from one that is not in it, the next in acquisition.
 * @param {number[]} order
 * @param {number} current
 * @param {number} steps
 */
export function stepped(order, current, steps) {
  if (order.length === 0) return current;
  const at = order.indexOf(current);
  if (at >= 0) return order[Math.min(Math.max(at + steps, 0), order.length - 1)];
  return order.find((i) => i > current) ?? order[order.length - 1];
}

/**
 * The next one in the list, in a direction and around its end, for which a test holds; null if there is none.
 * @param {number[]} order
 * @param {number} current
 * @param {1|-1} direction
 * @param {(i: number) => boolean} test
 */
export function nextWhere(order, current, direction, test) {
  const n = order.length;
  const at = order.indexOf(current);
  for (let step = 1; step <= n; step++) {
    const i = order[(((at + direction * step) % n) + n) % n];
    if (i !== current && test(i)) return i;
  }
  return null;
}

/**
 * Whether a person should look: its verdict is not good, or it is unlike its neighbours.
 * @param {Micrographs} micrographs
 * @param {Set<number>} outlying
 * @returns {(i: number) => boolean}
 */
export function doubtful(micrographs, outlying) {
  const { verdict, status } = micrographs.columns;
  return (i) => outlying.has(i) || status?.[i] === "failed" || !["good", "", null, undefined].includes(/** @type {any} */ (verdict?.[i]));
}

/**
 * What is said of a micrograph in a word.
 * @param {Micrographs} micrographs
 * @param {number} i
 */
export function verdictOf({ columns }, i) {
  return String(columns.status?.[i] === "failed" ? "failed" : columns.verdict?.[i] ?? "");
}

/**
 * Columns in which a micrograph is unlike its neighbours.
 * @param {Micrographs} micrographs
 * @param {number} i
 */
export function outlyingIn(micrographs, i) {
  return Object.entries(micrographs.outliers ?? {}).filter(([, found]) => found.includes(i)).map(([key]) => key);
}
