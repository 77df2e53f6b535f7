// Threshold and sizes: charts of the candidates, and sliders over them.

import { moved, ownThreshold } from "../core/cut.js";
import { counted, grouped, numberOf } from "../core/format.js";
import { coarser, rangeOf, stopAt } from "../core/histogram.js";
import { onAny } from "../core/signal.js";
import { api } from "./api.js";
import { drawBars, drawCalibration } from "./chart.js";
import { countsTable, startCounts } from "./counts.js";
import { byId, el, slider } from "./dom.js";
import { onFrame } from "./frame.js";
import { state } from "./state.js";
import { onTheme } from "./theme.js";

/** @typedef {import("../core/types.js").Counted} Counted */

const BARS = 128;

const chart = el("canvas", { class: "chart", role: "img", "aria-label": "Candidates by score" });
const threshold = slider({ label: "threshold", min: 0, max: 1024, step: 1, value: 0 }, (k) => setStop(k));
const exact = el("input", { type: "text", inputmode: "decimal", autocomplete: "off", id: "threshold-exact", "aria-label": "Threshold, exactly", input: typed, change: entered });
const sizeChart = el("canvas", { class: "chart low", role: "img", "aria-label": "Candidates by size" });
const smallest = slider({ label: "smallest", min: 0, max: 1, step: 1, value: 0 }, (k) => setSizes(k, Math.max(k + 1, sizeRange().last)));
const largest = slider({ label: "largest", min: 0, max: 1, step: 1, value: 1 }, (k) => setSizes(Math.min(sizeRange().first, k - 1), k));
const sizeTold = el("p", { class: "quiet" });
const sizes = el("div", { hidden: true }, el("h3", { text: "Size" }), sizeChart, smallest.label, largest.label, sizeTold);
const scoreless = el("p", { class: "quiet", id: "scoreless", text: "These picks have no scores: no threshold tells them apart.", hidden: true });
const byScore = el("div", { id: "by-score" }, chart, threshold.label);

export function startCut() {
  threshold.input.id = "threshold";
  threshold.input.disabled = true;
  byId("cut").append(
    el("div", { class: "row" }, el("h3", { text: "Score" }), el("span", { class: "grow" }), exact,
      el("button", { type: "button", text: "Reset", title: "Threshold of the run (Shift+R)", click: resetThreshold })),
    scoreless, byScore, sizes, ...countsTable(),
  );
  chart.addEventListener("pointerdown", (event) => {
    chart.setPointerCapture(event.pointerId);
    pick(event);
  });
  chart.addEventListener("pointermove", (event) => event.buttons === 1 && pick(event));
  state.about.on(follow);
  onAny([state.cut, state.histogram, state.candidates], () => onFrame(show));
  new ResizeObserver(() => onFrame(show)).observe(chart);
  onTheme(() => onFrame(show));
  startCounts();
}

/**
 * A threshold that nobody moved is the source's, also once that is another one.
 * @param {import("../core/types.js").About} about
 * @param {import("../core/types.js").About} before
 */
function follow(about, before) {
  if (moved(state.cut.value, ownThreshold(before)).threshold === undefined) setThreshold(ownThreshold(about));
}

/** An unreadable number is marked while it is written. */
function typed() {
  exact.setAttribute("aria-invalid", String(exact.value.trim() !== "" && numberOf(exact.value) === null));
}

/** What is no number changes nothing, and is put back. */
function entered() {
  const value = numberOf(exact.value);
  if (value !== null) setThreshold(value);
  else if (exact.value.trim() !== "") state.reply.set(`not a number: ${exact.value.slice(0, 20)}`);
  exact.setAttribute("aria-invalid", "false");
  exact.value = state.cut.value.threshold.toPrecision(4);
}

/** @param {number} k stop */
function setStop(k) {
  const known = state.histogram.value;
  if (known !== null && !threshold.input.disabled) setThreshold(known.head.score_stops[k]);
}

