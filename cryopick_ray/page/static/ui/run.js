// From looking to doing: settings tried on a few micrographs, applied to all, exported.

import { counted } from "../core/format.js";
import { onAny } from "../core/signal.js";
import { byId, el } from "./dom.js";
import { command, jobList } from "./joblist.js";
import { state } from "./state.js";
import { start } from "./work.js";

const MOST_SETS = 3;
const MOST_OPEN = 8;

const commands = el("div");
const sets = el("div", { class: "sets" });
const chosen = el("p", { class: "quiet" });

export function startRun() {
  const apply = el("button", { type: "button", class: "strong", id: "apply", text: "Apply to all", click: () => void start({ what: "apply", ...cut() }) });
  const save = el("button", { type: "button", id: "export", text: "Export STAR", click: () => void start({ what: "export", format: "star", ...cut() }) });
  byId("run").append(
    el("h3", { text: "Apply to all" }), el("p", { class: "quiet", text: "Runs the whole data set with your decisions and this threshold." }), commands,
    el("div", { class: "row" }, apply, save),
    el("h3", { text: "Try settings" }), el("p", { class: "quiet", text: "Sets of settings, each on the micrographs below; their picks appear beside." }), sets, chosen,
    el("div", { class: "row" }, el("button", { type: "button", text: "Another set", click: addSet }), el("span", { class: "grow" }),
      el("button", { type: "button", class: "strong", id: "preview", text: "Try", click: tryOut })),
    el("h3", { text: "Jobs" }), jobList(["apply", "export", "preview"]),
  );
  addSet();
  addSet();
  state.about.on((about) => commands.replaceChildren(...Object.values(about.commands ?? {}).map(command)));
  onAny([state.order, state.current, state.filter], () => {
    chosen.textContent = `${counted(open().length, "micrograph")}: the open one${open().length > 1 ? " and the first in the list" : ""}`;
  });
}

function cut() {
  const { threshold, smallest_A, largest_A } = state.cut.value;
  return { threshold, smallest_A, largest_A };
}

/** The open micrograph; with a short list by a filter, all of it. */
function open() {
  const { value: order } = state.order;
  const listed = state.filter.value.trim() === "" ? [] : order.slice(0, MOST_OPEN);
  return [...new Set([state.current.value, ...listed])].filter((i) => i >= 0).slice(0, MOST_OPEN);
}

function addSet() {
  const number = sets.childElementCount + 1;
  if (number > MOST_SETS) return state.reply.set(`at most ${MOST_SETS} sets`);
  const field = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ type) =>
    el("label", {}, el("span", { text: label }), el("input", { type, name, step: "any", min: name === "diameter_A" ? 1 : null, autocomplete: "off" }));
  sets.append(el("fieldset", {}, el("legend", { text: `set ${number}` }), field("diameter_A", "diameter, Å", "number"), field("threshold", "threshold", "number"), field("model", "model", "text")));
}

function tryOut() {
  const settings = [...sets.children].map((set) => Object.fromEntries([...set.querySelectorAll("input")]
    .filter((input) => input.value.trim() !== "")
    .map((input) => [input.name, input.type === "number" ? Number(input.value) : input.value.trim()]))).filter((one) => Object.keys(one).length > 0);
  if (settings.length === 0) state.reply.set("nothing to try: give a diameter, a threshold or a model");
  else void start({ what: "preview", micrographs: open(), settings });
}
