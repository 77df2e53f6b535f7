// A long list of which only the cells in view exist; cells are made once and used again.

import { inView, moved, rowsOf, scrolledTo } from "../core/window.js";
import { el } from "./dom.js";
import { onFrame } from "./frame.js";

/**
 * @typedef {object} Kind
 * @property {() => HTMLElement} make
 * @property {(cell: HTMLElement, item: number, at: number) => void} fill
 * @property {(item: number) => void} choose
 * @property {(width: number) => {across: number, cellHeight: number}} layout
 */

export class VirtualList {
  /**
   * @param {HTMLElement} scroller focusable; arrows move the choice
   * @param {Kind} kind
   */
  constructor(scroller, kind) {
    this.scroller = scroller;
    this.kind = kind;
    this.inner = el("div", { class: "inner", role: "presentation" });
    scroller.append(this.inner);
    /** @type {number[]} */
    this.items = [];
    this.chosen = -1;
    this.isStale = false;
    /** @type {Map<number, HTMLElement>} */
    this.cells = new Map();
    /** @type {HTMLElement[]} */
    this.spare = [];
    this.later = () => this.draw();
    scroller.addEventListener("scroll", () => onFrame(this.later), { passive: true });
    scroller.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => {
      this.refill();
      this.reveal();
    }).observe(scroller);
  }

  get grid() {
    const { across, cellHeight } = this.kind.layout(this.scroller.clientWidth);
    return { n: this.items.length, across, cellHeight };
  }

  /** @param {number[]} items */
  setItems(items) {
    this.items = items;
    this.refill();
  }

  /** @param {number} item */
  setChosen(item) {
    this.chosen = item;
    this.reveal();
    this.refill();
  }

  /** Bring the chosen one into view. */
  reveal() {
    const at = this.items.indexOf(this.chosen);
    if (at < 0 || this.scroller.clientHeight === 0) return;
    this.scroller.scrollTop = scrolledTo(this.grid, at, this.scroller.scrollTop, this.scroller.clientHeight);
  }

  /** Fill all cells anew: what they show has changed. */
  refill() {
    this.isStale = true;
    onFrame(this.later);
  }

  draw() {
    const { scroller, kind, grid } = this;
    if (scroller.clientHeight === 0) return;
    if (this.isStale) {
      for (const cell of this.cells.values()) this.release(cell);
      this.cells.clear();
      this.isStale = false;
    }
    this.inner.style.height = `${rowsOf(grid) * grid.cellHeight}px`;
    const { first, last } = inView(grid, scroller.scrollTop, scroller.clientHeight);
    for (const [at, cell] of this.cells) {
      if (at >= first && at < last) continue;
      this.release(cell);
      this.cells.delete(at);
    }
    for (let at = first; at < last; at++) {
      if (this.cells.has(at)) continue;
      const cell = this.spare.pop() ?? this.made();
      const item = this.items[at];
      cell.dataset.item = String(item);
      cell.id = `${scroller.id}-${item}`;
      cell.setAttribute("aria-selected", String(item === this.chosen));
      cell.style.transform = `translate(${((at % grid.across) * 100)}%, ${Math.floor(at / grid.across) * grid.cellHeight}px)`;
      cell.style.width = `${100 / grid.across}%`;
      cell.style.height = `${grid.cellHeight}px`;
      kind.fill(cell, item, at);
      cell.hidden = false;
      this.cells.set(at, cell);
    }
    const at = this.items.indexOf(this.chosen);
    if (this.cells.has(at)) scroller.setAttribute("aria-activedescendant", `${scroller.id}-${this.chosen}`);
    else scroller.removeAttribute("aria-activedescendant");
  }

  /** @param {HTMLElement} cell */
  release(cell) {
    cell.hidden = true;
    cell.removeAttribute("id");
    this.spare.push(cell);
  }

  made() {
    const cell = this.kind.make();
    cell.addEventListener("click", () => this.kind.choose(Number(cell.dataset.item)));
    this.inner.append(cell);
    return cell;
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (this.items.length === 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    const to = moved(this.grid, Math.max(0, this.items.indexOf(this.chosen)), event.key, this.scroller.clientHeight);
    if (to === null) return;
    event.preventDefault();
    this.kind.choose(this.items[to]);
  }
}
