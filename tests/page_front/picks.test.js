import assert from "node:assert/strict";
import { test } from "node:test";
import { Sums, coarser, stopAt } from "../../cryopick_ray/page/static/core/histogram.js";
import { ADDED, EDGE, JUNK, KINDS, LOW, PICKED, REMOVED, SIZE, Why, kindsAt, precisionRecall, reasonsOf, tally } from "../../cryopick_ray/page/static/core/picked.js";
import { KINDS_TOLD, STYLES, circles } from "../../cryopick_ray/page/static/core/scene.js";
import { unpackCandidates, unpackHistogram, unpackPlaces } from "../../cryopick_ray/page/static/core/unpack.js";
import { candidates, random } from "./made.js";

test("sums give what counting one by one gives, at every stop and range of sizes", () => {
  const [scoreBins, sizeBins, next] = [37, 9, random(3)];
  const stops = Array.from({ length: scoreBins + 1 }, (_, k) => k / scoreBins);
  const all = Array.from({ length: 4000 }, () => ({ k: Math.floor(next() * scoreBins), s: Math.floor(next() * sizeBins) }));
  const counts = new Uint32Array(scoreBins * sizeBins);
  for (const { k, s } of all) counts[k * sizeBins + s]++;
  const sums = new Sums(counts, scoreBins, sizeBins);
  for (let stop = 0; stop <= scoreBins; stop++) {
    assert.equal(sums.from(stop), all.filter(({ k }) => k >= stop).length);
    for (const [first, last] of [[0, 8], [2, 5], [4, 4], [7, 8]]) {
      const within = all.filter(({ k, s }) => k >= stop && (s === sizeBins - 1 || (s >= first && s < last))).length;
      assert.equal(sums.from(stop, { first, last }), within);
    }
  }
  const bars = sums.perScore();
  assert.equal(bars.reduce((a, b) => a + b), 4000);
  assert.equal(coarser(bars, 10).sums.reduce((a, b) => a + b), 4000);
  assert.ok(coarser(bars, 10).sums.length <= 10);
  assert.equal(stops.length, scoreBins + 1);
});

test("counts beyond 32 bits are exact", () => {
  const sums = new Sums(new Uint32Array([2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1, 1]), 4, 1);
  assert.equal(sums.from(0), 3 * (2 ** 32 - 1) + 1);
});

test("a value's stop is the first that is not below it", () => {
  const stops = [0, 0.25, 0.5, 1];
  assert.deepEqual([-1, 0, 0.1, 0.25, 0.26, 1, 2].map((value) => stopAt(stops, value)), [0, 0, 1, 1, 2, 3, 3]);
});

const some = candidates([
  [10, 10, 0.9, 150, 0, 2],
  [20, 10, 0.8, 300, Why.WRONG_SIZE, 0],
  [30, 10, 0.5, NaN, 0, 2],
  [40, 10, 0.4, 150, Why.BELOW_THRESHOLD, 2],
  [50, 10, 0.9, 150, Why.ON_JUNK, 0],
  [60, 10, 0.9, 150, Why.REMOVED_BY_HAND, 0],
  [70, 10, 0.1, NaN, 0, 1],
  [80, 10, 0.9, 150, Why.ON_JUNK | Why.REMOVED_BY_HAND, 0],
  [90, 10, 0.9, 150, Why.NEAR_EDGE | Why.BELOW_THRESHOLD, 0],
  [95, 10, NaN, 150, 0, 0],
]);

test("a cut decides on score and size alone; other reasons hold at any cut, and what has no score is left out by none", () => {
  const kinds = (cut) => [...kindsAt(some, { smallest_A: null, largest_A: null, ...cut })];
  assert.deepEqual(kinds({ threshold: 0.5 }), [PICKED, SIZE, PICKED, LOW, JUNK, REMOVED, ADDED, JUNK, EDGE, PICKED]);
  assert.deepEqual(kinds({ threshold: 0.3, largest_A: 200 }), [PICKED, SIZE, PICKED, PICKED, JUNK, REMOVED, ADDED, JUNK, EDGE, PICKED]);
  assert.deepEqual(kinds({ threshold: 0.3, smallest_A: 200 })[0], SIZE);
  assert.deepEqual(kinds({ threshold: 2 }).filter((kind) => kind >= PICKED), [ADDED, PICKED]);
});

test("both ends of a range of sizes are in it, and scores are compared as float32", () => {
  const one = candidates([[0, 0, 0.1, 200, 0, 0]]);
  const kind = (smallest_A, largest_A, threshold = 0) => kindsAt(one, { threshold, smallest_A, largest_A })[0];
  assert.deepEqual([kind(200, null), kind(null, 200), kind(201, null), kind(null, 199)], [PICKED, PICKED, SIZE, SIZE]);
  assert.equal(kind(null, null, 0.1), PICKED, "0.1 as a double is below 0.1 as float32 was written");
  assert.equal(kind(null, null, 0.1000001), LOW);
  assert.equal(stopAt([0, Math.fround(0.3), 1], 0.3), 1);
});

