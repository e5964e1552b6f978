// The ranking of a tournament: the live top, the pages below it, and in the end the final table.

import { csvAddress, getRankings, saveCsv } from "../api.js";
import { announce } from "../announce.js";
import { el, onScreen, reducedMotion, setText } from "../dom.js";
import { count, isolated, score } from "../format.js";
import { searchField } from "../listing.js";
import { errorText } from "../notice.js";
import { Pages, keepDoing } from "../pages.js";
import { player } from "../player.js";
import { withRanks } from "../ranks.js";
import { Excerpt, found } from "./excerpt.js";
import { podium } from "./podium.js";
import { rankTable } from "./table.js";

const PAGE = 50;
const DRAW_MS = 180; // updates come up to 20 a second; eyes and glides need a little longer
const REFRESH_MS = 4000;
const LEADER_WORDS_S = 20;

/** `element`, `show(view)`, `showMe(me)` and `tick()`. */
export class Board {
  #id;
  #signal;
  #data = null;
  #final = false;
  #timer = null;
  #leader = null;
  #below = null; // Pages, once asked for
  #table = null;
  #me = null; // the visitor's standing, as GET participants/me gives it

  constructor(id, signal) {
    this.#id = id;
    this.#signal = signal;
    this.heading = el("h2", { id: "board-head", text: "Live ranking" });
    this.note = el("p", { class: "board-note" });
    this.stage = el("div");
    this.place = el("div", { class: "table-place" });
    this.empty = el("p", { class: "board-empty" });
    this.more = el("button", { type: "button", class: "button more", text: "Show more of the ranking", on: { click: () => this.#showMore() } });
    this.more.hidden = true;
    this.problem = el("p", { class: "form-error", role: "alert" });
    this.excerpt = new Excerpt(signal, () => this.#data, () => this.#backToTop());
    this.search = searchField({ id: "row-search", label: "Search this table by name or number", placeholder: "Search by name", maxLength: 64, signal }, (text) => this.#find(text));
    this.search.input.addEventListener("keydown", (event) => event.key === "Escape" && this.#backToTop());
    this.mine = el("button", { type: "button", class: "button small", text: "Go to your row", on: { click: () => void this.#goToMine() } });
    this.csv = el("a", { class: "button small", href: csvAddress(id), download: "", text: "Download CSV", on: { click: (event) => void this.#save(event) } });
    this.embed = el("a", { class: "link-button", href: `embed?tournament=${encodeURIComponent(id)}`, text: "Embed this table" });
    this.tools = el("div", { class: "board-tools" }, this.search.element, this.mine, this.csv);
    this.tools.hidden = true;
    this.side = el("div", { class: "board-side" }); // the connection's state goes here
    this.element = el(
      "section",
      { class: "board", "aria-labelledby": "board-head" },
      el("div", { class: "board-head" }, this.heading, this.side),
      this.note,
      this.stage,
      this.tools,
      this.excerpt.element,
      this.place,
      this.empty,
      this.problem,
      this.more,
      el("p", { class: "board-foot" }, this.embed),
    );
    signal.addEventListener("abort", () => clearTimeout(this.#timer), { once: true });
    keepDoing(() => this.#refresh(), REFRESH_MS, signal);
  }

  /** Take live data (or the view, which has the same members) in. Drawn a moment later. */
  show(data) {
    this.#data = data;
    this.#timer ??= setTimeout(() => this.#draw(), this.#table ? DRAW_MS : 0);
  }

  /** Take in where the visitor stands (null: nowhere). */
  showMe(me) {
    this.#me = me;
    this.redraw();
  }

  /** Draw now: who plays has changed. */
  redraw() {
    if (this.#data) this.#draw();
  }

  tick() {
    this.#table?.top.settle();
    this.#table?.more.settle();
    this.#table?.own.settle();
    this.excerpt.settle();
  }

  #makeTable(final) {
    this.#table = rankTable({ caption: final ? "Final table" : "Live ranking: the first 20", reached: final });
    this.place.replaceChildren(this.#table.element);
    this.element.classList.toggle("final", final);
  }

  #draw() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const { status, top, ties, participants } = this.#data;
    const final = status === "finished";
    if (!this.#table || final !== this.#final) {
      this.#makeTable(final);
      this.#below = null;
    }
    if (final && !this.#below) this.#loadFinal();
    this.#final = final;
    setText(this.heading, final ? "Final table" : status === "running" ? "Live ranking" : "Ranking");
    const rows = withRanks(top ?? [], ties);
    const me = player()?.user_id ?? null;
    if (!final || !this.#below?.loaded) this.#table.top.update(rows, { me, moves: !final, display: this.#data.display });
    this.#drawBelow();
    this.#drawOwn(me);
    const elsewhere = this.excerpt.isOpen;
    this.#table.element.hidden = rows.length === 0 || elsewhere;
    this.stage.hidden = elsewhere;
    this.tools.hidden = rows.length === 0;
    this.csv.hidden = !final;
    this.embed.hidden = this.#data.visibility === "private"; // no other site may show it
    this.empty.hidden = rows.length > 0;
    setText(this.empty, EMPTY[status] ?? "");
    if (elsewhere) this.more.hidden = true;
    else if (!final) this.more.hidden = rows.length < 20 || participants <= rows.length || (this.#below !== null && !this.#below.hasMore);
    if (final && this.stage.childElementCount === 0 && rows.length) this.stage.replaceChildren(podium(rows, this.#data.display));
    if (!final) this.#tellLeader(rows[0], status);
  }

  /** The visitor's own row below the others, where it is not one of them. */
  #drawOwn(me) {
    const { top, more, own } = this.#table;
    const rank = this.#me?.rank;
    const apart = me !== null && Boolean(rank) && !top.row(me) && !more.row(me);
    const row = apart && { user_id: me, name: this.#me.name ?? player()?.name, rank, score: this.#me.score, scored_at: this.#me.scored_at };
    own.update(row ? [row] : [], { me, leader: this.#data.top?.[0]?.score, news: false, moves: !this.#final, display: this.#data.display });
    this.mine.hidden = me === null || !rank;
  }

  #tellLeader(first, status) {
    if (status === "running" && first && this.#leader && first.user_id !== this.#leader)
      announce(`${isolated(first.name || `Player ${first.user_id}`)} leads with ${score(first.score, this.#data.display)}.`, { kind: "leader", everyS: LEADER_WORDS_S });
    this.#leader = first?.user_id ?? null;
  }

  /** The rows below the live top; in the end all of them, as the server ranks them. */
  #drawBelow() {
    if (!this.#below?.loaded) return;
    const me = player()?.user_id ?? null;
    const leader = this.#data.top?.[0]?.score;
    if (this.#final) {
      const rows = this.#below.items;
      this.#table.top.update(rows, { me, moves: false, display: this.#data.display });
      this.more.hidden = !this.#below.hasMore || this.excerpt.isOpen;
      return;
    }
    // The pages were loaded a moment ago and the top is newer, so ranks are counted through both.
    const top = this.#data.top ?? [];
    const above = new Set(top.map((row) => row.user_id));
    const rest = this.#below.items.filter((row) => !above.has(row.user_id)).map(({ rank: _rank, ...row }) => row);
    this.#table.more.update(withRanks([...top, ...rest], this.#data.ties).slice(top.length), { me, leader, news: false, display: this.#data.display });
  }

  #find(text) {
    if (text === "") {
      this.#backToTop();
      return;
    }
    void this.excerpt.open({
      caption: `The ranking: names with “${text}”`,
      fetch: (limit) => getRankings(this.#id, { q: text, limit }, this.#signal),
      told: found(text),
      empty: `Nobody in this table is called “${text}”.`,
    });
    this.redraw();
  }

  /** Bring the visitor's own row into the window: where it is not listed, with the rows around it. */
  async #goToMine() {
    const me = player()?.user_id;
    if (!me) return;
    const listed = () => this.#table?.top.row(me) ?? this.#table?.more.row(me);
    if (this.excerpt.isOpen || !listed()) {
      this.search.input.value = "";
      const opened = this.excerpt.open({
        caption: "The ranking around you",
        fetch: (limit) => getRankings(this.#id, { around: me, limit }, this.#signal),
        told: (total) => `Around you, of ${count(total)}`,
        empty: "You have no rank in this table.",
      });
      this.redraw();
      await opened;
    }
    const row = this.excerpt.isOpen ? this.excerpt.row(me) : listed();
    if (!row) return;
    row.tabIndex = -1;
    row.scrollIntoView({ block: "center", behavior: reducedMotion() ? "auto" : "smooth" });
    row.focus({ preventScroll: true });
  }

  #backToTop() {
    const within = this.excerpt.element.contains(document.activeElement);
    this.search.input.value = "";
    this.excerpt.close();
    this.redraw();
    if (within) this.search.input.focus();
  }

  /** A private tournament's file is for those with a token, which no link brings along. */
  async #save(event) {
    if (this.#data.visibility !== "private") return;
    event.preventDefault();
    setText(this.problem, "");
    try {
      await saveCsv(this.#id, this.#signal);
    } catch (error) {
      if (!this.#signal.aborted) setText(this.problem, errorText(error));
    }
  }

  #pages() {
    return new Pages(
      async (cursor) => {
        const { rows, next_cursor: next } = await getRankings(this.#id, { limit: PAGE, cursor }, this.#signal);
        return { items: rows, next };
      },
      (row) => row.user_id,
    );
  }

  async #loadFinal() {
    this.#below = this.#pages();
    await this.#load(this.#below);
    if (this.#signal.aborted || !this.#final || !this.#below?.loaded) return;
    this.stage.replaceChildren(podium(this.#below.items, this.#data.display));
  }

  async #showMore() {
    this.#below ??= this.#pages();
    const before = this.#below.items.length;
    await this.#load(this.#below);
    const added = this.#below.items.length - before;
    announce(`${count(Math.max(0, added))} more rows shown.`);
  }

  async #load(pages) {
    this.more.disabled = true;
    setText(this.problem, "");
    try {
      await pages.more();
      if (!this.#signal.aborted) this.#draw();
    } catch (error) {
      if (this.#signal.aborted) return;
      setText(this.problem, errorText(error));
      this.more.hidden = false;
    } finally {
      this.more.disabled = false;
    }
  }

  async #refresh() {
    if (!this.#below?.loaded || this.#final) return; // what is final stays; a revision comes with the view
    const { more } = this.#table;
    await this.#below.refresh((rows) => rows.some((row) => more.row(row.user_id) && onScreen(more.row(row.user_id))));
    if (!this.#signal.aborted && !this.#final) this.#drawBelow();
  }

  /** The final table was revised (somebody was disqualified or reinstated): load it again. */
  revise() {
    this.#below = null;
    void this.excerpt.refresh();
    this.redraw();
  }
}

const EMPTY = {
  scheduled: "The table fills when the tournament has begun.",
  running: "No scores yet. The first one leads.",
  finished: "Nobody scored.",
  cancelled: "This tournament was cancelled.",
};
