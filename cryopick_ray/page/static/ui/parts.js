// Parts of the page: tabs of the panels, and which part a narrow window shows.

import { aria, byId } from "./dom.js";

/** @type {Record<string, () => void>} */
const opened = {};

/**
 * Told each time a panel is opened.
 * @param {string} panel
 * @param {() => void} listener
 */
export function whenOpened(panel, listener) {
  opened[panel] = listener;
}

export function startParts() {
  tabs("browse", "tab-strip", (name) => {
    document.body.dataset.browse = name;
  });
  tabs("panel", "tab-cut", () => undefined);
  for (const button of document.querySelectorAll(".narrow-tabs button")) {
    button.addEventListener("click", () => showPart(/** @type {HTMLElement} */ (button).dataset.part ?? "micrograph"));
  }
  showPart("micrograph");
}

/**
 * @param {string} part
 * @param {string} [focus] element that gets the focus
 */
export function showPart(part, focus) {
  document.body.dataset.shown = part;
  for (const button of document.querySelectorAll(".narrow-tabs button")) {
    aria(button, "pressed", /** @type {HTMLElement} */ (button).dataset.part === part);
  }
  if (focus !== undefined) byId(focus).focus();
}

/**
 * One row of tabs; arrows move along it.
 * @param {"browse"|"panel"} kind
 * @param {string} first
 * @param {(name: string) => void} chosen
 */
function tabs(kind, first, chosen) {
  const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(`[role=tab][data-${kind}]`)]);
  const choose = (/** @type {HTMLElement} */ tab) => {
    for (const one of all) {
      aria(one, "selected", one === tab);
      one.tabIndex = one === tab ? 0 : -1;
      byId(one.dataset[kind] ?? "").hidden = one !== tab;
    }
    const name = tab.dataset[kind] ?? "";
    chosen(name);
    opened[name]?.();
  };
  for (const tab of all) {
    tab.addEventListener("click", () => {
      choose(tab);
      if (kind === "browse") showPart("browse");
    });
    tab.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (step === 0) return;
      event.preventDefault();
      event.stopPropagation();
      const seen = all.filter((one) => !one.hidden);
      const next = seen[(seen.indexOf(tab) + step + seen.length) % seen.length];
      choose(next);
      next.focus();
    });
  }
  choose(byId(first));
}
