// The micrograph that is open: its panes, what a pointer does in them, and the toolbar's state.

import { kindsAt } from "../core/picked.js";
import { stepped } from "../core/places.js";
import { onAny } from "../core/signal.js";
import { api } from "./api.js";
import { byId, el } from "./dom.js";
import { onFrame } from "./frame.js";
import { acted, aimed, cancel, dragged, ended, filamentAt, gesture, pressed, released } from "./gesture.js";
import { colourOf, drawBeside, drawMain } from "./overlay.js";
import { Pane, tileAddress } from "./pane.js";
import { pixelSizeOf, shapeOf, state } from "./state.js";

const CLICK_REACH_px = 10;
/** Levels below the finest, where a whole micrograph is about as large as the pane. */
const COARSER = 2;

/** @type {Pane} */
export let main;
/** @type {Map<number, Pane>} */
const beside = new Map();
let opened = 0;
const none = new Uint8Array(0);

export function startStage() {
  const stage = byId("stage");
  const host = el("div", { class: "pane", id: "main-pane", tabindex: 0, role: "application", "aria-label": "Micrograph: arrow keys move the cursor, Space acts" });
  stage.append(host);
  stage.dataset.panes = "1";
  main = new Pane(host, drawMain);
  listen(host);
  main.viewer.addHandler("update-viewport", follow);
  state.current.on(() => gesture.set(null));
  onAny([state.current, state.look], () => void open());
  state.candidates.on(sortOut); // at once: what is typed within a frame acts on what is there then
  state.cut.on(() => onFrame(sortOut));
  onAny([state.kinds, state.others, state.truth, state.shown, state.circles, state.showTruth, state.mask,
    state.decisions, state.cursor, state.brush_px, state.tool, state.hovered, gesture, state.about], () => onFrame(redraw));
  onAny([state.split, state.beside], () => onFrame(splitUp));
  state.tone.on(tint);
  state.tool.on(() => {
    cancel();
    state.hovered.set(null);
  });
  state.candidates.on(() => state.hovered.set(null));
}

/** How far from a pick a click may be, in pixels of the micrograph. */
export function reach() {
  const pixel_size_A = pixelSizeOf(state.current.value);
  const radius = pixel_size_A === null ? 20 : state.about.value.diameter_A / pixel_size_A / 2;
  return Math.max(radius * 0.75, CLICK_REACH_px / main.view().scale);
}

async function open() {
  const [i, look, ticket] = [state.current.value, state.look.value, ++opened];
  state.cursor.set(null);
  if (i < 0) return;
  try {
    const pyramid = await api.pyramid(i).catch((error) => withoutPicture(i, error));
    if (ticket !== opened) return;
    main.show(i, look, pyramid, () => ticket === opened && warmUp(i, look));
    for (const pane of beside.values()) pane.show(i, look, pyramid);
  } catch (error) {
    if (ticket !== opened) return;
    main.clear();
    state.reply.set(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Ask for a little of the next micrograph, so that the server has it at hand.
 * @param {number} i
 * @param {string} look
 */
function warmUp(i, look) {
  const next = stepped(state.order.value, i, 1);
  if (next === i || main.pyramid === null || main.pyramid.max_level < 0) return;
  new Image().src = tileAddress(look, next, Math.max(0, main.pyramid.max_level - COARSER), 0, 0);
}

/**
 * Picks can be judged by their places where there is no picture.
 * @param {number} i
 * @param {Error} error
 */
function withoutPicture(i, error) {
  const { width, height } = shapeOf(i);
  if (width === 0) throw error;
  state.reply.set(error.message);
  return { width_px: width, height_px: height, tile_px: Math.max(width, height), max_level: -1, frame: [0, 0, width, height] };
}

function sortOut() {
  const candidates = state.candidates.value;
  state.kinds.set(candidates === null ? none : kindsAt(candidates, state.cut.value));
}

function redraw() {
  for (const pane of [main, ...beside.values()]) pane.redraw();
}

function tint() {
  const { contrast, brightness, invert } = state.tone.value;
  const filter = `${invert ? "invert(1) " : ""}brightness(${brightness}) contrast(${contrast})`;
  for (const pane of [main, ...beside.values()]) pane.deep.style.filter = filter;
}

/** Further sources beside the main pane, or above it again. */
function splitUp() {
  const wanted = state.split.value ? [...state.beside.value].slice(0, 3) : [];
  for (const [source, pane] of beside) {
    if (wanted.includes(source)) continue;
    pane.remove();
    pane.host.remove();
    beside.delete(source);
  }
  for (const source of wanted.filter((one) => !beside.has(one))) {
    const name = state.about.value.sources[source]?.name ?? "";
    const host = el("div", { class: "pane", role: "img", "aria-label": `The same with picks of ${name}` });
    byId("stage").append(host);
    const pane = new Pane(host, drawBeside(source));
    const label = el("span", { class: "pane-name", text: name });
    label.style.color = colourOf(source);
    host.append(label);
    pane.viewer.setMouseNavEnabled(false);
    beside.set(source, pane);
    if (main.pyramid !== null) pane.show(state.current.value, state.look.value, main.pyramid);
  }
  const panes = String(1 + beside.size);
  if (byId("stage").dataset.panes !== panes) main.viewer.addOnceHandler("resize", () => main.fit(true));
  byId("stage").dataset.panes = panes;
  tint();
  follow();
  redraw();
}

/** The panes beside show the same part. */
function follow() {
  for (const pane of beside.values()) pane.viewer.viewport.fitBounds(main.viewer.viewport.getBounds(true), true);
}

/** @param {HTMLElement} host */
function listen(host) {
  const { viewer } = main;
  let isOurs = false;
  const place = (/** @type {any} */ event) => main.placeAt(event.position);
  viewer.addHandler("canvas-press", (event) => {
    host.focus({ preventScroll: true });
    state.cursor.set(null);
    isOurs = pressed(place(event), reach());
  });
  viewer.addHandler("canvas-drag", (event) => {
    if (!isOurs) return;
    event.preventDefaultAction = true;
    dragged(place(event));
  });
  viewer.addHandler("canvas-drag-end", (event) => {
    if (isOurs) event.preventDefaultAction = true;
    if (isOurs) released();
    isOurs = false;
  });
  viewer.addHandler("canvas-release", () => setTimeout(() => {
    if (isOurs) gesture.set(null);
    isOurs = false;
  }));
  viewer.addHandler("canvas-click", (event) => {
    event.preventDefaultAction = true;
    if (gesture.value?.kind !== "trace") gesture.set(null);
    if (event.quick) acted(place(event), reach());
  });
  viewer.addHandler("canvas-double-click", ended);
  host.addEventListener("pointermove", (event) => hover(host, event));
  host.addEventListener("pointerleave", () => {
    state.cursor.set(null);
    state.hovered.set(null);
  });
}

/**
 * With a brush, its size follows the pointer; the filament below it is marked, one that is drawn goes on; the place is
 * told.
 * @param {HTMLElement} host
 * @param {PointerEvent} event
 */
function hover(host, event) {
  if (main.pyramid === null) return;
  const box = host.getBoundingClientRect();
  const point = main.placeAt({ x: event.clientX - box.left, y: event.clientY - box.top });
  if (state.tool.value === "junk") state.cursor.set(point);
  aimed(point);
  state.hovered.set(filamentAt(point, reach()));
  byId("place").textContent = placeText(point);
}

/** @param {{x: number, y: number}} point */
export function placeText({ x, y }) {
  return `${x.toFixed(0)}, ${y.toFixed(0)} px`;
}
