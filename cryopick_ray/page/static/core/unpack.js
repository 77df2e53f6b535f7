// Binaries of the server (little endian), as typed arrays.

/** @typedef {import("./types.js").Candidates} Candidates */
/** @typedef {import("./types.js").Places} Places */

/**
 * Candidates: n, then x, y, score, size (float32), of filaments number (int32) and track (float32), flags (uint16),
 * junk, marks (uint8).
 * @param {ArrayBuffer} buffer
 * @returns {Candidates}
 */
export function unpackCandidates(buffer) {
  const n = count(buffer, [20, 28], "candidates");
  const hasFilaments = buffer.byteLength === 4 + 28 * n && n > 0;
  let at = 4;
  const floats = () => {
    const values = new Float32Array(buffer, at, n);
    at += 4 * n;
    return values;
  };
  const [x_px, y_px, score, size_A] = [floats(), floats(), floats(), floats()];
  const filament = hasFilaments ? new Int32Array(floats().buffer, at - 4 * n, n) : null;
  const track_A = hasFilaments ? floats() : null;
  const unpicked = new Uint16Array(buffer, at, n);
  at += 2 * n;
  return {
    n, x_px, y_px, score, size_A, unpicked, filament, track_A,
    junk: new Uint8Array(buffer, at, n),
    marks: new Uint8Array(buffer, at + n, n),
  };
}

/**
 * Places: n, then x, y (float32).
 * @param {ArrayBuffer} buffer
 * @returns {Places}
 */
export function unpackPlaces(buffer) {
  const n = count(buffer, [8], "places");
  return { n, x_px: new Float32Array(buffer, 4, n), y_px: new Float32Array(buffer, 4 + 4 * n, n) };
}

/**
 * Tables (score bins x size bins): of all candidates, of those that match truth, of those in micrographs whose truth is
 * known; without the last, it is known of all.
 * @param {ArrayBuffer} buffer
 * @param {number} scoreBins
 * @param {number} sizeBins
 * @returns {{all: Uint32Array, matched: Uint32Array|null, judged: Uint32Array|null}}
 */
export function unpackHistogram(buffer, scoreBins, sizeBins) {
  const cells = scoreBins * sizeBins;
  const tables = buffer.byteLength / (4 * cells);
  if (![1, 2, 3].includes(tables)) {
    throw new Error(`histogram has ${buffer.byteLength} bytes, expected ${4 * cells}, two or three times as many`);
  }
  const [all, matched, judged] = [0, 1, 2].map((k) => (k < tables ? new Uint32Array(buffer, 4 * cells * k, cells) : null));
  return { all: /** @type {Uint32Array} */ (all), matched, judged: judged ?? (matched && all) };
}

/**
 * @param {ArrayBuffer} buffer
 * @param {number[]} bytesEach one of them
 * @param {string} what
 */
function count(buffer, bytesEach, what) {
  const n = buffer.byteLength < 4 ? -1 : new DataView(buffer).getUint32(0, true);
  if (!bytesEach.some((bytes) => buffer.byteLength === 4 + n * bytes)) {
    throw new Error(`${what}: ${buffer.byteLength} bytes for ${n}, expected ${bytesEach.map((bytes) => 4 + n * bytes).join(" or ")}`);
  }
  return n;
}
