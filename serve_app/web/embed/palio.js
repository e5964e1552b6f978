// A Palio as another site's page reaches it: what is public, and with a token what its player may see where PALIO_CORS_ORIGINS names the site.

import { reachable, send } from "../api.js";
import { Live } from "../client/src/live.js";

/** Sockets that nobody uses, by Palio: they are used again. */
const idle = new Map();

export class Palio {
  #base;
  #token;
  #session = { token: () => this.#token, refused: () => true };

  /** At a base address (`https://palio.example/`). Throws an Error for what is none. */
  constructor(address, token = null) {
    if (!URL.canParse(address) || !/^https?:/.test(address)) throw new Error(`“${address}” is no address of a Palio.`);
    this.#base = new URL(address.endsWith("/") ? address : `${address}/`);
    this.#token = token;
  }

  /** Where people find the whole table. */
  page = (id) => new URL(`#/t/${id}`, this.#base).href;
  view = (id, signal) => this.#get(`v1/tournaments/${id}`, signal);
  rowsOf = (id, user, signal) => this.#get(`v1/tournaments/${id}/rankings?users=${encodeURIComponent(user)}`, signal);

  #get(path, signal) {
    return send(new URL(path, this.#base), { session: this.#session, signal });
  }

  /** A live socket of one's own until `signal` aborts. */
  takeLive(signal) {
    const key = this.#base.href;
    const pool = idle.get(key) ?? idle.set(key, []).get(key);
    const live = pool.pop() ?? new Live(async () => reachable((await this.#get("v1")).live, this.#base.hostname));
    live.setToken(this.#token);
    signal.addEventListener("abort", () => void pool.push(live), { once: true });
    return live;
  }
}
