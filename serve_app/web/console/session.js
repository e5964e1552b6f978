// Who is signed in to the console. Kept in sessionStorage: closing the window signs out, and no address ever has the token.

import { playerFromToken } from "../player.js";

const KEY = "palio.operator";
const changes = new EventTarget();

/** `{user_id, role, token, expires_at}` or null. One whose token has expired is none. */
export function operator() {
  const text = sessionStorage.getItem(KEY);
  if (!text) return null;
  const kept = JSON.parse(text);
  return kept.expires_at && Date.parse(kept.expires_at) <= Date.now() ? null : kept;
}

/** Read a pasted token. Throws an Error that says what is wrong; whether the server takes it, only the server says. */
export function readToken(text) {
  const { user_id, role, token, expires_at } = playerFromToken(text);
  if (role === "player") throw new Error("This is a player's token. The console is for operators: ask whoever runs this Palio for an operator's.");
  if (role !== "operator") throw new Error(`This token is for the role “${role}”. The console needs the role “operator”.`);
  return { user_id, role, token, expires_at };
}

export function signIn(found) {
  sessionStorage.setItem(KEY, JSON.stringify(found));
  changes.dispatchEvent(new CustomEvent("change", { detail: null }));
}

/** Forget the token. `why` is shown where it was not the operator's own wish. */
export function signOut(why = null) {
  if (sessionStorage.getItem(KEY) === null) return;
  sessionStorage.removeItem(KEY);
  changes.dispatchEvent(new CustomEvent("change", { detail: why }));
}

/** Call `listener(why)` after each change. */
export function onSessionChange(listener) {
  changes.addEventListener("change", (/** @type {CustomEvent} */ event) => listener(event.detail));
}

// A token that runs out while the page is open is told at once, not at the next click.
setInterval(() => {
  if (sessionStorage.getItem(KEY) !== null && operator() === null) signOut("Your token has expired. Sign in with a new one.");
}, 1000);
