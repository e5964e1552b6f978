// A form over described fields (`fields.js`): shows those that are asked for, reads and checks them, and puts errors where they belong.

import { el, setAttr, setText } from "../../dom.js";
import { PRIZE_FIELDS } from "./fields.js";
import { KINDS } from "./inputs.js";

let made = 0;

/** One field on the page. */
class Field {
  constructor(description, changed) {
    this.description = description;
    const { label, hint, kind } = description;
    const id = `field-${++made}`;
    const [input, ...more] = [KINDS[kind].make(description)].flat();
    this.input = input;
    this.problem = el("p", { class: "field-error", id: `${id}-error` });
    const told = hint && el("p", { class: "hint", id: `${id}-hint`, text: hint });
    setAttr(input, "id", id);
    setAttr(input, "name", description.name);
    setAttr(input, "aria-describedby", [told && `${id}-hint`, `${id}-error`].filter(Boolean).join(" "));
    const asked = kind === "choice" || kind === "check" || description.need ? "" : " (optional)";
    const name = el("label", { for: id, text: label }, asked && el("span", { class: "optional", text: asked }));
    const parts = kind === "check" ? [el("div", { class: "check-line" }, input, name)] : [name, input];
    this.element = el("div", { class: "field", data: { kind, name: description.name } }, ...parts, ...more, told, this.problem);
    input.addEventListener("input", () => {
      this.fail("");
      changed();
    });
  }

  get text() {
    const { input } = this;
    return this.description.kind === "check" ? String(/** @type {HTMLInputElement} */ (input).checked) : /** @type {HTMLInputElement} */ (input).value;
  }

  set(value) {
    const { kind } = this.description;
    const input = /** @type {HTMLInputElement} */ (this.input);
    if (kind === "check") input.checked = value === true;
    else if (value === undefined || value === null) input.value = kind === "choice" ? this.description.options[0][0] : "";
    else input.value = KINDS[kind].show(value);
  }

  /** The value, undefined where nothing was typed. Throws an Error that says what is wrong. */
  read(values) {
    const { kind, need, optional } = this.description;
    const { text } = this;
    if (kind === "check") return text === "true" ? true : undefined;
    if (text.trim() === "") {
      if (typeof need === "function" ? need(values) : need) throw new Error("This is needed.");
      return undefined;
    }
    return optional && text === "" ? undefined : KINDS[kind].read(text, this.description);
  }

  fail(message) {
    setText(this.problem, message);
    setAttr(this.input, "aria-invalid", message ? "true" : null);
  }
}

/** Fields that are shown or not by each other's values. */
export class Fields {
  #fields;
  #changed;

  constructor(descriptions, changed = () => {}) {
    this.#changed = changed;
    this.#fields = descriptions.map((description) => (description.kind === "prizes" ? new Prizes(description, () => this.refresh()) : new Field(description, () => this.refresh())));
  }

  get elements() {
    return this.#fields.map((field) => field.element);
  }

