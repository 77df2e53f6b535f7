// Shapes of what the server sends and of what the page keeps; no code.

/**
 * @typedef {object} Source
 * @property {string} name
 * @property {string} kind
 * @property {string} [model]
 * @property {number|null} [threshold]
 * @property {boolean} [calibrated]
 */

/**
 * @typedef {object} About
 * @property {string} title
 * @property {string} version
 * @property {string} by
 * @property {string[]} [people]
 * @property {string} [curation]
 * @property {boolean} is_run
 * @property {boolean} is_live
 * @property {boolean} has_truth
 * @property {boolean} has_masks
 * @property {boolean} [is_writable]
 * @property {boolean} [has_filaments]
 * @property {string[]} [notes]
 * @property {string[]} looks
 * @property {number} diameter_A
 * @property {string[]} [reasons] words of the flags, by bit
 * @property {Source[]} sources
 * @property {Record<string, string>} [commands]
 */

/** @typedef {(string|number|boolean|null)[]} Column */

/**
 * Columns of all micrographs in order of acquisition.
 * @typedef {object} Micrographs
 * @property {number} generation
 * @property {number} n
 * @property {Record<string, Column>} columns
 * @property {Record<string, number[]>} outliers
 */

/**
 * Candidates of one source in one micrograph, best first.
 * @typedef {object} Candidates
 * @property {number} n
 * @property {Float32Array} x_px
 * @property {Float32Array} y_px
 * @property {Float32Array} score
 * @property {Float32Array} size_A NaN where unknown
 * @property {Uint16Array} unpicked flags
 * @property {Uint8Array} junk
 * @property {Uint8Array} marks 1 added by hand, 2 matches truth
 * @property {Int32Array|null} filament that each is a segment of, -1 for none; null where there are none
 * @property {Float32Array|null} track_A where along it
 */

/** @typedef {{n: number, x_px: Float32Array, y_px: Float32Array}} Places */

/**
 * What of all candidates counts as picked.
 * @typedef {object} Cut
 * @property {number} threshold
 * @property {number|null} smallest_A
 * @property {number|null} largest_A
 */

/**
 * @typedef {object} Row
 * @property {string} action
 * @property {number} [x_px]
 * @property {number} [y_px]
 * @property {number} [radius_px]
 */

/** @typedef {{x: number, y: number}} Point */

/** @typedef {{score_stops: number[], size_stops_A: number[]|null, ready: boolean, truth_total?: number|null}} HistogramHead */

/**
 * Counts of the data set's candidates that nothing but a cut keeps out, before decisions: of all, and, where truth
 * is known, of those that match it and of those that could.
 * @typedef {object} Counted
 * @property {HistogramHead} head
 * @property {import("./histogram.js").Sums} all
 * @property {import("./histogram.js").Sums|null} matched
 * @property {import("./histogram.js").Sums|null} judged
 * @property {number} sizes bins of known size
 */

/** @typedef {{job: string, what: string, state: string, lines: string[], command: string}} Job */

export {};
