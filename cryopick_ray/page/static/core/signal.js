// A value that tells when it changes.

/** @template T */
export class Signal {
  /** @param {T} value */
  constructor(value) {
    this.value = value;
    /** @type {Set<(value: T, before: T) => void>} */
    this.listeners = new Set();
  }

  /**
   * Change the value; listeners hear of it unless it is the same.
   * @param {T} value
   */
  set(value) {
    const before = this.value;
    if (Object.is(value, before)) return;
    this.value = value;
    for (const listener of this.listeners) listener(value, before);
  }

  /**
   * Hear of changes from now on.
   * @param {(value: T, before: T) => void} listener
   */
  on(listener) {
    this.listeners.add(listener);
  }
}

/**
 * Hear of changes of any of several values.
 * @param {Signal<any>[]} signals
 * @param {() => void} listener
 */
export function onAny(signals, listener) {
  for (const signal of signals) signal.on(() => listener());
}
