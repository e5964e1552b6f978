// The console's calls. All go to the api, with the operator's token.

import { send } from "../api.js";
import { NoAnswerError, ProblemError } from "../client/src/errors.js";
import { queryOf as query } from "../client/src/transport.js";
import { operator, signOut } from "./session.js";

const SESSION = {
  token: () => operator()?.token,
  refused(error) {
    signOut(error.code === "token_expired" ? "Your token has expired. Sign in with a new one." : "The server does not accept this token.");
    return false;
  },
};

/**
 * What was just changed is to be seen at once, and edited as it is: nothing comes from the browser's cache.
 * @param {string} path @param {import("../api.js").Options} options
 */
const api = (path, options = {}) => send(new URL(path, document.baseURI), { session: SESSION, cache: "no-store", ...options });
const tournament = (id, more = "") => `v1/tournaments/${encodeURIComponent(id)}${more}`;
const participant = (id, user, more = "") => tournament(id, `/participants/${encodeURIComponent(user)}${more}`);
const post = (path, body, headers = {}) => api(path, { method: "POST", body: body ?? {}, headers });

/** Whether the server takes a token that nobody is signed in with yet. */
export const tryToken = (token) => send(new URL("v1/operations/notices?limit=1", document.baseURI), { session: { token: () => token, refused: () => false } });

// Looking on
export const listTournaments = (filter, signal) => api(`v1/operations/tournaments${query(filter)}`, { signal });
export const getPlace = (id, signal) => api(`v1/operations/tournaments/${encodeURIComponent(id)}`, { signal });
export const getActors = (signal) => api("v1/operations/actors", { signal });
export const getServers = (signal) => api("v1/operations/servers", { signal });
export const getNotices = (limit, signal) => api(`v1/operations/notices${query({ limit })}`, { signal });
export const getOrders = (filter, signal) => api(`v1/operations/history${query(filter)}`, { signal });
export const getLetters = (limit, signal) => api(`v1/dead-letters${query({ limit })}`, { signal });
/** What tournaments came to in a range. */
export const getSummary = (filter, signal) => api(`v1/analytics/summary${query(filter)}`, { signal });
/** One metric over time. */
export const getMetric = (filter, signal) => api(`v1/analytics/series${query(filter)}`, { signal });
const analysed = (id, more = "") => `v1/analytics/tournaments/${encodeURIComponent(id)}${more}`;
/** All there is to tell of a tournament; a picture of it as SVG. */
export const getReport = (id, signal) => api(analysed(id), { signal });
export const getPicture = async (id, how, signal) => (await fetchFile(analysed(id, `/picture${query(how)}`), signal)).data.text();
/** Save its report: `picture?...`, or a table as CSV (`?...`). Resolves to the name. */
export const saveReport = (id, what, name) => saved(analysed(id, what), name);

// One tournament
export const getTournament = (id, signal) => api(tournament(id), { signal });
export const getHistory = (id, signal) => api(tournament(id, "/history"), { signal });
export const getSeries = (id, signal) => api(`v1/series/${encodeURIComponent(id)}`, { signal });
/** The first boards of cohorts. */
export const getCohorts = (id, signal) => api(tournament(id, "/cohorts?limit=100"), { signal });
export const getRankings = (id, limit, signal) => api(`${tournament(id, "/rankings")}${query({ limit })}`, { signal });
export const getParticipant = (id, user, signal) => api(participant(id, user), { signal });
export const getPrizes = (id, limit, signal) => api(`${tournament(id, "/prizes")}${query({ limit })}`, { signal });
export const getInvitations = (id, signal) => api(tournament(id, "/invitations"), { signal });

/** Save a file of a tournament, `export?format=...` or `archive`, under the name that the server gives it; resolves to that name. */
export const saveFile = (id, what) => saved(tournament(id, `/${what}`), `tournament-${id}`);

async function saved(path, otherwise) {
  const { data, name = otherwise } = await fetchFile(path);
  const address = URL.createObjectURL(data);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // by then it is saved
  return name;
}

/** A file, and the name that the server gives it. @param {string} path @param {AbortSignal} [signal] */
async function fetchFile(path, signal) {
  let response;
  let data;
  try {
    response = await fetch(new URL(path, document.baseURI), { signal, cache: "no-store", headers: { Authorization: `Bearer ${SESSION.token()}` } });
    data = await response.blob();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new NoAnswerError("The server could not be reached.");
  }
  if (!response.ok) {
    const error = new ProblemError(response.status, JSON.parse(await data.text()), Number(response.headers.get("Retry-After")) || null);
    if (response.status === 401) SESSION.refused(error);
    throw error;
  }
  return { data, name: /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] };
}

// Changing it
export const create = (body, key) => post("v1/tournaments", body, { "Idempotency-Key": key });
export const edit = (id, body, version) => api(tournament(id), { method: "PATCH", body, headers: version ? { "If-Match": `"${version}"` } : {} });
/** `start`, `end`, `cancel`, `reopen`, `reveal`. */
export const command = (id, name, body) => post(tournament(id, `/${name}`), body);
/** `disqualify`, `reinstate`. */
export const judge = (id, user, name, body) => post(participant(id, user, `/${name}`), body);
export const giveTime = (id, user, extraS) => api(participant(id, user), { method: "PATCH", body: { extra_s: extraS } });
export const previewPrizes = (id) => post(tournament(id, "/prizes/preview"));
/** `approve`, `revoke`; of one user by one rule, or of all. */
export const decidePrizes = (id, name, body) => post(tournament(id, `/prizes/${name}`), body);
export const invite = (id, body, key) => post(tournament(id, "/invitations"), body, { "Idempotency-Key": key });
export const revokeInvitation = (id, invitation) => api(tournament(id, `/invitations/${encodeURIComponent(invitation)}`), { method: "DELETE" });
/** A file as it is; without `dry_run: false` it is only told what would be done. */
export const importFile = (id, file, wishes, signal) => api(`${tournament(id, "/import")}${query(wishes)}`, { method: "POST", body: file, signal });
export const replayLetters = (letters) => post("v1/dead-letters/replay", { letters });
