// Whether what is shown is live.

import { announce } from "./announce.js";
import { el, setAttr, setText } from "./dom.js";
import { ago } from "./format.js";

const WORDS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", stale: "Stale", closed: "Not connected", ended: "Final" };

/** A chip with the state in words, how old the data is when it is not live, and a button when only the visitor can go on. `say` tells screen readers. */
export function connectionChip(live, say = announce) {
  const text = el("span", { class: "connection-text" });
  const age = el("span", { class: "connection-age" });
  const again = el("button", { type: "button", class: "link-button", text: "Connect again", on: { click: () => live.retry() } });
  const element = el("div", { class: "connection" }, el("span", { class: "dot", "aria-hidden": "true" }), text, age, again);
  let before = null;

  return {
    element,
    /** Show the socket's state; `ended`: nothing more will come. */
    show(ended) {
      const state = ended ? "ended" : live.state;
      setAttr(element, "data-state", state);
      setText(text, WORDS[state]);
      const old = state === "reconnecting" || state === "stale" || state === "closed";
      setText(age, old && live.silentForS !== null ? `last heard ${ago(live.silentForS)}` : "");
      again.hidden = state !== "closed";
      setAttr(element, "title", state === "closed" ? live.closedWhy : null);
      if (before === "live" && old) say("The connection is lost. Trying again.", { kind: "connection", everyS: 10 });
      if ((before === "reconnecting" || before === "stale") && state === "live") say("Live again.", { kind: "connected", everyS: 10 });
      before = state;
    },
  };
}
