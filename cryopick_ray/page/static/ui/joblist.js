// Jobs as a list: what, how far, their last lines, their command.

import { el } from "./dom.js";
import { state } from "./state.js";
import { jobs, stop } from "./work.js";

/** @typedef {import("../core/types.js").Job} Job */

/**
 * A list of jobs of some kinds, kept up to date; which lines are open stays.
 * @param {string[]} kinds
 */
export function jobList(kinds) {
  const list = el("ol", { class: "jobs", "aria-label": "Jobs" });
  /** @type {Map<string, boolean>} */
  const open = new Map();
  jobs.on((all) => list.replaceChildren(...all.filter((job) => kinds.includes(job.what)).reverse().map((job) => item(job, open))));
  return list;
}

/**
 * @param {Job} job
 * @param {Map<string, boolean>} open
 */
function item(job, open) {
  const details = el("details", {}, el("summary", {}, el("strong", { text: job.what }), el("span", { class: "state", "data-state": job.state, text: job.state }),
    el("span", { class: "quiet last", text: job.lines.at(-1) ?? "" })),
  el("pre", { text: job.lines.join("\n"), tabindex: 0 }), command(job.command),
  job.state === "running" ? el("button", { type: "button", text: "Stop", click: () => void stop(job.job) }) : null);
  details.open = open.get(job.job) ?? job.state === "failed";
  details.addEventListener("toggle", () => open.set(job.job, details.open));
  return el("li", {}, details);
}

/**
 * A command with a button that copies it.
 * @param {string} text
 */
export function command(text) {
  return el("div", { class: "command" }, el("code", { text }), el("button", { type: "button", text: "Copy", click: () => void copy(text) }));
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    state.reply.set("copied");
  } catch {
    const code = [...document.querySelectorAll(".command code")].find((one) => one.textContent === text);
    if (code) getSelection()?.selectAllChildren(code);
    state.reply.set("selected: Ctrl+C copies it");
  }
}

