// The row of tools above the picture.

import { aria, byId, el, slider } from "./dom.js";
import { state } from "./state.js";

/** Name, words, key, picture: strokes in a box of 16. */
const TOOLS = /** @type {const} */ ([
  ["pick", "Picks: click adds or removes, drag moves", "1", "M8 8m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0M8 6v4M6 8h4"],
  ["lasso", "Lasso: remove what is inside", "2", "M3 7c0-5 10-5 10 0s-8 5-8 2 3 0 1 5"],
  ["box", "Box: remove what is inside", "3", "M2.5 4.5h11v7h-11zM6 6l4 4M10 6l-4 4"],
  ["junk", "Paint junk", "4", "M13.5 2.5L8 8M8 8c2 2-1 6-5.5 5.5C4 12 2.500 9 8 8"],
  ["clean", "Take painted junk back", "5", "M6 13L2.500 9.500l6-7 5 4.500-5.500 6zM5.500 6l5 4.500"],
  ["particle", "Teach: this is a particle", "6", "M8 2.500v11M2.500 8h11"],
  ["wrong", "Teach: this is none", "7", "M2.500 8h11"],
  ["hand", "Look only: drag moves the picture", "8", "M8 2v12M2 8h12M6 4l2-2 2 2M6 12l2 2 2-2M4 6l-2 2 2 2M12 6l2 2-2 2"],
  ["trace", "Draw a filament: clicks set corners, a double click or Enter ends, Escape gives up", "9", "M2.500 13C5 5 10 12 13.500 3M2.500 13h.01M13.500 3h.01"],
]);

export function startTools() {
  const buttons = TOOLS.map(([name, words, key, path]) => el("button", {
    type: "button", role: "radio", class: "tool", "data-tool": name, "aria-label": words, title: `${words} (${key})`,
    click: () => state.tool.set(name),
  }, icon(path)));
  const brush = slider({ label: "brush", min: 5, max: 600, step: 1, value: state.brush_px.value }, (value) => state.brush_px.set(value));
  byId("tools").prepend(...buttons, brush.label);
  state.brush_px.on((value) => {
    brush.input.value = String(value);
  });
  const show = () => {
    for (const button of buttons) {
      const isOn = button.dataset.tool === state.tool.value;
      aria(button, "checked", isOn);
      button.tabIndex = isOn ? 0 : -1;
    }
    brush.label.hidden = state.tool.value !== "junk";
    byId("stage").dataset.tool = state.tool.value;
  };
  byId("tools").addEventListener("keydown", (event) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const at = (TOOLS.findIndex(([name]) => name === state.tool.value) + step + TOOLS.length) % TOOLS.length;
    state.tool.set(TOOLS[at][0]);
    buttons[at].focus();
  });
  state.tool.on(() => {
    show();
    state.reply.set(TOOLS.find(([name]) => name === state.tool.value)?.[1] ?? "");
  });
  show();
}

/** @param {string} path */
function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
