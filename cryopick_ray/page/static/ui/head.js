// What is said of the data set and of the open micrograph, and the buttons beside it.

import { COLUMNS, columnNamed, textOf } from "../core/columns.js";
import { counted, grouped, shortened } from "../core/format.js";
import { outlyingIn, verdictOf } from "../core/places.js";
import { onAny } from "../core/signal.js";
import { aria, byId } from "./dom.js";
import { onFrame } from "./frame.js";
import { jump, step } from "./lists.js";
import { isUnsaved, retry, saved, undo } from "./saver.js";
import { toggleExcluded } from "./shortcuts.js";
import { main } from "./stage.js";
import { idOf, state } from "./state.js";

const FACTS = ["picks", "mean_score", "defocus_A", "ctf_resolution_A"];

export function startHead() {
  onAny([state.current, state.micrographs, state.order], () => onFrame(show));
  state.about.on((about) => {
    document.title = `${about.title} – cryopick`;
    byId("title").textContent = about.title;
    byId("title").title = `cryopick ${about.version}; decisions of ${about.by} in ${about.curation ?? "no file"}${others(about)}`;
    byId("live").hidden = !about.is_live;
    if (about.is_writable === false) byId("saved").textContent = "to look at only: decisions cannot be kept";
    if (about.notes?.length) state.reply.set(about.notes.join("; "));
  });
  state.reply.on((text) => {
    byId("reply").textContent = text;
  });
  saved.on(showSaved);
  addEventListener("beforeunload", (event) => isUnsaved() && event.preventDefault());
  /** @type {[string, () => void][]} */
  const buttons = [
    ["previous", () => step(-1)], ["next", () => step(1)], ["doubtful", () => jump(1, "doubtful")], ["exclude", toggleExcluded],
    ["undo", undo], ["retry", retry], ["zoom-in", () => main.zoom(1.4)], ["zoom-out", () => main.zoom(1 / 1.4)], ["fit", () => main.fit()],
  ];
  for (const [id, press] of buttons) byId(id).addEventListener("click", press);
}

/** @param {import("../core/types.js").About} about */
function others({ people = [], by }) {
  const names = people.filter((name) => name !== by);
  return names.length > 0 ? `; also of ${names.join(", ")}` : "";
}

function show() {
  const [i, micrographs, order] = [state.current.value, state.micrographs.value, state.order.value];
  const picks = (micrographs.columns.picks ?? []).reduce((/** @type {number} */ sum, value) => sum + Number(value ?? 0), 0);
  byId("summary").textContent = `${counted(micrographs.n, "micrograph")}, ${counted(Number(picks), "pick")}`;
  if (i < 0) return;
  const { columns } = micrographs;
  const at = order.indexOf(i);
  byId("name").textContent = shortened(idOf(i), 64);
  byId("name").title = idOf(i);
  const verdict = verdictOf(micrographs, i);
  byId("verdict").textContent = verdict;
  byId("verdict").dataset.verdict = verdict;
  byId("verdict").title = String(columns.reasons?.[i] || columns.reason?.[i] || "");
  const facts = FACTS.flatMap((key) => {
    const column = columnNamed(key);
    const text = column === undefined ? "" : textOf(micrographs, column, i);
    return column === undefined || text === "" ? [] : [`${column.label} ${text}${column.unit ? ` ${column.unit}` : ""}`];
  });
  const unlike = outlyingIn(micrographs, i).map((key) => COLUMNS.find((one) => one.key === key)?.label ?? key);
  byId("facts").textContent = [
    at < 0 ? "not in the list" : `${grouped(at + 1)} of ${grouped(order.length)}`, ...facts,
    ...(unlike.length > 0 ? [`outlier in ${unlike.join(", ")}`] : []),
    ...(columns.status?.[i] === "failed" ? [String(columns.reason?.[i] ?? "")] : []),
  ].join(" · ");
  const isOut = columns.excluded?.[i] === true;
  aria(byId("exclude"), "pressed", isOut);
  byId("exclude").textContent = isOut ? "Excluded" : "Exclude";
  byId("stage").classList.toggle("excluded", isOut);
}

function showSaved() {
  const { state: how, text } = saved.value;
  byId("saved").dataset.state = how;
  byId("saved").textContent = text;
  byId("saved").title = text;
  byId("retry").hidden = how !== "failed";
}
