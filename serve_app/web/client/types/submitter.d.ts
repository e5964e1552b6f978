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
    /** @param {(scores: Score[]) => Promise<BatchAnswer>} send @param {SubmitterOptions} [options] */
    constructor(send: (scores: Score[]) => Promise<BatchAnswer>, { maxWaiting, lingerMs, onFull, onRejected }?: SubmitterOptions);
    accepted: number;
    rejected: number;
    /** How many are not in the log yet. */
    get waiting(): number;
    /** Take a score; it is in the log after the next `flush`. @param {Score} score */
    put(score: Score): Promise<void>;
    /** Wait until all that was put is in the log. */
    flush(): Promise<void>;
    #private;
}
export type Score = import("../types/api.js").components["schemas"]["BatchSubmission"];
export type BatchAnswer = import("../types/api.js").components["schemas"]["BatchAnswer"];
/**
 * `maxWaiting`: so many scores wait at most; beyond that `put` waits (policy `wait`, the default) or rejects with BufferFullError (policy
 * `raise`); none is ever dropped. `lingerMs`: how long a batch that is not full waits for more. `onRejected`: told of each score that Palio will
 * never take.
 */
export type SubmitterOptions = {
    maxWaiting?: number | undefined;
    lingerMs?: number | undefined;
    onFull?: "wait" | "raise" | undefined;
    onRejected?: ((score: Score, code: string) => void) | undefined;
};
