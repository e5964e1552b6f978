// Who the visitor plays as. Kept in sessionStorage, so that two windows are two players.

const KEY = "palio.player";
const changes = new EventTarget();

/** `{user_id, name, token, expires_at}` or null. One whose token has expired is none. */
export function player() {
  const text = sessionStorage.getItem(KEY);
  if (!text) return null;
  const kept = JSON.parse(text);
  return kept.expires_at && Date.parse(kept.expires_at) <= Date.now() ? null : kept;
}

export function signIn({ user_id, name, token, expires_at }) {
  sessionStorage.setItem(KEY, JSON.stringify({ user_id: String(user_id), name: name || `Player ${user_id}`, token, expires_at }));
  changes.dispatchEvent(new CustomEvent("change", { detail: null }));
}

/** Forget the player. `why` is shown where it was not the visitor's own wish. */
export function signOut(why = null) {
  if (sessionStorage.getItem(KEY) === null) return;
  sessionStorage.removeItem(KEY);
  changes.dispatchEvent(new CustomEvent("change", { detail: why }));
}

/** Call `listener(why)` after each change; returns a function that ends it. */
export function onPlayerChange(listener) {
  const handler = (event) => listener(event.detail);
  changes.addEventListener("change", handler);
  return () => changes.removeEventListener("change", handler);
}

/**
 * Read the claims of a pasted JWT (not its signature: that is the server's business).
 * Returns the player, with the token's role; throws an Error that says what is wrong with the text.
 */
export function playerFromToken(text) {
  const token = text.trim().replace(/^Bearer\s+/i, "");
  const parts = token.split(".");
  if (parts.length !== 3) throw new Error("This is not a token: expected three parts with dots between them.");
  let claims;
  try {
    const base64 = parts[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    claims = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Error("This is not a token: its middle part cannot be read.");
  }
  if (!/^[1-9][0-9]{0,18}$/.test(String(claims?.sub))) throw new Error("The token names no user (`sub`).");
  const expires = typeof claims.exp === "number" ? new Date(claims.exp * 1000).toISOString() : null;
  if (expires && Date.parse(expires) <= Date.now()) throw new Error("The token has expired.");
  return { user_id: String(claims.sub), name: typeof claims.name === "string" ? claims.name : null, role: String(claims.role ?? "player"), token, expires_at: expires };
}
