// All micrographs as thumbnails.

import { columnNamed, textOf } from "../core/columns.js";
import { nameOf, shortened } from "../core/format.js";
import { verdictOf } from "../core/places.js";
import { onAny } from "../core/signal.js";
import { byId, el } from "./dom.js";
import { onFrame } from "./frame.js";
import { idOf, state } from "./state.js";
import { VirtualList } from "./virtual.js";

const CELL_px = 124;
const CAPTION_px = 44;

export function startStrip() {
  const scroller = el("div", { class: "scroller strip", id: "strip-list", role: "listbox", tabindex: 0, "aria-label": "Micrographs" });
  byId("strip").append(scroller);
  const list = new VirtualList(scroller, {
    layout: (width) => {
      const across = Math.max(1, Math.floor(width / CELL_px));
      return { across, cellHeight: Math.round(width / across) + CAPTION_px - 12 };
    },
    make: () => el("div", { class: "thumb", role: "option" },
      el("span", { class: "picture" }, picture()),
      el("span", { class: "name" }), el("span", { class: "line" }, el("span", { class: "dot", "aria-hidden": "true" }), el("span", { class: "count" }), el("span", { class: "flag" }))),
    fill,
    choose: (item) => state.current.set(item),
  });
  onAny([state.order, state.micrographs], () => list.setItems(state.order.value));
  state.current.on((i) => onFrame(() => list.setChosen(i)));
}

/** A picture that is not shown where there is none. */
function picture() {
  const image = el("img", { alt: "", decoding: "async" });
  image.addEventListener("error", () => {
    image.hidden = true;
  });
  return image;
}

/**
 * @param {HTMLElement} cell
 * @param {number} i
 */
function fill(cell, i) {
  const { columns } = state.micrographs.value;
  const [picture, name, line] = /** @type {HTMLElement[]} */ ([...cell.children]);
  const image = /** @type {HTMLImageElement} */ (picture.firstElementChild);
  const address = `api/thumbnail/${i}.jpg`;
  if (image.getAttribute("src") !== address) {
    image.hidden = false;
    image.src = address;
  }
  const verdict = verdictOf(state.micrographs.value, i);
  const [isOut, isOutlier] = [columns.excluded?.[i] === true, state.outlying.value.has(i)];
  name.textContent = shortened(nameOf(idOf(i)), 18);
  cell.title = idOf(i);
  const [dot, count, flag] = /** @type {HTMLElement[]} */ ([...line.children]);
  dot.dataset.verdict = verdict;
  const picks = columnNamed("picks");
  count.textContent = verdict === "failed" ? "failed" : picks === undefined ? "" : textOf(state.micrographs.value, picks, i);
  flag.textContent = isOut ? "excluded" : isOutlier ? "outlier" : Number(columns.decisions?.[i] ?? 0) > 0 ? "mended" : "";
  flag.dataset.flag = flag.textContent;
  cell.classList.toggle("excluded", isOut);
  cell.setAttribute("aria-label", [idOf(i), `${count.textContent} picks`, verdict, flag.textContent].filter(Boolean).join(", "));
}
