// The page: its parts are started, then filled.

import { startClasses } from "./ui/classes.js";
import { startCalibration, startCut } from "./ui/cut.js";
import { startData } from "./ui/data.js";
import { byId } from "./ui/dom.js";
import { startFilterBox } from "./ui/filterbox.js";
import { startHead } from "./ui/head.js";
import { startLists } from "./ui/lists.js";
import { startMask } from "./ui/mask.js";
import { startParts } from "./ui/parts.js";
import { startPlots } from "./ui/plots.js";
import { startPolling } from "./ui/poll.js";
import { startRun } from "./ui/run.js";
import { startShortcuts } from "./ui/shortcuts.js";
import { startShow } from "./ui/show.js";
import { startStage } from "./ui/stage.js";
import { startStrip } from "./ui/strip.js";
import { startTable } from "./ui/table.js";
import { startHistogram } from "./ui/tallied.js";
import { startTeach } from "./ui/teach.js";
import { startTheme } from "./ui/theme.js";
import { startTools } from "./ui/tools.js";
import { watch } from "./ui/work.js";

for (const start of [startTheme, startParts, startLists, startStage, startMask, startTools, startHead, startStrip, startTable, startPlots,
  startFilterBox, startCut, startShow, startTeach, startRun, startShortcuts]) start();

try {
  await startData();
  startPolling();
  await Promise.all([startClasses(), startHistogram().then(startCalibration), watch()]);
} catch (error) {
  byId("reply").textContent = error instanceof Error ? error.message : String(error);
}
