// Numbers and names as people read them.

const GROUPS = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** @param {number} value */
export const grouped = (value) => GROUPS.format(value);

/**
 * @param {number} value
 * @param {number} digits
 */
export const fixed = (value, digits) => value.toFixed(digits).replace(/^-(0(\.0*)?)$/, "$1");

/**
 * The number that a person wrote; null where it is none.
 * @param {string} text
 */
export function numberOf(text) {
  const value = Number(text);
  return text.trim() === "" || !Number.isFinite(value) ? null : value;
}

/** @param {number|null} share */
export const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);

/**
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 */
export const counted = (n, one, many = `${one}s`) => `${grouped(n)} ${n === 1 ? one : many}`;

// Controls, and marks that turn the direction of text: they would show a name as another one.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/**
 * A foreign name as it is safe to show.
 * @param {string} text
 */
export const plain = (text) => text.replace(UNSEEN, "\ufffd");

/**
 * The last part of a path, which tells micrographs apart.
 * @param {string} id
 */
export const nameOf = (id) => id.slice(id.lastIndexOf("/") + 1);

/**
 * A name of at most so many characters: its end tells exposures apart, so the middle goes.
 * @param {string} name
 * @param {number} most
 */
export function shortened(name, most) {
  const letters = Array.from(name);
  if (letters.length <= most) return name;
  const head = Math.floor((most - 1) / 3);
  return `${letters.slice(0, head).join("")}…${letters.slice(letters.length - (most - 1 - head)).join("")}`;
}

/**
 * A round length of at most so many angstroms: 1, 2 or 5 times a power of ten, in its best unit.
 * @param {number} most_A
 */
export function roundLength(most_A) {
  const power = 10 ** Math.floor(Math.log10(most_A));
  const length_A = power * ([5, 2].find((one) => one * power <= most_A) ?? 1);
  const text = length_A >= 10000 ? `${length_A / 10000} µm` : length_A >= 1000 ? `${length_A / 10} nm` : `${+length_A.toPrecision(1)} Å`;
  return { length_A, text };
}
