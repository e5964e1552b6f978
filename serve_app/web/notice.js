// Errors as people read them.

import { el } from "./dom.js";

/** What to say about an error: a problem+json as its text, anything else as its message. */
export const errorText = (error) => error.text ?? error.message;

/** A panel in place of what could not be loaded. */
export function errorPanel(error, retry, heading = "This could not be loaded", level = "h2") {
  return el(
    "section",
    { class: "notice error", role: "alert" },
    el(level, { text: heading }),
    el("p", { text: errorText(error) }),
    retry && el("button", { type: "button", class: "button", text: "Try again", on: { click: retry } }),
  );
}
