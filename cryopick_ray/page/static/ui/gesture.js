// What a tool does with presses, drags and clicks, whether they come from a pointer or from the keyboard.

import { isSegment, nearestFilament } from "../core/filaments.js";
import { KINDS, REMOVED, isPick } from "../core/picked.js";
import { Signal } from "../core/signal.js";
import { clamped, nearest, thinned } from "../core/geometry.js";
import { boxed, carried, cleaned, clicked, clickedFilament, discsOf, drawn, isTaken, lassoed, marked, painted } from "../core/edits.js";
import { counted } from "../core/format.js";
import { decide } from "./saver.js";
import { shapeOf, state } from "./state.js";

/** @typedef {import("../core/types.js").Point} Point */
/** @typedef {import("../core/types.js").Row} Row */
/**
 * @typedef {{kind: "carry", k: number, at: Point} | {kind: "box", from: Point, at: Point}
 *   | {kind: "lasso", path: Point[], at: Point|null} | {kind: "stroke", path: Point[]}
 *   | {kind: "trace", path: Point[], at: Point|null}} Gesture
 */

/** What is under way. @type {Signal<Gesture|null>} */
export const gesture = new Signal(/** @type {Gesture|null} */ (null));

/**
 * A press that may become a drag; true if the tool wants it, so that the picture stays.
 * @param {Point} point
 * @param {number} reach
 */
export function pressed(point, reach) {
  const tool = state.tool.value;
  if (tool === "lasso") gesture.set({ kind: "lasso", path: [point], at: null });
  else if (tool === "box") gesture.set({ kind: "box", from: point, at: point });
  else if (tool === "junk") gesture.set({ kind: "stroke", path: [point] });
  else if (tool === "pick") return take(point, reach);
  else return false;
  return true;
}

/**
 * Take the pick at a point along.
 * @param {Point} point
 * @param {number} reach
 */
export function take(point, reach) {
  const [candidates, kinds] = [state.candidates.value, state.kinds.value];
  const k = candidates === null ? -1 : nearest(candidates, point, reach, (one) => isPick(kinds[one]) && !isSegment(candidates, one));
  if (k >= 0) gesture.set({ kind: "carry", k, at: point });
  return k >= 0;
}

/** @param {Point} point */
export function dragged(point) {
  const now = gesture.value;
  if (now?.kind === "carry" || now?.kind === "box") gesture.set({ ...now, at: inside(point) });
  else if (now?.kind === "lasso" || now?.kind === "stroke") gesture.set({ ...now, path: [...now.path, point] });
}

/** The end of a drag: what was drawn takes effect. */
export function released() {
  const [now, candidates, kinds] = [gesture.value, state.candidates.value, state.kinds.value];
  gesture.set(null);
  if (now === null || candidates === null) return;
  if (now.kind === "carry" && isTaken(candidates, kinds, now.k, now.at)) state.reply.set("a pick is there already; this one stays");
  else if (now.kind === "carry") commit(carried(candidates, now.k, now.at), "moved");
  else if (now.kind === "box") commit(boxed(candidates, kinds, now.from, now.at), "removed");
  else if (now.kind === "lasso") commit(lassoed(candidates, kinds, now.path), "removed");
  else commit(painted(thinned(now.path, 1), state.brush_px.value), "painted");
}

/** Whether filaments are traced here, and not particles. */
export const isOfFilaments = () => state.about.value.has_filaments === true || (state.candidates.value?.filament ?? null) !== null;

/**
 * The filament that a click would mean.
 * @param {Point} point
 * @param {number} reach
 */
export function filamentAt(point, reach) {
  const [candidates, kinds] = [state.candidates.value, state.kinds.value];
  if (candidates === null || candidates.filament === null || state.tool.value !== "pick") return null;
  return nearestFilament(candidates, point, reach, (k) => isPick(kinds[k]) || state.shown.value.has(KINDS[kinds[k]]));
}

/**
 * Another corner of the filament that is drawn; none where a double click ends.
 * @param {Point} point
 * @param {number} near
 */
function corner(point, near) {
  const path = gesture.value?.kind === "trace" ? gesture.value.path : [];
  const last = path.at(-1);
  const isSame = last !== undefined && Math.hypot(last.x - point.x, last.y - point.y) < near;
  gesture.set({ kind: "trace", path: isSame ? path : [...path, point], at: null });
  state.reply.set(isSame ? "" : `corner ${path.length + 1}; Enter or a double click ends`);
}

