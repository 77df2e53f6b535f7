// Keys become commands.

import { BINDINGS, commandOf, keptBy } from "../core/keys.js";
import { act, carry, finish, giveUp, jumpPick, moveCursor, putHere } from "./cursor.js";
import { byId, el } from "./dom.js";
import { showPart } from "./parts.js";
import { jump, step } from "./lists.js";
import { exclude, undo } from "./saver.js";
import { main } from "./stage.js";
import { state } from "./state.js";
import { nextTheme } from "./theme.js";
import { stepThreshold, resetThreshold } from "./cut.js";

/** @type {Record<string, (event: KeyboardEvent) => void>} */
const COMMANDS = {
  next: () => step(1),
  previous: () => step(-1),
  "next-doubtful": () => jump(1, "doubtful"),
  "previous-doubtful": () => jump(-1, "doubtful"),
  "next-outlier": () => jump(1, "outlier"),
  "previous-outlier": () => jump(-1, "outlier"),
  exclude: () => toggleExcluded(),
  filter: () => showPart("browse", "filter"),
  strip: () => byId("tab-strip").click(),
  table: () => byId("tab-table").click(),
  plots: () => byId("tab-plots").click(),
  classes: () => byId("tab-classes").hidden || byId("tab-classes").click(),
  cursor: (event) => moveCursor(event),
  act: (event) => (event.key === "Enter" ? finish() : act()),
  add: () => putHere("add"),
  remove: () => putHere("remove"),
  carry: () => carry(),
  jump: () => jumpPick(1),
  "jump-back": () => jumpPick(-1),
  undo: () => undo(),
  cancel: () => giveUp(),
  brush: (event) => state.brush_px.set(Math.round(Math.min(Math.max(state.brush_px.value * (event.key === "," ? 0.8 : 1.25), 5), 2000))),
  "zoom-in": () => main.zoom(1.4),
  "zoom-out": () => main.zoom(1 / 1.4),
  fit: () => main.fit(),
  look: () => {
    const { looks } = state.about.value;
    state.look.set(looks[(looks.indexOf(state.look.value) + 1) % looks.length]);
  },
  invert: () => state.tone.set({ ...state.tone.value, invert: !state.tone.value.invert }),
  contrast: (event) => tone("contrast", event.key === "[" ? 1 / 1.15 : 1.15),
  brightness: (event) => tone("brightness", event.key === "{" ? 1 / 1.1 : 1.1),
  circles: () => state.circles.set(!state.circles.value),
  below: () => toggleUnpicked(),
  truth: () => state.showTruth.set(state.about.value.has_truth && !state.showTruth.value),
  masks: () => state.showMasks.set(!state.showMasks.value),
  split: () => state.split.set(!state.split.value),
  threshold: () => {
    byId("tab-cut").click();
    showPart("controls", "threshold");
  },
  "threshold-step": (event) => stepThreshold(event.key === "<" ? -1 : 1),
  "threshold-reset": () => resetThreshold(),
  help: () => openHelp(),
  theme: () => nextTheme(),
};

export function startShortcuts() {
  for (const tool of ["pick", "lasso", "box", "junk", "clean", "particle", "wrong", "hand", "trace"]) {
    COMMANDS[`tool-${tool}`] = () => state.tool.set(tool);
  }
  addEventListener("keydown", onKey);
  byId("help-open").addEventListener("click", openHelp);
  byId("help-close").addEventListener("click", () => /** @type {HTMLDialogElement} */ (byId("help")).close());
  byId("help-keys").append(...helpGroups());
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.defaultPrevented || /** @type {HTMLDialogElement} */ (byId("help")).open) return;
  const target = event.target instanceof HTMLElement ? event.target : document.body;
  const type = target instanceof HTMLInputElement ? target.type : "";
  const keptElement = { tag: target.tagName, type, role: target.getAttribute("role") };
  if (event.key === "Escape" && target instanceof HTMLInputElement) return target.blur();
  if (keptBy(keptElement, event)) return;
  const command = commandOf(event);
  if (command === null || !(command in COMMANDS)) return;
  event.preventDefault();
  COMMANDS[command](event);
}

/**
 * @param {"contrast"|"brightness"} what
 * @param {number} factor
 */
function tone(what, factor) {
  state.tone.set({ ...state.tone.value, [what]: Math.min(Math.max(state.tone.value[what] * factor, 0.2), 5) });
}

export function toggleExcluded() {
  const i = state.current.value;
  if (i < 0) return;
  const isOut = state.loaded.value.columns.excluded?.[i] === true;
  exclude([i], !isOut);
  state.reply.set(isOut ? "micrograph taken back" : "micrograph excluded");
}

/** What is not picked, all of it or none. */
function toggleUnpicked() {
  const others = ["removed", "low", "size", "duplicate", "edge", "junk", "other"];
  const shown = new Set(state.shown.value);
  const isOn = shown.has("low");
  for (const kind of others) isOn && kind !== "removed" ? shown.delete(kind) : shown.add(kind);
  state.shown.set(shown);
}

function openHelp() {
  /** @type {HTMLDialogElement} */ (byId("help")).showModal();
}

function helpGroups() {
  const groups = [...new Set(BINDINGS.map(({ group }) => group))];
  return groups.map((group) => el("section", {}, el("h3", { text: group }), el("dl", {}, ...BINDINGS
    .filter((one) => one.group === group)
    .flatMap(({ keys, text }) => [el("dt", {}, ...keys.map((key) => el("kbd", { text: spelled(key) }))), el("dd", { text })]))));
}

/** @param {string} key */
const spelled = (key) => key.replace("Arrow", "").replace("Left", "←").replace("Right", "→").replace("Up", "↑").replace("Down", "↓")
  .replace("Page↑", "Page up").replace("Page↓", "Page down");
