// The live socket, protocol palio.v1: one for the page, any number of tournaments on it.
//
// States: `connecting` (the first time), `live`, `reconnecting`, `stale` (what is shown was not confirmed for a while) and
// `closed` (the server said not to come back).

import { backoffMs, retryAfterMs, take } from "./live_rules.js";

const TIMING = {
  silenceMs: 20_000, // then the position is asked for again: proof of life, and heals a lost last update
  answerMs: 5_000, // a request unanswered for this long: the connection is dead, whatever the browser thinks
  staleMs: 8_000, // disconnected for this long, what is shown is stale
  checkMs: 1_000,
};

const RETRY_CODES = new Set(["unavailable", "overloaded", "rate_limited", "too_many_requests", "internal_error", "internal"]);

export class Live {
  #url;
  #authRefused;
  #timing;
  #socket = null;
  #token = null;
  #subscriptions = new Map(); // tournament -> {epoch, seq, data, handlers, healing}
  #requests = new Map(); // id -> {sentAt, onAnswer}
  #nextId = 1;
  #attempt = 0;
  #reconnectTimer = null;
  #heardAt = 0; // monotonic milliseconds
  #downSince = null;
  #state = "connecting";
  #closedWhy = null;
  #listeners = new Set();

  /** `url`: an async function that answers the socket's address (asked at each connection). `authRefused(error)`: the token was not accepted. */
  constructor(url, authRefused = (_error) => {}, timing = {}) {
    this.#url = url;
    this.#authRefused = authRefused;
    this.#timing = { ...TIMING, ...timing };
    setInterval(() => this.#check(), this.#timing.checkMs);
    addEventListener("online", () => this.#hurry());
    addEventListener("offline", () => this.#lost());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

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

  /** Call `listener(state)` at each change; returns a function that ends it. */
  onState(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Use this token from now on (null: none). Another identity means another connection. */
  setToken(token) {
    if (token === this.#token) return;
    this.#token = token;
    if (this.#socket) this.#lost(0);
  }

  /**
   * Follow a tournament: `handlers.data(data)` with each change, `handlers.me(message)`, `handlers.error({code, message})`.
   * Returns a function that ends it. One follower a tournament.
   */
  watch(tournament, handlers) {
    this.#subscriptions.set(tournament, { epoch: 0, seq: 0, data: null, handlers, healing: false });
    if (this.#isOpen()) this.#subscribe(tournament);
    else this.#connectSoon(0);
    return () => {
      if (this.#subscriptions.get(tournament)?.handlers !== handlers) return;
      this.#subscriptions.delete(tournament);
      if (this.#isOpen()) this.#request({ unsubscribe: tournament });
      if (this.#subscriptions.size === 0) this.#settle();
    };
  }

  /** Try again now, also after the server said not to. */
  retry() {
    this.#closedWhy = null;
    this.#attempt = 0;
    if (!this.#socket) this.#connectSoon(0);
  }

  #isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #setState(state) {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }

  #connectSoon(delayMs) {
    if (this.#closedWhy !== null) return;
    clearTimeout(this.#reconnectTimer);
    this.#reconnectTimer = setTimeout(() => this.#connect(), delayMs);
  }

  async #connect() {
    if (this.#socket || this.#subscriptions.size === 0) return;
    const attempt = {}; // holds the place while the address is asked for
    this.#socket = attempt;
    let socket;
    try {
      socket = new WebSocket(await this.#url(), "palio.v1");
    } catch {
      if (this.#socket === attempt) this.#lost();
      return;
    }
    if (this.#socket !== attempt) {
      socket.close();
      return;
    }
    this.#socket = socket;
    const deadline = setTimeout(() => socket.readyState === WebSocket.CONNECTING && this.#socket === socket && this.#lost(), this.#timing.answerMs);
    socket.onopen = () => {
      clearTimeout(deadline);
      this.#requests.clear();
      if (this.#token) this.#request({ auth: this.#token }, (answer) => answer.ok || this.#authRefused(answer.error));
      for (const tournament of this.#subscriptions.keys()) this.#subscribe(tournament);
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => {
      clearTimeout(deadline);
      this.#onClose(event);
    };
  }

  #onClose({ code, reason }) {
    if (code >= 4500 && code <= 4999) {
      this.#closedWhy = reason || `closed by the server (${code})`;
      this.#drop();
      this.#setState("closed");
      return;
    }
    const named = retryAfterMs(reason);
    this.#lost(named === null ? null : named * (1 + Math.random() / 4));
  }

  /** The connection is gone: come back after `delayMs`, or after the backoff where that is null. */
  #lost(delayMs = null) {
    this.#drop();
    if (this.#subscriptions.size) this.#downSince ??= performance.now();
    if (this.#state !== "connecting" && this.#state !== "stale" && this.#state !== "closed") this.#setState("reconnecting");
    if (this.#subscriptions.size) this.#connectSoon(delayMs ?? backoffMs(this.#attempt++));
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#requests.clear();
    if (!(socket instanceof WebSocket)) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** Nobody watches: keep no connection. */
  #settle() {
    setTimeout(() => {
      if (this.#subscriptions.size) return;
      this.#drop();
      clearTimeout(this.#reconnectTimer);
      this.#downSince = null;
      if (this.#state !== "closed") this.#setState("connecting");
    }, 2000);
  }

  #hurry() {
    if (this.#isOpen()) this.#probe();
    else if (this.#subscriptions.size && !(this.#socket instanceof WebSocket)) {
      this.#attempt = 0;
      this.#connectSoon(Math.random() * 500);
    }
  }

  #request(message, onAnswer = () => {}) {
    const id = this.#nextId++;
    this.#requests.set(id, { sentAt: performance.now(), onAnswer });
    this.#socket.send(JSON.stringify({ id, ...message }));
  }

  #subscribe(tournament, fresh = false) {
    const subscription = this.#subscriptions.get(tournament);
    const message = { subscribe: tournament };
    if (subscription.data !== null && !fresh) message.since = { epoch: subscription.epoch, seq: subscription.seq };
    if (this.#token) message.me = true;
    this.#request(message, (answer) => {
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
    else if (message.type === "snapshot" || message.type === "update") this.#update(message);
    else if (message.type === "unsubscribed") this.#ended(message);
    else if (message.type === "signed_out") this.#authRefused({ code: message.reason, message: `Your token is no longer valid (${message.reason}).` });
    else if (this.#requests.has(message.id)) {
      const { onAnswer } = this.#requests.get(message.id);
      this.#requests.delete(message.id);
      onAnswer(message);
    }
  }

  #update(message) {
    const subscription = this.#subscriptions.get(message.tournament);
    if (!subscription) return;
    const result = take(subscription, message);
    if (result === "applied") {
      subscription.healing = false;
      subscription.handlers.data(subscription.data);
    } else if (result === "gap" && !subscription.healing) {
      subscription.healing = true; // what comes until the snapshot cannot fit either
      this.#subscribe(message.tournament, true);
    }
  }

  /** The server ended a subscription by itself. */
  #ended({ tournament, reason }) {
    this.#subscriptions.get(tournament)?.handlers.error?.({ code: reason, message: `The server ended it (${reason}).` });
  }

  #probe() {
    if (this.#requests.size === 0 && this.#subscriptions.size) this.#subscribe(this.#subscriptions.keys().next().value);
  }

  #check() {
    const moment = performance.now();
    if (this.#isOpen()) {
      const oldest = this.#requests.values().next().value;
      if (oldest && moment - Math.max(oldest.sentAt, this.#heardAt) > this.#timing.answerMs) {
        this.#setState("stale");
        this.#lost();
      } else if (moment - this.#heardAt > this.#timing.silenceMs) this.#probe();
    }
    if (this.#downSince !== null && moment - this.#downSince > this.#timing.staleMs && this.#subscriptions.size && this.#state !== "closed") this.#setState("stale");
  }
}
