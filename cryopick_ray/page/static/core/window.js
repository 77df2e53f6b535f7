// Which cells of a long list are in view.

/**
 * @typedef {object} Grid
 * @property {number} n cells
 * @property {number} across cells in a row
 * @property {number} cellHeight px
 */

/** @param {Grid} grid */
export const rowsOf = (grid) => Math.ceil(grid.n / Math.max(1, grid.across));

/**
 * Cells to draw: those in view and some rows more above and below.
 * @param {Grid} grid
 * @param {number} top scrolled so far, px
 * @param {number} height of the view, px
 * @param {number} [more] rows
 */
export function inView(grid, top, height, more = 2) {
  const first = Math.max(0, Math.floor(top / grid.cellHeight) - more);
  const last = Math.min(rowsOf(grid), Math.ceil((top + height) / grid.cellHeight) + more);
  return { first: first * grid.across, last: Math.max(first, Math.min(last * grid.across, grid.n)) };
}

/**
 * Where to scroll so that a cell is in view, moving as little as can be.
 * @param {Grid} grid
 * @param {number} cell
 * @param {number} top
 * @param {number} height
 */
export function scrolledTo(grid, cell, top, height) {
  const from = Math.floor(cell / Math.max(1, grid.across)) * grid.cellHeight;
  if (from < top) return from;
  if (from + grid.cellHeight > top + height) return from + grid.cellHeight - height;
  return top;
}

/**
 * Cell reached from another by a key, kept within the list.
 * @param {Grid} grid
 * @param {number} cell
 * @param {string} key
 * @param {number} height
 */
export function moved(grid, cell, key, height) {
  const page = Math.max(1, Math.floor(height / grid.cellHeight) - 1) * grid.across;
  /** @type {Record<string, number>} */
  const steps = {
    ArrowUp: -grid.across, ArrowDown: grid.across, ArrowLeft: -1, ArrowRight: 1,
    PageUp: -page, PageDown: page, Home: -grid.n, End: grid.n,
  };
  if (!(key in steps)) return null;
  return Math.min(Math.max(cell + steps[key], 0), grid.n - 1);
}
