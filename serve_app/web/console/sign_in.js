// Signing in: a token is pasted, the server says whether it takes it.

import { el, setAttr, setText } from "../dom.js";
import { errorText } from "../notice.js";
import { tryToken } from "./calls.js";
import { readToken, signIn } from "./session.js";

/** The way in. `why`: what ended the session before, if anything did. */
export function signInView(root, why, { setTitle }) {
  setTitle("Sign in");
  const field = el("input", {
    id: "token", type: "password", name: "token", autocomplete: "off", spellcheck: "false", required: true,
    "aria-describedby": "token-hint token-problem", placeholder: "eyJhbGciOi…",
  });
  const problem = el("p", { id: "token-problem", class: "form-error", role: "alert" });
  const button = el("button", { type: "submit", class: "button primary", text: "Sign in" });
  root.append(
    el(
      "section",
      { class: "sign-in panel" },
      el("h1", { text: "Console" }),
      el("p", { class: "lede", text: "For those who run tournaments on this Palio." }),
      why && el("p", { class: "note warn", role: "status", text: why }),
      el(
        "form",
        { novalidate: true, on: { submit } },
        el("label", { for: "token", text: "Operator's token" }),
        el("div", { class: "line" }, field, button),
        el("p", { id: "token-hint", class: "hint" }, "On the machine that runs Palio: ", el("code", { text: "scripts/palio token --role operator --sub 1" }), ". It stays in this window, and goes when the window is closed."),
        problem,
      ),
    ),
  );
  field.focus();

  async function submit(event) {
    event.preventDefault();
    if (button.disabled) return;
    setText(problem, "");
    setAttr(field, "aria-invalid", null);
    button.disabled = true;
    try {
      const found = readToken(field.value);
      await tryToken(found.token);
      signIn(found);
    } catch (error) {
      setText(problem, said(error));
      setAttr(field, "aria-invalid", "true");
      field.focus();
    } finally {
      button.disabled = false;
    }
  }
}

function said(error) {
  if (error.code === "token_expired") return "This token has expired. Ask for a new one.";
  if (error.status === 401) return "The server does not accept this token: it was made for another Palio, or its secret has changed.";
  if (error.status === 403) return "This token may not use the console: it needs the role “operator”.";
  return errorText(error);
}
