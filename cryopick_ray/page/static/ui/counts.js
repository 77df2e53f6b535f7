// What a cut leaves, in numbers: of the open micrograph, and of the whole data set, decisions heeded.

import { moved, ownThreshold, summed, total } from "../core/cut.js";
import { countFilaments } from "../core/filaments.js";
import { counted, grouped, percent } from "../core/format.js";
import { isAtStops, rangeOf, stopAt } from "../core/histogram.js";
import { isPick, precisionRecall, tally } from "../core/picked.js";
import { onAny } from "../core/signal.js";
import { api } from "./api.js";
import { el } from "./dom.js";
import { onFrame } from "./frame.js";
import { state } from "./state.js";

const PAUSE_ms = 350;

/** Picks that were counted at the present cut, null until they are. @type {number|null} */
let exactly = null;
/** Share of the histogram's picks that decisions leave, at the cut that was counted last. */
let share = 1;
/** @type {ReturnType<typeof setTimeout>|undefined} */
let pause;
let asked = new AbortController();

const told = Object.fromEntries(["here", "hereOf", "all", "allOf", "hereP", "hereR", "allP", "allR", "hereF"].map((key) => [key, el("td", { class: "number", text: "–" })]));
const note = el("p", { class: "quiet", id: "exact-told", role: "status" });

const picksHead = el("th", { text: "picks", scope: "row" });
const filaments = el("tr", { hidden: true }, el("th", { text: "filaments", scope: "row" }), told.hereF, el("td"));

/** The numbers as elements. */
export function countsTable() {
  const row = (/** @type {string} */ name, /** @type {HTMLElement[]} */ ...cells) => el("tr", {}, el("th", { text: name, scope: "row" }), ...cells);
  [told.here.id, told.all.id, told.hereOf.id, told.allOf.id] = ["picks-here", "picks-all", "candidates-here", "candidates-all"];
  told.hereF.id = "filaments-here";
  return [el("table", { class: "counts" },
    el("thead", {}, el("tr", {}, el("td"), ...["this micrograph", "data set"].map((text) => el("th", { text, scope: "col" })))),
    el("tbody", {}, el("tr", {}, picksHead, told.here, told.all), filaments, row("candidates", told.hereOf, told.allOf),
      row("precision", told.hereP, told.allP), row("recall", told.hereR, told.allR))), note];
}

export function startCounts() {
  onAny([state.cut, state.loaded, state.about], askExactly);
  onAny([state.cut, state.kinds, state.truth], () => onFrame(showHere));
  onAny([state.cut, state.loaded, state.histogram], () => onFrame(showAll));
}

function showHere() {
  const [candidates, kinds, truth] = [state.candidates.value, state.kinds.value, state.truth.value];
  if (candidates === null || kinds.length < candidates.n) return;
  const { picks, matched } = tally(candidates, kinds);
  told.here.textContent = grouped(picks);
  filaments.hidden = candidates.filament === null && state.about.value.has_filaments !== true;
  picksHead.textContent = filaments.hidden ? "picks" : "segments";
  told.hereF.textContent = grouped(countFilaments(candidates, (k) => isPick(kinds[k])));
  told.hereOf.textContent = grouped(candidates.n);
  const { precision, recall } = precisionRecall(matched, picks, truth === null ? null : truth.n);
  told.hereP.textContent = truth === null ? "–" : percent(precision);
  told.hereR.textContent = percent(recall);
}

/** Picks of the data set that the histogram has at the cut. */
function estimated() {
  const known = state.histogram.value;
  return known === null ? null : known.all.from(stopAt(known.head.score_stops, state.cut.value.threshold), rangeOf(known.head.size_stops_A, state.cut.value));
}

/** Whether people decided anything that the histogram does not know of. */
function isDecided() {
  const { decisions = [], excluded = [] } = state.loaded.value.columns;
  return decisions.some((n) => Number(n ?? 0) > 0) || excluded.some((one) => one === true);
}

function showAll() {
  const known = state.histogram.value;
  const [cut, near, isMended] = [state.cut.value, estimated(), isDecided()];
  if (exactly !== null && near !== null && near > 0) share = exactly / near;
  const isSure = known !== null && !isMended && isAtStops(known.head, cut);
  const { picks, isExact } = total({ counted: exactly, histogram: near, share, isSure });
  told.all.textContent = picks === null ? "–" : `${isExact ? "" : "≈ "}${grouped(picks)}`;
  told.allOf.textContent = grouped(summed(state.loaded.value.columns.candidates) ?? known?.all.from(0) ?? 0);
  if (known !== null) showTrue(known);
  const isMarked = isMended && known !== null && known.matched !== null;
  note.textContent = [
    ...(exactly === null ? [] : [`${counted(exactly, "pick")} at this cut, corrections included`]),
    ...(isMarked ? ["precision and recall of the data set are before corrections"] : []),
  ].join("; ");
}

/** @param {import("../core/types.js").Counted} known */
function showTrue({ head, matched, judged }) {
  if (matched === null || judged === null) return;
  const [k, range] = [stopAt(head.score_stops, state.cut.value.threshold), rangeOf(head.size_stops_A, state.cut.value)];
  const { precision, recall } = precisionRecall(matched.from(k, range), judged.from(k, range), head.truth_total ?? null);
  told.allP.textContent = percent(precision);
  told.allR.textContent = percent(recall);
}

/** At a cut of its own, the source tells its picks; at another one they are counted after a pause. */
function askExactly() {
  clearTimeout(pause);
  asked.abort();
  exactly = null;
  if (Object.keys(moved(state.cut.value, ownThreshold(state.about.value))).length === 0) {
    state.counts.set(null);
    learn(summed(state.loaded.value.columns.picks));
    return;
  }
  pause = setTimeout(async () => {
    asked = new AbortController();
    try {
      const counts = await api.counts(state.cut.value, asked.signal);
      state.counts.set(counts);
      learn(summed(counts));
    } catch {
      // Superseded by another cut, or not counted yet: then the list grows, and it is asked again.
    }
  }, PAUSE_ms);
}

/** @param {number|null} picks of all micrographs at the present cut */
function learn(picks) {
  exactly = picks;
  onFrame(showAll);
}
