import assert from "node:assert/strict";
import { test } from "node:test";
import { COLUMNS, columnNamed, present, textOf } from "../../cryopick_ray/page/static/core/columns.js";
import { filtered, outliersOf, parseFilter, withRange } from "../../cryopick_ray/page/static/core/filter.js";
import { fixed, plain, roundLength, shortened } from "../../cryopick_ray/page/static/core/format.js";
import { doubtful, nextWhere, outlyingIn, stepped } from "../../cryopick_ray/page/static/core/places.js";
import { sorted } from "../../cryopick_ray/page/static/core/sort.js";
import { inView, moved, rowsOf, scrolledTo } from "../../cryopick_ray/page/static/core/window.js";
import { micrographs, random } from "./made.js";

const all = micrographs({
  id: ["grid1/a.mrc", "grid1/b 10.mrc", "grid2/B 9.mrc", "<script>.mrc"],
  verdict: ["good", "bad", "doubtful", null],
  reasons: ["", "ice", "", ""],
  status: ["complete", "complete", "complete", "failed"],
  picks: [100, 0, 250, null],
  defocus_A: [12000, 25000, null, 8000],
  excluded: [false, true, false, false],
  decisions: [0, 3, 0, 0],
}, { picks: [1], defocus_A: [1, 3] });

const listed = (text) => filtered(all, parseFilter(text).tests, outliersOf(all));

test("words are looked for in names, verdicts and reasons, whatever their case", () => {
  assert.deepEqual(listed(""), [0, 1, 2, 3]);
  assert.deepEqual(listed("GRID1"), [0, 1]);
  assert.deepEqual(listed("ice"), [1]);
  assert.deepEqual(listed('"b 10"'), [1]);
  assert.deepEqual(listed("<script>"), [3]);
  assert.deepEqual(listed("-grid1"), [2, 3]);
});

test("ranges and comparisons hold in people's units; what is unknown is in no range", () => {
  assert.deepEqual(listed("picks:100..250"), [0, 2]);
  assert.deepEqual(listed("picks:..100"), [0, 1]);
  assert.deepEqual(listed("picks>100"), [2]);
  assert.deepEqual(listed("picks<=0"), [1]);
  assert.deepEqual(listed("defocus:1..2"), [0]);
  assert.deepEqual(listed("defocus<1"), [3]);
  assert.deepEqual(listed("order:2..3"), [1, 2]);
  assert.deepEqual(listed("verdict:doubt"), [2]);
  assert.deepEqual(listed("picks:100..250 defocus>1"), [0]);
});

test("states are asked for by is:, and can be turned around", () => {
  assert.deepEqual(listed("is:excluded"), [1]);
  assert.deepEqual(listed("is:outlier"), [1, 3]);
  assert.deepEqual(listed("is:mended"), [1]);
  assert.deepEqual(listed("is:failed"), [3]);
  assert.deepEqual(listed("-is:excluded"), [0, 2, 3]);
});

test("what cannot be understood is told and does not hide everything", () => {
  for (const text of ["picks:lots", "colour:red", "is:nice", "picks:1..x"]) {
    const { tests, errors } = parseFilter(text);
    assert.equal(errors.length, 1, text);
    assert.equal(tests.length, 0, text);
  }
});

test("a brushed range takes the place of the one before", () => {
  assert.equal(withRange('bad picks:1..2 "b 10"', "picks", "3..4"), 'bad "b 10" picks:3..4');
  assert.equal(withRange("picks:1..2", "picks", null), "");
  assert.equal(withRange("order:1..2", "picks", "3..4"), "order:1..2 picks:3..4");
});

test("sorting is stable, by numbers within names, and what is unknown comes last either way", () => {
  const by = (key, descending) => sorted(all, [0, 1, 2, 3], columnNamed(key), descending);
  assert.deepEqual(by("picks", false), [1, 0, 2, 3]);
  assert.deepEqual(by("picks", true), [2, 0, 1, 3]);
  assert.deepEqual(by("defocus_A", true), [1, 0, 3, 2]);
  const names = micrographs({ id: ["m10", "m9", "m1"] });
  assert.deepEqual(sorted(names, [0, 1, 2], columnNamed("name"), false), [2, 1, 0]);
  const same = micrographs({ picks: [5, 5, 5] });
  assert.deepEqual(sorted(same, [0, 1, 2], columnNamed("picks"), true), [0, 1, 2]);
});

