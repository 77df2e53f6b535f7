import assert from "node:assert/strict";
import { test } from "node:test";
import { moved, ownThreshold, summed, total, withCut } from "../../cryopick_ray/page/static/core/cut.js";
import { numberOf } from "../../cryopick_ray/page/static/core/format.js";
import { Sums, isAtStops, rangeOf } from "../../cryopick_ray/page/static/core/histogram.js";

const cut = (threshold, smallest_A = null, largest_A = null) => ({ threshold, smallest_A, largest_A });

test("only what was moved of a cut is sent, and a threshold is told apart as float32", () => {
  assert.deepEqual(moved(cut(0.5), 0.5), {});
  assert.deepEqual(moved(cut(Math.fround(0.3)), 0.3), {});
  assert.deepEqual(moved(cut(0.25), 0.5), { threshold: 0.25 });
  assert.deepEqual(moved(cut(0.5, null, 120), 0.5), { largest_A: 120 });
  assert.deepEqual(moved(cut(0, 80), 0.5), { threshold: 0, smallest_A: 80 });
  assert.equal(ownThreshold({ sources: [] }), 0);
});

test("the command that is shown says what is sent", () => {
  assert.equal(withCut("cryopick run --resume", {}), "cryopick run --resume");
  assert.equal(withCut("cryopick run", { threshold: -1.5, smallest_A: 80, largest_A: 120.5 }), "cryopick run --threshold=-1.5 --smallest=80 --largest=120.5");
});

test("the data set's picks are those counted at this cut, else near them and marked", () => {
  assert.deepEqual(total({ counted: 223, histogram: 372, share: 1, isSure: true }), { picks: 223, isExact: true });
  assert.deepEqual(total({ counted: null, histogram: 372, share: 1, isSure: true }), { picks: 372, isExact: true });
  assert.deepEqual(total({ counted: null, histogram: 372, share: 0.6, isSure: false }), { picks: 223, isExact: false });
  assert.deepEqual(total({ counted: null, histogram: null, share: 1, isSure: false }), { picks: null, isExact: false });
});

test("a sum is known only where all of it is", () => {
  assert.equal(summed([1, 2, 3]), 6);
  assert.equal(summed(new Uint32Array([4, 5])), 9);
  assert.equal(summed([]), 0);
  assert.equal(summed([1, null, 3]), null);
  assert.equal(summed(undefined), null);
});

test("what is no number is none, and not zero", () => {
  for (const text of ["", "  ", "abc", "0,8", "1e999", "NaN", "0.5.1"]) assert.equal(numberOf(text), null, text);
  assert.equal(numberOf(" 0.8 "), 0.8);
  assert.equal(numberOf("-1e-3"), -0.001);
  assert.equal(numberOf("0"), 0);
});

test("size bins follow from a cut, whatever the stops are now", () => {
  const stops = [50, 100, 150, 200];
  assert.equal(rangeOf(null, cut(0, 80)), null);
  assert.equal(rangeOf(stops, cut(0)), null);
  assert.deepEqual(rangeOf(stops, cut(0, 100)), { first: 1, last: 3 });
  assert.deepEqual(rangeOf(stops, cut(0, null, 150)), { first: 0, last: 2 });
  assert.deepEqual(rangeOf(stops, cut(0, 500, 10)), { first: 0, last: 1 });
});

test("counts are called exact only at stops of both, or below all scores", () => {
  const head = { score_stops: [0.1, 0.2, 0.3].map(Math.fround), size_stops_A: [50, 100] };
  assert.ok(isAtStops(head, cut(0.2)) && isAtStops(head, cut(-7)) && isAtStops(head, cut(0.2, 50, 100)));
  assert.ok(!isAtStops(head, cut(0.21)) && !isAtStops(head, cut(0.9)) && !isAtStops(head, cut(0.2, 60)));
  assert.ok(!isAtStops({ ...head, size_stops_A: null }, cut(0.2, 60)));
});

test("candidates without scores lie above every score", () => {
  assert.ok(new Sums(new Uint32Array([0, 0, 7]), 3, 1).isScoreless);
  assert.ok(!new Sums(new Uint32Array([0, 1, 7]), 3, 1).isScoreless);
  assert.ok(!new Sums(new Uint32Array([0, 0, 0]), 3, 1).isScoreless);
});
