// The form that sends a score.

import { newId } from "./client/src/transport.js";
import { el, setText } from "./dom.js";
import { score } from "./format.js";

const SCORE = /^-?[0-9]{1,8}([.,][0-9]{1,2})?$/; // DECIMAL(10,2)

const TIME = /^(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-5]?[0-9](?:[.,][0-9]{1,2})?)$/; // 1:02:09.5, 46:54

/**
 * Read a typed score: a number, or an Error that says what is wrong. Both "." and "," part the decimals. Where scores are times, hours
 * and minutes may stand before the seconds.
 */
export function readScore(text, display) {
  const trimmed = text.trim().replace("−", "-");
  if (trimmed === "") throw new Error("Enter a score.");
  const parts = display?.unit === "time" ? TIME.exec(trimmed) : null;
  if (parts) return Math.round((Number(parts[1] ?? 0) * 3600 + Number(parts[2]) * 60 + Number(parts[3].replace(",", "."))) * 100) / 100;
  if (!SCORE.test(trimmed)) throw new Error("A score is a number with at most 8 digits and 2 decimals, such as 87.5.");
  return Number(trimmed.replace(",", "."));
}

/**
 * `send(eventId, value)`. The event id stays the same until `sent()`, as long as the value does: sending again after a lost
 * answer cannot count twice.
 */
export function scoreForm(send) {
  let display = null;
  let pending = null; // {value, eventId}
  const input = el("input", { id: "score", type: "text", inputmode: "decimal", autocomplete: "off", "aria-describedby": "score-hint score-problem", required: true });
  const button = el("button", { type: "submit", class: "button primary", text: "Send" });
  const hint = el("p", { class: "hint", id: "score-hint" });
  const problem = el("p", { class: "form-error", id: "score-problem", role: "alert" });
  const submit = (event) => {
    event.preventDefault();
    let value;
    try {
      value = readScore(input.value, display);
    } catch (error) {
      setText(problem, error.message);
      input.setAttribute("aria-invalid", "true");
      input.focus();
      return;
    }
    setText(problem, "");
    input.removeAttribute("aria-invalid");
    if (pending?.value !== value) pending = { value, eventId: newId() };
    send(pending.eventId, value);
  };
  const element = el(
    "form",
    { class: "row-form score-form", novalidate: true, on: { submit } },
    el("label", { for: "score", text: "Your score" }),
    el("div", { class: "row" }, input, button),
    hint,
    problem,
  );
  return {
    element,
    button,
    hint({ order, top, display: shown }) {
      display = shown;
      const better = order === "asc" ? display?.unit === "time" ? "Faster is better" : "Lower is better" : "Higher is better";
      setText(hint, top?.length ? `${better}. The leader has ${score(top[0].score, display)}.` : `${better}.`);
    },
    sent() {
      pending = null;
      input.select();
    },
  };
}
