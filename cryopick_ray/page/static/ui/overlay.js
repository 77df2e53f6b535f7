// What lies above the picture: junk, circles by kind, other pickers, truth, the gesture, the cursor.

import { filamentsOf, isSegment, lines, ticks } from "../core/filaments.js";
import { KINDS } from "../core/picked.js";
import { SECOND_COLOURS, STYLES, circles } from "../core/scene.js";
import { discsOf, painted } from "../core/edits.js";
import { drawCursor, drawScaleBar, strokeCircles, strokeLines, strokeShape } from "./brushwork.js";
import { gesture } from "./gesture.js";
import { pixelSizeOf, shapeOf, state } from "./state.js";

/** @typedef {import("../core/types.js").Candidates} Candidates */
/** @typedef {import("../core/scene.js").View} View */
/** @typedef {{width: number, height: number, diameter_px: number, pixel_size_A: number|null}} Frame */

/** Screen pixels between segments from which each is marked. */
const APART = 12;
/** Of a filament that would be meant by a click. */
const HALO = { colour: "#fff", width: 9, alpha: 0.3 };

/**
 * @param {number} width
 * @param {number} height
 * @returns {Frame}
 */
function frameOf(width, height) {
  const pixel_size_A = pixelSizeOf(state.current.value);
  const diameter_A = state.about.value.diameter_A;
  return { width, height, pixel_size_A, diameter_px: pixel_size_A === null ? 40 : diameter_A / pixel_size_A };
}

/**
 * The pane that is corrected.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {number} width
 * @param {number} height
 */
export function drawMain(context, view, width, height) {
  const frame = frameOf(width, height);
  drawMask(context, view);
  drawDiscs(context, view);
  const candidates = state.candidates.value;
  if (candidates !== null && state.circles.value) drawKinds(context, candidates, view, frame);
  if (!state.split.value) for (const source of state.beside.value) drawSource(context, source, view, frame);
  if (state.showTruth.value) drawTruth(context, view, frame);
  drawGesture(context, view, frame);
  if (frame.pixel_size_A !== null) drawScaleBar(context, view, height, frame.pixel_size_A);
}

/**
 * A pane beside it that shows one further source.
 * @param {number} source
 */
export const drawBeside = (source) => (
  /** @type {CanvasRenderingContext2D} */ context, /** @type {View} */ view, /** @type {number} */ width, /** @type {number} */ height,
) => {
  const frame = frameOf(width, height);
  if (state.circles.value) drawSource(context, source, view, frame);
  if (state.showTruth.value) drawTruth(context, view, frame);
};

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Candidates} candidates
 * @param {View} view
 * @param {Frame} frame
 */