test("only columns that something is known of are shown", () => {
  const keys = present(all).map(({ key }) => key);
  assert.ok(keys.includes("defocus_A") && keys.includes("reasons"));
  assert.ok(!keys.includes("mean_score") && !keys.includes("dataset"));
  assert.equal(new Set(COLUMNS.flatMap(({ key, also }) => [key, ...(also ?? [])])).size, COLUMNS.flatMap(({ key, also }) => [key, ...(also ?? [])]).length);
});

test("text of cells is in people's units and shows no control characters", () => {
  assert.equal(textOf(all, columnNamed("defocus"), 0), "1.20");
  assert.equal(textOf(all, columnNamed("defocus"), 2), "");
  const evil = micrographs({ id: ["a\u202Ecrm.b\u0000\n"] });
  assert.equal(textOf(evil, columnNamed("name"), 0), "a\ufffdcrm.b\ufffd\ufffd");
  assert.equal(plain("é λ 日本 .mrc"), "é λ 日本 .mrc");
});

test("long names keep their end, whole characters only", () => {
  assert.equal(shortened("short.mrc", 20), "short.mrc");
  assert.equal(shortened("FoilHole_123456_Data_000017.mrc", 16), "FoilH…000017.mrc");
  assert.equal(Array.from(shortened("😀".repeat(30), 10)).length, 10);
});

test("scale bars are round and not longer than asked", () => {
  for (const [most, length, text] of [[130, 100, "100 Å"], [499, 200, "200 Å"], [5000, 5000, "500 nm"], [23000, 20000, "2 µm"], [0.7, 0.5, "0.5 Å"]]) {
    assert.deepEqual(roundLength(most), { length_A: length, text });
  }
  assert.equal(fixed(-0.0001, 2), "0.00");
});

test("next and previous follow the list as it is sorted and end at its ends", () => {
  assert.equal(stepped([3, 1, 2], 1, 1), 2);
  assert.equal(stepped([3, 1, 2], 3, -1), 3);
  assert.equal(stepped([3, 1, 2], 2, 1), 2);
  assert.equal(stepped([5, 7], 6, 1), 7);
  assert.equal(stepped([], 6, 1), 6);
});

test("the next doubtful one is found around the end of the list", () => {
  const look = doubtful(all, new Set([0]));
  assert.deepEqual([0, 1, 2, 3].map(look), [true, true, true, true]);
  assert.equal(doubtful(micrographs({ verdict: ["good"] }), new Set())(0), false);
  assert.equal(nextWhere([0, 1, 2, 3], 3, 1, (i) => i === 1), 1);
  assert.equal(nextWhere([0, 1, 2, 3], 1, -1, (i) => i === 3), 3);
  assert.equal(nextWhere([0, 1], 1, 1, (i) => i === 1), null);
  assert.deepEqual(outlyingIn(all, 1), ["picks", "defocus_A"]);
});

test("cells in view cover the view, whatever is scrolled, and few more", () => {
  const next = random(1);
  for (let trial = 0; trial < 500; trial++) {
    const grid = { n: Math.floor(next() * 10000), across: 1 + Math.floor(next() * 4), cellHeight: 20 + Math.floor(next() * 200) };
    const [height, whole] = [100 + next() * 1000, rowsOf(grid) * grid.cellHeight];
    const top = next() * Math.max(0, whole - height);
    const { first, last } = inView(grid, top, height);
    const rowTop = Math.floor(first / grid.across) * grid.cellHeight;
    assert.ok(first % grid.across === 0 && last <= grid.n);
    assert.ok(rowTop <= top, "the first row starts above the view");
    assert.ok(last === grid.n || Math.ceil(last / grid.across) * grid.cellHeight >= top + height, "the last row ends below it");
    assert.ok(last - first <= (height / grid.cellHeight + 7) * grid.across);
  }
});

test("scrolling to a cell shows all of it and moves nothing where it is seen", () => {
  const grid = { n: 1000, across: 2, cellHeight: 50 };
  assert.equal(scrolledTo(grid, 10, 200, 400), 200);
  assert.equal(scrolledTo(grid, 0, 200, 400), 0);
  assert.equal(scrolledTo(grid, 999, 0, 400), 500 * 50 - 400);
});

test("keys move within the list", () => {
  const grid = { n: 10, across: 3, cellHeight: 50 };
  const to = (cell, key) => moved(grid, cell, key, 160);
  assert.deepEqual([to(4, "ArrowDown"), to(4, "ArrowUp"), to(4, "ArrowLeft"), to(4, "Home"), to(4, "End")], [7, 1, 3, 0, 9]);
  assert.equal(to(9, "ArrowRight"), 9);
  assert.equal(to(4, "PageDown"), 9);
  assert.equal(to(4, "x"), null);
});
