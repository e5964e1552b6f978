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
    /** @param {string} url @param {import("./transport.js").Token} [token] @param {ClientOptions} [options] */
    constructor(url: string, token?: import("./transport.js").Token, options?: ClientOptions);
    /** Where the gateway and its live sockets are, asked once. @returns {Promise<Schemas["Gateway"]>} */
    gateway(): Promise<Schemas["Gateway"]>;
    /**
     * A call that has no method here, at the api: its answer as JSON gives it. It is repeated as all calls are, so it must be one that may be.
     * @param {string} method @param {string} path @param {{body?: unknown, query?: Record<string, unknown>, headers?: Record<string, string>, signal?: AbortSignal}} [options]
     * @returns {Promise<any>}
     */
    call(method: string, path: string, { query, ...options }?: {
        body?: unknown;
        query?: Record<string, unknown>;
        headers?: Record<string, string>;
        signal?: AbortSignal;
    }): Promise<any>;
    /**
     * Create a tournament, or find the one that this Idempotency-Key created; without a key each call makes a new one.
     * @param {Body<Schemas["NewTournament"], "name" | "type">} spec @param {{key?: string}} [options] @returns {Promise<Schemas["Tournament"]>}
     */
    create(spec: Body<Schemas["NewTournament"], "name" | "type">, { key }?: {
        key?: string;
    }): Promise<Schemas["Tournament"]>;
    /** The view, which may be a second old. @param {string} id @returns {Promise<Schemas["Tournament"]>} */
    tournament(id: string): Promise<Schemas["Tournament"]>;
    /**
     * All tournaments that you may see, newest first, page by page.
     * @param {{status?: string, type?: string, q?: string}} [filter] @returns {AsyncGenerator<Schemas["TournamentItem"], void>}
     */
    tournaments(filter?: {
        status?: string;
        type?: string;
        q?: string;
    }): AsyncGenerator<Schemas["TournamentItem"], void>;
    /** All tournaments of a user, newest first, page by page. @param {string} [user] @returns {AsyncGenerator<Schemas["UserTournament"], void>} */
    userTournaments(user?: string): AsyncGenerator<Schemas["UserTournament"], void>;
    /**
     * Change what the state allows. `version`: only if it is the one at hand, else 412.
     * @param {string} id @param {Partial<Schemas["TournamentEdit"]>} changes @param {{version?: number}} [options] @returns {Promise<Schemas["Tournament"]>}
     */
    edit(id: string, changes: Partial<Schemas["TournamentEdit"]>, { version }?: {
        version?: number;
    }): Promise<Schemas["Tournament"]>;
    /** Start it now. @param {string} id */
    start(id: string): Promise<{
        id: string;
        status: "scheduled" | "running" | "finished" | "cancelled";
        version: number;
    }>;
    /** End it now. @param {string} id */
    end(id: string): Promise<{
        id: string;
        status: "scheduled" | "running" | "finished" | "cancelled";
        version: number;
    }>;
    /** Cancel it, or stop a series. @param {string} id */
    cancel(id: string): Promise<{
        id: string;
        status: "scheduled" | "running" | "finished" | "cancelled";
        version: number;
    }>;
    /** Undo a mistaken end or cancel. @param {string} id @param {string} [endsAt] RFC 3339 */
    reopen(id: string, endsAt?: string): Promise<{
        id: string;
        status: "scheduled" | "running" | "finished" | "cancelled";
        version: number;
    }>;
    /** Show a frozen table. @param {string} id */
    reveal(id: string): Promise<{
        id: string;
        status: "scheduled" | "running" | "finished" | "cancelled";
        version: number;
    }>;
    /** Who ordered what, newest first. @param {string} id @returns {Promise<Schemas["HistoryItem"][]>} */
    history(id: string): Promise<Schemas["HistoryItem"][]>;
    /**
     * A page of the table; or the rows around a user, or of at most 100 users.
     * @param {string} id @param {{limit?: number, cursor?: string | null, around?: string, users?: string[]}} [page] @returns {Promise<Schemas["Rankings"]>}
     */
    rankings(id: string, { limit, cursor, around, users }?: {
        limit?: number;
        cursor?: string | null;
        around?: string;
        users?: string[];
    }): Promise<Schemas["Rankings"]>;
    /**
     * The whole table from the top, page by page. While the tournament runs, rows move between the pages: of a user who comes twice the later row is
     * the newer one.
     * @param {string} id @returns {AsyncGenerator<Schemas["Row"], void>}
     */
    rows(id: string): AsyncGenerator<Schemas["Row"], void>;
    /** A participant's standing. @param {string} id @param {string} [user] @returns {Promise<Schemas["Participant"]>} */
    participant(id: string, user?: string): Promise<Schemas["Participant"]>;
    /**
     * Let a user take part; again changes nothing. It waits until that is applied.
     * @param {string} id @param {string} [user] @param {Partial<Schemas["JoinRequest"]>} [body] @returns {Promise<Schemas["JoinOutcome"]>}
     */
    join(id: string, user?: string, body?: Partial<Schemas["JoinRequest"]>): Promise<Schemas["JoinOutcome"]>;
    /** Let many take part, 1,000 a call: a service's. Resolves once all are in the log; `rejected` are those that never will be. @param {Iterable<Join>} joins */
    joinAll(joins: Iterable<Join>): Promise<{
        accepted: number;
        rejected: import("../types/api.js").components["schemas"]["RejectedItem"][];
    }>;
    /** Leave; score and attempts come back with the next join. @param {string} id @param {string} [user] @returns {Promise<void>} */
    leave(id: string, user?: string): Promise<void>;
    /** Take a participant out of the table. @param {string} id @param {string} user @param {string} reason @returns {Promise<void>} */
    disqualify(id: string, user: string, reason: string): Promise<void>;
    /** Take a disqualification back. @param {string} id @param {string} user @returns {Promise<void>} */
    reinstate(id: string, user: string): Promise<void>;
    /**
     * Submit a `score`, or a `result`. Resolves once it is in the log; with `waitS` (at most 10) once it is applied, if that takes no longer.
     * `event_id`: the same for the same event, also in another process; without one this call has one of its own.
     * @param {string} id @param {Partial<Schemas["Submission"]>} submission @param {{waitS?: number}} [options]
     * @returns {Promise<Schemas["Accepted"] & Partial<Schemas["ScoreOutcome"]>>} `outcome` is absent where it was not waited for, or is not known yet
     */
    submit(id: string, submission: Partial<Schemas["Submission"]>, { waitS }?: {
        waitS?: number;
    }): Promise<Schemas["Accepted"] & Partial<Schemas["ScoreOutcome"]>>;
    /** Submit many in this order, 1,000 a call: a service's. Resolves once all are in the log; `rejected` are those that never will be. @param {Iterable<Score>} scores */
    submitAll(scores: Iterable<Score>): Promise<{
        accepted: number;
        rejected: import("../types/api.js").components["schemas"]["RejectedItem"][];
    }>;
    /** Gathers scores that come one by one into batches; see Submitter. @param {import("./submitter.js").SubmitterOptions} [options] */
    submitter(options?: import("./submitter.js").SubmitterOptions): Submitter;
    /** Live tables, notices and submissions over one socket; see Live. */
    live(): Live;
    /**
     * Invite a user, or as many as bring the invitation.
     * @param {string} id @param {Partial<Schemas["InvitationRequest"]>} [body] @param {{key?: string}} [options] @returns {Promise<Schemas["NewInvitation"]>}
     */
    invite(id: string, body?: Partial<Schemas["InvitationRequest"]>, { key }?: {
        key?: string;
    }): Promise<Schemas["NewInvitation"]>;
    /** The rules and, once finished, a page of the winners. @param {string} id @param {{limit?: number, cursor?: string | null}} [page] @returns {Promise<Schemas["PrizeTable"]>} */
    prizes(id: string, { limit, cursor }?: {
        limit?: number;
        cursor?: string | null;
    }): Promise<Schemas["PrizeTable"]>;
    #private;
}
export type Schemas = import("../types/api.js").components["schemas"];
export type Score = import("./submitter.js").Score;
export type Join = Schemas["BatchJoin"];
/**
 * What is left out, or has a default, may be left out of a body.
 */
export type Body<T, K extends keyof T> = Partial<T> & Pick<T, K>;
/**
 * `timeoutMs`: of one try; `retryForMs`: of a call with all its tries. `fetch`, `WebSocket`: others than the runtime's (Node.js has a WebSocket
 * of its own from 22 on; the package `ws` is one for older ones).
 */
export type ClientOptions = {
    timeoutMs?: number | undefined;
    retryForMs?: number | undefined;
    fetch?: typeof fetch | undefined;
    WebSocket?: import("./live.js").WebSocketClass | undefined;
};
import { Submitter } from "./submitter.js";
import { Live } from "./live.js";
