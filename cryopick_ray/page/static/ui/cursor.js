// The keyboard's cursor in the micrograph, and what keys do at it.

import { filamentsOf, isSegment } from "../core/filaments.js";
import { isPick, reasonsOf } from "../core/picked.js";
import { clamped, nearest } from "../core/geometry.js";
import { byId } from "./dom.js";
import { acted, aimed, cancel, dragged, ended, filamentAt, gesture, pressed, put, released, take, uncorner } from "./gesture.js";
import { main, placeText, reach } from "./stage.js";
import { shapeOf, state } from "./state.js";

const STEP_px = 12;
const FAR = 8;

/** The cursor, in the middle of what is seen where there was none. */
function here() {
  const cursor = state.cursor.value;
  if (cursor !== null) return cursor;
  return inside(main.placeAt({ x: main.host.clientWidth / 2, y: main.host.clientHeight / 2 }));
}

/** @param {KeyboardEvent} event */
export function moveCursor(event) {
  if (main.pyramid === null) return;
  /** @type {Record<string, [number, number]>} */
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const [dx, dy] = ways[event.key];
  const step = event.altKey ? 1 : (STEP_px * (event.shiftKey ? FAR : 1)) / main.view().scale;
  const from = here();
  goTo({ x: from.x + dx * step, y: from.y + dy * step });
}

/** @param {{x: number, y: number}} point */
function goTo(point) {
  const to = inside(point);
  state.cursor.set(to);
  main.reveal(to);
  if (gesture.value?.kind === "lasso") gesture.set({ ...gesture.value, at: to });
  else dragged(to);
  aimed(to);
  state.hovered.set(filamentAt(to, reach()));
  tell();
}

/** What lies at the cursor, for eyes and for screen readers. */
function tell() {
  const [at, candidates, kinds] = [here(), state.candidates.value, state.kinds.value];
  byId("place").textContent = placeText(at);
  if (candidates === null || gesture.value !== null) return;
  const k = nearest(candidates, at, reach());
  if (k < 0) return state.reply.set("");
  const why = isPick(kinds[k]) ? "pick" : reasonsOf(candidates.unpicked[k], state.about.value.reasons ?? []) || "not picked";
  state.reply.set(`${why}, score ${candidates.score[k].toFixed(3)}`);
}

/** What a click with the tool does; lassos and boxes take two or more. */
export function act() {
  const [at, tool, now] = [here(), state.tool.value, gesture.value];
  state.cursor.set(at);
  if (now?.kind === "carry" || now?.kind === "box") released();
  else if (tool === "lasso") gesture.set({ kind: "lasso", path: [...(now?.kind === "lasso" ? now.path : []), at], at });
  else if (tool === "box") pressed(at, 0);
  else acted(at, reach());
}

/** Enter closes a lasso and ends a filament; with other tools it is as Space. */
export function finish() {
  const now = gesture.value;
  if (now?.kind === "trace") return ended();
  if (now?.kind !== "lasso") return act();
  gesture.set({ ...now, path: [...now.path, here()], at: null });
  released();
}

/** Take the pick at the cursor along, or put it down. */
export function carry() {
  if (gesture.value?.kind === "carry") return released();
  const at = here();
  state.cursor.set(at);
  if (take(at, reach())) state.reply.set("taken along: arrows move it, m puts it down");
  else state.reply.set("no pick here");
}

/** @param {"add"|"remove"} action */
export function putHere(action) {
  if (action === "remove" && uncorner()) return;
  const at = here();
  state.cursor.set(at);
  put(at, reach(), action);
}

/**
 * To the next pick, from top to bottom; of filaments to the middle of each.
 * @param {1|-1} direction
 */
export function jumpPick(direction) {
  const [candidates, kinds] = [state.candidates.value, state.kinds.value];
  if (candidates === null) return;
  if (gesture.value?.kind === "carry") return state.reply.set("first put down what you carry: m; Escape leaves it where it was");
  const { x_px, y_px, n } = candidates;
  const middles = filamentsOf(candidates).map((own) => own.filter((k) => isPick(kinds[k]))).flatMap((own) => own.slice(own.length >> 1, (own.length >> 1) + 1));
  const loose = [...Array(n).keys()].filter((k) => isPick(kinds[k]) && !isSegment(candidates, k));
  const picks = [...loose, ...middles].sort((a, b) => y_px[a] - y_px[b] || x_px[a] - x_px[b]);
  if (picks.length === 0) return state.reply.set("no picks");
  const cursor = state.cursor.value;
  const after = (/** @type {number} */ k) => cursor === null || y_px[k] > cursor.y || (y_px[k] === cursor.y && x_px[k] > cursor.x);
  const first = picks.findIndex(after);
  let at = direction > 0 ? first : (first < 0 ? picks.length : first) - 1;
  if (direction < 0 && cursor !== null && at >= 0 && y_px[picks[at]] === cursor.y && x_px[picks[at]] === cursor.x) at -= 1;
  const k = picks.at(at < 0 ? (direction > 0 ? 0 : -1) : at) ?? picks[0];
  goTo({ x: x_px[k], y: y_px[k] });
}

/** Nothing is under way any more. */
export function giveUp() {
  cancel();
  state.cursor.set(null);
  state.reply.set("");
}

/** @param {{x: number, y: number}} point */
function inside(point) {
  const { width, height } = shapeOf(state.current.value);
  return width > 0 ? clamped(point, width, height) : point;
}
