// Small charts on a canvas: bars with a cut, points with a line.

import { colour } from "./theme.js";

/**
 * A canvas made fit for its size and the screen.
 * @param {HTMLCanvasElement} canvas
 */
function fresh(canvas) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/**
 * Bars as the roots of counts, so that few are seen beside many; those kept in colour.
 * @param {HTMLCanvasElement} canvas
 * @param {ArrayLike<number>} bars
 * @param {{from: number, to: number, front?: ArrayLike<number>|null}} kept share of the width, 0 .. 1; counts of a line in front
 */
export function drawBars(canvas, bars, { from, to, front = null }) {
  const { context, width, height } = fresh(canvas);
  let most = 1;
  for (let k = 0; k < bars.length; k++) most = Math.max(most, bars[k]);
  const each = width / bars.length;
  const put = (/** @type {ArrayLike<number>} */ values, /** @type {string} */ fill, /** @type {(share: number) => boolean} */ meant) => {
    context.fillStyle = fill;
    for (let k = 0; k < values.length; k++) {
      if (!(values[k] > 0) || !meant((k + 0.5) / values.length)) continue;
      const tall = Math.max(1, Math.sqrt(values[k] / most) * (height - 3));
      context.fillRect(k * each, height - tall, Math.max(1, each - (each > 3 ? 1 : 0)), tall);
    }
  };
  const isKept = (/** @type {number} */ share) => share >= from && share <= to;
  put(bars, colour("muted"), (share) => !isKept(share));
  put(bars, colour("bar"), isKept);
  if (front !== null) {
    context.strokeStyle = colour("truth");
    context.lineWidth = 1.5;
    context.beginPath();
    for (let k = 0; k < front.length; k++) context.lineTo((k + 0.5) * each, height - Math.sqrt(front[k] / most) * (height - 3));
    context.stroke();
  }
  context.fillStyle = colour("ink");
  for (const edge of [from, to]) if (edge > 0 && edge < 1) context.fillRect(Math.round(edge * width) - 0.75, 0, 1.5, height);
}

/**
 * How large a share is true at a score, with the score in words of it as a diagonal.
 * @param {HTMLCanvasElement} canvas
 * @param {{score: number, share_true: number, n: number}[]} bins
 * @param {boolean} isCalibrated
 */
export function drawCalibration(canvas, bins, isCalibrated) {
  const { context, width, height } = fresh(canvas);
  const [left, bottom, right, top] = [30, height - 20, width - 8, 6];
  const scores = bins.map(({ score }) => score);
  const [low, high] = isCalibrated ? [0, 1] : [Math.min(...scores), Math.max(...scores)];
  const x = (/** @type {number} */ score) => left + ((score - low) / (high - low || 1)) * (right - left);
  const y = (/** @type {number} */ share) => bottom - share * (bottom - top);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colour("quiet");
  context.strokeStyle = colour("rule");
  for (const share of [0, 0.5, 1]) {
    context.beginPath();
    context.moveTo(left, y(share));
    context.lineTo(right, y(share));
    context.stroke();
    context.fillText(share.toFixed(1), 6, y(share) + 4);
  }
  context.fillText(low.toFixed(2), left, height - 5);
  context.textAlign = "right";
  context.fillText(`score ${high.toFixed(2)}`, right, height - 5);
  context.textAlign = "left";
  if (isCalibrated) {
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(x(0), y(0));
    context.lineTo(x(1), y(1));
    context.stroke();
    context.setLineDash([]);
  }
  context.strokeStyle = context.fillStyle = colour("accent");
  context.lineWidth = 1.5;
  context.beginPath();
  for (const { score, share_true } of bins) context.lineTo(x(score), y(share_true));
  context.stroke();
  const most = Math.max(...bins.map(({ n }) => n), 1);
  for (const { score, share_true, n } of bins) {
    context.beginPath();
    context.arc(x(score), y(share_true), 1.5 + 3 * Math.sqrt(n / most), 0, 2 * Math.PI);
    context.fill();
  }
}
