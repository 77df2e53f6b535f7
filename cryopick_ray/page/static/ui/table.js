// All micrographs as a table, sorted by any column.

import { present, textOf } from "../core/columns.js";
import { shortened } from "../core/format.js";
import { verdictOf } from "../core/places.js";
import { onAny } from "../core/signal.js";
import { byId, el } from "./dom.js";
import { onFrame } from "./frame.js";
import { state } from "./state.js";
import { VirtualList } from "./virtual.js";

/** @typedef {import("../core/columns.js").Shown} Shown */

const ROW_px = 26;
const NAME_LETTERS = 33;
const WIDTHS = /** @type {Record<string, number>} */ ({ order: 56, id: 256, reasons: 200, reason: 200, dataset: 110, verdict: 96, mean_score: 96, defocus_A: 104, ctf_resolution_A: 80, candidates: 92, decisions: 88, excluded: 82 });

/** @type {Shown[]} */
let columns = [];

export function startTable() {
  const head = el("div", { class: "table-head", role: "row" });
  const scroller = el("div", { class: "scroller table", id: "table-list", role: "grid", tabindex: 0, "aria-label": "Micrographs" });
  const wide = el("div", { class: "wide" }, head, scroller);
  byId("table").append(wide);
  const list = new VirtualList(scroller, {
    layout: () => ({ across: 1, cellHeight: ROW_px }),
    make: () => el("div", { class: "table-row", role: "row" }),
    fill,
    choose: (item) => state.current.set(item),
  });
  state.micrographs.on((micrographs) => {
    const found = present(micrographs);
    if (found.map(({ key }) => key).join() !== columns.map(({ key }) => key).join()) {
      columns = found;
      wide.style.minWidth = `${columns.reduce((sum, one) => sum + widthOf(one), 0)}px`;
      fillHead(head);
    }
    scroller.setAttribute("aria-colcount", String(columns.length));
  });
  onAny([state.order, state.micrographs], () => {
    scroller.setAttribute("aria-rowcount", String(state.order.value.length));
    list.setItems(state.order.value);
  });
  state.sort.on(() => fillHead(head));
  state.current.on((i) => onFrame(() => list.setChosen(i)));
}

/** @param {Shown} column */
const widthOf = ({ key }) => WIDTHS[key] ?? 76;

/** @param {HTMLElement} head */
function fillHead(head) {
  const { key, descending } = state.sort.value;
  head.replaceChildren(...columns.map((column) => {
    const isSorted = column.key === key;
    const button = el("button", {
      type: "button", text: `${column.label}${column.unit ? ` (${column.unit})` : ""}${isSorted ? (descending ? " ↓" : " ↑") : ""}`,
      click: () => state.sort.set({ key: column.key, descending: isSorted && !descending }),
    });
    const cell = el("div", { role: "columnheader", class: column.type, "aria-sort": isSorted ? (descending ? "descending" : "ascending") : "none" }, button);
    cell.style.flexBasis = `${widthOf(column)}px`;
    cell.style.flexGrow = column.key === "id" ? "1" : "0";
    return cell;
  }));
}

/**
 * @param {HTMLElement} row
 * @param {number} i
 * @param {number} at
 */
function fill(row, i, at) {
  if (row.childElementCount !== columns.length || row.dataset.columns !== String(columns.map(({ key }) => key))) {
    row.dataset.columns = String(columns.map(({ key }) => key));
    row.replaceChildren(...columns.map((column) => {
      const cell = el("div", { role: "gridcell", class: column.type });
      cell.style.flexBasis = `${widthOf(column)}px`;
      cell.style.flexGrow = column.key === "id" ? "1" : "0";
      return cell;
    }));
  }
  row.setAttribute("aria-rowindex", String(at + 1));
  row.classList.toggle("excluded", state.micrographs.value.columns.excluded?.[i] === true);
  const { outliers } = state.micrographs.value;
  columns.forEach((column, k) => {
    const cell = /** @type {HTMLElement} */ (row.children[k]);
    const text = column.key === "verdict" ? verdictOf(state.micrographs.value, i) : textOf(state.micrographs.value, column, i);
    cell.textContent = column.key === "id" ? shortened(text, NAME_LETTERS) : text;
    cell.title = column.type === "text" ? text : "";
    cell.classList.toggle("outlier", outlierSet(outliers, column.key).has(i));
    if (column.key === "verdict") cell.dataset.verdict = text;
  });
}

/** @type {WeakMap<object, Map<string, Set<number>>>} */
const sets = new WeakMap();

/**
 * @param {Record<string, number[]>} outliers
 * @param {string} key
 */
function outlierSet(outliers, key) {
  const kept = sets.get(outliers) ?? new Map();
  sets.set(outliers, kept);
  if (!kept.has(key)) kept.set(key, new Set(outliers[key] ?? []));
  return /** @type {Set<number>} */ (kept.get(key));
}
