// What goes wrong, as errors that tell what to do. All are PalioError.

/** Base of all errors of this client. `status`: of the answer, 0 without one. `code`: why, stable. */
export class PalioError extends Error {
  /** @param {string} message @param {number} [status] @param {string | null} [code] @param {unknown} [cause] */
  constructor(message, status = 0, code = null, cause = undefined) {
    super(message, { cause });
    this.name = new.target.name;
    /** @type {number} */
    this.status = status;
    /** @type {string | null} */
    this.code = code;
  }

  /** The error for people, with its code for whoever reports it. */
  get text() {
    return `${this.message}${this.code ? ` [${this.code}]` : ""}`;
  }
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
  constructor(status, problem = {}, retryAfterS = null, repeated = false) {
    super(problem.detail || problem.title || `The server answered ${status}.`, status, problem.code ?? null);
    /** @type {string | null} */
    this.title = problem.title ?? null;
    /** @type {{path: string, message: string}[]} */
    this.errors = Array.isArray(problem.errors) ? problem.errors : [];
    /** @type {number | null} */
    this.retryAfterS = retryAfterS;
    /** @type {boolean} */
    this.repeated = repeated;
  }

  /** As in PalioError, with the fields and when to try again. @override */
  get text() {
    const fields = this.errors.map((one) => `${one.path}: ${one.message}`).join("; ");
    const title = this.title && this.title !== this.message ? `${this.title}: ` : "";
    const again = this.retryAfterS ? ` Try again in ${this.retryAfterS} s.` : "";
    return `${title}${this.message}${fields ? ` (${fields})` : ""}${again}${this.code ? ` [${this.code}]` : ""}`;
  }
}

/** No good answer came in time, so it is not known whether the call was carried out: the same call again does no harm. */
export class NoAnswerError extends PalioError {
  /** @param {string} message @param {unknown} [cause] */
  constructor(message, cause) {
    super(message, 0, "unreachable", cause);
  }
}

/** What answered is not Palio. */
export class NotPalioError extends PalioError {}

/** The live socket refused a subscription or a score, or ended what it had granted; `code` as docs/live-protocol.md lists them. */
export class LiveError extends PalioError {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message, 0, code);
  }
}

/** The live connection ended for good. */
export class LiveClosedError extends PalioError {}

/** A submitter with the policy `raise` has no room; nothing was taken. */
export class BufferFullError extends PalioError {}
