// Keys of the page: one table that is obeyed and shown in the help.

/** @typedef {{group: string, keys: string[], command: string, text: string}} Binding */

/**
 * @param {string} group
 * @param {[string, string, string][]} rows keys apart by blanks, command, text
 * @returns {Binding[]}
 */
const bindings = (group, rows) => rows.map(([keys, command, text]) => ({ group, keys: keys.split(" "), command, text }));

/** @type {readonly Binding[]} */
export const BINDINGS = Object.freeze([
  ...bindings("Micrographs", [
    ["n PageDown", "next", "next micrograph"],
    ["p PageUp", "previous", "previous micrograph"],
    ["d", "next-doubtful", "next doubtful one"],
    ["Shift+d", "previous-doubtful", "previous doubtful one"],
    ["o", "next-outlier", "next outlier"],
    ["Shift+o", "previous-outlier", "previous outlier"],
    ["e", "exclude", "exclude, or take back"],
    ["/", "filter", "filter"],
    ["g", "strip", "strip of thumbnails"],
    ["t", "table", "table"],
    ["y", "plots", "plots"],
    ["k", "classes", "class averages"],
  ]),
  ...bindings("Picks", [
    ["ArrowLeft ArrowRight ArrowUp ArrowDown", "cursor", "move the cursor; with Shift further, with Alt by one pixel"],
    ["Space Enter", "act", "what a click with the tool does, at the cursor"],
    ["a", "add", "add a pick at the cursor"],
    ["x Delete Backspace", "remove", "remove the pick or filament at the cursor; the last corner of one that is drawn"],
    ["m", "carry", "take the pick at the cursor along, then put it down"],
    ["j", "jump", "cursor to the next pick"],
    ["Shift+j", "jump-back", "cursor to the previous pick"],
    ["u Ctrl+z", "undo", "undo your last decision"],
    ["Escape", "cancel", "cancel, close"],
  ]),
  ...bindings("Tools", [
    ["1", "tool-pick", "picks: add, remove, move"],
    ["2", "tool-lasso", "lasso: remove what is inside (Space sets corners, Enter closes)"],
    ["3", "tool-box", "box: remove what is inside (Space sets both corners)"],
    ["4", "tool-junk", "paint junk"],
    ["5", "tool-clean", "take painted junk back"],
    ["6", "tool-particle", "teach: this is a particle"],
    ["7", "tool-wrong", "teach: this is none"],
    ["8", "tool-hand", "look only"],
    ["9", "tool-trace", "draw a filament (clicks or Space set corners, Enter or a double click ends)"],
    [", .", "brush", "smaller, larger brush"],
  ]),
  ...bindings("View", [
    ["+ =", "zoom-in", "zoom in"],
    ["-", "zoom-out", "zoom out"],
    ["0", "fit", "whole micrograph"],
    ["l", "look", "next look: plain, band-pass, denoised"],
    ["i", "invert", "invert"],
    ["[ ]", "contrast", "less, more contrast"],
    ["{ }", "brightness", "darker, brighter"],
    ["c", "circles", "circles on or off"],
    ["b", "below", "what is not picked"],
    ["r", "truth", "truth"],
    ["q", "masks", "junk"],
    ["v", "split", "other pickers side by side"],
  ]),
  ...bindings("Threshold", [
    ["s", "threshold", "go to the slider"],
    ["< >", "threshold-step", "lower, higher threshold"],
    ["Shift+r", "threshold-reset", "threshold of the run"],
  ]),
  ...bindings("Page", [
    ["?", "help", "this list"],
    ["Shift+t", "theme", "dark or light"],
  ]),
]);

/**
 * @typedef {object} Pressed
 * @property {string} key
 * @property {boolean} shiftKey
 * @property {boolean} ctrlKey
 * @property {boolean} altKey
 * @property {boolean} metaKey
 */

/** @type {Map<string, string>} */
const COMMANDS = new Map(BINDINGS.flatMap(({ keys, command }) => keys.map((key) => /** @type {[string, string]} */ ([key, command]))));

/**
 * Command of a key that was pressed, or null.
 * @param {Pressed} event
 */
export function commandOf(event) {
  const key = event.key === " " ? "Space" : event.key;
  if (key.startsWith("Arrow")) return event.ctrlKey || event.metaKey ? null : "cursor";
  const letter = /^[A-Za-z]$/.test(key);
  if (event.ctrlKey || event.metaKey) return letter ? COMMANDS.get(`Ctrl+${key.toLowerCase()}`) ?? null : null;
  if (event.altKey && letter) return null;
  const named = letter ? (event.shiftKey ? `Shift+${key.toLowerCase()}` : key.toLowerCase()) : key;
  return COMMANDS.get(named) ?? null;
}

/** Elements of the page that need a key themselves. */
const TYPED = new Set(["text", "search", "number", "email", "url", ""]);

/**
 * Whether an element keeps a key for itself: text is typed into boxes, Space presses buttons, arrows move sliders.
 * @param {{tag: string, type: string, role: string|null}} element
 * @param {Pressed} event
 */
export function keptBy({ tag, type, role }, event) {
  if (event.key === "Escape") return false;
  if (tag === "TEXTAREA" || tag === "SELECT" || (tag === "INPUT" && TYPED.has(type))) return true;
  const isArrow = event.key.startsWith("Arrow") || ["Home", "End", "PageUp", "PageDown"].includes(event.key);
  if (tag === "INPUT") return (type === "range" && isArrow) || event.key === " " || (type === "radio" && isArrow);
  if (tag === "BUTTON" || tag === "A" || tag === "SUMMARY") {
    return event.key === " " || event.key === "Enter" || ((role === "tab" || role === "radio") && isArrow);
  }
  return (role === "listbox" || role === "grid") && (isArrow || event.key === "Enter" || event.key === " ");
}
