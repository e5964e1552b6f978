// One HTTP call, repeated for as long as that is worth it. All calls of Palio's API may be repeated: creates carry an
// Idempotency-Key, scores an event id, and joins, ends and the like change nothing twice.

import { NoAnswerError, NotPalioError, ProblemError } from "./errors.js";

const AGAIN = new Set([408, 429, 500, 502, 503, 504]);
const FIRST_PAUSE_MS = 100; // doubled with each try, up to
const LONGEST_PAUSE_MS = 2000;

/**
 * A token, or what gives the one of now, asked before each call: so that it can follow one that expires by a new one.
 * @typedef {string | null | undefined | (() => string | null | undefined | Promise<string | null | undefined>)} Token
 */

/**
 * `body` is sent as JSON, a Blob as it is, of its own type; `text` as it is, of the type `contentType`. `again(status, body)`: whether a good answer leaves undecided what became of
 * the call, so that it is to be repeated.
 * @typedef {object} CallOptions
 * @property {string} [method]
 * @property {unknown} [body]
 * @property {string} [text]
 * @property {string} [contentType]
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 * @property {RequestCache} [cache]
 * @property {(status: number, body: any) => boolean} [again]
 */

/**
 * `timeoutMs`: of one try. `retryForMs`: of a call with all its tries; 0: one try, whose trouble is the call's error.
 * `heard(response, sentAtMs)`: is told of each answer.
 * @typedef {object} TransportOptions
 * @property {Token} [token]
 * @property {number} [timeoutMs]
 * @property {number} [retryForMs]
 * @property {typeof globalThis.fetch} [fetch]
 * @property {(response: Response, sentAtMs: number) => void} [heard]
 */

/** Calls with one token. */
export class Transport {
  /** @type {Token} */
  #token;
  #timeoutMs;
  #retryForMs;
  #fetch;
  #heard;

  /** @param {TransportOptions} [options] */
  constructor({ token = null, timeoutMs = 15_000, retryForMs = 60_000, fetch = (...call) => globalThis.fetch(...call), heard = () => {} } = {}) {
    this.#token = token;
    this.#timeoutMs = timeoutMs;
    this.#retryForMs = retryForMs;
    this.#fetch = fetch;
    this.#heard = heard;
  }

  /** The token of the next call, null for none. */
  async token() {
    return (typeof this.#token === "function" ? await this.#token() : this.#token) ?? null;
  }

  /** Whether a token that has expired may be followed by another. */
  get renews() {
    return typeof this.#token === "function";
  }

  /**
   * A good answer's status, and its body as JSON gives it (null without one).
   * Rejects with ProblemError for a refusal, NoAnswerError (its `cause`: the last trouble), NotPalioError, and whatever `signal` was aborted with.
   * @param {string | URL} url @param {CallOptions} [options] @returns {Promise<{status: number, body: any}>}
   */
  async call(url, options = {}) {
    const what = `${options.method ?? "GET"} ${url}`;
    const deadline = performance.now() + this.#retryForMs;
    let repeated = false;
    /** @type {boolean} */
    let renewed = false;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      let waitMs = pauseMs * (0.5 + Math.random() / 2);
      let trouble;
      const answer = await this.#once(url, options);
      if (answer instanceof NoAnswerError) {
        trouble = answer;
        repeated = true;
      } else {
        const { status, body, retryAfterS } = answer;
        const good = status >= 200 && status < 300;
        if (good && !options.again?.(status, body)) return { status, body };
        trouble = good ? new NoAnswerError(`${what}: not decided yet`) : problemOf(what, status, body, retryAfterS, repeated);
        /** @type {boolean} */
        const expired = status === 401 && this.renews && !renewed;
        if (!(good || expired || AGAIN.has(status))) throw trouble;
        renewed ||= expired;
        repeated ||= status !== 401 && status !== 429;
        waitMs = expired ? 0 : Math.max(waitMs, 1000 * (retryAfterS ?? 0));
      }
      if (performance.now() + waitMs > deadline) {
        if (this.#retryForMs === 0) throw trouble;
        throw new NoAnswerError(`${what}: no success within ${this.#retryForMs / 1000} s; at last: ${trouble.message}`, trouble);
      }
      await sleep(waitMs, options.signal);
    }
  }

  /** @param {string | URL} url @param {CallOptions} options */
  async #once(url, { method = "GET", body, text, contentType = "application/json", headers = {}, signal, cache }) {
    const token = await this.token();
    const file = body instanceof Blob;
    const content = file ? body : body === undefined ? text : JSON.stringify(body);
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const sentAtMs = Date.now();
    try {
      const response = await this.#fetch(url, {
        method,
        headers: {
          Accept: "application/json",
          ...(token ? { Authorization: `Bearer ${token}` } : {}),
          ...(content === undefined || file ? {} : { "Content-Type": contentType }),
          ...headers,
        },
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        ...(content === undefined ? {} : { body: content }),
        ...(cache === undefined ? {} : { cache }),
      });
      const said = await response.text();
      this.#heard(response, sentAtMs);
      const retryAfter = response.headers.get("Retry-After") ?? "";
      return { status: response.status, body: parsed(said), retryAfterS: /^[0-9]{1,7}$/.test(retryAfter) ? Number(retryAfter) : null };
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      return new NoAnswerError("The server could not be reached.", error);
    }
  }
}

/** @param {string} text */
function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return undefined;
  }
}

/** @param {string} what @param {number} status @param {any} body @param {number | null} retryAfterS @param {boolean} repeated */
function problemOf(what, status, body, retryAfterS, repeated) {
  if (typeof body?.code === "string") return new ProblemError(status, body, retryAfterS, repeated);
  return AGAIN.has(status) ? new ProblemError(status, {}, retryAfterS, repeated) : new NotPalioError(`${what}: expected Palio's answer, got ${status}`, status);
}

/** @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** An id that no other call has: for event ids and Idempotency-Keys. (`crypto.randomUUID` is there in secure contexts alone.) */
export const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** `?a=1&b=2`, without what is not given. @param {Record<string, unknown>} [values] */
export function queryOf(values = {}) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}
