// Making a tournament, and editing one: the same form, of which an edit shows what may still be changed.

import { announce } from "../../announce.js";
import { el } from "../../dom.js";
import { STATUS } from "../../format.js";
import { errorPanel, errorText } from "../../notice.js";
import { newId } from "../../client/src/transport.js";
import { create, edit, getTournament } from "../calls.js";
import { GROUPS, contradictions } from "./fields.js";
import { Fields } from "./form.js";

const DESCRIPTIONS = GROUPS.flatMap((group) => group.fields);
const TAKEN_AWAY = ["window_s", "display", "prizes", "freeze_s", "ends_when"]; // null takes these away

export function newView(root, _parameters, { setTitle }) {
  setTitle("New tournament");
  let key = null; // of the body that was sent last: the same again finds the first answer
  let sent = "";
  const form = tournamentForm("Create it", async (body) => {
    const text = JSON.stringify(body);
    if (text !== sent) key = newId();
    sent = text;
    const made = await create(body, key);
    announce("The tournament was created.");
    location.hash = `#/t/${encodeURIComponent(made.id)}`;
  });
  root.append(
    el("a", { class: "back", href: "#/", text: "← All tournaments" }),
    el("h1", { text: "New tournament" }),
    el("p", { class: "lede", text: "Only a name and the times are needed. Everything else is as most want it." }),
    form.element,
  );
  const start = new Date(Math.ceil(Date.now() / 600_000) * 600_000 + 600_000);
  form.fill({ starts_at: start.toISOString(), ends_at: new Date(start.getTime() + 3_600_000).toISOString(), "recurrence.time_zone": zoneHere() });
  return {};
}

export function editView(root, { id }, { signal, setTitle }) {
  setTitle("Edit");
  root.append(el("p", { class: "loading", text: "Loading…" }));
  void load();
  return {};

  async function load() {
    try {
      const view = await getTournament(id, signal);
      if (!signal.aborted) draw(view);
    } catch (error) {
      if (!signal.aborted) root.replaceChildren(errorPanel(error, () => void load(), "This could not be loaded", "h1"));
    }
  }

  function draw(view) {
    setTitle(`Edit ${view.name}`);
    const back = `#/t/${encodeURIComponent(id)}`;
    const away = el("a", { class: "back", href: back, text: "← Back" });
    const heading = el("h1", {}, "Edit ", el("bdi", { text: view.name }));
    if (view.status !== "scheduled" && view.status !== "running") {
      root.replaceChildren(away, heading, el("p", { class: "lede", text: `It is ${STATUS[view.status].toLowerCase()}: nothing can be changed any more. A mistaken end is undone by reopening it.` }));
      return;
    }
    let before = null; // the body as it would be sent unchanged
    const form = tournamentForm(
      "Save",
      async (body) => {
        const changes = changesOf(before, body);
        if (!Object.keys(changes).length) throw new Error("Nothing was changed.");
        await edit(id, changes, view.version);
        announce("Saved.");
        location.hash = back;
      },
      view.status,
    );
    form.fill(formValues(view));
    before = form.body();
    const what = view.status === "running" ? "It is running: what may still be changed is here." : "What is missing here stays as it was made.";
    root.replaceChildren(away, heading, el("p", { class: "lede", text: what }), form.element);
  }
}

