// Class averages: kept or dropped by a click.

import { counted, fixed, grouped } from "../core/format.js";
import { api } from "./api.js";
import { byId, el } from "./dom.js";
import { state } from "./state.js";

/** @typedef {import("./api.js").AverageClass} AverageClass */

export async function startClasses() {
  const classes = await api.classes();
  byId("tab-classes").hidden = classes.length === 0;
  if (classes.length > 0) show(classes);
}

/** @param {AverageClass[]} classes */
function show(classes) {
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.number : undefined;
  const kept = classes.filter((one) => one.kept);
  const particles = kept.reduce((sum, one) => sum + one.count, 0);
  byId("classes").replaceChildren(
    el("p", { class: "quiet hint", role: "status", text: `${counted(kept.length, "class", "classes")} of ${grouped(classes.length)} kept, ${counted(particles, "particle")}` }),
    el("div", { class: "averages" }, ...classes.map(card)),
  );
  if (focused !== undefined) /** @type {HTMLElement|null} */ (byId("classes").querySelector(`[data-number="${Number(focused)}"]`))?.focus();
}

/** @param {AverageClass} one */
function card({ number, quality, count, resolution_A, kept }) {
  const told = [`${grouped(count)}`, quality === null ? "" : `quality ${fixed(quality, 2)}`, resolution_A === null ? "" : `${fixed(resolution_A, 1)} Å`].filter(Boolean).join(" · ");
  return el("button", {
    type: "button", class: "average", "aria-pressed": String(kept), "data-number": number, "aria-label": `Class ${number}: ${told}, ${kept ? "kept" : "dropped"}`,
    click: () => void toggle(number, !kept),
  }, el("img", { src: `api/class/${number}.png`, alt: "", loading: "lazy" }), el("span", { text: `${number}: ${told}` }), el("span", { class: "flag", text: kept ? "" : "dropped" }));
}

/**
 * @param {number} number
 * @param {boolean} keep
 */
async function toggle(number, keep) {
  try {
    show(await api.keepClass(number, keep));
    state.about.set(await api.about()); // the command that applies it is another one now
  } catch (error) {
    state.reply.set(error instanceof Error ? `not saved: ${error.message}` : String(error));
  }
}
