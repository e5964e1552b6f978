// One polite live region for the page, that does not chatter.

import { setText } from "./dom.js";

const spokenAt = new Map(); // kind -> monotonic milliseconds; a handful of kinds

/** Say `text` to screen readers; of one `kind` at most once in `everyS` seconds (what comes earlier is left unsaid). */
export function announce(text, { kind = text, everyS = 0 } = {}) {
  const moment = performance.now();
  if (spokenAt.has(kind) && moment - spokenAt.get(kind) < everyS * 1000) return;
  if (everyS) spokenAt.set(kind, moment);
  const region = document.getElementById("announcements");
  setText(region, "");
  setTimeout(() => setText(region, text), 60); // an emptied region makes the same words be said again
}
