// Which micrographs are listed, in which order; moving through them.

import { columnNamed } from "../core/columns.js";
import { filtered, outliersOf, parseFilter } from "../core/filter.js";
import { doubtful, nextWhere, stepped } from "../core/places.js";
import { onAny } from "../core/signal.js";
import { sorted } from "../core/sort.js";
import { onFrame } from "./frame.js";
import { state } from "./state.js";

export function startLists() {
  onAny([state.loaded, state.counts], () => onFrame(derive));
  onAny([state.micrographs, state.filter, state.sort], () => onFrame(list));
}

function derive() {
  const [loaded, counts] = [state.loaded.value, state.counts.value];
  const picks = counts !== null && counts.length === loaded.n ? Array.from(counts) : loaded.columns.picks;
  state.outlying.set(outliersOf(loaded));
  state.micrographs.set({ ...loaded, columns: { ...loaded.columns, picks } });
}

function list() {
  const [micrographs, { key, descending }] = [state.micrographs.value, state.sort.value];
  const found = filtered(micrographs, parseFilter(state.filter.value).tests, state.outlying.value);
  const column = columnNamed(key);
  const asAcquired = column === undefined || (key === "order" && !descending);
  state.order.set(asAcquired ? found : sorted(micrographs, found, column, descending));
  if (state.current.value < 0 && found.length > 0) state.current.set(state.order.value[0]);
}

/** @param {number} steps */
export const step = (steps) => state.current.set(stepped(state.order.value, state.current.value, steps));

/**
 * Open the next one that needs a look.
 * @param {1|-1} direction
 * @param {"doubtful"|"outlier"} what
 */
export function jump(direction, what) {
  const outlying = state.outlying.value;
  const test = what === "outlier" ? (/** @type {number} */ i) => outlying.has(i) : doubtful(state.micrographs.value, outlying);
  const found = nextWhere(state.order.value, state.current.value, direction, test);
  if (found === null) state.reply.set(what === "outlier" ? "no other outlier in this list" : "no other doubtful micrograph in this list");
  else state.current.set(found);
}
