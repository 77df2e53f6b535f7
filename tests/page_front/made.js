// Micrographs and candidates as the server sends them, made for tests.

/**
 * @param {Record<string, any[]>} columns
 * @param {Record<string, number[]>} [outliers]
 */
export const micrographs = (columns, outliers = {}) => ({ generation: 1, n: Object.values(columns)[0].length, columns, outliers });

/**
 * @param {[number, number, number, number, number, number][]} rows x, y, score, size, flags, marks
 */
export function candidates(rows) {
  const of = (k) => rows.map((row) => row[k]);
  return {
    n: rows.length, x_px: Float32Array.from(of(0)), y_px: Float32Array.from(of(1)), score: Float32Array.from(of(2)),
    size_A: Float32Array.from(of(3)), unpicked: Uint16Array.from(of(4)), junk: new Uint8Array(rows.length), marks: Uint8Array.from(of(5)),
    filament: null, track_A: null,
  };
}

/**
 * Candidates of which some are segments.
 * @param {[number, number, number, number, number][]} rows x, y, flags, filament, track
 */
export function segments(rows) {
  const all = candidates(rows.map(([x, y, flags]) => [x, y, 0.5, NaN, flags, 0]));
  return { ...all, filament: Int32Array.from(rows.map((row) => row[3])), track_A: Float32Array.from(rows.map((row) => row[4])) };
}

/** Numbers that are the same in every run. @param {number} seed */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
