// Talking to the server; addresses are relative to the page's own, whose path holds the token.

import { unpackCandidates, unpackHistogram, unpackPlaces } from "../core/unpack.js";

/** @typedef {import("../core/types.js").Row} Row */
/** @typedef {{number: number, quality: number|null, count: number, resolution_A: number|null, kept: boolean}} AverageClass */

/** What the server answers where something cannot be done. */
export class Refused extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 where there was no answer
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }

  /** Whether asking again may help. */
  get mayPass() {
    return this.status === 0 || this.status >= 500;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 */
async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refused("no answer from the server: is `cryopick view` still running?", 0);
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Refused(String(told.error ?? `${path}: ${response.status}`), response.status);
}

/**
 * @param {string} path
 * @param {object} body
 */
const post = (path, body) =>
  answer(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** @param {string} path */
const json = async (path) => (await answer(path)).json();

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
const buffer = async (path, signal) => (await answer(path, { signal })).arrayBuffer();

/**
 * What is asked for, or something else where there is none of it.
 * @template T
 * @template N
 * @param {() => Promise<T>} ask
 * @param {N} nothing
 * @returns {Promise<T|N>}
 */
async function orNothing(ask, nothing) {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return nothing;
    throw error;
  }
}

export const api = {
  /** @returns {Promise<import("../core/types.js").About>} */
  about: () => json("api/about"),

  /**
   * @param {number|null} since
   * @returns {Promise<import("../core/types.js").Micrographs|null>} null: as before
   */
  async micrographs(since) {
    const response = await answer(since === null ? "api/micrographs" : `api/micrographs?since=${since}`);
    return response.status === 204 ? null : response.json();
  },

  /**
   * @param {number} source
   * @param {number} i
   * @param {AbortSignal} [signal]
   */
  candidates: async (source, i, signal) => unpackCandidates(await buffer(`api/candidates/${source}/${i}`, signal)),

  /**
   * @param {number} i
   * @param {AbortSignal} [signal]
   */
  truth: async (i, signal) => orNothing(async () => unpackPlaces(await buffer(`api/truth/${i}`, signal)), null),

  /**
   * Decisions of all people about a micrograph, oldest first.
   * @param {number} i
   * @returns {Promise<Row[]>}
   */
  decisions: async (i) => (await json(`api/decisions/${i}`)).rows,

  /** @returns {Promise<import("../core/types.js").HistogramHead>} */
  histogramHead: () => json("api/histogram"),

  /**
   * @param {number} scoreBins
   * @param {number} sizeBins
   */
  histogram: async (scoreBins, sizeBins) => unpackHistogram(await buffer("api/histogram.bin"), scoreBins, sizeBins),

  /**
   * @param {import("../core/types.js").Cut} cut
   * @param {AbortSignal} signal
   */
  async counts({ threshold, smallest_A, largest_A }, signal) {
    const asked = new URLSearchParams({ threshold: String(threshold) });
    if (smallest_A !== null) asked.set("smallest_A", String(smallest_A));
    if (largest_A !== null) asked.set("largest_A", String(largest_A));
    return new Uint32Array(await buffer(`api/counts?${asked}`, signal));
  },

  /**
   * @param {number} i
   * @returns {Promise<{width_px: number, height_px: number, tile_px: number, max_level: number, frame: number[]}>}
   */
  pyramid: (i) => json(`api/pyramid/${i}`),

  /**
   * Junk as a picture, and where it lies in pixels of the micrograph (edges, left, top, width, height).
   * @param {number} i
   * @returns {Promise<{image: ImageBitmap, frame: number[]|null}|null>} null: none
   */
  mask: (i) => orNothing(async () => {
    const response = await answer(`api/mask/${i}.png`);
    const frame = JSON.parse(response.headers.get("X-Frame") ?? "null");
    return { image: await createImageBitmap(await response.blob()), frame };
  }, null),

  /** @returns {Promise<{bins: {score: number, share_true: number, n: number}[]}>} */
  calibration: () => json("api/calibration"),

  /**
   * @param {number} i
   * @param {Row[]} rows
   */
  decide: async (i, rows) => unpackCandidates(await (await post("api/decisions", { micrograph: i, rows })).arrayBuffer()),

  /**
   * @param {number[]} micrographs
   * @param {boolean} exclude
   */
  exclude: (micrographs, exclude) => post("api/exclude", { micrographs, exclude }),

  /** @returns {Promise<number[]>} */
  undo: async () => (await (await post("api/undo", {})).json()).micrographs,

  /** @returns {Promise<AverageClass[]>} */
  classes: () => orNothing(async () => (await json("api/classes")).classes, []),

  /**
   * @param {number} number
   * @param {boolean} keep
   * @returns {Promise<AverageClass[]>}
   */
  keepClass: async (number, keep) => (await (await post("api/classes", { number, keep })).json()).classes,

  /**
   * @param {object} work
   * @returns {Promise<{job: string}>}
   */
  start: async (work) => (await post("api/start", work)).json(),

  /** @returns {Promise<import("../core/types.js").Job[]>} */
  jobs: () => json("api/jobs"),

  /** @param {string} job */
  stop: (job) => post("api/stop", { job }),
};
