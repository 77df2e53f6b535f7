// The table of all candidates: asked for until the server has it, and again as it changes.

import { Sums } from "../core/histogram.js";
import { api } from "./api.js";
import { state } from "./state.js";

const PAUSE_ms = 1000;
const LONGEST_WAIT_ms = 5000;

const rest = (/** @type {number} */ time_ms) => new Promise((resolve) => setTimeout(resolve, time_ms));
let isAsking = false;

/** Have the table, now and whenever the list of micrographs is another one: a run at work grows. */
export async function startHistogram() {
  await load();
  let of = state.loaded.value.generation;
  state.loaded.on(async ({ generation }) => {
    if (isAsking || generation === of) return;
    isAsking = true;
    try {
      await rest(PAUSE_ms);
      of = state.loaded.value.generation;
      await load();
    } finally {
      isAsking = false;
    }
  });
}

async function load() {
  for (let wait_ms = 300; ; wait_ms = Math.min(2 * wait_ms, LONGEST_WAIT_ms)) {
    const head = await api.histogramHead().catch(() => null);
    const sizeBins = head?.size_stops_A?.length ?? 1;
    const scoreBins = (head?.score_stops.length ?? 1) - 1;
    const tables = head?.ready ? await api.histogram(scoreBins, sizeBins).catch(() => null) : null;
    if (head !== null && tables !== null) {
      const { all, matched, judged } = tables;
      const sums = (/** @type {Uint32Array} */ counts) => new Sums(counts, scoreBins, sizeBins);
      state.histogram.set({ head, all: sums(all), matched: matched && sums(matched), judged: judged && sums(judged), sizes: sizeBins - 1 });
      return;
    }
    await rest(wait_ms);
  }
}
