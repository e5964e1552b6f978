// Gathers scores that come one by one into batches, with a bounded buffer.

import { BufferFullError } from "./errors.js";
import { sleep } from "./transport.js";

const BATCH = 1000;

/** @typedef {import("../types/api.js").components["schemas"]["BatchSubmission"]} Score */
/** @typedef {import("../types/api.js").components["schemas"]["BatchAnswer"]} BatchAnswer */

/**
 * `maxWaiting`: so many scores wait at most; beyond that `put` waits (policy `wait`, the default) or rejects with BufferFullError (policy
 * `raise`); none is ever dropped. `lingerMs`: how long a batch that is not full waits for more. `onRejected`: told of each score that Palio will
 * never take.
 * @typedef {object} SubmitterOptions
 * @property {number} [maxWaiting]
 * @property {number} [lingerMs]
 * @property {"wait" | "raise"} [onFull]
 * @property {(score: Score, code: string) => void} [onRejected]
 */

/**
 * `put` scores, and `flush`: then all of them are in the log. Batches go one after another, so the log has the scores in the order in which they
 * were put. When a batch fails for good, `put` and `flush` reject with that error.
 */
export class Submitter {
  accepted = 0;
  rejected = 0;
  #send;
  #options;
  /** @type {Score[]} those of the batch under way stay in it until they are answered */
  #waiting = [];
  /** @type {(() => void)[]} */
  #changed = [];
  /** @type {unknown} */
  #failure = null;
  #running = false;

  /** @param {(scores: Score[]) => Promise<BatchAnswer>} send @param {SubmitterOptions} [options] */
  constructor(send, { maxWaiting = 10_000, lingerMs = 20, onFull = "wait", onRejected = () => {} } = {}) {
    this.#send = send;
    this.#options = { maxWaiting, lingerMs, onFull, onRejected };
  }

  /** How many are not in the log yet. */
  get waiting() {
    return this.#waiting.length;
  }

  /** Take a score; it is in the log after the next `flush`. @param {Score} score */
  async put(score) {
    while (this.#failure === null && this.#waiting.length >= this.#options.maxWaiting) {
      if (this.#options.onFull === "raise") throw new BufferFullError(`${this.#waiting.length} scores wait, and no more may`);
      await this.#change();
    }
    if (this.#failure !== null) throw this.#failure;
    this.#waiting.push(score);
    if (!this.#running) this.#run();
  }

  /** Wait until all that was put is in the log. */
  async flush() {
    while (this.#failure === null && this.#waiting.length > 0) await this.#change();
    if (this.#failure !== null) throw this.#failure;
  }

  /** @returns {Promise<void>} */
  #change() {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  async #run() {
    this.#running = true;
    try {
      while (this.#waiting.length > 0) {
        if (this.#waiting.length < BATCH) await sleep(this.#options.lingerMs);
        const batch = this.#waiting.slice(0, BATCH);
        const answer = await this.#send(batch);
        this.accepted += answer.accepted;
        this.rejected += answer.rejected.length;
        for (const { index, code } of answer.rejected) this.#options.onRejected(batch[index], code);
        this.#waiting.splice(0, batch.length);
        this.#wake();
      }
    } catch (failure) {
      this.#failure = failure;
    }
    this.#running = false;
    this.#wake();
  }

  #wake() {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}
