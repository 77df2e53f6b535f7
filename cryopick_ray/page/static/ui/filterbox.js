// The filter box, its chips, and the order of the list.

import { parseFilter, withRange } from "../core/filter.js";
import { present } from "../core/columns.js";
import { counted, grouped } from "../core/format.js";
import { onAny } from "../core/signal.js";
import { aria, byId, el } from "./dom.js";
import { onFrame } from "./frame.js";
import { exclude } from "./saver.js";
import { state } from "./state.js";

const CHIPS = /** @type {const} */ ([["only-doubtful", "is:outlier"], ["only-mended", "is:mended"], ["only-excluded", "is:excluded"]]);

export function startFilterBox() {
  const box = /** @type {HTMLInputElement} */ (byId("filter"));
  box.addEventListener("input", () => state.filter.set(box.value));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    box.blur();
    onFrame(openFirst);
  });
  state.filter.on((text) => {
    if (box.value !== text) box.value = text;
  });
  for (const [id, term] of CHIPS) {
    byId(id).addEventListener("click", () => {
      const [name, value] = term.split(":");
      state.filter.set(withRange(state.filter.value, name, state.filter.value.includes(term) ? null : value));
    });
  }
  const sort = /** @type {HTMLSelectElement} */ (byId("sort"));
  sort.addEventListener("change", () => state.sort.set({ key: sort.value, descending: state.sort.value.descending }));
  byId("direction").addEventListener("click", () => state.sort.set({ ...state.sort.value, descending: !state.sort.value.descending }));
  byId("exclude-shown").addEventListener("click", excludeShown);
  state.micrographs.on(() => onFrame(() => fillSort(sort)));
  state.sort.on(() => fillSort(sort));
  onAny([state.order, state.filter], () => onFrame(tell));
}

/** Of the list as it is by then. */
function openFirst() {
  if (state.order.value.length > 0) state.current.set(state.order.value[0]);
}

/** @param {HTMLSelectElement} sort */
function fillSort(sort) {
  const columns = present(state.micrographs.value);
  if (sort.options.length !== columns.length) {
    sort.replaceChildren(...columns.map(({ key, label }) => el("option", { value: key, text: key === "order" ? "acquisition" : label })));
  }
  const { key, descending } = state.sort.value;
  sort.value = key;
  byId("direction").textContent = descending ? "↓" : "↑";
  aria(byId("direction"), "pressed", descending);
}

function tell() {
  const { errors } = parseFilter(state.filter.value);
  const [shown, n] = [state.order.value.length, state.micrographs.value.n];
  byId("filter-told").textContent = errors[0] ?? (shown === n ? `all ${grouped(n)}` : `${grouped(shown)} of ${grouped(n)}`);
  byId("filter-told").classList.toggle("bad", errors.length > 0);
  aria(byId("filter"), "invalid", errors.length > 0);
  for (const [id, term] of CHIPS) aria(byId(id), "pressed", state.filter.value.includes(term));
  byId("exclude-shown").hidden = shown === 0 || shown === n || state.filter.value.trim() === "";
  byId("exclude-shown").textContent = `Exclude these ${grouped(shown)}`;
}

function excludeShown() {
  const shown = [...state.order.value];
  const isMany = shown.length > 20;
  if (isMany && !confirm(`Exclude ${counted(shown.length, "micrograph")}? Undo takes it back.`)) return;
  exclude(shown, true);
  state.reply.set(`${counted(shown.length, "micrograph")} excluded`);
}
