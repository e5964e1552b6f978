// The client of Palio's HTTP API. Bodies and answers are as the API has them; docs/clients.md has examples.

import { ProblemError } from "./errors.js";
import { Live } from "./live.js";
import { Submitter } from "./submitter.js";
import { Transport, newId, queryOf } from "./transport.js";

const MAX_BATCH = 1000; // items of one call
const MAX_BATCH_BYTES = 500_000; // of one call; Palio takes a MiB unless told otherwise
const PAGE_ROWS = 1000;
const PAGE_ITEMS = 100;
const ME = "me"; // the caller's user id, in a path

/** @typedef {import("../types/api.js").components["schemas"]} Schemas */
/** @typedef {import("./submitter.js").Score} Score */
/** @typedef {Schemas["BatchJoin"]} Join */
/** What is left out, or has a default, may be left out of a body. @template T @template {keyof T} K @typedef {Partial<T> & Pick<T, K>} Body */

/**
 * `timeoutMs`: of one try; `retryForMs`: of a call with all its tries. `fetch`, `WebSocket`: others than the runtime's (Node.js has a WebSocket
 * of its own from 22 on; the package `ws` is one for older ones).
 * @typedef {object} ClientOptions
 * @property {number} [timeoutMs]
 * @property {number} [retryForMs]
 * @property {typeof globalThis.fetch} [fetch]
 * @property {import("./live.js").WebSocketClass} [WebSocket]
 */

/**
 * Palio as one user, or as a service or an operator.
 *
 * `url` is the api's; where the gateway is, the api tells at the first call that needs it. All methods reject with ProblemError when Palio
 * refuses, NoAnswerError when it does not answer for too long, NotPalioError.
 */
export class PalioClient {
  #url;
  #token;
  #options;
  #transport;
  /** @type {Promise<Schemas["Gateway"]> | null} */
  #found = null;

  /** @param {string} url @param {import("./transport.js").Token} [token] @param {ClientOptions} [options] */
  constructor(url, token = null, options = {}) {
    this.#url = url.replace(/\/+$/, "");
    this.#token = token;
    this.#options = options;
    this.#transport = new Transport({ token, ...options });
  }

