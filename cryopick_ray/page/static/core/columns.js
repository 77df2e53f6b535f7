// Columns of the table of micrographs: how they are called, shown and asked for.

import { fixed, grouped, plain } from "./format.js";

/** @typedef {import("./types.js").Micrographs} Micrographs */

/**
 * @typedef {object} Shown
 * @property {string} key of the server's column
 * @property {string} label
 * @property {string} [unit]
 * @property {"text"|"number"|"flag"} type
 * @property {(value: number) => string} [format]
 * @property {number} [scale] shown = kept * scale
 * @property {string[]} [also] further names in filters
 */

/** @type {readonly Shown[]} */
export const COLUMNS = Object.freeze([
  { key: "order", label: "#", type: "number", format: grouped },
  { key: "id", label: "name", type: "text", also: ["name"] },
  { key: "picks", label: "picks", type: "number", format: grouped },
  { key: "mean_score", label: "mean score", type: "number", format: (v) => fixed(v, 3), also: ["score"] },
  { key: "defocus_A", label: "defocus", unit: "µm", type: "number", scale: 1e-4, format: (v) => fixed(v, 2), also: ["defocus", "defocus_um"] },
  { key: "ctf_resolution_A", label: "CTF", unit: "Å", type: "number", format: (v) => fixed(v, 1), also: ["ctf"] },
  { key: "verdict", label: "verdict", type: "text" },
  { key: "excluded", label: "excluded", type: "flag" },
  { key: "decisions", label: "decisions", type: "number", format: grouped },
  { key: "candidates", label: "candidates", type: "number", format: grouped },
  { key: "status", label: "status", type: "text" },
  { key: "reason", label: "failure", type: "text" },
  { key: "reasons", label: "why", type: "text" },
  { key: "dataset", label: "data set", type: "text" },
  { key: "pixel_size_A", label: "pixel", unit: "Å", type: "number", format: (v) => fixed(v, 3), also: ["pixel"] },
  { key: "width_px", label: "width", unit: "px", type: "number", format: grouped, also: ["width"] },
  { key: "height_px", label: "height", unit: "px", type: "number", format: grouped, also: ["height"] },
]);

/** What is plotted over the order of acquisition. */
export const PLOTTED = Object.freeze(["picks", "mean_score", "defocus_A", "ctf_resolution_A"]);

/** @param {string} name of a column or one of its other names */
export function columnNamed(name) {
  return COLUMNS.find((one) => one.key === name || one.also?.includes(name) || one.label === name);
}

/** Values that tell nothing. */
const TRIVIAL = new Set([null, undefined, "", false, "complete"]);

/**
 * Columns that something is known of.
 * @param {Micrographs} micrographs
 */
export function present(micrographs) {
  return COLUMNS.filter(({ key }) => key === "order" || micrographs.columns[key]?.some((value) => !TRIVIAL.has(/** @type {any} */ (value))));
}

/**
 * Value of a micrograph as people give it (defocus in µm), null where unknown.
 * @param {Micrographs} micrographs
 * @param {Shown} column
 * @param {number} i
 */
export function valueOf(micrographs, column, i) {
  if (column.key === "order") return i + 1;
  const value = micrographs.columns[column.key]?.[i] ?? null;
  return typeof value === "number" ? value * (column.scale ?? 1) : value;
}

/**
 * @param {Micrographs} micrographs
 * @param {Shown} column
 * @param {number} i
 */
export function textOf(micrographs, column, i) {
  const value = valueOf(micrographs, column, i);
  if (value === null || value === "") return "";
  if (typeof value === "number") return Number.isFinite(value) ? (column.format ?? String)(value) : "";
  return value === true ? "yes" : value === false ? "" : plain(value);
}
