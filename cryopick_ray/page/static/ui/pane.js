// One view of a micrograph: deep zoom below, a canvas for circles above. World coordinates are widths of the
// micrograph, so that picks lie where they should whatever part of it the picture shows.

import { api } from "./api.js";
import { el } from "./dom.js";

/** @typedef {import("../core/types.js").Point} Point */
/** @typedef {{x: number, y: number, scale: number}} View screen = (px + 0.5) * scale + x, y */
/** @typedef {Awaited<ReturnType<typeof api.pyramid>>} Pyramid */

const GREY = "data:image/gif;base64,R0lGODlhAQABAIAAAGRkZAAAACwAAAAAAQABAAACAkQBADs=";

/** Screen pixels of a source pixel. */
const LARGE = 1.5;

export class Pane {
  /**
   * @param {HTMLElement} host
   * @param {(context: CanvasRenderingContext2D, view: View, width: number, height: number) => void} draw
   */
  constructor(host, draw) {
    this.host = host;
    this.draw = draw;
    this.deep = el("div", { class: "deep" });
    this.canvas = el("canvas", { class: "over", "aria-hidden": "true" });
    host.append(this.deep, this.canvas);
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    /** @type {Pyramid|null} */
    this.pyramid = null;
    this.shown = "";
    this.isSmooth = true;
    this.viewer = viewerIn(this.deep);
    this.isWhole = false;
    this.size = "";
    this.viewer.addHandler("update-viewport", () => {
      this.stayWhole();
      this.smooth();
      this.redraw();
    });
    this.viewer.addHandler("canvas-key", (/** @type {any} */ event) => {
      event.preventDefaultAction = true;
    });
    new ResizeObserver(() => this.fitCanvas()).observe(host);
  }

  /**
   * Show a micrograph in a look; the part in view stays where the micrograph is the same.
   * @param {number} i
   * @param {string} look
   * @param {Pyramid} pyramid
   * @param {() => void} [seen] told once all of it is here
   */
  show(i, look, pyramid, seen = () => undefined) {
    const [asked, isNew] = [`${i} ${look}`, !this.shown.startsWith(`${i} `)];
    if (asked === this.shown) return;
    this.shown = asked;
    const isFirst = this.pyramid === null;
    this.pyramid = pyramid;
    const { width_px, frame } = pyramid;
    this.viewer.addTiledImage({
      tileSource: tiles(i, look, pyramid),
      x: frame[0] / width_px, y: frame[1] / width_px, width: frame[2] / width_px,
      index: 0, replace: !isFirst, preload: false,
      success: (/** @type {any} */ { item }) => {
        if (isNew && asked === this.shown) this.fit(true);
        item.addOnceHandler("fully-loaded-change", seen);
      },
    });
  }

  /** Show nothing. */
  clear() {
    this.viewer.world.removeAll();
    this.pyramid = null;
    this.shown = "";
    this.redraw();
  }

  /** @param {boolean} [atOnce] */
  fit(atOnce = false) {
    if (this.pyramid === null) return;
    const height = this.pyramid.height_px / this.pyramid.width_px;
    this.viewer.viewport.fitBounds(new OpenSeadragon.Rect(0, 0, 1, height), atOnce);
  }

  /** In a pane of another size, a micrograph that was seen as a whole still is. */
  stayWhole() {
    const { x: width, y: height } = this.viewer.viewport.getContainerSize();
    if (this.pyramid === null || width === 0 || height === 0) return;
    if (this.isWhole && this.size !== `${width} ${height}`) this.fit(true);
    this.size = `${width} ${height}`;
    this.isWhole = isWhole(this.view(), this.pyramid, width, height);
  }

  /** @param {number} factor */
  zoom(factor) {
    const { viewport } = this.viewer;
    viewport.zoomBy(factor);
    viewport.applyConstraints();
  }

  /** Move as little as it takes to have a place in view. @param {Point} point */
  reveal(point) {
    const { viewport } = this.viewer;
    const [at, bounds] = [this.world(point), viewport.getBounds()];
    const margin = 0.08 * Math.min(bounds.width, bounds.height);
    const by = new OpenSeadragon.Point(
      beyond(at.x, bounds.x + margin, bounds.x + bounds.width - margin),
      beyond(at.y, bounds.y + margin, bounds.y + bounds.height - margin),
    );
    if (by.x !== 0 || by.y !== 0) viewport.panBy(by);
  }

