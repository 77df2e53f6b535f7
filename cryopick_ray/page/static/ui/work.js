// Jobs: started, watched, stopped; what they find becomes a further source.

import { Signal } from "../core/signal.js";
import { api } from "./api.js";
import { state } from "./state.js";

/** @typedef {import("../core/types.js").Job} Job */

/** Why nothing can be started beside files or tables. */
export const NO_RUN = "Only a run can go on: open one as the first source (cryopick view RUN).";

const SOON_ms = 1500;
const SELDOM_ms = 10000;

/** @type {Signal<Job[]>} */
export const jobs = new Signal(/** @type {Job[]} */ ([]));
/** @type {ReturnType<typeof setTimeout>|undefined} */
let timer;

/**
 * @param {object} work
 */
export async function start(work) {
  try {
    await api.start(work);
    await watch();
  } catch (error) {
    state.reply.set(error instanceof Error ? error.message : String(error));
  }
}

/** Ask for jobs now, and again: soon while one runs. */
export async function watch() {
  clearTimeout(timer);
  const running = jobs.value.filter((job) => job.state === "running").map((job) => job.job);
  try {
    jobs.set(await api.jobs());
    if (jobs.value.some((job) => job.state !== "running" && running.includes(job.job))) await showFound();
  } catch {
    // The next answer tells.
  }
  timer = setTimeout(watch, jobs.value.some((job) => job.state === "running") ? SOON_ms : SELDOM_ms);
}

/** New sources are shown beside at once. */
async function showFound() {
  const before = state.about.value.sources.length;
  const about = await api.about();
  state.about.set(about);
  if (about.sources.length <= before) return;
  state.beside.set(new Set([...state.beside.value, ...about.sources.keys()].filter((k) => state.beside.value.has(k) || k >= before)));
  state.reply.set("its picks are shown beside");
}

/** @param {string} job */
export const stop = (job) => api.stop(job).then(watch, (error) => state.reply.set(String(error.message ?? error)));
