// The live socket, protocol palio.v1: one for all that a program follows and submits. The page uses it as it is; so does Node.js.
//
// States: `connecting` (the first time), `live`, `reconnecting`, `stale` (what is shown was not confirmed for a while) and
// `closed` (the server said not to come back).

import { LiveClosedError, LiveError, NoAnswerError } from "./errors.js";
import { backoffMs, isFinal, retryAfterMs, take } from "./live_rules.js";
import { ranksOf } from "./ranks.js";
import { newId } from "./transport.js";

const TIMING = {
  silenceMs: 20_000, // then the position is asked for again: proof of life, and heals a lost last update
  answerMs: 5_000, // a request unanswered for this long: the connection is dead, whatever the browser thinks
  ackMs: 15_000, // the same of a score, which waits for the log
  staleMs: 8_000, // disconnected for this long, what is shown is stale
  checkMs: 1_000,
};

const RETRY_CODES = new Set(["unavailable", "overloaded", "rate_limited", "too_many_requests", "internal_error", "internal"]);
const TOKEN_CODES = new Set(["token_expired", "token_missing", "unauthorized"]);
const MAX_ON_THEIR_WAY = 1000; // scores, as many as Palio reads ahead
const OPEN = 1; // WebSocket.OPEN
const OVER = ["finished", "cancelled"];

/** @typedef {import("../types/api.js").components["schemas"]} Schemas */
/** @typedef {Schemas["LiveData"]} LiveData */
/** @typedef {Schemas["MeMessage"]} Me */
/** @typedef {Schemas["NoticeMessage"]} Notice */
/** @typedef {{code: string, message: string}} Refusal */
/** @typedef {"connecting" | "live" | "reconnecting" | "stale" | "closed"} State */
/** @typedef {new (url: string, protocols?: string) => WebSocket} WebSocketClass */

/**
 * `data` with each change, `me` with each change of one's own standing (asked for only where it is given), `error` when there is nothing to follow.
 * @typedef {{data: (data: LiveData, position: {epoch: number, seq: number}) => void, me?: (me: Me) => void, error?: (error: Refusal) => void}} Handlers
 */

/** @typedef {{epoch: number, seq: number, data: LiveData | null, handlers: Handlers, healing: boolean}} Watched */
/** @typedef {{message: object, sentAt: number, deadline: number, resolve: () => void, reject: (error: unknown) => void}} OnItsWay */

/**
 * `token`: a text, or a function that gives the one of now, which is asked at each connection, and when one has expired. `authRefused(error)`: the
 * token was not accepted. `retryForMs`: how long a score may take. `WebSocket`: another than the runtime's.
 * @typedef {object} LiveOptions
 * @property {import("./transport.js").Token} [token]
 * @property {(error: Refusal) => void} [authRefused]
 * @property {number} [retryForMs]
 * @property {Partial<typeof TIMING>} [timing]
 * @property {WebSocketClass} [WebSocket]
 */

/**
 * One socket for all of it. It comes back whenever the connection ends, after the time that Palio names or a pause that doubles up to 15 s, goes
 * on from where each table was, and sends again what was not acknowledged. There is a connection while something is followed or on its way.
 */
export class Live {
  #url;
  #authRefused;
  #timing;
  #retryForMs;
  #WebSocket;
  /** @type {WebSocket | {} | null} an object that is no socket holds the place while the address is asked for */
  #socket = null;
  #opened = false;
  /** @type {import("./transport.js").Token} */
  #source;
  /** @type {string | null} */
  #token = null;
  /** @type {Map<string, Watched>} */
  #subscriptions = new Map();
  /** @type {Map<number, {sentAt: number, onAnswer: (answer: any) => void}>} */
  #requests = new Map();
  /** @type {Map<number, OnItsWay>} */
  #submissions = new Map();
  /** @type {(() => void)[]} */
  #room = [];
  /** @type {Set<(notice: Notice) => void>} */
  #noticed = new Set();
  #nextId = 1;
  #attempt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #reconnectTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #checks;
  #heardAt = 0; // monotonic milliseconds
  /** @type {number | null} */
  #downSince = null;
  /** @type {State} */
  #state = "connecting";
  /** @type {string | null} */
  #closedWhy = null;
  /** @type {Set<(state: State) => void>} */
  #listeners = new Set();
  #hurried = () => this.#hurry();
  #offline = () => this.#lost();
  #shown = () => document.hidden || this.#hurry();

