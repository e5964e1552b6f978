// The form that sends a score.

import { el, setText } from "./dom.js";
import { score } from "./format.js";

const SCORE = /^-?[0-9]{1,8}([.,][0-9]{1,2})?$/; // DECIMAL(10,2)

/** Read a typed score: a number, or an Error that says what is wrong. Both "." and "," part the decimals. */
export function readScore(text) {
  const trimmed = text.trim().replace("−", "-");
  if (trimmed === "") throw new Error("Enter a score.");
  if (!SCORE.test(trimmed)) throw new Error("A score is a number with at most 8 digits and 2 decimals, such as 87.5.");
  return Number(trimmed.replace(",", "."));
}

/** A fresh id for one submission (crypto.randomUUID is missing where the page came over plain http from another machine). */
export function newEventId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * `send(eventId, value)`. The event id stays the same until `sent()`, as long as the value does: sending again after a lost
 * answer cannot count twice.
 */
export function scoreForm(send) {
  let pending = null; // {value, eventId}
  const input = el("input", { id: "score", type: "text", inputmode: "decimal", autocomplete: "off", "aria-describedby": "score-hint score-problem", required: true });
  const button = el("button", { type: "submit", class: "button primary", text: "Send" });
  const hint = el("p", { class: "hint", id: "score-hint" });
  const problem = el("p", { class: "form-error", id: "score-problem", role: "alert" });
  const submit = (event) => {
    event.preventDefault();
    let value;
    try {
      value = readScore(input.value);
    } catch (error) {
      setText(problem, error.message);
      input.setAttribute("aria-invalid", "true");
      input.focus();
      return;
    }
    setText(problem, "");
    input.removeAttribute("aria-invalid");
    if (pending?.value !== value) pending = { value, eventId: newEventId() };
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
    hint({ order, top }) {
      const better = order === "asc" ? "Lower is better" : "Higher is better";
      setText(hint, top?.length ? `${better}. The leader has ${score(top[0].score)}.` : `${better}.`);
    },
    sent() {
      pending = null;
      input.select();
    },
  };
}
