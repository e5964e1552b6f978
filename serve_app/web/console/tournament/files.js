// A tournament's table as a file, in each format that the server writes; of one that is over the archive's file, too.

import { announce } from "../../announce.js";
import { el, setText } from "../../dom.js";
import { errorText } from "../../notice.js";
import { saveFile } from "../calls.js";
import { button, panel } from "../parts.js";

const FORMATS = [
  ["csv", "CSV, for a spreadsheet"],
  ["parquet", "Parquet, exact, for programs"],
  ["gradebook", "Gradebook of Moodle"],
  ["gradebook&system=canvas", "Gradebook of Canvas"],
  ["iof", "IOF XML 3.0, for orienteering"],
  ["ctftime", "CTFtime scoreboard"],
  ["clics", "CLICS scoreboard"],
];

/** `element` and `show(view)`; hidden for what has no table of its own. */
export function filesPanel(id) {
  const format = /** @type {HTMLSelectElement} */ (el("select", { id: "file-format" }, FORMATS.map(([value, text]) => el("option", { value, text }))));
  const said = el("p", { class: "hint", role: "status" });
  const problem = el("p", { class: "form-error", role: "alert" });
  const save = (what) => async () => {
    setText(said, "Fetching…");
    setText(problem, "");
    const name = await saveFile(id, what());
    setText(said, `Saved as ${name}.`);
    announce("The file is saved.");
  };
  const failed = (error) => {
    setText(said, "");
    setText(problem, error.code === "not_archived" ? "The archive's file is still to be written. Try again in a moment." : errorText(error));
  };
  const table = button("Save the table", save(() => `export?format=${format.value}`), { kind: "small", failed });
  const archive = button("Save the archive's file", save(() => "archive"), { kind: "small primary", failed });
  const kept = el("div", {}, el("p", { class: "hint", text: "The archive's file (Parquet) has everybody's final row, the prizes, and the tournament itself." }), archive);
  const element = panel("Files", {}, el("label", { for: "file-format", text: "The table, as it stands, as" }), el("div", { class: "line files" }, format, table), kept, said, problem);
  return {
    element,
    show({ status, recurrence, cohorts }) {
      element.hidden = Boolean(recurrence || cohorts);
      kept.hidden = status !== "finished";
    },
  };
}