/** @param {number} value */
function setThreshold(value) {
  if (value !== state.cut.value.threshold) state.cut.set({ ...state.cut.value, threshold: value });
}

/** @param {number} steps of about a hundredth of the range */
export function stepThreshold(steps) {
  const known = state.histogram.value;
  if (known === null) return;
  const { score_stops } = known.head;
  const k = stopAt(score_stops, state.cut.value.threshold) + steps * Math.ceil(score_stops.length / 100);
  setStop(Math.min(Math.max(k, 0), score_stops.length - 1));
}

export function resetThreshold() {
  state.cut.set({ threshold: ownThreshold(state.about.value), smallest_A: null, largest_A: null });
}

/** Size bins that are kept. */
function sizeRange() {
  const known = state.histogram.value;
  return (known && rangeOf(known.head.size_stops_A, state.cut.value)) ?? { first: 0, last: known?.sizes ?? 1 };
}

/**
 * @param {number} from
 * @param {number} to
 */
function setSizes(from, to) {
  const stops = state.histogram.value?.head.size_stops_A;
  if (!stops) return;
  const last = Math.min(Math.max(to, 1), stops.length - 1);
  const first = Math.min(Math.max(0, from), last - 1);
  const [smallest_A, largest_A] = [first === 0 ? null : stops[first], last === stops.length - 1 ? null : stops[last]];
  state.cut.set({ ...state.cut.value, smallest_A, largest_A });
}

/** @param {PointerEvent} event */
function pick(event) {
  const known = state.histogram.value;
  if (known === null) return;
  const box = chart.getBoundingClientRect();
  const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  setStop(Math.round(share * (known.head.score_stops.length - 1)));
}

/** All that a move of a slider changes here, in one frame. */
function show() {
  if (document.activeElement !== exact) exact.value = state.cut.value.threshold.toPrecision(4);
  const known = state.histogram.value;
  if (known === null) return;
  const score = state.candidates.value?.score;
  if (score !== undefined) tellScoreless(known.all.isScoreless && score.every(Number.isNaN));
  showScores(known);
  sizes.hidden = known.head.size_stops_A === null;
  if (known.head.size_stops_A !== null) showSizes(known, known.head.size_stops_A);
}

/** @param {boolean} isSo */
function tellScoreless(isSo) {
  scoreless.hidden = !isSo;
  byScore.hidden = isSo;
  exact.disabled = threshold.input.disabled = isSo;
}

/** @param {Counted} known */
function showScores({ head, all, matched }) {
  const k = stopAt(head.score_stops, state.cut.value.threshold);
  const range = rangeOf(head.size_stops_A, state.cut.value);
  threshold.input.max = String(head.score_stops.length - 1);
  threshold.input.value = String(k);
  threshold.input.setAttribute("aria-valuetext", `${state.cut.value.threshold.toPrecision(4)}, ${counted(all.from(k, range), "candidate")}`);
  const bars = coarser(all.perScore(range), BARS);
  const front = matched === null ? null : coarser(matched.perScore(range), BARS).sums;
  drawBars(chart, bars.sums, { from: k / (head.score_stops.length - 1), to: 1, front });
}

/**
 * @param {Counted} known
 * @param {number[]} stops
 */
function showSizes({ head, all, sizes: bins }, stops) {
  const k = stopAt(head.score_stops, state.cut.value.threshold);
  const { first, last } = sizeRange();
  const unknown = all.from(k, { first: 0, last: 0 });
  const bars = Array.from({ length: bins }, (_, s) => all.from(k, { first: s, last: s + 1 }) - unknown);
  drawBars(sizeChart, bars, { from: first / bins, to: last / bins });
  for (const { input } of [smallest, largest]) input.max = String(bins);
  [smallest.input.value, largest.input.value] = [String(first), String(last)];
  sizeTold.textContent = `${stops[first].toFixed(0)} – ${stops[last].toFixed(0)} Å${unknown > 0 ? `; ${grouped(unknown)} of unknown size` : ""}`;
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
