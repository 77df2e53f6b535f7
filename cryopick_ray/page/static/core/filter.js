// What the filter box asks for: words and ranges, all of which must hold.
//
//   grid3 bad            words in name, data set, verdict or reasons
//   -bad                 without the word
//   picks:10..200        a range, ends included; open: picks:10.. or picks:..200
//   defocus>1.5 ctf<=6   comparisons; defocus in µm
//   verdict:bad          a word in one column
//   is:excluded  is:outlier  is:mended  is:failed      -is:excluded

import { columnNamed, valueOf } from "./columns.js";

/** @typedef {import("./types.js").Micrographs} Micrographs */
/** @typedef {(micrographs: Micrographs, i: number, outlying: Set<number>) => boolean} Test */

const TERM = /"[^"]*"|\S+/g;
const COMPARED = /^([a-z_#]+)(<=|>=|<|>|=|:)(.+)$/iu;
const RANGE = /^(.*?)\.\.(.*)$/;
const WORDS = ["id", "dataset", "verdict", "reasons", "reason", "status"];

/** @type {Record<string, Test>} */
const STATES = {
  excluded: (all, i) => all.columns.excluded?.[i] === true,
  outlier: (_, i, outlying) => outlying.has(i),
  mended: (all, i) => Number(all.columns.decisions?.[i] ?? 0) > 0,
  failed: (all, i) => all.columns.status?.[i] === "failed",
};

/**
 * Read a filter.
 * @param {string} text
 * @returns {{tests: Test[], errors: string[]}}
 */
export function parseFilter(text) {
  /** @type {Test[]} */
  const tests = [];
  /** @type {string[]} */
  const errors = [];
  for (const term of text.match(TERM) ?? []) {
    const not = term.length > 1 && (term.startsWith("-") || term.startsWith("!"));
    const test = termTest(not ? term.slice(1) : term);
    if (typeof test === "string") errors.push(test);
    else tests.push(not ? (...given) => !test(...given) : test);
  }
  return { tests, errors };
}

/**
 * Indices of micrographs for which all holds, in order of acquisition.
 * @param {Micrographs} micrographs
 * @param {Test[]} tests
 * @param {Set<number>} outlying
 */
export function filtered(micrographs, tests, outlying) {
  const found = [];
  for (let i = 0; i < micrographs.n; i++) if (tests.every((test) => test(micrographs, i, outlying))) found.push(i);
  return found;
}

/** @param {Micrographs} micrographs */
export function outliersOf(micrographs) {
  return new Set(Object.values(micrographs.outliers ?? {}).flat());
}

/**
 * A filter with the range of a column put in the place of an earlier one.
 * @param {string} text
 * @param {string} name
 * @param {string|null} range null: without
 */
export function withRange(text, name, range) {
  const kept = (text.match(TERM) ?? []).filter((term) => !term.startsWith(`${name}:`));
  return [...kept, ...(range === null ? [] : [`${name}:${range}`])].join(" ");
}

/**
 * @param {string} term
 * @returns {Test|string} or what is wrong with it
 */
function termTest(term) {
  const [, name, operator, raw] = COMPARED.exec(term) ?? [];
  if (name === undefined) return wordTest(unquoted(term));
  const value = unquoted(raw);
  if (name.toLowerCase() === "is" && operator === ":") {
    return STATES[value.toLowerCase()] ?? `is:${value}: expected one of ${Object.keys(STATES).join(", ")}`;
  }
  const column = columnNamed(name.toLowerCase());
  if (column === undefined) return operator === ":" ? `${name}: no such column` : wordTest(unquoted(term));
  if (column.type !== "number") {
    const word = value.toLowerCase();
    return (all, i) => String(valueOf(all, column, i) ?? "").toLowerCase().includes(word);
  }
  const holds = numberTest(operator, value);
  if (holds === null) return `${term}: expected a number or a range such as ${name}:10..200`;
  return (all, i) => {
    const kept = valueOf(all, column, i);
    return typeof kept === "number" && holds(kept);
  };
}

/** @param {string} text */
const unquoted = (text) => text.replace(/^"(.*)"$/, "$1");

/**
 * @param {string} text
 * @returns {Test}
 */
function wordTest(text) {
  const word = text.toLowerCase();
  return (all, i) => WORDS.some((key) => String(all.columns[key]?.[i] ?? "").toLowerCase().includes(word));
}

/**
 * @param {string} operator
 * @param {string} text
 * @returns {((value: number) => boolean)|null}
 */
function numberTest(operator, text) {
  const range = operator === ":" || operator === "=" ? RANGE.exec(text) : null;
  if (range) {
    const low = range[1] === "" ? -Infinity : Number(range[1]);
    const high = range[2] === "" ? Infinity : Number(range[2]);
    return Number.isNaN(low) || Number.isNaN(high) ? null : (value) => value >= low && value <= high;
  }
  const bound = Number(text);
  if (text === "" || Number.isNaN(bound)) return null;
  /** @type {Record<string, (value: number) => boolean>} */
  const tests = {
    "<": (value) => value < bound, "<=": (value) => value <= bound, ">": (value) => value > bound,
    ">=": (value) => value >= bound, ":": (value) => value === bound, "=": (value) => value === bound,
  };
  return tests[operator];
}