  /** How pixels of the micrograph lie on the screen now. @returns {View} */
  view() {
    const { viewport } = this.viewer;
    const origin = viewport.pixelFromPoint(new OpenSeadragon.Point(0, 0), true);
    const right = viewport.pixelFromPoint(new OpenSeadragon.Point(1, 0), true);
    return { x: origin.x, y: origin.y, scale: (right.x - origin.x) / (this.pyramid?.width_px ?? 1) };
  }

  /** Place in the micrograph under a point of the screen. @param {Point} pixel @returns {Point} */
  placeAt(pixel) {
    const { x, y, scale } = this.view();
    return { x: (pixel.x - x) / scale - 0.5, y: (pixel.y - y) / scale - 0.5 };
  }

  /** @param {Point} point */
  world({ x, y }) {
    const width = this.pyramid?.width_px ?? 1;
    return new OpenSeadragon.Point((x + 0.5) / width, (y + 0.5) / width);
  }

  /** Source pixels are shown as such once they are large; smoothed, they would show the edges of tiles. */
  smooth() {
    const isSmooth = this.view().scale < LARGE;
    if (isSmooth === this.isSmooth) return;
    this.isSmooth = isSmooth;
    this.viewer.drawer.setImageSmoothingEnabled(isSmooth);
  }

  redraw() {
    const { context, canvas } = this;
    const ratio = devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (this.pyramid !== null) this.draw(context, this.view(), canvas.width / ratio, canvas.height / ratio);
  }

  fitCanvas() {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.host.clientWidth * ratio);
    this.canvas.height = Math.round(this.host.clientHeight * ratio);
    this.redraw();
  }

  remove() {
    this.viewer.destroy();
    this.host.replaceChildren();
  }
}

/**
 * Whether all of a micrograph is seen, as large as it can be.
 * @param {View} view
 * @param {Pyramid} pyramid
 * @param {number} width
 * @param {number} height
 */
export function isWhole({ x, y, scale }, { width_px, height_px }, width, height) {
  const [left, top] = [(width - width_px * scale) / 2, (height - height_px * scale) / 2];
  return Math.abs(x - left) < 1 && Math.abs(y - top) < 1 && Math.abs(Math.min(left, top)) < 1;
}

/**
 * Tiles of the server; without levels one grey pixel stands for all.
 * @param {number} i
 * @param {string} look
 * @param {Pyramid} pyramid
 */
function tiles(i, look, { width_px, height_px, tile_px, max_level }) {
  const size = { width: width_px, height: height_px, tileSize: tile_px, minLevel: 0, maxLevel: Math.max(max_level, 0) };
  if (max_level < 0) return { ...size, getTileUrl: () => GREY };
  return { ...size, getTileUrl: (/** @type {number} */ level, /** @type {number} */ x, /** @type {number} */ y) => tileAddress(look, i, level, x, y) };
}

/**
 * @param {string} look
 * @param {number} i
 * @param {number} level
 * @param {number} x
 * @param {number} y
 */
export const tileAddress = (look, i, level, x, y) => `api/tile/${encodeURIComponent(look)}/${i}/${level}/${x}_${y}.jpg`;

/** @param {HTMLElement} element */
function viewerIn(element) {
  if (document.querySelector("style[data-openseadragon-mobile-css]") === null) {
    // The library looks for its inline style before it adds one, which our security policy forbids.
    const standIn = document.createElementNS(null, "style");
    standIn.setAttribute("data-openseadragon-mobile-css", "true");
    document.head.append(standIn);
  }
  return OpenSeadragon({
    element, drawer: "canvas", showNavigationControl: false, showNavigator: false, tabIndex: -1, preserveViewport: true,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false },
    gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false, pinchRotate: false },
    gestureSettingsPen: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false },
    animationTime: 0.25, zoomPerScroll: 1.25, maxZoomPixelRatio: 12, minZoomImageRatio: 0.5, visibilityRatio: 0.3,
    imageSmoothingEnabled: true, minPixelRatio: 1, smoothTileEdgesMinZoom: Infinity, subPixelRoundingForTransparency: /** @type {any} */ (OpenSeadragon.SUBPIXEL_ROUNDING_OCCURRENCES.ALWAYS),
    placeholderFillStyle: "#1b1e21", preload: false,
  });
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
const beyond = (value, low, high) => Math.min(0, value - low) + Math.max(0, value - high);
