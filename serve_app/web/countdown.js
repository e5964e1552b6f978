// Time: one tick a page, and where a tournament stands in its time.

import { now } from "./api.js";
import { el, setAttr, setText } from "./dom.js";
import { ago, count, dayAndTime, duration } from "./format.js";

const TICK_MS = 500;
const ticking = new Set();
setInterval(() => document.hidden || ticking.forEach((update) => void update()), TICK_MS);
document.addEventListener("visibilitychange", () => document.hidden || ticking.forEach((update) => void update()));

/** Call `update()` now and twice a second until `signal` aborts. */
export function everyTick(update, signal) {
  ticking.add(update);
  signal.addEventListener("abort", () => ticking.delete(update), { once: true });
  update();
}

/**
 * Where a tournament stands: `{label, text, fraction, done}`. `fraction` (0..1) is how much of its time has passed, or of an instant
 * one before its start how full it is; null where neither says anything.
 */
export function phase({ status, starts_at, ends_at, finished_at, recurrence, participants = 0, capacity }, atMs = now()) {
  const start = starts_at ? Date.parse(starts_at) : null;
  const end = ends_at ? Date.parse(ends_at) : null;
  const finished = finished_at ? ago((atMs - Date.parse(finished_at)) / 1000) : null;
  switch (status) {
    case "running": {
      if (end === null) return { label: "Time left", text: "–", fraction: null };
      const left = (end - atMs) / 1000;
      const fraction = start === null ? null : Math.min(1, Math.max(0, (atMs - start) / (end - start)));
      return left > 0 ? { label: "Time left", text: duration(left), fraction, soon: left <= 60 } : { label: "Time is up", text: "counting…", fraction: 1 };
    }
    case "scheduled": {
      if (start !== null && start > atMs) return { label: "Starts in", text: duration((start - atMs) / 1000), fraction: null, when: dayAndTime(starts_at) };
      if (start !== null) return { label: "Starts", text: "any moment", fraction: null };
      if (recurrence) return { label: "A series", text: "opens tournaments", fraction: null };
      return { label: "Starts when full", text: `${count(participants)} of ${count(capacity ?? 0)}`, fraction: capacity ? participants / capacity : null };
    }
    case "finished":
      return { label: "Finished", text: finished ?? (end === null ? "–" : ago((atMs - end) / 1000)), fraction: 1, done: true };
    default:
      return { label: "Cancelled", text: finished ?? "–", fraction: null, done: true };
  }
}

/** A bar for the time that has passed. `show(phase)` sets it. */
export function timeBar() {
  const fill = el("span", { class: "fill" });
  const bar = el("div", { class: "time-bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
  return {
    element: bar,
    /** @param {{label: string, text: string, fraction: number | null, done?: boolean, soon?: boolean}} at */
    show({ label, text, fraction, done, soon }) {
      bar.classList.toggle("empty", fraction === null);
      bar.classList.toggle("done", Boolean(done));
      bar.classList.toggle("soon", Boolean(soon));
      setAttr(bar, "aria-label", label === "Starts when full" ? "Places taken" : "Time passed");
      setAttr(bar, "aria-valuetext", `${label}: ${text}`);
      setAttr(bar, "aria-valuenow", Math.round((fraction ?? 0) * 100));
      fill.style.setProperty("--part", String(fraction ?? 0));
    },
  };
}

/** A label and a clock, kept up to date: `show(phase)`. */
export function clockFace() {
  const label = el("span", { class: "clock-label" });
  const text = el("span", { class: "clock-text", role: "timer", "aria-live": "off" });
  return {
    element: el("span", { class: "clock" }, label, " ", text),
    show(at) {
      setText(label, at.label);
      setText(text, at.text);
      setAttr(text, "title", at.when ?? null);
      text.classList.toggle("soon", Boolean(at.soon));
    },
  };
}
