// The picture of junk of the open micrograph, asked for when it is shown.

import { onAny } from "../core/signal.js";
import { api } from "./api.js";
import { state } from "./state.js";

export function startMask() {
  onAny([state.current, state.showMasks], () => void ask());
}

async function ask() {
  const i = state.current.value;
  state.mask.set(null);
  if (!state.showMasks.value || i < 0) return;
  const found = await api.mask(i).catch(() => null);
  if (i !== state.current.value) return;
  if (found === null) state.reply.set("no junk in this micrograph");
  else state.mask.set(found);
}
