import assert from "node:assert/strict";
import { test } from "node:test";
import { boxed, carried, cleaned, clicked, discsOf, isTaken, lassoed, marked, painted } from "../../cryopick_ray/page/static/core/edits.js";
import { clamped, discsAlong, inBox, inPolygon, nearest, thinned } from "../../cryopick_ray/page/static/core/geometry.js";
import { BINDINGS, commandOf, keptBy } from "../../cryopick_ray/page/static/core/keys.js";
import { marksOf } from "../../cryopick_ray/page/static/core/marks.js";
import { applied } from "../../cryopick_ray/page/static/core/optimistic.js";
import { ADDED, JUNK, LOW, PICKED, REMOVED, Why, kindsAt } from "../../cryopick_ray/page/static/core/picked.js";
import { Signal } from "../../cryopick_ray/page/static/core/signal.js";
import { candidates, random } from "./made.js";

const CUT = { threshold: 0.5, smallest_A: null, largest_A: null };
const some = candidates([
  [10, 10, 0.9, NaN, 0, 0], [50, 10, 0.8, NaN, 0, 0], [90, 90, 0.7, NaN, Why.REMOVED_BY_HAND, 0], [10, 90, 0.2, NaN, 1, 0],
]);
const kinds = kindsAt(some, CUT);
const all = () => true;

test("the nearest within reach that counts is found, edges of reach included", () => {
  assert.equal(nearest(some, { x: 12, y: 10 }, 2), 0);
  assert.equal(nearest(some, { x: 12.1, y: 10 }, 2), -1);
  assert.equal(nearest(some, { x: 31, y: 10 }, 30), 1);
  assert.equal(nearest(some, { x: 31, y: 10 }, 30, (k) => k !== 1), 0);
});

test("a circle as a polygon holds what is within its radius", () => {
  const [next, circle] = [random(5), Array.from({ length: 400 }, (_, k) => ({ x: 50 + 30 * Math.cos((k * Math.PI) / 200), y: 50 + 30 * Math.sin((k * Math.PI) / 200) }))];
  for (let trial = 0; trial < 2000; trial++) {
    const [x, y] = [100 * next(), 100 * next()];
    const away = Math.hypot(x - 50, y - 50);
    if (Math.abs(away - 30) > 0.05) assert.equal(inPolygon(circle, x, y), away < 30);
  }
  const notch = [[0, 0], [10, 0], [10, 10], [5, 2], [0, 10]].map(([x, y]) => ({ x, y }));
  assert.ok(!inPolygon(notch, 5, 6) && inPolygon(notch, 1, 3));
  assert.ok(!inPolygon([], 0, 0));
});

test("a box holds what is between its corners in whatever order they were set", () => {
  assert.ok(inBox({ x: 9, y: 1 }, { x: 1, y: 9 }, 5, 5));
  assert.ok(!inBox({ x: 9, y: 1 }, { x: 1, y: 9 }, 5, 10));
});

test("discs of a stroke leave no gap and end near its end", () => {
  const path = [{ x: 0, y: 0 }, { x: 100, y: 0 }, { x: 100, y: 3 }, { x: 100, y: 80 }];
  const discs = discsAlong(path, 10);
  for (let x = 0; x <= 100; x++) assert.ok(discs.some((disc) => Math.hypot(disc.x - x, disc.y) <= 6));
  for (let y = 0; y <= 80; y++) assert.ok(discs.some((disc) => Math.hypot(disc.x - 100, disc.y - y) <= 6));
  assert.ok(discs.length < 45);
  assert.deepEqual(discsAlong([{ x: 4, y: 5 }], 10), [{ x: 4, y: 5 }]);
  assert.deepEqual(discsAlong([], 10), []);
  assert.deepEqual(thinned([{ x: 0, y: 0 }, { x: 0.5, y: 0 }, { x: 2, y: 0 }], 1), [{ x: 0, y: 0 }, { x: 2, y: 0 }]);
  assert.deepEqual(clamped({ x: -4, y: 200 }, 100, 100), { x: 0, y: 99 });
});

test("a pick is not carried onto another, but may go back to its own place or near others", () => {
  assert.ok(isTaken(some, kinds, 0, { x: 50.6, y: 10.6 }));
  assert.ok(!isTaken(some, kinds, 0, { x: 51, y: 11 }));
  assert.ok(!isTaken(some, kinds, 0, { x: 10, y: 10 }));
  assert.ok(!isTaken(some, kinds, 0, { x: 90, y: 90 }), "one that was removed is no pick");
});

test("a click removes a pick, keeps a removed one, adds a low one where it lies, else adds a pick", () => {
  const at = (x, y, shown = all) => clicked(some, kinds, { x, y }, 8, shown);
  assert.deepEqual(at(12, 12), [{ action: "remove", x_px: 10, y_px: 10 }]);
  assert.deepEqual(at(91, 91), [{ action: "keep", x_px: 90, y_px: 90 }]);
  assert.deepEqual(at(12, 88), [{ action: "add", x_px: 10, y_px: 90 }]);
  assert.deepEqual(at(12, 88, () => false), [{ action: "add", x_px: 12, y_px: 88 }], "what is not seen is not meant");
  assert.deepEqual(at(30, 40), [{ action: "add", x_px: 30, y_px: 40 }]);
  assert.deepEqual(carried(some, 0, { x: 20, y: 21 }), [{ action: "remove", x_px: 10, y_px: 10 }, { action: "add", x_px: 20, y_px: 21 }]);
});

