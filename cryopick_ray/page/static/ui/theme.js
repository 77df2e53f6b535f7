// Dark or light: as the system says until a person chooses; the choice is kept in this browser.

import { aria, byId } from "./dom.js";

const KEPT = "cryopick-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
/** @type {(() => void)[]} */
const listeners = [];

export function startTheme() {
  apply(kept());
  byId("theme").addEventListener("click", nextTheme);
  system.addEventListener("change", changed);
}

/** @param {() => void} listener */
export function onTheme(listener) {
  listeners.push(listener);
}

/** The other one. */
export function nextTheme() {
  const theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem(KEPT, theme);
  } catch {
    // Private windows keep nothing; the choice holds for this page.
  }
  apply(theme);
}

export const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

/** Colours of the theme, as far as they were asked for: to ask the style sheet takes long. @type {Map<string, string>} */
const colours = new Map();

/** Colour of the style sheet by the name of its variable. @param {string} name */
export function colour(name) {
  const known = colours.get(name) ?? getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  colours.set(name, known);
  return known;
}

function changed() {
  colours.clear();
  for (const listener of listeners) listener();
}

/** @param {string|null} theme */
function apply(theme) {
  if (theme !== null) document.documentElement.dataset.theme = theme;
  aria(byId("theme"), "pressed", isDark());
  changed();
}

function kept() {
  try {
    const theme = localStorage.getItem(KEPT);
    return theme === "dark" || theme === "light" ? theme : null;
  } catch {
    return null;
  }
}
