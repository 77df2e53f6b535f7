// Loading what is shown.

import { api } from "./api.js";
import { state } from "./state.js";

/** @typedef {import("../core/types.js").Candidates} Candidates */

/** @type {AbortController} */
let opening = new AbortController();

export async function startData() {
  const [about, micrographs] = await Promise.all([api.about(), api.micrographs(null)]);
  state.about.set(about);
  if (micrographs !== null) state.loaded.set(micrographs);
  const pixel_size_A = state.loaded.value.columns.pixel_size_A?.find((value) => Number(value) > 0);
  if (pixel_size_A) state.brush_px.set(Math.round(about.diameter_A / Number(pixel_size_A)));
  state.current.on((i) => void open(i));
  state.beside.on(() => void openBeside(state.current.value));
}

/**
 * Load what belongs to a micrograph; what comes after another was opened is dropped.
 * @param {number} i
 */
async function open(i) {
  opening.abort();
  opening = new AbortController();
  const { signal } = opening;
  state.candidates.set(null);
  state.truth.set(null);
  state.decisions.set([]);
  state.others.set(new Map());
  if (i < 0) return;
  try {
    const truth = state.about.value.has_truth ? api.truth(i, signal) : null;
    const beside = openBeside(i);
    const candidates = await api.candidates(0, i, signal);
    if (signal.aborted) return;
    state.candidates.set(candidates);
    const [places, rows] = await Promise.all([truth, api.decisions(i), beside]);
    if (signal.aborted) return;
    state.truth.set(places);
    state.decisions.set(rows);
  } catch (error) {
    if (!signal.aborted) state.reply.set(error instanceof Error ? error.message : String(error));
  }
}

/** @param {number} i */
async function openBeside(i) {
  if (i < 0) return;
  const { signal } = opening;
  const sources = [...state.beside.value];
  const found = await Promise.all(sources.map((source) => api.candidates(source, i, signal).catch(() => null)));
  if (signal.aborted || i !== state.current.value) return;
  state.others.set(new Map(sources.flatMap((source, k) => {
    const one = found[k];
    return one === null ? [] : [/** @type {[number, Candidates]} */ ([source, one])];
  })));
}

/**
 * Ask for the table of micrographs where it changed; true if it did.
 * @param {boolean} [all] even if it did not
 */
export async function refreshMicrographs(all = false) {
  const before = state.loaded.value;
  const after = await api.micrographs(all ? null : before.generation);
  if (after !== null) state.loaded.set(after);
  return after !== null;
}
