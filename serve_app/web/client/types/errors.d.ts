/** Base of all errors of this client. `status`: of the answer, 0 without one. `code`: why, stable. */
export class PalioError extends Error {
    /** @param {string} message @param {number} [status] @param {string | null} [code] @param {unknown} [cause] */
    constructor(message: string, status?: number, code?: string | null, cause?: unknown);
    /** @type {number} */
    status: number;
    /** @type {string | null} */
    code: string | null;
    /** The error for people, with its code for whoever reports it. */
    get text(): string;
}
/**
 * A problem document (RFC 9457) as far as it is there.
 * @typedef {{title?: string, detail?: string, code?: string, errors?: {path: string, message: string}[]}} Problem
 */
/**
 * Palio refused a call. `errors`: what is wrong with which field of the body; `retryAfterS`: when to try again, where that was said.
 * `repeated`: an earlier try, whose answer did not come, may have been carried out.
 */
export class ProblemError extends PalioError {
    /** @param {number} status @param {Problem} [problem] @param {number | null} [retryAfterS] @param {boolean} [repeated] */
    constructor(status: number, problem?: Problem, retryAfterS?: number | null, repeated?: boolean);
    /** @type {string | null} */
    title: string | null;
    /** @type {{path: string, message: string}[]} */
    errors: {
        path: string;
        message: string;
    }[];
    /** @type {number | null} */
    retryAfterS: number | null;
    /** @type {boolean} */
    repeated: boolean;
}
/** No good answer came in time, so it is not known whether the call was carried out: the same call again does no harm. */
export class NoAnswerError extends PalioError {
    /** @param {string} message @param {unknown} [cause] */
    constructor(message: string, cause?: unknown);
}
/** What answered is not Palio. */
export class NotPalioError extends PalioError {
}
/** The live socket refused a subscription or a score, or ended what it had granted; `code` as docs/live-protocol.md lists them. */
export class LiveError extends PalioError {
    /** @param {string} code @param {string} message */
    constructor(code: string, message: string);
}
/** The live connection ended for good. */
export class LiveClosedError extends PalioError {
}
/** A submitter with the policy `raise` has no room; nothing was taken. */
export class BufferFullError extends PalioError {
}
/**
 * A problem document (RFC 9457) as far as it is there.
 */
export type Problem = {
    title?: string;
    detail?: string;
    code?: string;
    errors?: {
        path: string;
        message: string;
    }[];
};
