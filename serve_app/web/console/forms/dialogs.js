// Questions before something is done that others see. The browser's own dialog keeps the focus within it, and gives it back.

import { el, setText } from "../../dom.js";
import { errorText } from "../../notice.js";
import { Fields } from "./form.js";

/**
 * Ask, then do: `work(found)` gets the values of the `fields` (as in `fields.js`) and may throw, which is told in the dialog. A second click
 * while it works does nothing. Resolves to whether it was done.
 * @param {{title: string, text: string, action: string, danger?: boolean, fields?: any[], given?: object, work: (found: any) => Promise<any>}} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, text, action, danger = false, fields = [], given = {}, work }) {
  return new Promise((resolve) => {
    const inputs = new Fields(fields);
    inputs.fill(given);
    const problem = el("p", { class: "form-error", role: "alert" });
    const yes = el("button", { type: "submit", class: `button ${danger ? "danger" : "primary"}`, text: action });
    const no = el("button", { type: "button", class: "button", text: "Back", on: { click: () => dialog.close() } });
    let done = false;
    const form = el("form", { novalidate: true, on: { submit } }, el("h2", { id: "dialog-title", text: title }), el("p", { class: "dialog-text", text }), inputs.elements, problem, el("div", { class: "dialog-foot" }, no, yes));
    const dialog = /** @type {HTMLDialogElement} */ (el("dialog", { class: "dialog", "aria-labelledby": "dialog-title", on: { close: closed } }, form));
    document.body.append(dialog);
    dialog.showModal();
    (fields.length ? form.querySelector("input, select, textarea") : danger ? no : yes).focus();

    async function submit(event) {
      event.preventDefault();
      if (yes.disabled) return;
      const { found, errors } = inputs.read();
      const { first } = inputs.fail(errors);
      if (Object.keys(errors).length) {
        first?.input.focus();
        return;
      }
      yes.disabled = true;
      setText(problem, "");
      try {
        await work(found);
        done = true;
        dialog.close();
      } catch (error) {
        const told = inputs.fail(Object.fromEntries((error.errors ?? []).map(({ path, message }) => [path, message])));
        if (told.first && !Object.keys(told.left).length) told.first.input.focus();
        else setText(problem, errorText(error));
      } finally {
        yes.disabled = false;
      }
    }

    function closed() {
      dialog.remove();
      resolve(done);
    }
  });
}
