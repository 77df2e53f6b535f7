// Few-shot: ten particles and ten that are none, then a minute of training.

import { counted } from "../core/format.js";
import { marksOf } from "../core/marks.js";
import { onAny } from "../core/signal.js";
import { api } from "./api.js";
import { byId, el } from "./dom.js";
import { jobList } from "./joblist.js";
import { onFrame } from "./frame.js";
import { whenOpened } from "./parts.js";
import { state } from "./state.js";
import { NO_RUN, jobs, start } from "./work.js";

const WANTED = 10;
const MOST_ASKED = 64;

/** Rows of decisions by micrograph, as far as they were asked for. @type {Map<number, import("../core/types.js").Row[]>} */
const known = new Map();
const particles = el("strong", { id: "marked-particles", text: "0" });
const wrong = el("strong", { id: "marked-wrong", text: "0" });
const told = el("p", { class: "quiet", role: "status" });
const teach = el("button", { type: "button", class: "strong", id: "teach-start", text: "Teach", click: () => void begin() });

export function startTeach() {
  const tool = (/** @type {string} */ name, /** @type {string} */ text) => el("button", { type: "button", class: "chip", text, click: () => state.tool.set(name) });
  byId("teach").append(
    el("h3", { text: "Mark" }),
    el("p", { class: "quiet", text: `About ${WANTED} particles and ${WANTED} places that are none, on one or several micrographs. What you added or removed counts, too.` }),
    el("div", { class: "marks" }, tool("particle", "+ particle (6)"), particles, tool("wrong", "− none (7)"), wrong),
    told, el("div", { class: "row" }, teach),
    el("h3", { text: "Lessons" }), jobList(["teach"]),
  );
  whenOpened("teach", () => void ask());
  onAny([state.decisions, state.current, state.about], () => onFrame(count));
  jobs.on(() => onFrame(count));
}

/** Rows of micrographs that were mended before this page was opened. */
async function ask() {
  const decided = state.loaded.value.columns.decisions ?? [];
  const missing = decided.flatMap((n, i) => (Number(n ?? 0) > 0 && !known.has(i) ? [i] : [])).slice(0, MOST_ASKED);
  for (const i of missing) known.set(i, await api.decisions(i).catch(() => []));
  count();
}

function count() {
  if (state.current.value >= 0 && state.candidates.value !== null) known.set(state.current.value, state.decisions.value);
  const marks = [...known.values()].map(marksOf);
  const sum = (/** @type {"particles"|"wrong"} */ key) => marks.reduce((all, one) => all + one[key].length, 0);
  const [good, bad] = [sum("particles"), sum("wrong")];
  [particles.textContent, wrong.textContent] = [String(good), String(bad)];
  const isRunning = jobs.value.some((job) => job.what === "teach" && job.state === "running");
  const isRun = state.about.value.is_run;
  teach.disabled = good === 0 || isRunning || !isRun;
  told.textContent = !isRun ? NO_RUN : isRunning ? "learning; its picks will be shown beside" : good === 0 ? "no particle marked yet"
    : good < WANTED || bad < WANTED ? `${counted(Math.max(0, WANTED - good), "more particle")} and ${counted(Math.max(0, WANTED - bad), "more wrong place")} would help` : "enough to learn from";
}

/** Its picks are shown on the open micrograph and on those with marks. */
async function begin() {
  const marked = [...known].filter(([, rows]) => rows.length > 0).map(([i]) => i);
  await start({ what: "teach", micrographs: [...new Set([state.current.value, ...marked])].filter((i) => i >= 0) });
}
