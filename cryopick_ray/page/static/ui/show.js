// What is shown of a micrograph: kinds of candidates, other pickers, truth, junk; looks, contrast.

import { KINDS, tally } from "../core/picked.js";
import { KINDS_TOLD, STYLES } from "../core/scene.js";
import { grouped } from "../core/format.js";
import { onAny } from "../core/signal.js";
import { byId, checkbox, el, slider } from "./dom.js";
import { onFrame } from "./frame.js";
import { colourOf } from "./overlay.js";
import { state } from "./state.js";

const LOOKS = /** @type {Record<string, string>} */ ({ plain: "plain", band: "band-pass", denoised: "denoised" });

/** @type {Map<string, {input: HTMLInputElement, count: HTMLElement}>} */
const kinds = new Map();
const sources = el("div");
const looks = el("div", { class: "row", role: "radiogroup", "aria-label": "Look" });

export function startShow() {
  byId("show").append(
    el("h3", { text: "Candidates" }), ...KINDS_TOLD.map(kindRow),
    el("h3", { text: "Beside" }), sources, splitRow(),
    flag("truth", "circle dashed", STYLES.truth.colour, state.showTruth, "has_truth"),
    flag("junk", "square", STYLES.junk.colour, state.showMasks, "has_masks"),
    el("h3", { text: "Picture" }), looks, ...tones(),
  );
  state.about.on(() => {
    showSources();
    showLooks();
  });
  state.look.on(showLooks);
  onAny([state.kinds, state.shown, state.circles], () => onFrame(showKinds));
}

/**
 * @param {string} name
 */
function kindRow(name) {
  const count = el("span", { class: "number quiet" });
  const { input, label } = checkbox(STYLES[name].label, state.shown.value.has(name), (on) => {
    const shown = new Set(state.shown.value);
    if (on) shown.add(name);
    else shown.delete(name);
    state.shown.set(shown);
  }, swatch(STYLES[name].colour, STYLES[name].cross ? "cross" : STYLES[name].dash.length > 0 ? "circle dashed" : "circle"));
  kinds.set(name, { input, count });
  label.append(el("span", { class: "grow" }), count);
  return label;
}

/**
 * @param {string} colour
 * @param {string} shape
 */
function swatch(colour, shape) {
  const made = el("span", { class: `swatch ${shape}`, "aria-hidden": "true", text: shape === "cross" ? "×" : "" });
  made.style.color = colour;
  return made;
}

function showKinds() {
  const candidates = state.candidates.value;
  const counts = candidates === null || state.kinds.value.length < candidates.n ? null : tally(candidates, state.kinds.value).counts;
  for (const [name, { input, count }] of kinds) {
    input.checked = state.shown.value.has(name);
    count.textContent = counts === null ? "" : grouped(counts[KINDS.indexOf(name)]);
  }
}

function showSources() {
  const { sources: all } = state.about.value;
  sources.replaceChildren(...all.slice(1).map((source, k) => checkbox(source.name, state.beside.value.has(k + 1), (on) => {
    const beside = new Set(state.beside.value);
    if (on) beside.add(k + 1);
    else beside.delete(k + 1);
    state.beside.set(beside);
  }, swatch(colourOf(k + 1), "circle")).label));
  if (all.length < 2) sources.append(el("p", { class: "quiet", text: "no other picks: give several sources to cryopick view" }));
}

function splitRow() {
  const { input, label } = checkbox("side by side", state.split.value, (on) => state.split.set(on));
  state.split.on((on) => {
    input.checked = on;
    if (on && state.beside.value.size === 0) {
      if (state.about.value.sources.length > 1) state.beside.set(new Set([1]));
      else state.reply.set("nothing to show beside");
    }
    showSources();
  });
  return label;
}

/**
 * A check box for something that only some data sets have.
 * @param {string} name
 * @param {string} shape
 * @param {string} colour
 * @param {import("../core/signal.js").Signal<boolean>} signal
 * @param {"has_truth"|"has_masks"} needs
 */
function flag(name, shape, colour, signal, needs) {
  const { input, label } = checkbox(name, signal.value, (on) => signal.set(on), swatch(colour, shape));
  signal.on((on) => {
    input.checked = on;
  });
  label.hidden = true;
  state.about.on((about) => {
    label.hidden = !about[needs];
  });
  return label;
}

function showLooks() {
  looks.replaceChildren(...state.about.value.looks.map((look) => el("button", {
    type: "button", role: "radio", class: "chip", "aria-checked": String(look === state.look.value), text: LOOKS[look] ?? look,
    click: () => state.look.set(look),
  })));
}

function tones() {
  const set = (/** @type {Partial<typeof state.tone.value>} */ change) => state.tone.set({ ...state.tone.value, ...change });
  const contrast = slider({ label: "contrast", min: 0.2, max: 5, step: 0.05, value: 1 }, (value) => set({ contrast: value }));
  const brightness = slider({ label: "brightness", min: 0.2, max: 3, step: 0.05, value: 1 }, (value) => set({ brightness: value }));
  const invert = checkbox("invert", false, (on) => set({ invert: on }));
  const reset = el("button", { type: "button", text: "Reset", click: () => set({ contrast: 1, brightness: 1, invert: false }) });
  state.tone.on((tone) => {
    contrast.input.value = String(tone.contrast);
    brightness.input.value = String(tone.brightness);
    invert.input.checked = tone.invert;
  });
  return [contrast.label, brightness.label, el("div", { class: "row" }, invert.label, el("span", { class: "grow" }), reset)];
}
