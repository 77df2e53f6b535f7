// Jobs as a list: what, how far, their last lines, their command.

import { el } from "./dom.js";
import { state } from "./state.js";
import { jobs, stop } from "./work.js";

/** @typedef {import("../core/types.js").Job} Job */

/**
 * A list of jobs of some kinds, the last one first, kept up to date.
 * @param {string[]} kinds
 */
export function jobList(kinds) {
  const list = el("ol", { class: "jobs", "aria-label": "Jobs" });
  /** @type {Map<string, ReturnType<typeof item>>} */
  const items = new Map();
  jobs.on((all) => {
    for (const job of all.filter(({ what }) => kinds.includes(what))) {
      const kept = items.get(job.job) ?? item(job);
      if (!items.has(job.job)) list.prepend(kept.element);
      items.set(job.job, kept);
      kept.update(job);
    }
  });
  return list;
}

/**
 * One job; its element stays the same, so that what a person opened or reads stays, too.
 * @param {Job} job
 */
function item({ job, what, command: text }) {
  const how = el("span", { class: "state" });
  const last = el("span", { class: "quiet last" });
  const lines = el("pre", { tabindex: 0, "aria-label": "Last lines" });
  const halt = el("button", { type: "button", text: "Stop", click: () => void stop(job) });
  const details = el("details", {}, el("summary", {}, el("strong", { text: what }), how, last), lines, command(text), halt);
  const update = (/** @type {Job} */ now) => {
    if (now.state === "failed" && how.textContent !== "failed") details.open = true;
    how.textContent = how.dataset.state = now.state;
    last.textContent = now.lines.at(-1) ?? "";
    lines.textContent = now.lines.join("\n");
    halt.hidden = now.state !== "running";
  };
  return { element: el("li", {}, details), update };
}

/**
 * A command with a button that copies it.
 * @param {string} text
 */
export function command(text) {
  const words = text.split(" ").flatMap((word, k) => [k > 0 ? " " : "", el("span", { text: word })]);
  return el("div", { class: "command" }, el("code", {}, ...words), el("button", { type: "button", text: "Copy", click: () => void copy(text) }));
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

