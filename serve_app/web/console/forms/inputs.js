// The kinds of fields: how a value is typed, read and shown. Reading throws an Error that says what is expected.

import { el } from "../../dom.js";

const UNITS = { d: 86_400, h: 3600, m: 60, min: 60, s: 1 };

/** `90`, `1:30:00`, `2 h 15 min` as seconds. */
export function readDuration(text) {
  const plain = text.trim().toLowerCase();
  if (/^\d+(\.\d{1,3})?$/.test(plain)) return Number(plain);
  const clock = /^(?:(\d+):)?(\d+):(\d{2}(?:\.\d{1,3})?)$/.exec(plain);
  if (clock) return Number(clock[1] ?? 0) * 3600 + Number(clock[2]) * 60 + Number(clock[3]);
  const parts = [...plain.matchAll(/(\d+(?:\.\d+)?)\s*(d|h|min|m|s)(?![a-z])/g)];
  if (!parts.length || plain.replace(/(\d+(?:\.\d+)?)\s*(d|h|min|m|s)(?![a-z])/g, "").trim()) throw new Error("Expected a time such as 90 min, 1:30:00 or 2 d 4 h.");
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit], 0);
}

/** Seconds as `readDuration` takes them: `1 h 30 min`. */
export function showDuration(seconds) {
  const parts = [];
  let rest = seconds;
  for (const [unit, size] of [["d", 86_400], ["h", 3600], ["min", 60]]) {
    const whole = Math.floor(rest / Number(size));
    if (whole) parts.push(`${whole} ${unit}`);
    rest -= whole * Number(size);
  }
  if (rest || !parts.length) parts.push(`${Math.round(rest * 1000) / 1000} s`);
  return parts.join(" ");
}

/** A moment as an `<input type=datetime-local>` wants it, in the zone of the window. */
export function showLocal(rfc3339) {
  const at = new Date(rfc3339);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

function number(text, { min = -Infinity, max = Infinity, whole = false, decimals = 4 } = {}) {
  const plain = text.trim().replace(",", ".").replace("−", "-");
  if (!/^-?\d+(\.\d+)?$/.test(plain)) throw new Error(whole ? "Expected a whole number." : "Expected a number.");
  const value = Number(plain);
  if (whole && !Number.isInteger(value)) throw new Error("Expected a whole number.");
  if ((plain.split(".")[1] ?? "").length > decimals) throw new Error(`Expected at most ${decimals} decimals.`);
  if (value < min || value > max) throw new Error(max === Infinity ? `Expected at least ${min}.` : min === -Infinity ? `Expected at most ${max}.` : `Expected ${min.toLocaleString("en")} to ${max.toLocaleString("en")}.`);
  return value;
}

function pairs(text, kind) {
  const found = {};
  for (const line of text.split("\n").map((each) => each.trim()).filter(Boolean)) {
    const at = line.indexOf("=");
    if (at < 1) throw new Error(`Expected name = value on each line, got “${line.slice(0, 40)}”.`);
    const [name, value] = [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    if (Object.hasOwn(found, name)) throw new Error(`“${name}” stands there twice.`);
    if (kind === "number") {
      try {
        found[name] = number(value);
      } catch {
        throw new Error(`Expected a number for “${name}”, got “${value.slice(0, 40)}”.`);
      }
    } else {
      const answers = value.split("|").map((each) => each.trim()).filter(Boolean);
      if (!answers.length) throw new Error(`“${name}” has no answer.`);
      found[name] = answers.length === 1 ? answers[0] : answers;
    }
  }
  return found;
}

function object(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${error.message}.`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error('Expected a JSON object, such as {"room": 7}.');
  return value;
}

const line = (props) => (field) => el("input", { type: "text", placeholder: field.placeholder, maxlength: field.max, autocomplete: "off", ...props });
const area = (field) => el("textarea", { rows: 4, placeholder: field.placeholder, spellcheck: "false" });
const identity = (value) => String(value);

/** For each kind: `make(field)` an element, `read(text, field)` its value, `show(value)` the text of one. */
export const KINDS = {
  text: { make: (field) => line({ dir: "auto", maxlength: field.max })(field), read: (text) => text.trim(), show: identity },
  suggest: {
    make(field) {
      const input = line({ list: `list-${field.name}` })(field);
      const list = el("datalist", { id: `list-${field.name}` }, field.options().map((value) => el("option", { value })));
      return [input, list];
    },
    read: (text) => text.trim(),
    show: identity,
  },
  integer: { make: line({ inputmode: "numeric", maxlength: 12 }), read: (text, { min, max }) => number(text.replaceAll(/[ ,](?=\d{3}\b)/g, ""), { min, max, whole: true }), show: identity },
  number: { make: line({ inputmode: "decimal", maxlength: 20 }), read: (text, { min, max }) => number(text, { min, max }), show: identity },
  amount: {
    make: line({ inputmode: "decimal", maxlength: 21 }),
    read(text) {
      number(text, { min: 0 });
      return text.trim().replace(",", ".");
    },
    show: identity,
  },
  currency: {
    make: line({ maxlength: 3, list: "currencies" }),
    read(text) {
      const code = text.trim().toUpperCase();
      if (!/^[A-Z]{3}$/.test(code)) throw new Error("Expected three letters, such as EUR.");
      return code;
    },
    show: identity,
  },
  duration: {
    make: (field) => line({ placeholder: field.placeholder ?? "1 h 30 min" })(field),
    read(text, { max }) {
      const seconds = readDuration(text);
      if (seconds < 0.001) throw new Error("Expected more than 0.");
      if (seconds > max) throw new Error(`Expected at most ${showDuration(max)}.`);
      return seconds;
    },
    show: showDuration,
  },
  time: {
    make: () => el("input", { type: "datetime-local", step: 1 }),
    read(text) {
      const at = new Date(text);
      if (Number.isNaN(at.getTime())) throw new Error("Expected a day and a time.");
      return at.toISOString();
    },
    show: showLocal,
  },
  choice: { make: (field) => el("select", {}, field.options.map(([value, text]) => el("option", { value, text }))), read: (text) => text, show: identity },
  check: { make: () => el("input", { type: "checkbox" }), read: (text) => text === "true", show: identity },
  words: {
    make: line({}),
    read(text, { most }) {
      const found = text.split(/[\s,]+/).filter(Boolean);
      if (found.length > most) throw new Error(`Expected at most ${most}.`);
      if (new Set(found).size < found.length) throw new Error("One of them stands there twice.");
      return found;
    },
    show: (value) => value.join(", "),
  },
  pairs: {
    make: area,
    read: (text, { values }) => pairs(text, values),
    show: (value) => Object.entries(value).map(([name, each]) => `${name} = ${[each].flat().join(" | ")}`).join("\n"),
  },
  json: { make: area, read: (text) => object(text), show: (value) => JSON.stringify(value, null, 2) },
};
