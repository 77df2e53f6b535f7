// Plots over the order of acquisition; what is brushed in them goes into the filter.

import { PLOTTED, columnNamed, valueOf } from "../core/columns.js";
import { withRange } from "../core/filter.js";
import { onAny } from "../core/signal.js";
import { byId, el } from "./dom.js";
import { onFrame } from "./frame.js";
import { whenOpened } from "./parts.js";
import { state } from "./state.js";
import { colour, onTheme } from "./theme.js";

/** @typedef {import("../core/columns.js").Shown} Shown */

const HEIGHT_px = 150;
/** Micrographs whose points may be large. */
const FEW = 600;
/** @type {{plot: uPlot, key: string}[]} */
let plots = [];

export function startPlots() {
  onAny([state.micrographs, state.order], () => onFrame(refresh));
  state.current.on(() => onFrame(() => plots.forEach(({ plot }) => plot.redraw(false, false))));
  onTheme(() => onFrame(build));
  whenOpened("plots", () => onFrame(build));
  new ResizeObserver(() => {
    for (const { plot } of plots) plot.setSize({ width: width(), height: HEIGHT_px });
  }).observe(byId("plots"));
}

const isOpen = () => !byId("plots").hidden;
const width = () => Math.max(200, byId("plots").clientWidth - 24);

function columns() {
  return PLOTTED.flatMap((key) => columnNamed(key) ?? []).filter(({ key }) => state.micrographs.value.columns[key]?.some((value) => value !== null));
}

function build() {
  if (!isOpen()) return;
  for (const { plot } of plots) plot.destroy();
  byId("plots").replaceChildren(el("p", { class: "quiet hint", text: "Drag over points to list only them; the filter box says which. Click opens the nearest." }));
  plots = columns().map((column) => {
    const title = `${column.label}${column.unit ? ` (${column.unit})` : ""}`;
    const host = el("div", { class: "plot", role: "img", "aria-label": `${title} over the order of acquisition` });
    byId("plots").append(el("h3", { text: title }), host);
    return { plot: new uPlot(options(column), data(column), host), key: column.key };
  });
}

function refresh() {
  if (!isOpen()) return;
  if (plots.length !== columns().length) return build();
  columns().forEach((column, k) => plots[k].plot.setData(data(column)));
}

/**
 * Order; values listed, not listed, and those unlike their neighbours.
 * @param {Shown} column
 * @returns {uPlot.AlignedData}
 */
function data(column) {
  const micrographs = state.micrographs.value;
  const listed = new Set(state.order.value);
  const unlike = new Set(micrographs.outliers?.[column.key] ?? []);
  const [order, in_, out, odd] = /** @type {[number[], (number|null)[], (number|null)[], (number|null)[]]} */ ([[], [], [], []]);
  for (let i = 0; i < micrographs.n; i++) {
    const value = valueOf(micrographs, column, i);
    const number = typeof value === "number" && Number.isFinite(value) ? value : null;
    order.push(i + 1);
    in_.push(listed.has(i) && !unlike.has(i) ? number : null);
    out.push(listed.has(i) ? null : number);
    odd.push(listed.has(i) && unlike.has(i) ? number : null);
  }
  return [order, out, in_, odd];
}

/**
 * @param {Shown} column
 * @returns {uPlot.Options}
 */
function options(column) {
  const axis = { stroke: colour("quiet"), grid: { stroke: colour("rule"), width: 1 }, ticks: { stroke: colour("rule"), width: 1 }, font: "11px system-ui, sans-serif" };
  const points = (/** @type {string} */ name, /** @type {number} */ size) => ({
    label: name, stroke: colour(name), paths: () => null, points: { show: true, size, fill: colour(name), width: 0 },
  });
  const size = state.micrographs.value.n > FEW ? 2.5 : 5;
  return {
    width: width(), height: HEIGHT_px, legend: { show: false }, padding: [8, 22, 0, 0],
    scales: { x: { time: false, range: () => [0.5, Math.max(1, state.micrographs.value.n) + 0.5] } },
    axes: [{ ...axis, size: 26 }, { ...axis, size: 52 }],
    series: [{}, points("muted", size), points("accent", size), points("mark", size + 3)],
    cursor: { sync: { key: "plots", setSeries: false }, points: { show: false }, drag: { x: true, y: true, uni: 12, setScale: false } },
    hooks: {
      setSelect: [(plot) => brushed(plot, column)],
      draw: [drawCurrent],
      ready: [(plot) => plot.over.addEventListener("click", () => openNearest(plot))],
    },
  };
}

/**
 * @param {uPlot} plot
 * @param {Shown} column
 */
function brushed(plot, column) {
  const { left, top, width: wide, height: tall } = plot.select;
  if (wide < 4 && tall < 4) return;
  const isAll = { x: wide >= plot.over.clientWidth - 1 || wide < 1, y: tall >= plot.over.clientHeight - 1 || tall < 1 };
  const at = (/** @type {number} */ pixel, /** @type {"x"|"y"} */ scale) => plot.posToVal(pixel, scale);
  const order = `${Math.max(1, Math.ceil(at(left, "x")))}..${Math.floor(at(left + wide, "x"))}`;
  const values = `${short(at(top + tall, "y"))}..${short(at(top, "y"))}`;
  const text = withRange(state.filter.value, "order", isAll.x ? null : order);
  const name = column.also?.[0] ?? column.key;
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  state.filter.set(withRange(text, name, isAll.y ? null : values));
}

/** @param {number} value */
const short = (value) => String(Number(value.toPrecision(4)));

/** @param {uPlot} plot */
function openNearest(plot) {
  const left = plot.cursor.left ?? -1;
  if (left >= 0) state.current.set(Math.min(Math.max(Math.round(plot.posToVal(left, "x")) - 1, 0), state.micrographs.value.n - 1));
}

/** @param {uPlot} plot */
function drawCurrent(plot) {
  if (state.current.value < 0) return;
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(state.current.value + 1, "x", true));
  ctx.save();
  ctx.strokeStyle = colour("ink");
  ctx.globalAlpha = 0.6;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}
