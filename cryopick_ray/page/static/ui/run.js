// From looking to doing: settings tried on a few micrographs, applied to all, exported.

import { moved, ownThreshold, withCut } from "../core/cut.js";
import { counted, numberOf } from "../core/format.js";
import { onAny } from "../core/signal.js";
import { byId, el } from "./dom.js";
import { command, jobList } from "./joblist.js";
import { state } from "./state.js";
import { NO_RUN, start } from "./work.js";

const MOST_SETS = 3;
const MOST_OPEN = 8;

const NUMBERS = new Set(["diameter_A", "threshold"]);

const commands = el("div", { id: "run-commands" });
const whyNot = el("p", { class: "quiet", id: "why-no-run", text: NO_RUN, hidden: true });
const sets = el("div", { class: "sets" });
const chosen = el("p", { class: "quiet" });

export function startRun() {
  const apply = el("button", { type: "button", class: "strong", id: "apply", text: "Apply to all", click: () => void start({ what: "apply", ...movedNow() }) });
  const save = el("button", { type: "button", id: "export", text: "Export STAR", click: () => void start({ what: "export", format: "star", ...movedNow() }) });
  const more = el("button", { type: "button", text: "Another set", click: addSet });
  const preview = el("button", { type: "button", class: "strong", id: "preview", text: "Try", click: tryOut });
  byId("run").append(
    el("h3", { text: "Apply to all" }), el("p", { class: "quiet", text: "Runs the whole data set with your decisions, and the threshold and sizes that you moved." }), whyNot, commands,
    el("div", { class: "row" }, apply, save),
    el("h3", { text: "Try settings" }), el("p", { class: "quiet", text: "Sets of settings, each on the micrographs below; their picks appear beside." }), sets, chosen,
    el("div", { class: "row" }, more, el("span", { class: "grow" }), preview),
    el("h3", { text: "Jobs" }), jobList(["apply", "export", "preview"]),
  );
  addSet();
  addSet();
  state.about.on(({ is_run }) => {
    whyNot.hidden = is_run;
    for (const one of [apply, preview, more, ...sets.querySelectorAll("input")]) one.disabled = !is_run;
  });
  onAny([state.about, state.cut], showCommands);
  onAny([state.order, state.current, state.filter], () => {
    chosen.textContent = `${counted(open().length, "micrograph")}: the open one${open().length > 1 ? " and the first in the list" : ""}`;
  });
}

/** What is to be sent of the cut. */
const movedNow = () => moved(state.cut.value, ownThreshold(state.about.value));

function showCommands() {
  const { apply, ...others } = state.about.value.commands ?? {};
  const all = [...(apply === undefined ? [] : [withCut(apply, movedNow())]), ...Object.values(others)];
  if (all.join("\n") === commands.dataset.shown) return;
  commands.dataset.shown = all.join("\n");
  commands.replaceChildren(...all.map(command));
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
  const field = (/** @type {string} */ name, /** @type {string} */ label) => el("label", {}, el("span", { text: label }),
    el("input", { type: "text", inputmode: NUMBERS.has(name) ? "decimal" : null, name, autocomplete: "off" }));
  sets.append(el("fieldset", {}, el("legend", { text: `set ${number}` }), field("diameter_A", "diameter, Å"), field("threshold", "threshold"), field("model", "model")));
}

function tryOut() {
  const inputs = [...sets.querySelectorAll("input")].filter((input) => input.value.trim() !== "");
  const unreadable = inputs.find((input) => NUMBERS.has(input.name) && numberOf(input.value) === null);
  if (unreadable !== undefined) return state.reply.set(`not a number: ${unreadable.value.slice(0, 20)}`);
  const settings = [...sets.children].map((set) => Object.fromEntries(inputs.filter((input) => set.contains(input))
    .map((input) => [input.name, NUMBERS.has(input.name) ? numberOf(input.value) : input.value.trim()]))).filter((one) => Object.keys(one).length > 0);
  if (settings.length === 0) state.reply.set("nothing to try: give a diameter, a threshold or a model");
  else void start({ what: "preview", micrographs: open(), settings });
}
