// What the console's views share: tables, panels, chips, facts, and a part that keeps itself fresh.

import { arrange, el, setText } from "../dom.js";
import { ago, dayAndTime } from "../format.js";
import { errorPanel, errorText } from "../notice.js";
import { keepDoing } from "../pages.js";

let made = 0;

/** A panel with its heading; `tools` stand beside that. */
export function panel(title, { tools = [], level = "h2" } = {}, ...children) {
  const id = `panel-${++made}`;
  return el("section", { class: "panel", "aria-labelledby": id }, el("div", { class: "panel-head" }, el(level, { id, text: title }), tools), ...children);
}

/**
 * A table. `columns`: `{title, class?, cell(row), head?}`, where `cell` gives a text, a node or a list of them, and `head` makes it the row's
 * heading. `show(rows)` fills it; on a phone each row is a card whose cells are named by their columns.
 */
export function table(caption, columns, { empty = "Nothing here." } = {}) {
  const body = el("tbody");
  const head = el("tr", {}, columns.map((column) => el("th", { scope: "col", class: column.class, text: column.title })));
  const grid = el("table", { class: "grid" }, el("caption", { class: "quiet-text", text: caption }), el("thead", {}, head), body);
  const nothing = el("p", { class: "empty", text: empty });
  const element = el("div", { class: "grid-place" }, grid, nothing);
  let kept = new Map(); // rows' elements by what they show, so that a refresh that changes nothing touches nothing
  return {
    element,
    show(rows) {
      const next = new Map();
      const focused = [...kept.values()].find(({ node }) => node.contains(document.activeElement));
      const at = focused ? targets(focused.node).indexOf(/** @type {HTMLElement} */ (document.activeElement)) : -1;
      for (const [index, row] of rows.entries()) {
        const key = row.key ?? index;
        const text = JSON.stringify(row);
        const before = kept.get(key);
        next.set(key, before?.text === text ? before : { text, node: line(columns, row) });
      }
      const focusedKey = focused && [...kept].find(([, each]) => each === focused)[0];
      kept = next;
      arrange(body, [...kept.values()].map((each) => each.node));
      if (focused && !focused.node.isConnected && kept.has(focusedKey)) targets(kept.get(focusedKey).node)[at]?.focus({ preventScroll: true });
      grid.hidden = rows.length === 0;
      nothing.hidden = rows.length > 0;
    },
  };
}

const targets = (node) => /** @type {HTMLElement[]} */ ([...node.querySelectorAll("a, button, input")]);

function line(columns, row) {
  return el(
    "tr",
    { data: row.data ?? {} },
    columns.map((column) => {
      const given = [column.cell(row)].flat().filter((child) => child !== null && child !== undefined && child !== "" && child !== false);
      const children = given.length ? given : ["–"];
      return el(column.head ? "th" : "td", { scope: column.head ? "row" : null, class: column.class, "data-title": column.title }, children);
    }),
  );
}

/** A word in a coloured chip; `tone`: `good`, `warn`, `bad` or none. */
export const chip = (text, tone = null) => el("span", { class: "chip", data: tone ? { tone } : {}, text });

/** A tournament's status. */
export const pill = (status, words) => el("span", { class: "pill", data: { status } }, el("span", { class: "dot", "aria-hidden": "true" }), words);

/** Names and values: `[[name, value], ...]`; a value is a text or a node. */
export function facts(pairs) {
  const long = (value) => (typeof value === "string" ? value.length > 22 : value?.tagName === "CODE");
  return el("dl", { class: "facts" }, pairs.map(([name, value]) => el("div", { class: long(value) ? "wide" : null }, el("dt", { text: name }), el("dd", {}, value ?? "–"))));
}

/** A moment in words; of another year with that. */
export function when(rfc3339) {
  const year = new Date(rfc3339).getFullYear();
  return year === new Date().getFullYear() ? dayAndTime(rfc3339) : `${dayAndTime(rfc3339)}, ${year}`;
}

/** A moment as people read it, with its exact form at hand. */
export const moment = (rfc3339) => (rfc3339 ? el("time", { datetime: rfc3339, title: rfc3339, text: when(rfc3339) }) : null);

/** Seconds of lag, or none. */
export const lag = (seconds) => (seconds === null || seconds === undefined ? null : seconds < 0.05 ? "0 s" : seconds < 100 ? `${seconds.toFixed(1)} s` : ago(seconds).replace(" ago", ""));

/**
 * A button that does one thing at a time: a second click while it works is nothing. `work` may throw; `failed(error)` is told. `ready()`: whether
 * there is something to do, once the work is done.
 */
export function button(text, work, { kind = "", label = null, failed = (_error) => {}, ready = /** @returns {boolean} */ () => true } = {}) {
  const node = el("button", { type: "button", class: `button ${kind}`.trim(), text, "aria-label": label });
  node.addEventListener("click", async () => {
    if (node.disabled) return;
    node.disabled = true;
    try {
      await work(node);
    } catch (error) {
      failed(error);
    } finally {
      node.disabled = !ready();
    }
  });
  return node;
}

/**
 * Fetch and show, again and again while the view is open. Until the first answer it says that it loads; without one, why, with a button; later
 * failures are told above what is shown, which stays. Returns `{element, refresh}`.
 */
export function live(fetch, draw, everyMs, signal) {
  const stale = el("p", { class: "stale-note", role: "status" });
  stale.hidden = true;
  const loading = el("p", { class: "loading", text: "Loading…" });
  const place = el("div", {}, loading);
  let shown = false;

  async function refresh() {
    const answer = await fetch(signal);
    if (signal.aborted) return;
    if (!shown) place.replaceChildren();
    shown = true;
    stale.hidden = true;
    draw(answer, place);
  }

  async function first() {
    try {
      await refresh();
    } catch (error) {
      if (signal.aborted) return;
      if (!shown) place.replaceChildren(errorPanel(error, () => void first()));
    }
  }

  void first();
  keepDoing(refresh, everyMs, signal, (error) => {
    stale.hidden = !shown;
    setText(stale, error.status === 0 ? "The connection is lost. What you see may be old; trying again." : `Not refreshed: ${errorText(error)}`);
  });
  return { element: el("div", {}, stale, place), refresh: () => refresh().catch(() => {}) };
}
