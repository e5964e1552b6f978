// Results from a file: what the server takes it for, to be looked at and corrected; then it is brought in.

import { announce } from "../../announce.js";
import { el, setText } from "../../dom.js";
import { count, score } from "../../format.js";
import { errorText } from "../../notice.js";
import { importFile } from "../calls.js";
import { button, panel, table } from "../parts.js";

const MAX_SHOWN = 20;
const FORMATS = {
  csv: "a table (CSV)", ndjson: "NDJSON", parquet: "a Parquet file", moodle: "a gradebook of Moodle", canvas: "a gradebook of Canvas",
  iof: "an IOF XML result list", scorm: "SCORM attempts",
};
const FIELDS = [["user_id", "User id"], ["score", "Score"], ["name", "Name"]];
const WORDS = { decimal: { point: "decimal points", comma: "decimal commas" }, unit: { points: "points", time: "seconds or times such as 1:02:50", currency: "money" } };

/** `element` and `show(view)`; hidden where no result can come any more. `changed()` is called once results are in. */
export function importsPanel(id, signal, changed) {
  const file = /** @type {HTMLInputElement} */ (el("input", { id: "import-file", type: "file", accept: ".csv,.tsv,.txt,.ndjson,.jsonl,.json,.parquet,.xml" }));
  const joins = /** @type {HTMLInputElement} */ (el("input", { id: "import-join", type: "checkbox", checked: true }));
  const about = el("p", { class: "hint" });
  const choices = el("div", { class: "import-choices" });
  const problem = el("p", { class: "form-error", role: "alert" });
  const summary = el("p", { class: "said", role: "status" });
  const examples = table("As it is understood", [
    { title: "User id", head: true, cell: ({ user_id: user }) => user },
    { title: "Name", class: "wide", cell: ({ name }) => name && el("bdi", { text: name }) },
    { title: "Score", class: "number", cell: (row) => (row.score === undefined ? null : score(row.score, view?.display)) },
  ]);
  const refused = table("Not taken", [
    { title: "Where", head: true, cell: ({ where, line }) => `${where} ${count(line)}` },
    { title: "Why", class: "wide", cell: ({ why }) => why },
  ]);
  const go = button("Import", bring, { kind: "primary", failed, ready: () => ready });
  const understood = el("div", {}, choices, problem, summary, examples.element, refused.element, el("div", { class: "line" }, go));
  const element = panel(
    "Results from a file", {},
    el("p", { class: "hint", text: "CSV, a gradebook of Moodle or Canvas, Parquet, NDJSON, an IOF XML result list, SCORM’s JSON. Nothing is sent before you have seen how it is understood; the same file again counts nothing twice." }),
    el("label", { for: "import-file", text: "File" }), file,
    el("div", { class: "check-line" }, joins, el("label", { for: "import-join", text: "Let each player join first" })),
    about, understood,
  );
  understood.hidden = true;
  let view = null;
  let wishes = {};
  let ready = false;
  let asked = 0; // which question was the last: answers to earlier ones are not shown

  file.addEventListener("change", () => {
    wishes = {};
    void look();
  });
  joins.addEventListener("change", () => void look());

  async function look() {
    const number = ++asked;
    const [chosen] = file.files ?? [];
    understood.hidden = !chosen;
    setReady(false);
    setText(summary, "");
    setText(problem, "");
    setText(about, chosen ? "Reading…" : "");
    if (!chosen) return;
    try {
      const told = await importFile(id, chosen, { ...wishes, join: joins.checked }, signal);
      if (number === asked) draw(chosen, told);
    } catch (error) {
      if (signal.aborted || number !== asked) return;
      setText(about, "");
      choices.replaceChildren();
      examples.element.hidden = refused.element.hidden = true;
      failed(error);
    }
  }

  function draw(chosen, told) {
    const read = told.unit ? `, with ${WORDS.unit[told.unit]} and ${WORDS.decimal[told.decimal]}` : "";
    setText(about, `${chosen.name} is ${FORMATS[told.format]}: ${count(told.rows)} ${told.rows === 1 ? "row" : "rows"}${read}.`);
    drawChoices(told);
    setText(problem, told.problem ? `${told.problem[0].toUpperCase()}${told.problem.slice(1)}.` : "");
    drawRows(told);
    setReady(!told.problem && told.accepted > 0);
    if (told.problem) setText(summary, "");
    else tell(told, told.kind === "joins" ? "players would join" : "scores would be sent");
    go.textContent = told.kind === "joins" ? "Import the players" : "Import the scores";
  }

  function drawChoices({ columns, grades, mapping, groups = {} }) {
    const focused = document.activeElement?.id;
    const scores = grades.length ? [...grades, ...columns.filter((column) => !grades.includes(column))] : columns;
    const fields = FIELDS.map(([field, label]) => select(`import-${field}`, label, field === "score" ? scores : columns, mapping[field], (column) => wish(field, column)));
    const where = Object.entries(groups).map(([name, counts]) => select(`import-where-${name}`, `Only ${name}`, Object.keys(counts), "", (value) => wish("where", value && `${name}=${value}`), "all"));
    const [name, value] = (wishes.where ?? "").split("=");
    if (name && !groups[name]) where.push(select(`import-where-${name}`, `Only ${name}`, [value], value, (chosen) => wish("where", chosen && `${name}=${chosen}`), "all"));
    choices.replaceChildren(...fields, ...where);
    if (focused?.startsWith("import-")) document.getElementById(focused)?.focus();
  }

  function select(key, label, values, chosen, change, none = "none") {
    const node = /** @type {HTMLSelectElement} */ (el("select", { id: key }, el("option", { value: "", text: `– ${none} –` }), values.map((value) => el("option", { value, text: value }))));
    node.value = chosen ?? "";
    node.addEventListener("change", () => change(node.value));
    return el("div", { class: "field" }, el("label", { for: key, text: label }), node);
  }

  function wish(name, value) {
    wishes = { ...wishes, [name]: value };
    void look();
  }

  function drawRows({ examples: shown = [], rejected, where }) {
    examples.element.hidden = !shown.length;
    refused.element.hidden = !rejected.length;
    examples.show(shown.map((row, index) => ({ ...row, key: index })));
    refused.show(rejected.slice(0, MAX_SHOWN).map((row) => ({ ...row, where, key: row.line })));
  }

  function tell({ accepted, left_out: leftOut, rejected_count: refusedCount }, words) {
    const out = Object.entries(leftOut).map(([why, number]) => `${count(number)} (${why})`).join(", ");
    setText(summary, `${count(accepted)} ${words}${out ? `, left out: ${out}` : ""}${refusedCount ? `, ${count(refusedCount)} not taken` : ""}.`);
  }

  async function bring() {
    const [chosen] = file.files ?? [];
    const number = ++asked;
    setText(problem, "");
    const told = await importFile(id, chosen, { ...wishes, join: joins.checked, dry_run: false }, signal);
    if (number !== asked) return;
    drawRows(told);
    tell(told, told.kind === "joins" ? "players are in" : "scores are in");
    announce(summary.textContent);
    setReady(false);
    changed();
  }

  function failed(error) {
    if (!signal.aborted) setText(problem, errorText(error));
  }

  function setReady(yes) {
    ready = yes;
    go.disabled = !yes;
  }

  return {
    element,
    show(now) {
      view = now;
      element.hidden = !["scheduled", "running"].includes(now.status) || Boolean(now.recurrence);
    },
  };
}
