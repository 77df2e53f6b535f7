// Circles, crosses and a scale bar on a canvas.

import { roundLength } from "../core/format.js";

/** @typedef {import("../core/scene.js").Style} Style */
/** @typedef {import("../core/scene.js").View} View */

/**
 * Circles in one stroke: x, y, radius in turn.
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} circles
 * @param {Style} style
 */
export function strokeCircles(context, circles, style) {
  if (circles.length === 0) return;
  context.beginPath();
  for (let k = 0; k < circles.length; k += 3) {
    const [x, y, radius] = [circles[k], circles[k + 1], circles[k + 2]];
    if (style.cross) {
      const arm = Math.min(radius, 6);
      context.moveTo(x - arm, y - arm);
      context.lineTo(x + arm, y + arm);
      context.moveTo(x - arm, y + arm);
      context.lineTo(x + arm, y - arm);
    } else {
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
  }
  context.setLineDash(style.dash);
  context.lineWidth = style.width;
  context.strokeStyle = style.colour;
  context.stroke();
  context.setLineDash([]);
}

/**
 * Lines in one stroke: x, y of both ends in turn.
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} ends
 * @param {{colour: string, dash?: number[], width: number, alpha?: number}} style
 */
export function strokeLines(context, ends, { colour, dash = [], width, alpha = 1 }) {
  if (ends.length === 0) return;
  context.beginPath();
  for (let k = 0; k < ends.length; k += 4) {
    if (k === 0 || ends[k] !== ends[k - 2] || ends[k + 1] !== ends[k - 1]) context.moveTo(ends[k], ends[k + 1]);
    context.lineTo(ends[k + 2], ends[k + 3]);
  }
  context.save();
  context.setLineDash(dash);
  context.lineCap = dash.length > 0 ? "butt" : "round";
  [context.lineWidth, context.strokeStyle, context.globalAlpha] = [width, colour, alpha];
  context.stroke();
  context.restore();
}

/**
 * A round length at the lower left.
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {number} height
 * @param {number} pixel_size_A
 */
export function drawScaleBar(context, view, height, pixel_size_A) {
  const { length_A, text } = roundLength((140 / view.scale) * pixel_size_A);
  const length = (length_A / pixel_size_A) * view.scale;
  context.font = "600 12px system-ui, sans-serif";
  const width = Math.max(length, context.measureText(text).width);
  context.fillStyle = "rgb(0 0 0 / 62%)";
  context.fillRect(8, height - 40, width + 16, 32);
  context.fillStyle = "#fff";
  context.fillRect(16, height - 17, length, 3);
  context.fillText(text, 16, height - 23);
}

/**
 * Cross hairs of the keyboard, dark below light so that it is seen on anything.
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 */
export function drawCursor(context, x, y) {
  for (const [width, colour] of /** @type {[number, string][]} */ ([[4, "rgb(0 0 0 / 70%)"], [1.8, "#fff"]])) {
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 5 * dx, y + 5 * dy);
      context.lineTo(x + 15 * dx, y + 15 * dy);
    }
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }
}

/**
 * An outline that is seen on anything.
 * @param {CanvasRenderingContext2D} context
 * @param {Path2D} path
 * @param {string} [fill]
 */
export function strokeShape(context, path, fill) {
  if (fill !== undefined) {
    context.fillStyle = fill;
    context.fill(path);
  }
  context.lineWidth = 3;
  context.strokeStyle = "rgb(0 0 0 / 60%)";
  context.stroke(path);
  context.lineWidth = 1.5;
  context.strokeStyle = "#fff";
  context.stroke(path);
}
