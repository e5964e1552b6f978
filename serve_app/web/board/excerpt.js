// Rows out of a ranking, in place of its beginning: those whose names are looked for, or those around the visitor.

import { el, setText } from "../dom.js";
import { count } from "../format.js";
import { errorText } from "../notice.js";
import { keepDoing } from "../pages.js";
import { player } from "../player.js";
import { rankTable } from "./table.js";

const FEW = 50;
const MOST = 1000; // rows that the server gives in one answer
const REFRESH_MS = 10_000;

/**
 * `element`, hidden until `open(what)`, where `what` is `{fetch, caption, told, empty}`: `fetch(limit)` answers `{rows, total}`, `told(total)` says
 * what is seen, `empty` what stands there for no rows. `view()` is the tournament's; `closed()` is told when the way back is taken.
 */
export class Excerpt {
  #signal;
  #view;
  #what = null;
  #limit = FEW;
  #table = null;

  constructor(signal, view, closed) {
    this.#signal = signal;
    this.#view = view;
    this.words = el("p", { class: "excerpt-words", role: "status" });
    const back = el("button", { type: "button", class: "link-button", text: "Back to the top", on: { click: () => closed() } });
    this.place = el("div", { class: "table-place" });
    this.problem = el("p", { class: "form-error", role: "alert" });
    this.more = el("button", { type: "button", class: "button more", text: "Show more", on: { click: () => void this.#showMore() } });
    this.element = el("div", { class: "excerpt" }, el("div", { class: "excerpt-head" }, this.words, back), this.place, this.problem, this.more);
    this.close();
    keepDoing(async () => this.#what && this.#view()?.status === "running" && this.#load(), REFRESH_MS, signal);
  }

  get isOpen() {
    return this.#what !== null;
  }

  /** Show other rows. The first answer replaces what was there. */
  open(what) {
    this.#what = what;
    this.#limit = FEW;
    this.element.hidden = false;
    this.#table = rankTable({ caption: what.caption });
    this.more.hidden = true;
    setText(this.problem, "");
    return this.refresh();
  }

  close() {
    this.#what = null;
    this.element.hidden = true;
    this.place.replaceChildren();
    setText(this.words, "");
  }

  /** The row of a user, or undefined. */
  row(userId) {
    return this.#table?.top.row(userId);
  }

  settle() {
    this.#table?.top.settle();
  }

  /** Ask again; what goes wrong is told. */
  async refresh() {
    if (!this.#what) return;
    try {
      await this.#load();
    } catch (error) {
      if (!this.#signal.aborted) setText(this.problem, errorText(error));
    }
  }

  async #load() {
    const [what, table] = [this.#what, this.#table];
    const { rows, total } = await what.fetch(this.#limit);
    if (this.#what !== what || this.#signal.aborted) return; // others are wanted by now
    const { display, top } = this.#view();
    table.top.update(rows, { me: player()?.user_id ?? null, leader: top?.[0]?.score, moves: false, display });
    this.place.replaceChildren(...(rows.length ? [table.element] : [el("p", { class: "board-empty", text: what.empty })]));
    setText(this.words, rows.length ? what.told(total) : "");
    setText(this.problem, "");
    this.more.hidden = rows.length < this.#limit || rows.length >= Math.min(total, MOST);
  }

  async #showMore() {
    this.#limit = Math.min(MOST, this.#limit * 4);
    this.more.disabled = true;
    await this.refresh();
    this.more.disabled = false;
  }
}

/** Of a search: how many it found. */
export const found = (text) => (total) => `${count(total)} ${total === 1 ? "name" : "names"} with “${text}”`;
