// What the page knows; parts of it listen to what they show.

import { plain } from "../core/format.js";
import { Signal } from "../core/signal.js";

/** @typedef {import("../core/types.js").About} About */
/** @typedef {import("../core/types.js").Micrographs} Micrographs */
/** @typedef {import("../core/types.js").Candidates} Candidates */
/** @typedef {import("../core/types.js").Places} Places */
/** @typedef {import("../core/types.js").Cut} Cut */
/** @typedef {import("../core/types.js").Row} Row */

/** @type {About} */
const NOTHING = {
  title: "", version: "", by: "", people: [], curation: "", is_run: false, is_live: false, has_truth: false,
  has_masks: false, looks: ["plain"], diameter_A: 100, sources: [], commands: {},
};

/** @type {Micrographs} */
const EMPTY = { generation: -1, n: 0, columns: {}, outliers: {} };

export const state = {
  about: new Signal(NOTHING),
  /** As the server has them. */
  loaded: new Signal(EMPTY),
  /** As they are shown: with the picks at the cut. */
  micrographs: new Signal(EMPTY),
  outlying: new Signal(new Set()),

  filter: new Signal(""),
  sort: new Signal(/** @type {{key: string, descending: boolean}} */ ({ key: "order", descending: false })),
  /** Micrographs as listed: filtered and sorted. */
  order: new Signal(/** @type {number[]} */ ([])),
  /** Exact picks of every micrograph at the cut, where it is not the run's. */
  counts: new Signal(/** @type {Uint32Array|null} */ (null)),
  /** All candidates by score and size. */
  histogram: new Signal(/** @type {import("../core/types.js").Counted|null} */ (null)),

  /** Index of the micrograph that is open. */
  current: new Signal(-1),
  /** Candidates of the first source. */
  candidates: new Signal(/** @type {Candidates|null} */ (null)),
  /** Candidates of further sources that are shown. */
  others: new Signal(/** @type {Map<number, Candidates>} */ (new Map())),
  truth: new Signal(/** @type {Places|null} */ (null)),
  /** Everyone's decisions about the open micrograph. */
  decisions: new Signal(/** @type {Row[]} */ ([])),

  cut: new Signal(/** @type {Cut} */ ({ threshold: 0, smallest_A: null, largest_A: null })),
  /** Kind of every candidate at the cut. */
  kinds: new Signal(/** @type {Uint8Array} */ (new Uint8Array(0))),

  tool: new Signal("pick"),
  brush_px: new Signal(100),
  look: new Signal("plain"),
  tone: new Signal(/** @type {{contrast: number, brightness: number, invert: boolean}} */ ({ contrast: 1, brightness: 1, invert: false })),
  /** Kinds that are drawn. */
  shown: new Signal(new Set(["picked", "added", "removed"])),
  circles: new Signal(true),
  showTruth: new Signal(false),
  showMasks: new Signal(false),
  /** Picture of junk and where it lies. */
  mask: new Signal(/** @type {{image: ImageBitmap, frame: number[]|null}|null} */ (null)),
  /** Further sources that are shown. */
  beside: new Signal(/** @type {Set<number>} */ (new Set())),
  split: new Signal(false),
  /** Keyboard's place in the micrograph. */
  cursor: new Signal(/** @type {{x: number, y: number}|null} */ (null)),

  /** Segments of the filament under the pointer or the cursor. */
  hovered: new Signal(/** @type {number[]|null} */ (null)),

  /** What is being told to the person for a moment. */
  reply: new Signal(""),
};

/** Width and height of a micrograph, 0 where unknown. @param {number} i */
export function shapeOf(i) {
  const { width_px, height_px } = state.micrographs.value.columns;
  return { width: Number(width_px?.[i] ?? 0), height: Number(height_px?.[i] ?? 0) };
}

/** Pixel size of a micrograph, null where unknown. @param {number} i */
export function pixelSizeOf(i) {
  const value = state.micrographs.value.columns.pixel_size_A?.[i];
  return typeof value === "number" && value > 0 ? value : null;
}

/** Name of a micrograph, safe to show. @param {number} i */
export const idOf = (i) => plain(String(state.micrographs.value.columns.id?.[i] ?? ""));
