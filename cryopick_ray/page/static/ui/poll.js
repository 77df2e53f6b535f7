// Asking for what others decide and a live run adds.

import { api } from "./api.js";
import { refreshMicrographs } from "./data.js";
import { isUnsaved } from "./saver.js";
import { state } from "./state.js";

const POLL_ms = 3000;

export function startPolling() {
  setInterval(() => void poll(), POLL_ms);
}

async function poll() {
  if (document.hidden || isUnsaved()) return;
  const i = state.current.value;
  const before = rowOf(i);
  try {
    if (!(await refreshMicrographs())) return;
    if (state.about.value.is_live) state.about.set(await api.about());
    if (i < 0 || i !== state.current.value || rowOf(i) === before || isUnsaved()) return;
    const [candidates, rows] = await Promise.all([api.candidates(0, i), api.decisions(i)]);
    if (isUnsaved() || i !== state.current.value) return;
    state.candidates.set(candidates);
    state.decisions.set(rows);
  } catch {
    // The next save or poll tells; a page that only looks need not be disturbed.
  }
}

/** What the server says of a micrograph, to see whether it changed. @param {number} i */
function rowOf(i) {
  const { decisions, excluded, picks, status } = state.loaded.value.columns;
  return JSON.stringify([decisions, excluded, picks, status].map((column) => column?.[i]));
}