function drawKinds(context, candidates, view, frame) {
  const kinds = state.kinds.value;
  const hovered = state.hovered.value;
  if (hovered !== null) strokeLines(context, lines(candidates, [hovered], () => true, view), HALO);
  const carriedOne = gesture.value?.kind === "carry" ? gesture.value.k : -1;
  KINDS.forEach((name, kind) => {
    if (!state.shown.value.has(name)) return;
    drawCandidates(context, candidates, (k) => kinds[k] === kind && k !== carriedOne, view, frame, STYLES[name]);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} source
 * @param {View} view
 * @param {Frame} frame
 */
function drawSource(context, source, view, frame) {
  const candidates = state.others.value.get(source);
  if (candidates === undefined) return;
  const { unpicked } = candidates;
  const style = { ...STYLES.picked, colour: colourOf(source), dash: state.split.value ? [] : [6, 2] };
  drawCandidates(context, candidates, (k) => unpicked[k] === 0, view, frame, style);
}

/**
 * Circles; of filaments lines, and where there is room a tick at each segment. What is crossed out is a thin line with
 * a cross at each.
 * @param {CanvasRenderingContext2D} context
 * @param {Candidates} candidates
 * @param {(k: number) => boolean} meant
 * @param {View} view
 * @param {Frame} frame
 * @param {import("../core/scene.js").Style} style
 */
function drawCandidates(context, candidates, meant, view, frame, style) {
  strokeCircles(context, circles(candidates, (k) => meant(k) && (style.cross || !isSegment(candidates, k)), view, frame), style);
  const filaments = filamentsOf(candidates);
  if (filaments.length === 0) return;
  strokeLines(context, lines(candidates, filaments, meant, view), style.cross ? { ...style, width: 1, dash: [1, 3] } : { ...style, width: style.width + 0.6 });
  if (!style.cross) strokeLines(context, ticks(candidates, filaments, meant, view, frame.diameter_px, APART), { colour: style.colour, width: 1, alpha: 0.55 });
}

/** @param {number} source */
export const colourOf = (source) => SECOND_COLOURS[(source - 1) % SECOND_COLOURS.length];

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Frame} frame
 */
function drawTruth(context, view, frame) {
  const truth = state.truth.value;
  if (truth === null) return;
  const sized = /** @type {Candidates} */ (/** @type {unknown} */ ({ ...truth, size_A: new Float32Array(truth.n) }));
  const inner = { ...frame, diameter_px: 0.86 * frame.diameter_px };
  strokeCircles(context, circles(sized, () => true, view, inner), STYLES.truth);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 */
function drawMask(context, view) {
  const mask = state.mask.value;
  if (mask === null) return;
  const { width, height } = shapeOf(state.current.value);
  const [left, top, wide, tall] = mask.frame ?? [0, 0, width, height];
  context.imageSmoothingEnabled = false;
  context.drawImage(mask.image, left * view.scale + view.x, top * view.scale + view.y, wide * view.scale, tall * view.scale);
}

/**
 * Junk painted by hand.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 */
function drawDiscs(context, view) {
  fillDiscs(context, view, discsOf(state.decisions.value));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {import("../core/types.js").Row[]} discs
 */
function fillDiscs(context, view, discs) {
  const path = new Path2D();
  for (const { x_px = 0, y_px = 0, radius_px = 0 } of discs) addDisc(path, view, x_px, y_px, radius_px);
  context.fillStyle = "rgb(255 166 87 / 28%)";
  context.fill(path);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Frame} frame
 */
function drawGesture(context, view, frame) {
  const now = gesture.value;
  const screen = (/** @type {number} */ px, /** @type {number} */ from) => (px + 0.5) * view.scale + from;
  const shape = new Path2D();
  if (now?.kind === "carry") addDisc(shape, view, now.at.x, now.at.y, frame.diameter_px / 2);
  if (now?.kind === "box") {
    const [x, y] = [screen(now.from.x, view.x), screen(now.from.y, view.y)];
    shape.rect(x, y, screen(now.at.x, view.x) - x, screen(now.at.y, view.y) - y);
  }
  if (now?.kind === "lasso") {
    now.path.forEach(({ x, y }) => shape.lineTo(screen(x, view.x), screen(y, view.y)));
    if (now.at !== null) shape.lineTo(screen(now.at.x, view.x), screen(now.at.y, view.y));
  }
  if (now?.kind === "trace") {
    [...now.path, ...(now.at === null ? [] : [now.at])].forEach(({ x, y }) => shape.lineTo(screen(x, view.x), screen(y, view.y)));
    for (const { x, y } of now.path) shape.rect(screen(x, view.x) - 2, screen(y, view.y) - 2, 4, 4);
  }
  if (now?.kind === "stroke") fillDiscs(context, view, painted(now.path, state.brush_px.value));
  else if (now !== null) strokeShape(context, shape, now.kind === "carry" || now.kind === "trace" ? undefined : "rgb(255 255 255 / 12%)");
  const cursor = state.cursor.value;
  if (cursor === null) return;
  const isBrush = state.tool.value === "junk";
  if (isBrush) {
    const brush = new Path2D();
    addDisc(brush, view, cursor.x, cursor.y, state.brush_px.value);
    strokeShape(context, brush);
  }
  drawCursor(context, screen(cursor.x, view.x), screen(cursor.y, view.y));
}

/**
 * @param {Path2D} path
 * @param {View} view
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 */
function addDisc(path, view, x, y, radius) {
  const [left, top, r] = [(x + 0.5) * view.scale + view.x, (y + 0.5) * view.scale + view.y, radius * view.scale];
  path.moveTo(left + r, top);
  path.arc(left, top, r, 0, 2 * Math.PI);
}