test("lasso and box remove picks only", () => {
  const whole = [{ x: 0, y: 0 }, { x: 100, y: 0 }, { x: 100, y: 100 }, { x: 0, y: 100 }];
  assert.deepEqual(lassoed(some, kinds, whole).map(({ x_px }) => x_px), [10, 50]);
  assert.deepEqual(boxed(some, kinds, whole[0], { x: 20, y: 20 }).map(({ x_px }) => x_px), [10]);
});

test("marks for teaching say what is a particle and what is none", () => {
  const at = (x, y, isParticle) => marked(some, kinds, { x, y }, 8, isParticle)[0];
  assert.deepEqual(at(10, 11, true), { action: "keep", x_px: 10, y_px: 10 });
  assert.deepEqual(at(10, 11, false), { action: "remove", x_px: 10, y_px: 10 });
  assert.deepEqual(at(10, 91, true), { action: "add", x_px: 10, y_px: 90 });
  assert.deepEqual(at(60, 60, false), { action: "remove", x_px: 60, y_px: 60 });
  assert.deepEqual(at(60, 60, true), { action: "add", x_px: 60, y_px: 60 });
});

test("the last mark at a place counts; to remove what was added takes it back", () => {
  const row = (action, x_px) => ({ action, x_px, y_px: 0 });
  const count = (rows) => Object.values(marksOf(rows)).map((places) => places.length);
  assert.deepEqual(count([row("add", 1), row("remove", 50), row("keep", 90)]), [2, 1]);
  assert.deepEqual(count([row("add", 1), row("remove", 1.5)]), [0, 0]);
  assert.deepEqual(count([row("keep", 1), row("remove", 1)]), [0, 1]);
  assert.deepEqual(count([row("remove", 1), row("keep", 1)]), [1, 0]);
  assert.deepEqual(count([{ action: "exclude" }, { action: "junk", x_px: 1, y_px: 1, radius_px: 5 }]), [0, 0]);
});

test("junk is painted as discs, and a click takes back those it lies in", () => {
  const rows = painted([{ x: 0, y: 0 }, { x: 40, y: 0 }], 10);
  assert.ok(rows.every(({ action, radius_px }) => action === "junk" && radius_px === 10));
  const back = cleaned(discsOf(rows), { x: 40, y: 0 });
  assert.ok(back.length > 0 && back.length < rows.length);
  assert.deepEqual(discsOf([...rows, ...back]).length, rows.length - back.length);
});

test("decisions are seen before the server answers", () => {
  const after = applied(some, [
    { action: "add", x_px: 30, y_px: 30 }, { action: "remove", x_px: 10.4, y_px: 10 }, { action: "keep", x_px: 90, y_px: 90 },
    { action: "junk", x_px: 50, y_px: 10, radius_px: 5 }, { action: "add", x_px: 10, y_px: 90 },
  ]);
  assert.equal(after.n, 5);
  assert.deepEqual([...kindsAt(after, CUT)].slice(0, 5), [REMOVED, JUNK, PICKED, ADDED, ADDED]);
  assert.deepEqual([...kindsAt(some, CUT)], [PICKED, PICKED, REMOVED, LOW], "what was there is left as it is");
});

test("no key has two meanings, and all are told in words", () => {
  const keys = BINDINGS.flatMap((one) => one.keys);
  assert.equal(new Set(keys).size, keys.length);
  assert.ok(BINDINGS.every(({ text, command }) => text && command));
});

test("keys are commands whatever caps lock says, and not with other modifiers", () => {
  const pressed = (key, more = {}) => commandOf({ key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...more });
  assert.equal(pressed("n"), "next");
  assert.equal(pressed("N"), "next");
  assert.equal(pressed("D", { shiftKey: true }), "previous-doubtful");
  assert.equal(pressed(" "), "act");
  assert.equal(pressed("?", { shiftKey: true }), "help");
  assert.equal(pressed("z", { ctrlKey: true }), "undo");
  assert.equal(pressed("z", { metaKey: true }), "undo");
  assert.equal(pressed("n", { ctrlKey: true }), null);
  assert.equal(pressed("ArrowLeft", { shiftKey: true }), "cursor");
  assert.equal(pressed("F5"), null);
});

test("what a person types in, presses or slides keeps its keys", () => {
  const kept = (tag, type, key, role = null) => keptBy({ tag, type, role }, { key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false });
  assert.ok(kept("INPUT", "search", "n") && kept("INPUT", "number", "-") && kept("SELECT", "", "e"));
  assert.ok(kept("INPUT", "range", "ArrowLeft") && !kept("INPUT", "range", "n"));
  assert.ok(kept("BUTTON", "button", " ") && !kept("BUTTON", "button", "n"));
  assert.ok(kept("DIV", "", "ArrowDown", "listbox") && !kept("DIV", "", "ArrowDown", "application"));
  assert.ok(!kept("INPUT", "search", "Escape"));
});

test("a value tells of changes only", () => {
  const [value, heard] = [new Signal(1), []];
  value.on((now, before) => heard.push([now, before]));
  value.set(1);
  value.set(2);
  assert.deepEqual(heard, [[2, 1]]);
});
