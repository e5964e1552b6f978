// The REST calls. The hot paths go to the gateway and, if it cannot be reached, to the api, which serves every path too.

import { Transport, queryOf as query } from "./client/src/transport.js";
import { player, signOut } from "./player.js";

const TIMEOUT_MS = 12_000; // above the longest wait the page asks for (`Prefer: wait=5`)
let info = null; // what GET /v1 said
let clockOffsetMs = 0;

/** The server's time in milliseconds, as far as the page knows it. */
export const now = () => Date.now() + clockOffsetMs;

/** GET /v1: where the gateway is. Kept once known. */
export async function discover() {
  info ??= await send(new URL("v1", document.baseURI), {});
  return info;
}

/** Forget where the gateway is, so that the next caller asks again (it may have moved). */
export function rediscover() {
  info = null;
}

/** The address of the live socket. */
export async function liveUrl() {
  return reachable((await discover()).live);
}

/** Where the api was reached over the network (at `host`), a gateway named by a loopback address is on that host. */
export function reachable(address, host = location.hostname) {
  const url = new URL(address);
  const loopback = (name) => ["localhost", "127.0.0.1", "[::1]"].includes(name);
  if (loopback(url.hostname) && !loopback(host)) url.hostname = host;
  return url.href;
}

/**
 * Whose token goes along. `refused()` is told that the server does not take it; whether a read may be tried without it.
 * @typedef {{token: () => string | undefined, refused: (error: import("./client/src/errors.js").PalioError) => boolean}} Session
 * @typedef {{method?: string, body?: unknown, headers?: Record<string, string>, signal?: AbortSignal, anonymous?: boolean, session?: Session, cache?: RequestCache}} Options
 */

/** @type {Session} */
const PLAYERS = {
  token: () => player()?.token,
  refused() {
    signOut("Your token is no longer accepted.");
    return true;
  },
};

/** @param {string} path @param {Options} options */
async function hot(path, options) {
  let base;
  try {
    base = reachable((await discover()).gateway);
    return await send(new URL(path, base.endsWith("/") ? base : `${base}/`), options);
  } catch (error) {
    const away = error.status === 0 || (error.status === 503 && options.method === undefined); // reads may go elsewhere
    if (!away) throw error;
    return api(path, options);
  }
}

/** @param {string} path @param {Options} options */
const api = (path, options = {}) => send(new URL(path, document.baseURI), options);

/** @param {URL} url @param {Options} options */
export async function send(url, { method = "GET", body, headers = {}, signal, anonymous = false, session = PLAYERS, cache = "default" }) {
  const token = anonymous ? null : session.token();
  // One try: whoever looks on or presses again is told at once.
  const transport = new Transport({ token, timeoutMs: TIMEOUT_MS, retryForMs: 0, heard: learnClock });
  try {
    const answer = await transport.call(url, { method, body, headers, signal, cache });
    return method === "PUT" || method === "POST" ? { status: answer.status, ...answer.body } : answer.body;
  } catch (error) {
    if (error.status === 401 && token && session.refused(error) && method === "GET") return send(url, { method, headers, signal, anonymous: true });
    throw error;
  }
}

/** The Date header (of the page's own origin; whole seconds) tells a visitor's wrong clock; a small difference is noise. */
function learnClock(response, sentAt) {
  const date = Date.parse(response.headers.get("Date") ?? "");
  if (Number.isNaN(date)) return;
  const offset = date + 500 - (sentAt + Date.now()) / 2;
  clockOffsetMs = Math.abs(offset) > 2000 ? offset : 0;
}

const tournament = (id) => `v1/tournaments/${encodeURIComponent(id)}`;

/** @param {{status?: string, q?: string, cursor?: string, limit?: number}} filter @param {AbortSignal} signal */
export const listTournaments = ({ status, q, cursor, limit }, signal) =>
  api(`v1/tournaments${query({ status, q, cursor, limit })}`, { signal });
export const getTournament = (id, signal) => hot(tournament(id), { signal });
/** @param {string} id @param {{limit?: number, cursor?: string, around?: string, q?: string}} page @param {AbortSignal} signal */
export const getRankings = (id, { limit, cursor, around, q }, signal) =>
  hot(`${tournament(id)}/rankings${query({ limit, cursor, around, q })}`, { signal });
/** Where the table is to be had as a file. */
export const csvAddress = (id) => `${tournament(id)}/export?format=csv`;
/** Save that file as the signed-in player may have it. */
export async function saveCsv(id, signal) {
  const token = player()?.token;
  const response = await fetch(new URL(csvAddress(id), document.baseURI), { signal, headers: token ? { Authorization: `Bearer ${token}` } : {} }).catch(() => {
    throw new Error("The server could not be reached.");
  });
  if (!response.ok) throw new Error(`The file was not given: ${(await response.json().catch(() => null))?.title ?? response.status}.`);
  const address = URL.createObjectURL(await response.blob());
  Object.assign(document.createElement("a"), { href: address, download: `tournament-${id}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // by then it is saved
}
/** The rows of some players, at most 100. */
export const getRowsOf = (id, users, signal) => hot(`${tournament(id)}/rankings${query({ users: users.join(",") })}`, { signal });
export const getPrizes = (id, limit, signal) => api(`${tournament(id)}/prizes${query({ limit })}`, { signal });
export const claimPrizes = (id) => api(`${tournament(id)}/prizes/claim`, { method: "POST", body: {} });
export const getMe = (id, signal) => api(`${tournament(id)}/participants/me`, { signal });
/** `name` and `invite` may be left out. */
export const join = (id, name, invite) => api(`${tournament(id)}/participants/me`, { method: "PUT", body: { ...(name ? { name } : {}), ...(invite ? { invite } : {}) } });
export const leave = (id) => api(`${tournament(id)}/participants/me`, { method: "DELETE" });
export const makeDemoPlayer = () => api("v1/demo/player", { method: "POST", body: {}, anonymous: true });

/** Submit a score and wait up to 5 s for its outcome. The same `eventId` may be sent again: it counts once. */
export const submitScore = (id, eventId, score) =>
  hot(`${tournament(id)}/scores`, { method: "POST", headers: { Prefer: "wait=5" }, body: { event_id: eventId, score } });