test("picks, those that match truth, precision and recall are counted at the cut", () => {
  const { picks, matched, counts } = tally(some, kindsAt(some, { threshold: 0.5, smallest_A: null, largest_A: null }));
  assert.deepEqual([picks, matched, counts[LOW]], [4, 2, 1]);
  assert.deepEqual(precisionRecall(2, 4, 8), { precision: 0.5, recall: 0.25 });
  assert.deepEqual(precisionRecall(0, 0, 0), { precision: null, recall: null });
  assert.deepEqual(precisionRecall(1, 2, null), { precision: 0.5, recall: null });
});

test("flags are told in the server's words", () => {
  assert.equal(reasonsOf(5, ["below threshold", "on junk", "near edge"]), "below threshold, near edge");
  assert.equal(reasonsOf(1 << 12, []), "other");
  assert.equal(reasonsOf(0, ["x"]), "");
});

test("every kind has a style and a row in the panel", () => {
  assert.deepEqual([...KINDS].sort(), [...KINDS_TOLD].sort());
  for (const kind of KINDS) assert.ok(STYLES[kind].colour);
});

test("circles lie on pixel centres, in their size, and only where they are seen", () => {
  const view = { x: 5, y: 7, scale: 2 };
  const frame = { width: 100, height: 100, diameter_px: 20, pixel_size_A: 1.5 };
  assert.deepEqual(circles(some, (k) => k === 0, view, frame), [10.5 * 2 + 5, 10.5 * 2 + 7, 100]);
  assert.deepEqual(circles(some, (k) => k === 2, view, frame), [66, 28, 20], "unknown sizes are drawn in the usual one");
  assert.deepEqual(circles(some, (k) => k === 2, { ...view, x: -500 }, frame), []);
});

test("of filaments the number and the way along them are read, too", () => {
  for (const n of [1, 2, 3]) {
    const [buffer, plain] = [new ArrayBuffer(4 + 28 * n), new Uint8Array(packed(n))];
    new Uint8Array(buffer).set(plain.subarray(0, 4 + 16 * n));
    new Int32Array(buffer, 4 + 16 * n, n).set([7, -1, 8].slice(0, n));
    new Float32Array(buffer, 4 + 20 * n, n).set([1.5, NaN, 2.5].slice(0, n));
    new Uint8Array(buffer).set(plain.subarray(4 + 16 * n), 4 + 24 * n);
    const [read, without] = [unpackCandidates(buffer), unpackCandidates(packed(n))];
    assert.deepEqual({ ...read, filament: null, track_A: null }, without);
    assert.deepEqual([...(read.filament ?? [])], [7, -1, 8].slice(0, n));
    assert.deepEqual([...(read.track_A ?? [])], [1.5, NaN, 2.5].slice(0, n));
  }
});

/** @param {number} n */
function packed(n) {
  const buffer = new ArrayBuffer(4 + 20 * n);
  new DataView(buffer).setUint32(0, n, true);
  for (let k = 0; k < n; k++) {
    const data = new DataView(buffer);
    [k + 0.5, k + 1, 1 - k / 10, 100 + k].forEach((value, column) => data.setFloat32(4 + 4 * n * column + 4 * k, value, true));
    data.setUint16(4 + 16 * n + 2 * k, 300 + k, true);
    data.setUint8(4 + 18 * n + k, k);
    data.setUint8(4 + 19 * n + k, 2);
  }
  return buffer;
}

test("binaries are read as they were written, odd numbers of candidates too", () => {
  for (const n of [0, 1, 3, 4]) {
    const read = unpackCandidates(packed(n));
    assert.equal(read.n, n);
    if (n > 1) assert.deepEqual([read.x_px[1], read.y_px[1], read.size_A[1], read.unpicked[1], read.junk[1], read.marks[1]], [1.5, 2, 101, 301, 1, 2]);
  }
  const places = new ArrayBuffer(12);
  new DataView(places).setUint32(0, 1, true);
  new DataView(places).setFloat32(8, 9, true);
  assert.equal(unpackPlaces(places).y_px[0], 9);
});

test("binaries of the wrong length are refused", () => {
  assert.throws(() => unpackCandidates(packed(3).slice(0, 60)), /expected 64/);
  assert.throws(() => unpackCandidates(new ArrayBuffer(2)));
  const lies = new ArrayBuffer(24);
  new DataView(lies).setUint32(0, 2 ** 32 - 1, true);
  assert.throws(() => unpackCandidates(lies));
  assert.throws(() => unpackHistogram(new ArrayBuffer(12), 2, 2), /expected 16, two or three/);
  assert.equal(unpackHistogram(new ArrayBuffer(32), 2, 2).matched?.length, 4);
  assert.deepEqual(unpackHistogram(new ArrayBuffer(16), 2, 2), { all: new Uint32Array(4), matched: null, judged: null });
  const two = unpackHistogram(new ArrayBuffer(32), 2, 2);
  assert.equal(two.judged, two.all, "truth is known of all");
  assert.equal(unpackHistogram(new ArrayBuffer(48), 2, 2).judged?.byteOffset, 32);
});
