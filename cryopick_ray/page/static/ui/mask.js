// The picture of junk of the open micrograph, asked for when it is shown.

import { state } from "./state.js";

/** @type {{i: number, image: HTMLImageElement}|null} */
let kept = null;

/**
 * @param {number} i
 * @returns {HTMLImageElement|null} null until it is here
 */
export function maskOf(i) {
  if (kept?.i !== i) {
    const image = new Image();
    image.addEventListener("load", () => state.showMasks.listeners.forEach((listener) => listener(true, true)));
    image.src = `api/mask/${i}.png`;
    kept = { i, image };
  }
  return kept.image.complete && kept.image.naturalWidth > 0 ? kept.image : null;
}

/** Ask again: junk was painted. */
export function forgetMask() {
  kept = null;
}
