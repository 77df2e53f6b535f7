// Threshold and sizes: sliders, and what they leave of this micrograph and of the whole data set.

import { Sums, coarser } from "../core/histogram.js";
import { counted, grouped, percent } from "../core/format.js";
import { precisionRecall, tally } from "../core/picked.js";
import { onAny } from "../core/signal.js";
import { api } from "./api.js";
import { drawBars, drawCalibration } from "./chart.js";
import { loadHistogram, stopOf } from "./data.js";
import { byId, el, slider } from "./dom.js";
import { onFrame } from "./frame.js";
import { state } from "./state.js";
import { onTheme } from "./theme.js";

/** @typedef {import("../core/types.js").HistogramHead} HistogramHead */

const PAUSE_ms = 350;
const BARS = 128;

/** @type {{head: HistogramHead, all: Sums, matched: Sums|null, judged: Sums|null, sizes: number}|null} */
let table = null;
/** Which size bins are kept. */
let first = 0;
let last = 0;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let pause;
let asked = new AbortController();

const chart = el("canvas", { class: "chart", role: "img", "aria-label": "Candidates by score" });
const threshold = slider({ label: "threshold", min: 0, max: 1024, step: 1, value: 0 }, (k) => setStop(k));
const exact = el("input", { type: "number", step: "any", "aria-label": "Threshold, exactly", change: typed });
const sizeChart = el("canvas", { class: "chart low", role: "img", "aria-label": "Candidates by size" });
const smallest = slider({ label: "smallest", min: 0, max: 1, step: 1, value: 0 }, (k) => setSizes(k, Math.max(k + 1, last)));
const largest = slider({ label: "largest", min: 0, max: 1, step: 1, value: 1 }, (k) => setSizes(Math.min(first, k - 1), k));
const sizeTold = el("p", { class: "quiet" });
const sizes = el("div", { hidden: true }, el("h3", { text: "Size" }), sizeChart, smallest.label, largest.label, sizeTold);
const told = Object.fromEntries(["here", "hereOf", "all", "allOf", "hereP", "hereR", "allP", "allR"].map((key) => [key, el("td", { class: "number", text: "–" })]));
const exactTold = el("p", { class: "quiet", id: "exact-told", role: "status", text: "" });

export function startCut() {
  threshold.input.id = "threshold";
  threshold.input.disabled = true;
  exact.id = "threshold-exact";
  byId("cut").append(
    el("div", { class: "row" }, el("h3", { text: "Score" }), el("span", { class: "grow" }), exact,
      el("button", { type: "button", text: "Reset", title: "Threshold of the run (Shift+R)", click: resetThreshold })),
    chart, threshold.label, sizes, counts(), exactTold,
  );
  chart.addEventListener("pointerdown", (event) => {
    chart.setPointerCapture(event.pointerId);
    pick(event);
  });
  chart.addEventListener("pointermove", (event) => event.buttons === 1 && pick(event));
  onAny([state.cut, state.kinds, state.truth], () => onFrame(show));
  onAny([state.cut, state.loaded], askExactly);
  new ResizeObserver(() => onFrame(show)).observe(chart);
  onTheme(() => onFrame(show));
  state.about.on(() => {
    exact.value = state.cut.value.threshold.toPrecision(4);
  });
}

/** Counts of the whole data set, once the server has them. */
export const startHistogram = () => loadHistogram(ready);

function counts() {
  const row = (/** @type {string} */ name, /** @type {HTMLElement[]} */ ...cells) => el("tr", {}, el("th", { text: name, scope: "row" }), ...cells);
  [told.here.id, told.all.id] = ["picks-here", "picks-all"];
  return el("table", { class: "counts" },
    el("thead", {}, el("tr", {}, el("td"), ...["this micrograph", "data set"].map((text) => el("th", { text, scope: "col" })))),
    el("tbody", {}, row("picks", told.here, told.all), row("candidates", told.hereOf, told.allOf),
      row("precision", told.hereP, told.allP), row("recall", told.hereR, told.allR)));
}

/** @param {Parameters<Parameters<typeof loadHistogram>[0]>[0]} loaded */
function ready({ head, all, matched, judged, sizeBins }) {
  const scoreBins = head.score_stops.length - 1;
  const sums = (/** @type {Uint32Array} */ counts) => new Sums(counts, scoreBins, sizeBins);
  table = { head, all: sums(all), matched: matched && sums(matched), judged: judged && sums(judged), sizes: sizeBins - 1 };
  threshold.input.max = String(scoreBins);
  threshold.input.disabled = false;
  sizes.hidden = head.size_stops_A === null;
  last = table.sizes;
  for (const { input } of [smallest, largest]) input.max = String(table.sizes);
  largest.input.value = String(table.sizes);
  onFrame(show);
}

/** @param {number} k stop */
function setStop(k) {
  if (table !== null) state.cut.set({ ...state.cut.value, threshold: table.head.score_stops[k] });
}

/** @param {number} value */
function setThreshold(value) {
  if (Number.isFinite(value)) state.cut.set({ ...state.cut.value, threshold: value });
}

/** @param {number} steps of about a hundredth of the range */
export function stepThreshold(steps) {
  if (table === null) return;
  const { score_stops } = table.head;
  setStop(Math.min(Math.max(stopOf(table.head) + steps * Math.ceil(score_stops.length / 100), 0), score_stops.length - 1));
}

export function resetThreshold() {
  setSizes(0, table?.sizes ?? 0);
  setThreshold(state.about.value.sources[0]?.threshold ?? 0);
}

