// Work that is done once a frame, however often it is asked for.

/** @type {Set<() => void>} */
const waiting = new Set();

/** @param {() => void} task */
export function onFrame(task) {
  if (waiting.size === 0) requestAnimationFrame(run);
  waiting.add(task);
}

function run() {
  const tasks = [...waiting];
  waiting.clear();
  for (const task of tasks) task();
}
