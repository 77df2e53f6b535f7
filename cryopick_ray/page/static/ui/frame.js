// Work that is done once a frame, however often it is asked for; what it asks for in turn is done in the same frame.

const MOST_ROUNDS = 6;

/** @type {Set<() => void>} */
const waiting = new Set();
let isAsked = false;

/** @param {() => void} task */
export function onFrame(task) {
  waiting.add(task);
  ask();
}

function ask() {
  if (!isAsked) requestAnimationFrame(run);
  isAsked = true;
}

function run() {
  for (let round = 0; round < MOST_ROUNDS && waiting.size > 0; round++) {
    const tasks = [...waiting];
    waiting.clear();
    for (const task of tasks) task();
  }
  isAsked = false;
  if (waiting.size > 0) ask();
}
