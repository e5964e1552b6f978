/** @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} */
export function sleep(ms: number, signal?: AbortSignal): Promise<void>;
/** `?a=1&b=2`, without what is not given. @param {Record<string, unknown>} [values] */
export function queryOf(values?: Record<string, unknown>): string;
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
    /** @param {TransportOptions} [options] */
    constructor({ token, timeoutMs, retryForMs, fetch, heard }?: TransportOptions);
    /** The token of the next call, null for none. */
    token(): Promise<string | null>;
    /** Whether a token that has expired may be followed by another. */
    get renews(): boolean;
    /**
     * A good answer's status, and its body as JSON gives it (null without one).
     * Rejects with ProblemError for a refusal, NoAnswerError (its `cause`: the last trouble), NotPalioError, and whatever `signal` was aborted with.
     * @param {string | URL} url @param {CallOptions} [options] @returns {Promise<{status: number, body: any}>}
     */
    call(url: string | URL, options?: CallOptions): Promise<{
        status: number;
        body: any;
    }>;
    #private;
}
export function newId(): string;
/**
 * A token, or what gives the one of now, asked before each call: so that it can follow one that expires by a new one.
 */
export type Token = string | null | undefined | (() => string | null | undefined | Promise<string | null | undefined>);
/**
 * `body` is sent as JSON, a Blob as it is, of its own type; `text` as it is, of the type `contentType`. `again(status, body)`: whether a good answer leaves undecided what became of
 * the call, so that it is to be repeated.
 */
export type CallOptions = {
    method?: string | undefined;
    body?: unknown;
    text?: string | undefined;
    contentType?: string | undefined;
    headers?: Record<string, string> | undefined;
    signal?: AbortSignal | undefined;
    cache?: RequestCache | undefined;
    again?: ((status: number, body: any) => boolean) | undefined;
};
/**
 * `timeoutMs`: of one try. `retryForMs`: of a call with all its tries; 0: one try, whose trouble is the call's error.
 * `heard(response, sentAtMs)`: is told of each answer.
 */
export type TransportOptions = {
    token?: Token;
    timeoutMs?: number | undefined;
    retryForMs?: number | undefined;
    fetch?: typeof fetch | undefined;
    heard?: ((response: Response, sentAtMs: number) => void) | undefined;
};