/**
 * @param {number} from
 * @param {number} to
 */
function setSizes(from, to) {
  const stops = table?.head.size_stops_A;
  if (!stops) return;
  [first, last] = [Math.max(0, from), Math.min(Math.max(to, 1), stops.length - 1)];
  if (first >= last) first = last - 1;
  const [smallest_A, largest_A] = [first === 0 ? null : stops[first], last === stops.length - 1 ? null : stops[last]];
  state.cut.set({ ...state.cut.value, smallest_A, largest_A });
}

/** @param {PointerEvent} event */
function pick(event) {
  if (table === null) return;
  const box = chart.getBoundingClientRect();
  const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  setStop(Math.round(share * (table.head.score_stops.length - 1)));
}

/** All that a move of a slider changes here, in one frame. */
function show() {
  const [cut, candidates, truth] = [state.cut.value, state.candidates.value, state.truth.value];
  if (document.activeElement !== exact) exact.value = cut.threshold.toPrecision(4);
  if (candidates !== null && state.kinds.value.length >= candidates.n) {
    const { picks, matched } = tally(candidates, state.kinds.value);
    told.here.textContent = grouped(picks);
    told.hereOf.textContent = grouped(candidates.n);
    const { precision, recall } = precisionRecall(matched, picks, truth === null ? null : truth.n);
    told.hereP.textContent = truth === null ? "–" : percent(precision);
    told.hereR.textContent = percent(recall);
  }
  if (table !== null) showAll(table);
}

/** @param {NonNullable<typeof table>} known */
function showAll({ head, all, matched, judged, sizes: bins }) {
  const k = stopOf(head);
  const range = first === 0 && last === bins ? null : { first, last };
  const picks = all.from(k, range);
  const isStop = Math.fround(head.score_stops[k]) === Math.fround(state.cut.value.threshold);
  told.all.textContent = `${isStop || k === 0 ? "" : "≈ "}${grouped(picks)}`;
  told.allOf.textContent = grouped(all.from(0));
  if (matched !== null && judged !== null) {
    const { precision, recall } = precisionRecall(matched.from(k, range), judged.from(k, range), head.truth_total ?? null);
    told.allP.textContent = percent(precision);
    told.allR.textContent = percent(recall);
  }
  threshold.input.value = String(k);
  threshold.input.setAttribute("aria-valuetext", `${state.cut.value.threshold.toPrecision(4)}, ${counted(picks, "pick")}`);
  const bars = coarser(all.perScore(range), BARS);
  const front = matched === null ? null : coarser(matched.perScore(range), BARS).sums;
  drawBars(chart, bars.sums, { from: k / (head.score_stops.length - 1), to: 1, front });
  if (head.size_stops_A !== null) showSizes(all, k, bins, head.size_stops_A);
}

/**
 * @param {Sums} all
 * @param {number} k
 * @param {number} bins
 * @param {number[]} stops
 */
function showSizes(all, k, bins, stops) {
  const unknown = all.from(k, { first: 0, last: 0 });
  const bars = Array.from({ length: bins }, (_, s) => all.from(k, { first: s, last: s + 1 }) - unknown);
  drawBars(sizeChart, bars, { from: first / bins, to: last / bins });
  [smallest.input.value, largest.input.value] = [String(first), String(last)];
  sizeTold.textContent = `${stops[first].toFixed(0)} – ${stops[last].toFixed(0)} Å${unknown > 0 ? `; ${grouped(unknown)} of unknown size` : ""}`;
}

/** What was typed; what is no number changes nothing. */
function typed() {
  if (Number.isFinite(exact.valueAsNumber)) setThreshold(exact.valueAsNumber);
  else exact.value = state.cut.value.threshold.toPrecision(4);
}

/** After a pause: exact picks of every micrograph, corrections included. */
function askExactly() {
  clearTimeout(pause);
  asked.abort();
  const own = state.about.value.sources[0]?.threshold;
  const { threshold: value, smallest_A, largest_A } = state.cut.value;
  if (value === own && smallest_A === null && largest_A === null) {
    state.counts.set(null);
    tellExactly((state.loaded.value.columns.picks ?? []).map(Number));
    return;
  }
  pause = setTimeout(async () => {
    asked = new AbortController();
    try {
      const exactly = await api.counts(state.cut.value, asked.signal);
      state.counts.set(exactly);
      tellExactly(exactly);
    } catch {
      // Superseded by another cut, or not counted yet: the sliders' own counts stand.
    }
  }, PAUSE_ms);
}

/** @param {ArrayLike<number>} picks of every micrograph */
function tellExactly(picks) {
  let sum = 0;
  for (let i = 0; i < picks.length; i++) sum += picks[i];
  exactTold.textContent = `${counted(sum, "pick")} at this cut, corrections included`;
}

/** Where truth is known: how true a score is. */
export async function startCalibration() {
  if (!state.about.value.has_truth) return;
  const { bins } = await api.calibration();
  const known = bins.filter(({ n }) => n > 0);
  if (known.length === 0) return;
  const canvas = el("canvas", { class: "chart tall", role: "img", "aria-label": "Share of candidates that are true, by score" });
  byId("cut").append(el("h3", { text: "Share that is true, by score" }), canvas);
  const draw = () => drawCalibration(canvas, known, state.about.value.sources[0]?.calibrated === true);
  new ResizeObserver(draw).observe(canvas);
  onTheme(draw);
}