/** The form; `save(body)` may throw. `status`: of the tournament that is edited, null for a new one. */
function tournamentForm(action, save, status = null) {
  const editable = (field) => status === null || field.edit === "running" || (field.edit === "scheduled" && status === "scheduled");
  const described = DESCRIPTIONS.map((field) => ({ ...field, when: (values) => editable(field) && (field.when?.(values) ?? true) }));
  const groups = GROUPS.map((group) => el("fieldset", { class: "panel form-group" }, el("legend", {}, el("h2", { text: group.title })), group.note && el("p", { class: "hint", text: group.note })));
  const fields = new Fields(described, () => {
    for (const group of groups) group.hidden = ![...group.querySelectorAll(":scope > .field-grid > .field")].some((field) => !(/** @type {HTMLElement} */ (field).hidden));
  });
  const elements = [...fields.elements];
  for (const [index, group] of GROUPS.entries()) groups[index].append(el("div", { class: "field-grid" }, elements.splice(0, group.fields.length)));
  const said = el("div", { class: "form-said", role: "alert" });
  const button = el("button", { type: "submit", class: "button primary", text: action });
  const element = el(
    "form",
    { class: "tournament-form", novalidate: true, on: { submit } },
    groups,
    el("p", { class: "hint", text: `Times are those of this window's zone, ${zoneHere()}. Durations are typed as 90 min, 1:30:00 or 2 d 4 h.` }),
    el("div", { class: "form-foot" }, said, button),
  );

  async function submit(event) {
    event.preventDefault();
    if (button.disabled) return; // the first click is still at work
    said.replaceChildren();
    const { values } = fields;
    const { found, errors } = fields.read(values);
    const body = bodyOf(found, values);
    const wrong = { ...contradictions(values, body), ...errors };
    if (Object.keys(wrong).length) {
      tell(wrong);
      return;
    }
    fields.fail({});
    button.disabled = true;
    try {
      await save(body);
    } catch (error) {
      if (error.errors?.length) tell(Object.fromEntries(error.errors.map(({ path, message }) => [path, `${message[0].toUpperCase()}${message.slice(1)}.`])));
      else if (error.code === "version_mismatch") said.replaceChildren(el("p", { class: "form-error", text: "Somebody else has changed it meanwhile. Load this page again, then change what you meant to." }));
      else said.replaceChildren(el("p", { class: "form-error", text: errorText(error) }));
    } finally {
      button.disabled = false;
    }
  }

  function tell(errors) {
    const { left, first } = fields.fail(errors);
    const many = Object.keys(errors).length;
    const words = many === 1 ? "One field needs another look." : `${many} fields need another look.`;
    said.replaceChildren(el("p", { class: "form-error" }, words, Object.entries(left).map(([path, message]) => el("span", { class: "under", text: path ? `${path}: ${message}` : message }))));
    first?.input.focus();
  }

  return {
    element,
    fill: (given) => fields.fill(given),
    body() {
      const { values } = fields;
      return bodyOf(fields.read(values).found, values);
    },
  };
}

const zoneHere = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The request's body: names with dots become objects, what is of the form alone goes. */
export function bodyOf(found, values) {
  const body = {};
  for (const [name, value] of Object.entries(found)) {
    if (name.startsWith("is_")) continue;
    const [outer, inner] = name.split(".");
    if (inner === undefined) body[outer] = value;
    else body[outer] = { ...body[outer], [inner]: value };
  }
  if (values.is_goal === "all_done" && "is_goal" in found) body.ends_when = { all_done: true };
  return body;
}

/** What an edit sends: what differs, and null or nothing for what was taken away. */
export function changesOf(before, after) {
  const changes = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (JSON.stringify(before[name]) === JSON.stringify(after[name])) continue;
    if (after[name] !== undefined) changes[name] = after[name];
    else if (TAKEN_AWAY.includes(name)) changes[name] = null;
    else if (name === "metadata") changes[name] = {};
    else if (name === "min_participants") changes[name] = 0;
  }
  return changes;
}

/** A tournament's view as the form's values. */
export function formValues(view) {
  const values = {};
  for (const { name } of DESCRIPTIONS) {
    const [outer, inner] = name.split(".");
    const value = inner === undefined ? view[outer] : view[outer]?.[inner];
    if (value !== undefined && value !== null && !(name === "metadata" && !Object.keys(value).length)) values[name] = value;
  }
  values.is_series = view.recurrence ? "yes" : "no";
  values.is_cohorts = view.cohorts ? "yes" : "no";
  values.is_league = view.league ? "yes" : "no";
  values.is_goal = view.ends_when?.all_done ? "all_done" : view.ends_when ? "target" : "no";
  return values;
}
