// Dark or light: as the system says until a person chooses; the choice is kept in this browser.

import { aria, byId } from "./dom.js";

const KEPT = "cryopick-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
/** @type {(() => void)[]} */
const listeners = [];

export function startTheme() {
  apply(kept());
  byId("theme").addEventListener("click", nextTheme);
  system.addEventListener("change", () => listeners.forEach((listener) => listener()));
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

/** Colour of the style sheet by the name of its variable. @param {string} name */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** @param {string|null} theme */
function apply(theme) {
  if (theme !== null) document.documentElement.dataset.theme = theme;
  aria(byId("theme"), "pressed", isDark());
  listeners.forEach((listener) => listener());
}

function kept() {
  try {
    const theme = localStorage.getItem(KEPT);
    return theme === "dark" || theme === "light" ? theme : null;
  } catch {
    return null;
  }
}
