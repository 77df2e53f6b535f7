// Making and finding elements; text goes in as text only, never as markup.

/**
 * The element of an id, which index.html has.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no element ${id}`);
  return found;
}

/** @typedef {Record<string, string|number|boolean|null|undefined|((event: any) => void)>} Props */

/**
 * A new element. Properties `text` and `class` are its text and classes, functions listen, the rest are attributes.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} [props]
 * @param {(Node|string|null)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") made.textContent = String(value);
    else if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {unknown} on
 */
export const aria = (element, name, on) => element.setAttribute(`aria-${name}`, String(on));

/**
 * A labelled check box.
 * @param {string} label
 * @param {boolean} checked
 * @param {(checked: boolean) => void} changed
 * @param {(Node|null)[]} more
 */
export function checkbox(label, checked, changed, ...more) {
  const input = el("input", { type: "checkbox", change: () => changed(input.checked) });
  input.checked = checked;
  return { input, label: el("label", { class: "check" }, input, ...more, el("span", { text: label })) };
}

/**
 * A labelled slider.
 * @param {{label: string, min: number, max: number, step: number, value: number}} range
 * @param {(value: number) => void} changed
 */
export function slider({ label, min, max, step, value }, changed) {
  const input = el("input", { type: "range", min, max, step, input: () => changed(Number(input.value)) });
  input.value = String(value);
  return { input, label: el("label", { class: "slider" }, el("span", { text: label }), input) };
}