  /** What stands in each field, as text, by its name. */
  get values() {
    return Object.fromEntries(this.#fields.map((field) => [field.description.name, field.text]));
  }

  refresh(values = this.values) {
    for (const field of this.#fields) field.element.hidden = !(field.description.when?.(values) ?? true);
    this.#changed();
  }

  /** Fill in; `given` by the fields' names, those that are not there are emptied. */
  fill(given) {
    for (const field of this.#fields) field.set(given[field.description.name]);
    this.refresh();
  }

  /** `{found: {name: value}, errors: {name: message}}` of the fields that are shown. */
  read(values = this.values) {
    const found = {};
    const errors = {};
    for (const field of this.#fields) {
      if (field.element.hidden) continue;
      const { name } = field.description;
      try {
        const value = field.read(values);
        if (value !== undefined) found[name] = value;
      } catch (error) {
        Object.assign(errors, error.inner ?? { [name]: error.message });
      }
    }
    return { found, errors };
  }

  /** Show errors by path, the nearest field taking what names no field; returns those that nobody took, and the first field with one. */
  fail(errors) {
    for (const field of this.#fields) field.fail("");
    const left = { ...errors };
    let first = null;
    for (const field of this.#fields) {
      const { name } = field.description;
      for (const [path, message] of Object.entries(errors)) {
        if (path !== name && !path.startsWith(`${name}.`) && !path.startsWith(`${name}[`)) continue;
        if (field.element.hidden) continue;
        const taken = field.fail(message, path.slice(name.length)) ?? field;
        delete left[path];
        first ??= taken;
      }
    }
    return { left, first };
  }
}

/** The list of prizes: each a group of fields of its own. */
class Prizes {
  constructor(description, changed) {
    this.description = description;
    this.changed = changed;
    this.rows = [];
    this.list = el("ol", { class: "prize-rules" });
    this.add = el("button", { type: "button", class: "button", text: "Add a prize", on: { click: () => this.#more({}, true) } });
    this.problem = el("p", { class: "field-error" });
    const currencies = el("datalist", { id: "currencies" }, ["EUR", "USD", "GBP", "CHF", "JPY", "SEK", "PLN", "BRL", "INR", "BHD"].map((value) => el("option", { value })));
    this.element = el("div", { class: "field prizes-field", data: { name: description.name } }, this.list, this.add, currencies, this.problem);
  }

  get text() {
    return String(this.rows.length);
  }

  #more(given, focus = false) {
    const fields = new Fields(PRIZE_FIELDS, () => this.changed());
    const heading = el("span", { class: "rule-number" });
    const away = el("button", { type: "button", class: "link-button", text: "Remove", on: { click: () => this.#remove(row) } });
    const element = el("li", {}, el("fieldset", {}, el("legend", { class: "quiet-text" }), el("div", { class: "rule-head" }, heading, away), el("div", { class: "field-grid" }, fields.elements)));
    const row = { fields, element, heading, away };
    this.rows.push(row);
    this.list.append(element);
    fields.fill(given);
    this.#number();
    if (focus) element.querySelector("select").focus();
  }

  #remove(row) {
    const at = this.rows.indexOf(row);
    this.rows.splice(at, 1);
    row.element.remove();
    this.#number();
    (this.rows[at]?.away ?? this.add).focus();
    this.changed();
  }

  #number() {
    for (const [index, { heading, element, away }] of this.rows.entries()) {
      setText(heading, `Prize ${index + 1}`);
      setText(element.querySelector("legend"), `Prize ${index + 1}`);
      setAttr(away, "aria-label", `Remove prize ${index + 1}`);
    }
  }

  set(rules) {
    this.rows = [];
    this.list.replaceChildren();
    for (const rule of rules ?? []) {
      const { ranks, ...rest } = rule;
      const who = ranks ? "ranks" : rule.top_percent !== undefined ? "top_percent" : "min_score";
      this.#more({ ...rest, is_who: who, is_what: rule.item ? "item" : "money", first: ranks?.[0], last: ranks && ranks[1] !== ranks[0] ? ranks[1] : undefined });
    }
  }

  /** The rules. Throws an Error with the `inner` errors by path. */
  read() {
    if (!this.rows.length) return undefined;
    const inner = {};
    const rules = this.rows.map(({ fields }, index) => {
      const { found, errors } = fields.read();
      for (const [name, message] of Object.entries(errors)) inner[`${this.description.name}[${index}].${name}`] = message;
      const { is_who: who, is_what: _what, first, last, ...rule } = found;
      return who === "ranks" ? { ranks: [first, last ?? first], ...rule } : rule;
    });
    if (Object.keys(inner).length) throw Object.assign(new Error("Some prizes are not complete."), { inner });
    return rules;
  }

  fail(message, path = "") {
    if (!message) {
      setText(this.problem, "");
      for (const { fields } of this.rows) fields.fail({});
      return null;
    }
    const [, number, name] = /^\[(\d+)\]\.?(.*)$/.exec(path) ?? [];
    const row = this.rows[Number(number)];
    if (row) {
      const { first } = row.fields.fail({ [name === "ranks" ? "first" : name]: message });
      if (first) return first;
    }
    setText(this.problem, row ? `Prize ${Number(number) + 1}: ${message}` : message);
    return { input: this.add };
  }
}
