// Decisions on their way to the file: sent one after the other, kept until the server has written them.

import { applied } from "../core/optimistic.js";
import { counted } from "../core/format.js";
import { Signal } from "../core/signal.js";
import { Refused, api } from "./api.js";
import { refreshMicrographs } from "./data.js";
import { state } from "./state.js";

/** @typedef {import("../core/types.js").Row} Row */
/** @typedef {{send: () => Promise<void>, micrograph: number}} Work */

const LONGEST_WAIT_ms = 30000;

/** @type {Work[]} */
const queue = [];
let isSending = false;
let wait_ms = 1000;
let why = "";
/** @type {ReturnType<typeof setTimeout>|undefined} */
let timer;

/** @type {Signal<{state: "saved"|"saving"|"failed", text: string}>} */
export const saved = new Signal(/** @type {{state: "saved"|"saving"|"failed", text: string}} */ ({ state: "saved", text: "saved" }));

/**
 * Decide about places of the open micrograph: seen at once, sent at once.
 * @param {Row[]} rows
 */
export function decide(rows) {
  const i = state.current.value;
  const before = state.candidates.value;
  if (i < 0 || before === null || rows.length === 0) return;
  state.candidates.set(applied(before, rows));
  state.decisions.set([...state.decisions.value, ...rows]);
  enqueue(i, async () => {
    await settle(i, await api.decide(i, rows));
  });
}

/**
 * Show what the server has of a micrograph, unless more about it is on its way.
 * @param {number} i
 * @param {import("../core/types.js").Candidates} [candidates]
 */
async function settle(i, candidates) {
  const isSuperseded = () => i !== state.current.value || queue.slice(1).some((work) => work.micrograph === i);
  if (isSuperseded()) return;
  const [after, rows] = await Promise.all([candidates ?? api.candidates(0, i), api.decisions(i)]);
  if (isSuperseded()) return;
  state.candidates.set(after);
  state.decisions.set(rows);
}

/**
 * @param {number[]} micrographs
 * @param {boolean} exclude
 */
export function exclude(micrographs, exclude) {
  if (micrographs.length === 0) return;
  const { loaded } = state;
  const excluded = [...(loaded.value.columns.excluded ?? new Array(loaded.value.n).fill(false))];
  for (const i of micrographs) excluded[i] = exclude;
  loaded.set({ ...loaded.value, columns: { ...loaded.value.columns, excluded } });
  enqueue(micrographs[0], async () => {
    await api.exclude(micrographs, exclude);
    await refreshMicrographs();
    if (micrographs.includes(state.current.value)) await settle(state.current.value);
  });
}

/** Take back the last decision; the micrograph it was about is opened. */
export function undo() {
  enqueue(-1, async () => {
    const changed = await api.undo();
    if (changed.length === 0) {
      state.reply.set("nothing of yours to undo");
      return;
    }
    await refreshMicrographs();
    const current = state.current.value;
    if (!changed.includes(current)) state.current.set(changed[0]);
    else await settle(current);
    state.reply.set("undone");
  });
}

/** Try again now. */
export function retry() {
  clearTimeout(timer);
  wait_ms = 1000;
  void send();
}

/** Whether anything is not yet written. */
export const isUnsaved = () => queue.length > 0;

/**
 * @param {number} micrograph
 * @param {() => Promise<void>} work
 */
function enqueue(micrograph, work) {
  queue.push({ send: work, micrograph });
  if (saved.value.state === "failed") tellFailed();
  else void send();
}

async function send() {
  if (isSending) return;
  isSending = true;
  while (queue.length > 0) {
    saved.set({ state: "saving", text: "saving" });
    try {
      await queue[0].send();
      queue.shift();
      wait_ms = 1000;
    } catch (error) {
      if (error instanceof Refused && !error.mayPass) await refuse(error);
      else {
        why = error instanceof Error ? error.message : String(error);
        tellFailed();
        timer = setTimeout(send, wait_ms);
        wait_ms = Math.min(2 * wait_ms, LONGEST_WAIT_ms);
        isSending = false;
        return;
      }
    }
  }
  isSending = false;
  if (saved.value.state === "saving") saved.set({ state: "saved", text: "saved" });
}

/**
 * What the server will never take is dropped and said; the page shows what holds.
 * @param {Refused} error
 */
async function refuse(error) {
  state.reply.set(`not saved: ${error.message}`);
  await refreshMicrographs(true).catch(() => undefined);
  if (state.current.value >= 0) await settle(state.current.value).catch(() => undefined);
  queue.shift();
}

function tellFailed() {
  saved.set({ state: "failed", text: `${counted(queue.length, "decision")} could not be saved: ${why}` });
}