  /** `url`: what answers the socket's address, asked at each connection. @param {() => Promise<string>} url @param {LiveOptions} [options] */
  constructor(url, { token = null, authRefused = () => {}, retryForMs = 60_000, timing = {}, WebSocket = globalThis.WebSocket } = {}) {
    if (!WebSocket) throw new TypeError("expected a WebSocket: this runtime has none, so give one, such as that of the package ws");
    this.#url = url;
    this.#source = token;
    this.#authRefused = authRefused;
    this.#retryForMs = retryForMs;
    this.#timing = { ...TIMING, ...timing };
    this.#WebSocket = WebSocket;
    // Only browsers have these.
    globalThis.addEventListener?.("online", this.#hurried);
    globalThis.addEventListener?.("offline", this.#offline);
    globalThis.document?.addEventListener("visibilitychange", this.#shown);
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** Why the server closed for good, or null. */
  get closedWhy() {
    return this.#closedWhy;
  }

  /** Seconds since the server was last heard, or null if never. */
  get silentForS() {
    return this.#heardAt ? (performance.now() - this.#heardAt) / 1000 : null;
  }

  /** Call `listener(state)` at each change; returns a function that ends it. @param {(state: State) => void} listener */
  onState(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Call `listener` with each notice of one's tournaments; returns a function that ends it. @param {(notice: Notice) => void} listener */
  onNotice(listener) {
    this.#noticed.add(listener);
    this.#connectSoon(0);
    return () => {
      this.#noticed.delete(listener);
      this.#settle();
    };
  }

  /** Use this token from now on (null: none). Another identity means another connection. @param {string | null} token */
  setToken(token) {
    if (token === this.#source) return;
    this.#source = token;
    if (this.#socket) this.#lost(0);
  }

  /**
   * Follow a tournament by handlers; returns a function that ends it. One follower a tournament.
   * @param {string} tournament @param {Handlers} handlers @returns {() => void}
   */
  watch(tournament, handlers) {
    this.#subscriptions.set(tournament, { epoch: 0, seq: 0, data: null, handlers, healing: false });
    if (this.#isOpen()) this.#subscribe(tournament);
    else this.#connectSoon(0);
    return () => {
      if (this.#subscriptions.get(tournament)?.handlers !== handlers) return;
      this.#subscriptions.delete(tournament);
      if (this.#isOpen()) this.#request({ unsubscribe: tournament });
      this.#settle();
    };
  }

  /** Follow a tournament: `for await (const board of live.follow(id))`. `me`: one's own standing, too. @param {string} tournament @param {{me?: boolean}} [options] */
  follow(tournament, { me = false } = {}) {
    return new Following(this, tournament, me);
  }

  /**
   * Submit a `score`, or a `result`; resolves with its event id once it is in the log. What was not acknowledged when a connection ended is sent
   * again. At most 1,000 are on their way, more wait. Rejects with LiveError for one that will never be taken, NoAnswerError when that is not known
   * within `retryForMs`, LiveClosedError.
   * @param {string} tournament @param {Partial<Schemas["LiveSubmission"]>} submission @returns {Promise<string>}
   */
  async submit(tournament, submission) {
    const event_id = submission.event_id ?? newId();
    while (this.#submissions.size >= MAX_ON_THEIR_WAY) await new Promise((/** @type {(_?: undefined) => void} */ resolve) => this.#room.push(resolve));
    if (this.#closedWhy !== null) throw new LiveClosedError(this.#closedWhy);
    const id = this.#nextId++;
    try {
      await new Promise((/** @type {(_?: undefined) => void} */ resolve, reject) => {
        const now = performance.now();
        this.#submissions.set(id, { message: { ...submission, tournament, event_id }, sentAt: now, deadline: now + this.#retryForMs, resolve, reject });
        if (this.#isOpen()) this.#sendScore(id);
        else this.#connectSoon(0);
      });
    } finally {
      this.#submissions.delete(id);
      this.#room.shift()?.();
      this.#settle();
    }
    return event_id;
  }

  /** End it all: what is followed or on its way ends with LiveClosedError. */
  close() {
    this.#end("closed by this program");
    globalThis.removeEventListener?.("online", this.#hurried);
    globalThis.removeEventListener?.("offline", this.#offline);
    globalThis.document?.removeEventListener("visibilitychange", this.#shown);
  }

  /** Try again now, also after the server said not to. */
  retry() {
    this.#closedWhy = null;
    this.#attempt = 0;
    this.#connectSoon(0);
  }

  get #wanted() {
    return this.#subscriptions.size + this.#submissions.size + this.#noticed.size > 0;
  }

  #isOpen() {
    return this.#opened && this.#socket !== null && "readyState" in this.#socket && this.#socket.readyState === OPEN;
  }

  /** @param {State} state */
  #setState(state) {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }

  /** @param {number} delayMs */
  #connectSoon(delayMs) {
    if (this.#closedWhy !== null || this.#socket) return;
    this.#checks ??= setInterval(() => this.#check(), this.#timing.checkMs);
    clearTimeout(this.#reconnectTimer);
    this.#reconnectTimer = setTimeout(() => this.#connect(), delayMs);
  }

  async #connect() {
    if (this.#socket || !this.#wanted) return;
    const attempt = {}; // holds the place while the address is asked for
    this.#socket = attempt;
    /** @type {WebSocket} */
    let socket;
    try {
      const url = await this.#url();
      this.#token = (typeof this.#source === "function" ? await this.#source() : this.#source) ?? null;
      if (this.#socket !== attempt) return;
      socket = new this.#WebSocket(url, "palio.v1");
    } catch {
      if (this.#socket === attempt) this.#lost();
      return;
    }
    this.#socket = socket;
    const deadline = setTimeout(() => !this.#opened && this.#socket === socket && this.#lost(), this.#timing.answerMs);
    socket.onopen = () => {
      clearTimeout(deadline);
      this.#opened = true;
      this.#requests.clear();
      this.#signIn();
      for (const id of this.#submissions.keys()) this.#sendScore(id);
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onerror = () => {}; // the close that follows tells all there is; without a listener some sockets throw
    socket.onclose = (event) => {
      clearTimeout(deadline);
      this.#onClose(event);
    };
  }

  /** With the token at hand; and subscribe to what is followed, which may need it. */
  #signIn() {
    if (this.#token) this.#request({ auth: this.#token }, (answer) => answer.ok || this.#refused(answer.error));
    for (const tournament of this.#subscriptions.keys()) this.#subscribe(tournament);
    if (!this.#subscriptions.size) this.#confirmed();
  }

  /** The token was not accepted: with a source of tokens by the next one, once a connection. @param {Refusal} error */
  async #refused(error) {
    const socket = this.#socket;
    if (typeof this.#source === "function" && error?.code !== "unauthorized") {
      const token = (await this.#source()) ?? null;
      if (this.#socket !== socket || !this.#isOpen()) return;
      if (token && token !== this.#token) {
        this.#token = token;
        this.#signIn();
        return;
      }
    }
    this.#authRefused(error);
  }

  /** @param {{code: number, reason: string}} event */
  #onClose({ code, reason }) {
    if (isFinal(code)) {
      this.#end(reason || `closed by the server (${code})`);
      return;
    }
    const named = retryAfterMs(reason);
    this.#lost(named === null ? null : named * (1 + Math.random() / 4));
  }

  /** It is over for good. @param {string} why */
  #end(why) {
    this.#closedWhy = why;
    clearTimeout(this.#reconnectTimer);
    this.#drop();
    for (const { reject } of this.#submissions.values()) reject(new LiveClosedError(why));
    this.#rest();
    this.#setState("closed");
  }

  /** The connection is gone: come back after `delayMs`, or after the backoff where that is null. @param {number | null} [delayMs] */
  #lost(delayMs = null) {
    this.#drop();
    if (this.#wanted) this.#downSince ??= performance.now();
    if (this.#state !== "connecting" && this.#state !== "stale" && this.#state !== "closed") this.#setState("reconnecting");
    if (this.#wanted) this.#connectSoon(delayMs ?? backoffMs(this.#attempt++));
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#opened = false;
    this.#requests.clear();
    if (socket === null || !("readyState" in socket)) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** Nothing is wanted any more: keep no connection. */
  #settle() {
    if (this.#wanted || this.#state === "closed") return;
    setTimeout(() => {
      if (this.#wanted || this.#state === "closed") return;
      this.#drop();
      this.#rest();
      this.#setState("connecting");
    }, 2000);
  }

  #rest() {
    clearTimeout(this.#reconnectTimer);
    clearInterval(this.#checks);
    this.#checks = undefined;
    this.#downSince = null;
  }

  #hurry() {
    if (this.#isOpen()) this.#probe();
    else if (this.#wanted && !this.#socket) {
      this.#attempt = 0;
      this.#connectSoon(Math.random() * 500);
    }
  }

  /** @param {object} message */
  #send(message) {
    /** @type {WebSocket} */ (this.#socket).send(JSON.stringify(message));
  }

  /** @param {object} message @param {(answer: any) => void} [onAnswer] */
  #request(message, onAnswer = () => {}) {
    const id = this.#nextId++;
    this.#requests.set(id, { sentAt: performance.now(), onAnswer });
    this.#send({ id, ...message });
  }

  /** @param {number} id */
  #sendScore(id) {
    const submission = this.#submissions.get(id);
    if (!submission || !this.#isOpen()) return;
    submission.sentAt = performance.now();
    this.#send({ id, submit: submission.message });
  }

  /** @param {string} tournament @param {boolean} [fresh] */
  #subscribe(tournament, fresh = false) {
    const subscription = this.#subscriptions.get(tournament);
    if (!subscription) return;
    const since = subscription.data !== null && !fresh ? { since: { epoch: subscription.epoch, seq: subscription.seq } } : {};
    const me = this.#token && subscription.handlers.me ? { me: true } : {};
    this.#request({ subscribe: tournament, ...since, ...me }, (answer) => {
      if (this.#subscriptions.get(tournament) !== subscription) return;
      if (answer.ok) return this.#confirmed();
      if (RETRY_CODES.has(answer.error?.code)) setTimeout(() => this.#isOpen() && this.#subscriptions.get(tournament) === subscription && this.#subscribe(tournament), 1000 + Math.random() * 1000);
      else subscription.handlers.error?.(answer.error ?? { code: "unknown", message: "The server refused." });
    });
  }

  #confirmed() {
    this.#attempt = 0;
    this.#downSince = null;
    this.#setState("live");
  }

  /** @param {string} text */
  #receive(text) {
    this.#heardAt = performance.now();
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      console.warn("palio: a frame that is not JSON");
      return;
    }
    if (message.type === "me") this.#subscriptions.get(message.tournament)?.handlers.me?.(message);
    else if (message.type === "notice") for (const listener of this.#noticed) listener(message);
    else if (message.type === "snapshot" || message.type === "update") this.#update(message);
    else if (message.type === "unsubscribed") this.#ended(message);
    else if (message.type === "signed_out") this.#refused({ code: message.reason, message: `Your token is no longer valid (${message.reason}).` });
    else for (const id of message.ids ?? [message.id]) this.#answered(id, message);
  }

  /** @param {number} id @param {any} message */
  #answered(id, message) {
    const submission = this.#submissions.get(id);
    if (submission) {
      const { ok, error } = message;
      const passes = RETRY_CODES.has(error?.code) || (typeof this.#source === "function" && TOKEN_CODES.has(error?.code));
      const waitS = error?.retry_after_s ?? (passes ? 1 + Math.random() : undefined);
      if (ok) submission.resolve();
      else if (waitS === undefined) submission.reject(new LiveError(error?.code ?? "unknown", error?.message ?? "The server refused."));
      else setTimeout(() => this.#sendScore(id), waitS * 1000);
      return;
    }
    const request = this.#requests.get(id);
    this.#requests.delete(id);
    request?.onAnswer(message);
  }

  /** @param {any} message */
  #update(message) {
    const subscription = this.#subscriptions.get(message.tournament);
    if (!subscription) return;
    const result = take(subscription, message);
    if (result === "applied") {
      subscription.healing = false;
      if (subscription.data) subscription.handlers.data(subscription.data, subscription);
    } else if (result === "gap" && !subscription.healing) {
      subscription.healing = true; // what comes until the snapshot cannot fit either
      this.#subscribe(message.tournament, true);
    }
  }

  /** The server ended a subscription by itself. @param {{tournament: string, reason: string}} message */
  #ended({ tournament, reason }) {
    if (reason === "token_expired" && typeof this.#source === "function") return; // it is asked for again with the next token
    this.#subscriptions.get(tournament)?.handlers.error?.({ code: reason, message: `The server ended it (${reason}).` });
  }

  #probe() {
    const [first] = this.#subscriptions.keys();
    if (this.#requests.size === 0 && first !== undefined) this.#subscribe(first);
  }

  #check() {
    const moment = performance.now();
    if (this.#isOpen()) {
      const unanswered = (/** @type {Map<number, {sentAt: number}>} */ waiting, /** @type {number} */ withinMs) => {
        const [oldest] = waiting.values();
        return oldest !== undefined && moment - Math.max(oldest.sentAt, this.#heardAt) > withinMs;
      };
      if (unanswered(this.#requests, this.#timing.answerMs) || unanswered(this.#submissions, this.#timing.ackMs)) {
        this.#setState("stale");
        this.#lost();
      } else if (moment - this.#heardAt > this.#timing.silenceMs) this.#probe();
    }
    for (const { deadline, message, reject } of this.#submissions.values())
      if (moment > deadline) reject(new NoAnswerError(`submit ${JSON.stringify(message)}: not acknowledged within ${this.#retryForMs / 1000} s`));
    if (this.#downSince !== null && moment - this.#downSince > this.#timing.staleMs && this.#wanted && this.#state !== "closed") this.#setState("stale");
  }
}

/**
 * A live table at one moment. `connected` false: the socket is away, and this is what it showed last. `ranks`: of the rows of `data.top`. `over`:
 * it is finished or cancelled. `me`: one's own standing, where it was asked for.
 * @typedef {{tournament: string, epoch: number, seq: number, data: LiveData, me: Me | null, connected: boolean, over: boolean, ranks: number[]}} Board
 */

/**
 * One tournament, followed: iterating gives the newest board whenever it has changed. Who is slow misses boards in between, never the newest
 * (policy: newest). The iteration ends with the tournament, with LiveError where Palio does not let one watch it (any more), and with
 * LiveClosedError when the connection ended for good. To leave the loop is to follow it no more.
 * @implements {AsyncIterable<Board>}
 */
export class Following {
  /** @type {Board | null} the newest */
  board = null;
  /** @type {Board | null} */
  #given = null;
  /** @type {unknown} */
  #failure = null;
  #ended = false;
  #stop;
  #wake = () => {};

  /** @param {Live} live @param {string} tournament @param {boolean} me */
  constructor(live, tournament, me) {
    /** @type {Me | null} */
    let mine = null;
    /** @type {Pick<Board, "epoch" | "seq" | "data"> | null} */
    let newest = null;
    const show = () => {
      if (newest === null) return;
      const { data } = newest;
      this.board = { tournament, ...newest, me: mine, connected: live.state === "live", over: OVER.includes(data.status), ranks: ranksOf(data.top, data.ties) };
      this.#wake();
    };
    const fail = (/** @type {unknown} */ error) => {
      this.#failure = error;
      this.#wake();
    };
    const stopWatching = live.watch(tournament, {
      data(data, { epoch, seq }) {
        newest = { epoch, seq, data };
        show();
      },
      ...(me && {
        me(/** @type {Me} */ message) {
          mine = message;
          show();
        },
      }),
      error: ({ code, message }) => fail(new LiveError(code, message)),
    });
    const stopListening = live.onState((state) => {
      if (state === "closed") fail(new LiveClosedError(live.closedWhy ?? "closed"));
      else show();
    });
    this.#stop = () => {
      stopListening();
      stopWatching();
    };
    if (live.state === "closed") fail(new LiveClosedError(live.closedWhy ?? "closed"));
  }

  /** Follow it no more. */
  close() {
    this.#ended = true;
    this.#stop();
    this.#wake();
  }

  /** @returns {AsyncGenerator<Board, void>} */
  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        if (this.board !== null && this.board !== this.#given) {
          this.#given = this.board;
          yield this.board;
        } else if (this.#failure !== null) throw this.#failure;
        else if (this.#ended || (this.board?.over && this.board.connected)) return;
        else await new Promise((/** @type {(_?: undefined) => void} */ resolve) => (this.#wake = resolve));
      }
    } finally {
      this.close();
    }
  }
}
