import assert from "node:assert/strict";
import { test } from "node:test";
import { clickedFilament, drawn } from "../../cryopick_ray/page/static/core/edits.js";
import { countFilaments, filamentsOf, isSegment, lines, nearestFilament, ticks } from "../../cryopick_ray/page/static/core/filaments.js";
import { applied } from "../../cryopick_ray/page/static/core/optimistic.js";
import { ADDED, LOW, PICKED, REMOVED, Why, isPick, kindsAt } from "../../cryopick_ray/page/static/core/picked.js";
import { candidates, segments } from "./made.js";

const CUT = { threshold: 0.4, smallest_A: null, largest_A: null };
const VIEW = { x: 5, y: 7, scale: 2 };
const all = () => true;
// A level filament whose rows are not in order, an upright one that was removed, and a candidate of none.
const some = segments([
  [40, 10, 0, 3, 20], [20, 10, 0, 3, 0], [30, 10, 0, 3, 10], [80, 50, Why.REMOVED_BY_HAND, 0, 0], [80, 60, Why.REMOVED_BY_HAND, 0, 10], [90, 10, 0, -1, NaN],
]);
const kinds = kindsAt(some, CUT);

test("segments are ordered along their filament, whatever the order of rows", () => {
  assert.deepEqual(filamentsOf(some), [[1, 2, 0], [3, 4]]);
  assert.equal(filamentsOf(some), filamentsOf(some), "sorted once");
  assert.deepEqual(filamentsOf(candidates([[1, 1, 1, NaN, 0, 0]])), []);
  assert.deepEqual([0, 3, 5].map((k) => isSegment(some, k)), [true, true, false]);
  assert.deepEqual([countFilaments(some, all), countFilaments(some, (k) => isPick(kinds[k]))], [2, 1]);
});

test("a filament is met anywhere along its line, between segments too, and not beyond its ends", () => {
  const met = (x, y, reach, counts = all) => nearestFilament(some, { x, y }, reach, counts);
  assert.deepEqual(met(35, 13, 3), [1, 2, 0]);
  assert.equal(met(35, 13.1, 3), null);
  assert.deepEqual(met(43, 10, 3), [1, 2, 0]);
  assert.equal(met(43.1, 10, 3), null);
  assert.deepEqual(met(81, 55, 90), [3, 4]);
  assert.deepEqual(met(81, 55, 90, (k) => isPick(kinds[k])), [1, 2, 0]);
});

test("a click removes all of a filament, keeps all of one that was removed, and draws a low one anew", () => {
  const at = (x, y, cut = CUT, shown = all) => clickedFilament(some, kindsAt(some, cut), { x, y }, 4, shown);
  const rows = (action, places) => places.map(([x_px, y_px]) => ({ action, x_px, y_px }));
  const level = [[20, 10], [30, 10], [40, 10]];
  assert.deepEqual(at(26, 12), rows("remove", level));
  assert.deepEqual(at(81, 55), rows("keep", [[80, 50], [80, 60]]));
  assert.deepEqual(at(26, 12, { ...CUT, threshold: 0.6 }), rows("trace", level));
  assert.deepEqual(at(26, 12, { ...CUT, threshold: 0.6 }, (kind) => kind !== LOW), [], "what is not seen is not meant");
  assert.deepEqual(at(60, 30), []);
  const after = applied(some, at(26, 12));
  assert.deepEqual([...kindsAt(after, CUT)].slice(0, 3), [REMOVED, REMOVED, REMOVED]);
  const back = applied(after, clickedFilament(after, kindsAt(after, CUT), { x: 26, y: 12 }, 4, all));
  assert.deepEqual([...kindsAt(back, CUT)], [...kinds]);
});

test("what is drawn has every corner once, and two at least", () => {
  const at = (...places) => drawn(places.map(([x, y]) => ({ x, y }))).map(({ action, x_px, y_px }) => [action, x_px, y_px]);
  assert.deepEqual(at([1, 1], [9, 1], [9.5, 1.5], [9, 30], [1, 1.2]), [["trace", 1, 1], ["trace", 9, 1], ["trace", 9, 30]]);
  assert.deepEqual(at([1, 1], [1, 1]), []);
  assert.deepEqual(at(), []);
});

test("a filament that is drawn is seen at once, as one more", () => {
  const rows = drawn([{ x: 5, y: 80 }, { x: 60, y: 80 }]);
  for (const before of [some, candidates([[10, 10, 0.9, NaN, 0, 0]]), candidates([])]) {
    const after = applied(before, rows);
    assert.equal(after.n, before.n + 2);
    assert.equal(filamentsOf(after).length, filamentsOf(before).length + 1);
    assert.deepEqual([...kindsAt(after, CUT)].slice(before.n), [ADDED, ADDED]);
    assert.deepEqual(nearestFilament(after, { x: 30, y: 81 }, 2, all), [before.n, before.n + 1]);
  }
  assert.equal(kinds[0], PICKED);
  assert.equal(some.n, 6, "what was there is left as it is");
});

test("lines go from pixel centre to pixel centre of neighbours that are meant", () => {
  const x = (px) => (px + 0.5) * 2 + 5;
  const y = (px) => (px + 0.5) * 2 + 7;
  assert.deepEqual(lines(some, filamentsOf(some), (k) => isPick(kinds[k]), VIEW), [x(20), y(10), x(30), y(10), x(30), y(10), x(40), y(10)]);
  assert.deepEqual(lines(some, filamentsOf(some), (k) => k !== 2, VIEW), [x(80), y(50), x(80), y(60)], "none across a gap");
});

test("ticks lie across their filament, as wide as it is, where there is room", () => {
  const meant = (k) => k === 2;
  const [x0, y0, x1, y1] = ticks(some, filamentsOf(some), meant, VIEW, 6, 12);
  assert.deepEqual([x0, x1], [66, 66]);
  assert.deepEqual([Math.min(y0, y1), Math.max(y0, y1)], [28 - 6, 28 + 6]);
  assert.equal(ticks(some, filamentsOf(some), all, VIEW, 6, 12).length, 4 * 5);
  assert.deepEqual(ticks(some, filamentsOf(some), meant, VIEW, 6, 21), []);
});