/** Where the filament that is drawn would go on. @param {Point} point */
export function aimed(point) {
  if (gesture.value?.kind === "trace") gesture.set({ ...gesture.value, at: inside(point) });
}

/** Take the last corner back. */
export function uncorner() {
  if (gesture.value?.kind !== "trace") return false;
  const path = gesture.value.path.slice(0, -1);
  gesture.set(path.length === 0 ? null : { ...gesture.value, path });
  return true;
}

/** The filament that is drawn ends at its last corner. */
export function ended() {
  const now = gesture.value;
  if (now?.kind !== "trace") return;
  gesture.set(null);
  const rows = drawn(now.path);
  if (rows.length === 0) state.reply.set("a filament has two corners at least");
  else commit(rows, "drawn");
}

export const cancel = () => gesture.set(null);

/**
 * A click with the tool.
 * @param {Point} where
 * @param {number} reach
 */
export function acted(where, reach) {
  const [candidates, kinds, tool] = [state.candidates.value, state.kinds.value, state.tool.value];
  const { width, height } = shapeOf(state.current.value);
  if (candidates === null || where.x < -0.5 || where.y < -0.5 || where.x > width - 0.5 || where.y > height - 0.5) return;
  const point = inside(where);
  const seen = (/** @type {number} */ kind) => state.shown.value.has(KINDS[kind]);
  if (tool === "trace") corner(point, reach / 4);
  else if (tool === "pick" && isOfFilaments()) mend(point, reach, seen);
  else if (tool === "pick") commit(clicked(candidates, kinds, point, reach, seen));
  else if (tool === "particle" || tool === "wrong") commit(marked(candidates, kinds, point, reach, tool === "particle"), "marked");
  else if (tool === "junk") commit(painted([point], state.brush_px.value), "painted");
  else if (tool === "clean") commit(cleaned(discsOf(state.decisions.value), point), "taken back");
}

/**
 * Remove the filament at a point, or take it back.
 * @param {Point} point
 * @param {number} reach
 * @param {(kind: number) => boolean} seen
 */
function mend(point, reach, seen) {
  const [candidates, kinds] = [state.candidates.value, state.kinds.value];
  const rows = candidates === null ? [] : clickedFilament(candidates, kinds, point, reach, seen);
  if (rows.length === 0) state.reply.set("no filament here: draw one with the tool of key 9");
  else commit(rows, rows[0].action === "trace" ? "drawn" : undefined);
}

/**
 * Add at a point whatever is there, or remove what is there.
 * @param {Point} point
 * @param {number} reach
 * @param {"add"|"remove"} action
 */
export function put(point, reach, action) {
  const [candidates, kinds] = [state.candidates.value, state.kinds.value];
  if (candidates === null) return;
  const at = inside(point);
  if (isOfFilaments()) return action === "add" || filamentAt(at, reach) === null ? state.reply.set("no filament here: draw one with the tool of key 9") : mend(at, reach, (kind) => isPick(kind));
  if (action === "add") {
    const removed = nearest(candidates, at, reach, (k) => kinds[k] === REMOVED);
    commit(removed < 0 ? [{ action, x_px: at.x, y_px: at.y }] : clicked(candidates, kinds, at, reach, () => true));
  } else {
    const there = nearest(candidates, at, reach, (k) => isPick(kinds[k]));
    if (there < 0) state.reply.set("no pick here");
    else commit([{ action, x_px: candidates.x_px[there], y_px: candidates.y_px[there] }]);
  }
}

/**
 * @param {Row[]} rows
 * @param {string} [done]
 */
function commit(rows, done) {
  if (rows.length === 0) {
    state.reply.set("nothing there");
    return;
  }
  decide(rows);
  /** @type {Record<string, string>} */
  const words = { add: "added", remove: "removed", keep: "kept" };
  const n = done === "moved" || done === "drawn" ? 1 : rows.length;
  const what = done === "painted" || done === "taken back" ? "disc" : done === "drawn" ? "filament" : isOfFilaments() ? "segment" : "pick";
  state.reply.set(`${counted(n, what)} ${done ?? words[rows[0].action]}`);
}

/** @param {Point} point */
function inside(point) {
  const { width, height } = shapeOf(state.current.value);
  return width > 0 ? clamped(point, width, height) : point;
}

