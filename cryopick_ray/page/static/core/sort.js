// Order of micrographs by a column; what is unknown comes last either way, ties keep their order.

import { valueOf } from "./columns.js";

/** @typedef {import("./types.js").Micrographs} Micrographs */
/** @typedef {import("./columns.js").Shown} Shown */

const NAMES = new Intl.Collator("en", { numeric: true });

/**
 * @param {Micrographs} micrographs
 * @param {number[]} indices
 * @param {Shown} column
 * @param {boolean} descending
 */
export function sorted(micrographs, indices, column, descending) {
  const values = new Map(indices.map((i) => [i, valueOf(micrographs, column, i)]));
  const sign = descending ? -1 : 1;
  return [...indices].sort((a, b) => compare(values.get(a) ?? null, values.get(b) ?? null, sign) || a - b);
}

/**
 * @param {string|number|boolean|null} a
 * @param {string|number|boolean|null} b
 * @param {number} sign
 */
function compare(a, b, sign) {
  const [none, other] = [unknown(a), unknown(b)];
  if (none || other) return Number(none) - Number(other);
  if (typeof a === "string" && typeof b === "string") return sign * NAMES.compare(a, b);
  return sign * (Number(a) - Number(b));
}

/** @param {string|number|boolean|null} value */
const unknown = (value) => value === null || value === "" || (typeof value === "number" && Number.isNaN(value));