  /** Where the gateway and its live sockets are, asked once. @returns {Promise<Schemas["Gateway"]>} */
  gateway() {
    this.#found ??= this.call("GET", "/v1").catch((error) => {
      this.#found = null;
      throw error;
    });
    return this.#found;
  }

  /**
   * A call that has no method here, at the api: its answer as JSON gives it. It is repeated as all calls are, so it must be one that may be.
   * @param {string} method @param {string} path @param {{body?: unknown, query?: Record<string, unknown>, headers?: Record<string, string>, signal?: AbortSignal}} [options]
   * @returns {Promise<any>}
   */
  async call(method, path, { query, ...options } = {}) {
    return (await this.#transport.call(this.#url + path + queryOf(query), { method, ...options })).body;
  }

  // Tournaments

  /**
   * Create a tournament, or find the one that this Idempotency-Key created; without a key each call makes a new one.
   * @param {Body<Schemas["NewTournament"], "name" | "type">} spec @param {{key?: string}} [options] @returns {Promise<Schemas["Tournament"]>}
   */
  create(spec, { key = newId() } = {}) {
    return this.#decided("POST", `${this.#url}/v1/tournaments`, spec, { "Idempotency-Key": key });
  }

  /** The view, which may be a second old. @param {string} id @returns {Promise<Schemas["Tournament"]>} */
  async tournament(id) {
    return this.#get(await this.#hot(id));
  }

  /**
   * All tournaments that you may see, newest first, page by page.
   * @param {{status?: string, type?: string, q?: string}} [filter] @returns {AsyncGenerator<Schemas["TournamentItem"], void>}
   */
  tournaments(filter = {}) {
    return this.#items("/v1/tournaments", filter);
  }

  /** All tournaments of a user, newest first, page by page. @param {string} [user] @returns {AsyncGenerator<Schemas["UserTournament"], void>} */
  userTournaments(user = ME) {
    return this.#items(`/v1/users/${part(user)}/tournaments`);
  }

  /**
   * Change what the state allows. `version`: only if it is the one at hand, else 412.
   * @param {string} id @param {Partial<Schemas["TournamentEdit"]>} changes @param {{version?: number}} [options] @returns {Promise<Schemas["Tournament"]>}
   */
  edit(id, changes, { version } = {}) {
    return this.#decided("PATCH", this.#api(id), changes, version === undefined ? {} : { "If-Match": `"${version}"` });
  }

  /** Start it now. @param {string} id */
  start(id) {
    return this.#command(id, "start", "running");
  }

  /** End it now. @param {string} id */
  end(id) {
    return this.#command(id, "end", "finished");
  }

  /** Cancel it, or stop a series. @param {string} id */
  cancel(id) {
    return this.#command(id, "cancel", "cancelled");
  }

  /** Undo a mistaken end or cancel. @param {string} id @param {string} [endsAt] RFC 3339 */
  reopen(id, endsAt) {
    return this.#command(id, "reopen", null, endsAt === undefined ? {} : { ends_at: endsAt });
  }

  /** Show a frozen table. @param {string} id */
  reveal(id) {
    return this.#command(id, "reveal", null);
  }

  /** Who ordered what, newest first. @param {string} id @returns {Promise<Schemas["HistoryItem"][]>} */
  async history(id) {
    return (await this.#get(`${this.#api(id)}/history`)).items;
  }

  // The table

  /**
   * A page of the table; or the rows around a user, or of at most 100 users.
   * @param {string} id @param {{limit?: number, cursor?: string | null, around?: string, users?: string[]}} [page] @returns {Promise<Schemas["Rankings"]>}
   */
  async rankings(id, { limit = 100, cursor, around, users } = {}) {
    return this.#get((await this.#hot(id, "/rankings")) + queryOf({ limit, cursor, around, users: users?.join(",") }));
  }

  /**
   * The whole table from the top, page by page. While the tournament runs, rows move between the pages: of a user who comes twice the later row is
   * the newer one.
   * @param {string} id @returns {AsyncGenerator<Schemas["Row"], void>}
   */
  async *rows(id) {
    /** @type {string | null} */
    let cursor = null;
    do {
      const page = await this.rankings(id, { limit: PAGE_ROWS, cursor });
      yield* page.rows;
      cursor = page.next_cursor;
    } while (cursor !== null);
  }

  /** A participant's standing. @param {string} id @param {string} [user] @returns {Promise<Schemas["Participant"]>} */
  async participant(id, user = ME) {
    return this.#get(await this.#hot(id, `/participants/${part(user)}`));
  }

  // Taking part

  /**
   * Let a user take part; again changes nothing. It waits until that is applied.
   * @param {string} id @param {string} [user] @param {Partial<Schemas["JoinRequest"]>} [body] @returns {Promise<Schemas["JoinOutcome"]>}
   */
  async join(id, user = ME, body = {}) {
    return this.#decided("PUT", await this.#hot(id, `/participants/${part(user)}`), body);
  }

  /** Let many take part, 1,000 a call: a service's. Resolves once all are in the log; `rejected` are those that never will be. @param {Iterable<Join>} joins */
  joinAll(joins) {
    return this.#batches("participants", joins);
  }

  /** Leave; score and attempts come back with the next join. @param {string} id @param {string} [user] @returns {Promise<void>} */
  async leave(id, user = ME) {
    await this.#decided("DELETE", await this.#hot(id, `/participants/${part(user)}`));
  }

  /** Take a participant out of the table. @param {string} id @param {string} user @param {string} reason @returns {Promise<void>} */
  async disqualify(id, user, reason) {
    await this.#decided("POST", `${this.#api(id)}/participants/${part(user)}/disqualify`, { reason });
  }

  /** Take a disqualification back. @param {string} id @param {string} user @returns {Promise<void>} */
  async reinstate(id, user) {
    await this.#decided("POST", `${this.#api(id)}/participants/${part(user)}/reinstate`);
  }

  // Scores

  /**
   * Submit a `score`, or a `result`. Resolves once it is in the log; with `waitS` (at most 10) once it is applied, if that takes no longer.
   * `event_id`: the same for the same event, also in another process; without one this call has one of its own.
   * @param {string} id @param {Partial<Schemas["Submission"]>} submission @param {{waitS?: number}} [options]
   * @returns {Promise<Schemas["Accepted"] & Partial<Schemas["ScoreOutcome"]>>} `outcome` is absent where it was not waited for, or is not known yet
   */
  async submit(id, submission, { waitS = 0 } = {}) {
    /** @type {Record<string, string>} */
    const headers = waitS ? { Prefer: `wait=${waitS}` } : {};
    const body = { event_id: newId(), ...submission };
    return (await this.#transport.call(await this.#hot(id, "/scores"), { method: "POST", body, headers })).body;
  }

  /** Submit many in this order, 1,000 a call: a service's. Resolves once all are in the log; `rejected` are those that never will be. @param {Iterable<Score>} scores */
  submitAll(scores) {
    return this.#batches("scores", scores);
  }

  /** Gathers scores that come one by one into batches; see Submitter. @param {import("./submitter.js").SubmitterOptions} [options] */
  submitter(options) {
    return new Submitter((scores) => this.submitAll(scores), options);
  }

  /** Live tables, notices and submissions over one socket; see Live. */
  live() {
    return new Live(async () => (await this.gateway()).live, { token: this.#token, ...this.#options });
  }

  // Invitations and prizes

  /**
   * Invite a user, or as many as bring the invitation.
   * @param {string} id @param {Partial<Schemas["InvitationRequest"]>} [body] @param {{key?: string}} [options] @returns {Promise<Schemas["NewInvitation"]>}
   */
  invite(id, body = {}, { key = newId() } = {}) {
    return this.#decided("POST", `${this.#api(id)}/invitations`, body, { "Idempotency-Key": key });
  }

  /** The rules and, once finished, a page of the winners. @param {string} id @param {{limit?: number, cursor?: string | null}} [page] @returns {Promise<Schemas["PrizeTable"]>} */
  prizes(id, { limit = PAGE_ROWS, cursor } = {}) {
    return this.#get(`${this.#api(id)}/prizes${queryOf({ limit, cursor })}`);
  }

  // What the calls share

  /** @param {string} id */
  #api(id) {
    return `${this.#url}/v1/tournaments/${part(id)}`;
  }

  /** The address of a call that the gateway answers. @param {string} id @param {string} [path] */
  async #hot(id, path = "") {
    return `${(await this.gateway()).gateway.replace(/\/+$/, "")}/v1/tournaments/${part(id)}${path}`;
  }

  /** @param {string} url @returns {Promise<any>} */
  async #get(url) {
    return (await this.#transport.call(url)).body;
  }

  /** A call that is repeated until it is decided. @param {string} method @param {string} url @param {unknown} [body] @param {Record<string, string>} [headers] @returns {Promise<any>} */
  async #decided(method, url, body, headers) {
    return (await this.#transport.call(url, { method, body, headers, again: (status) => status === 202 })).body;
  }

  /**
   * A command. Where a try whose answer was lost may have carried it out, to find the tournament as it is `wanted` is no refusal.
   * @param {string} id @param {string} name @param {string | null} wanted @param {unknown} [body] @returns {Promise<Schemas["CommandOutcome"]>}
   */
  async #command(id, name, wanted, body) {
    try {
      return await this.#decided("POST", `${this.#api(id)}/${name}`, body);
    } catch (error) {
      if (!(error instanceof ProblemError && error.status === 409 && error.repeated && wanted)) throw error;
      const view = await this.#get(this.#api(id));
      if (view.status !== wanted) throw error;
      return { id: view.id, status: view.status, version: view.version };
    }
  }

  /** @param {string} path @param {Record<string, unknown>} [query] @returns {AsyncGenerator<any, void>} */
  async *#items(path, query = {}) {
    /** @type {string | null} */
    let cursor = null;
    do {
      const page = await this.#get(this.#url + path + queryOf({ ...query, limit: PAGE_ITEMS, cursor }));
      yield* page.items;
      cursor = page.next_cursor;
    } while (cursor !== null);
  }

  /** @param {string} name @param {Iterable<Score | Join>} items @returns {Promise<Schemas["BatchAnswer"]>} */
  async #batches(name, items) {
    const url = `${(await this.gateway()).gateway.replace(/\/+$/, "")}/v1/${name}`;
    /** @type {Schemas["BatchAnswer"]} */
    const all = { accepted: 0, rejected: [] };
    let sent = 0;
    for (const lines of chunks(items)) {
      const { body } = await this.#transport.call(url, { method: "POST", text: lines.join("\n"), contentType: "application/x-ndjson" });
      all.accepted += body.accepted;
      for (const { index, code } of body.rejected) all.rejected.push({ index: sent + index, code });
      sent += lines.length;
    }
    return all;
  }
}

/** As many lines as one call takes. @param {Iterable<unknown>} items */
function* chunks(items) {
  const measure = new TextEncoder();
  /** @type {string[]} */
  let lines = [];
  let bytes = 0;
  for (const item of items) {
    const line = JSON.stringify(item);
    const size = measure.encode(line).length + 1;
    if (lines.length === MAX_BATCH || (lines.length && bytes + size > MAX_BATCH_BYTES)) {
      yield lines;
      [lines, bytes] = [[], 0];
    }
    lines.push(line);
    bytes += size;
  }
  if (lines.length) yield lines;
}

/** A part of a path; what is no id stays one part, and Palio says what is wrong with it. @param {string} text */
const part = (text) => encodeURIComponent(text);
