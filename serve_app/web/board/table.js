// A ranking table whose rows glide to their new places.

import { arrange, el, setAttr, setText } from "../dom.js";
import { emblem } from "../emblem.js";
import { flip, glow } from "./flip.js";
import { count, score, timeOfDay } from "../format.js";
import { gapToLeader } from "../ranks.js";

const ARROW_MS = 9_000; // how long a change of rank stays marked

/** A table and its body managers: `top`, `more`, and `own` for the visitor's row where it is further down. `reached`: with a column for when the score was reached. */
export function rankTable({ caption, reached = false, compact = false }) {
  const head = (text, kind) => el("th", { scope: "col", class: kind, text });
  const top = new RankBody(reached);
  const more = new RankBody(reached);
  const own = new RankBody(reached, "own");
  const element = el(
    "table",
    { class: `ranks${compact ? " compact" : ""}` },
    el("caption", { class: "quiet-text", text: caption }),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        head("Rank", "rank"),
        el("th", { scope: "col", class: "move" }, el("span", { class: "quiet-text", text: "Change" })),
        head("Name", "name"),
        reached && head("Reached", "at"),
        head("Gap", "gap"),
        head("Score", "score"),
      ),
    ),
    top.element,
    more.element,
    own.element,
  );
  return { element, top, more, own };
}

class RankBody {
  #rows = new Map(); // user id -> row

  constructor(reached, kind = null) {
    this.element = el("tbody", { class: kind });
    this.reached = reached;
  }

  get size() {
    return this.#rows.size;
  }

  /** The row of a user, or undefined. */
  row(userId) {
    return this.#rows.get(userId)?.element;
  }

  /**
   * Show `rows` (`{user_id, name, score, rank, scored_at?}`), in this order. `me`: the user id to mark. `leader`: the
   * leader's score, for the gaps. `moves`: mark changes of rank; `news`: mark who is new. `display`: how scores are shown.
   */
  update(rows, { me = null, leader = rows[0]?.score, moves = true, news = moves, display = null } = {}) {
    const fresh = new Map();
    const glowing = [];
    for (const data of rows) {
      const row = this.#rows.get(data.user_id) ?? new Row(data.user_id, this.reached, news && this.#rows.size > 0);
      if (row.show(data, { me: data.user_id === me, leader, moves, display })) glowing.push(row.scoreText);
      fresh.set(data.user_id, row);
    }
    this.#rows = fresh;
    flip(this.element, () => arrange(this.element, [...fresh.values()].map((row) => row.element)));
    glowing.forEach(glow);
  }

  /** Let marks of change fade that are old. */
  settle() {
    for (const row of this.#rows.values()) row.settle();
  }
}

class Row {
  #rank = null;
  #score = null;
  #from = null; // the rank from which the marked change is counted
  #changedAt = 0;

  constructor(userId, reached, isNew) {
    this.isNew = isNew;
    this.rankText = el("span", { class: "medal" });
    this.arrow = el("span", { "aria-hidden": "true" });
    this.arrowText = el("span", { class: "quiet-text" });
    this.nameText = el("bdi", { class: "who" });
    this.you = el("span", { class: "you", text: "you" });
    this.gapCell = el("td", { class: "gap" });
    this.scoreText = el("span", { class: "score-text" });
    this.atCell = reached ? el("td", { class: "at" }) : null;
    this.moveCell = el("td", { class: "move" }, this.arrow, this.arrowText);
    this.element = el(
      "tr",
      { data: { user: userId } },
      el("td", { class: "rank" }, this.rankText),
      this.moveCell,
      el("th", { scope: "row", class: "name" }, el("span", { class: "name-line" }, emblem(userId), this.nameText, this.you)),
      this.atCell,
      this.gapCell,
      el("td", { class: "score" }, this.scoreText),
    );
  }

  /** Take the data in; true if the score changed. */
  show({ name, score: value, rank, scored_at, user_id }, { me, leader, moves, display }) {
    setText(this.rankText, count(rank));
    setText(this.nameText, name || `Player ${user_id}`);
    setText(this.scoreText, score(value, display));
    const gap = gapToLeader(value, leader);
    setText(this.gapCell, gap ? `+${score(gap, display)}` : "");
    if (this.atCell) setText(this.atCell, scored_at ? timeOfDay(scored_at) : "–");
    setAttr(this.element, "data-place", rank <= 3 ? rank : null);
    this.element.classList.toggle("me", me);
    setAttr(this.element, "aria-current", me ? "true" : null);
    this.you.hidden = !me;
    if (moves) this.#mark(rank);
    const changed = this.#score !== null && this.#score !== value;
    this.#rank = rank;
    this.#score = value;
    return changed || (this.isNew && this.#markNew());
  }

  #markNew() {
    this.isNew = false;
    this.#changedAt = performance.now();
    this.#arrow("up", "▲", "new in this table");
    return true;
  }

  /** Mark how far the row has come since the mark was first set. */
  #mark(rank) {
    if (this.#rank === null || this.#rank === rank) return;
    this.#from ??= this.#rank;
    this.#changedAt = performance.now();
    const places = this.#from - rank;
    if (places === 0) this.settle(true);
    else if (places > 0) this.#arrow("up", `▲${count(places)}`, `up ${count(places)}`);
    else this.#arrow("down", `▼${count(-places)}`, `down ${count(-places)}`);
  }

  #arrow(direction, sign, words) {
    setText(this.arrow, sign);
    setText(this.arrowText, words);
    setAttr(this.moveCell, "data-move", direction);
  }

  settle(now = false) {
    if (!this.#changedAt || (!now && performance.now() - this.#changedAt < ARROW_MS)) return;
    this.#changedAt = 0;
    this.#from = null;
    this.#arrow(null, "", "");
  }
}
