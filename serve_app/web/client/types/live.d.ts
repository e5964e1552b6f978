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
    /** `url`: what answers the socket's address, asked at each connection. @param {() => Promise<string>} url @param {LiveOptions} [options] */
    constructor(url: () => Promise<string>, { token, authRefused, retryForMs, timing, WebSocket }?: LiveOptions);
    /** @returns {State} */
    get state(): State;
    /** Why the server closed for good, or null. */
    get closedWhy(): string | null;
    /** Seconds since the server was last heard, or null if never. */
    get silentForS(): number | null;
    /** Call `listener(state)` at each change; returns a function that ends it. @param {(state: State) => void} listener */
    onState(listener: (state: State) => void): () => boolean;
    /** Call `listener` with each notice of one's tournaments; returns a function that ends it. @param {(notice: Notice) => void} listener */
    onNotice(listener: (notice: Notice) => void): () => void;
    /** Use this token from now on (null: none). Another identity means another connection. @param {string | null} token */
    setToken(token: string | null): void;
    /**
     * Follow a tournament by handlers; returns a function that ends it. One follower a tournament.
     * @param {string} tournament @param {Handlers} handlers @returns {() => void}
     */
    watch(tournament: string, handlers: Handlers): () => void;
    /** Follow a tournament: `for await (const board of live.follow(id))`. `me`: one's own standing, too. @param {string} tournament @param {{me?: boolean}} [options] */
    follow(tournament: string, { me }?: {
        me?: boolean;
    }): Following;
    /**
     * Submit a `score`, or a `result`; resolves with its event id once it is in the log. What was not acknowledged when a connection ended is sent
     * again. At most 1,000 are on their way, more wait. Rejects with LiveError for one that will never be taken, NoAnswerError when that is not known
     * within `retryForMs`, LiveClosedError.
     * @param {string} tournament @param {Partial<Schemas["LiveSubmission"]>} submission @returns {Promise<string>}
     */
    submit(tournament: string, submission: Partial<Schemas["LiveSubmission"]>): Promise<string>;
    /** End it all: what is followed or on its way ends with LiveClosedError. */
    close(): void;
    /** Try again now, also after the server said not to. */
    retry(): void;
    #private;
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
export class Following implements AsyncIterable<Board> {
    /** @param {Live} live @param {string} tournament @param {boolean} me */
    constructor(live: Live, tournament: string, me: boolean);
    /** @type {Board | null} the newest */
    board: Board | null;
    /** Follow it no more. */
    close(): void;
    /** @returns {AsyncGenerator<Board, void>} */
    [Symbol.asyncIterator](): AsyncGenerator<Board, void>;
    #private;
}
export type Schemas = import("../types/api.js").components["schemas"];
export type LiveData = Schemas["LiveData"];
export type Me = Schemas["MeMessage"];
export type Notice = Schemas["NoticeMessage"];
export type Refusal = {
    code: string;
    message: string;
};
export type State = "connecting" | "live" | "reconnecting" | "stale" | "closed";
export type WebSocketClass = new (url: string, protocols?: string) => WebSocket;
/**
 * `data` with each change, `me` with each change of one's own standing (asked for only where it is given), `error` when there is nothing to follow.
 */
export type Handlers = {
    data: (data: LiveData, position: {
        epoch: number;
        seq: number;
    }) => void;
    me?: (me: Me) => void;
    error?: (error: Refusal) => void;
};
export type Watched = {
    epoch: number;
    seq: number;
    data: LiveData | null;
    handlers: Handlers;
    healing: boolean;
};
export type OnItsWay = {
    message: object;
    sentAt: number;
    deadline: number;
    resolve: () => void;
    reject: (error: unknown) => void;
};
/**
 * `token`: a text, or a function that gives the one of now, which is asked at each connection, and when one has expired. `authRefused(error)`: the
 * token was not accepted. `retryForMs`: how long a score may take. `WebSocket`: another than the runtime's.
 */
export type LiveOptions = {
    token?: import("./transport.js").Token;
    authRefused?: ((error: Refusal) => void) | undefined;
    retryForMs?: number | undefined;
    timing?: Partial<{
        silenceMs: number;
        answerMs: number;
        ackMs: number;
        staleMs: number;
        checkMs: number;
    }> | undefined;
    WebSocket?: WebSocketClass | undefined;
};
/**
 * A live table at one moment. `connected` false: the socket is away, and this is what it showed last. `ranks`: of the rows of `data.top`. `over`:
 * it is finished or cancelled. `me`: one's own standing, where it was asked for.
 */
export type Board = {
    tournament: string;
    epoch: number;
    seq: number;
    data: LiveData;
    me: Me | null;
    connected: boolean;
    over: boolean;
    ranks: number[];
};
