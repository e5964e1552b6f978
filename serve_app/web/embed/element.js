// <palio-board>: a tournament's ranking on any site, live. Served as one module, /palio-board.js; docs/embedding.md tells of its attributes.

import ranks from "../board/ranks.css" with { type: "css" };
import colours from "../colours.css" with { type: "css" };
import embed from "./embed.css" with { type: "css" };
import parts from "../parts.css" with { type: "css" };
import { rankTable } from "../board/table.js";
import { statusPill } from "../card.js";
import { connectionChip } from "../connection.js";
import { clockFace, everyTick, phase } from "../countdown.js";
import { el, setAttr, setText } from "../dom.js";
import { followTournament } from "../follow.js";
import { people, score } from "../format.js";
import { errorText } from "../notice.js";
import { keepDoing } from "../pages.js";
import { withRanks } from "../ranks.js";
import { Palio } from "./palio.js";

const DEFAULT_ROWS = 10;
const MOST_ROWS = 20; // as many are sent live
const DRAW_MS = 180;
const OWN_MS = 5000; // how often the row of `me` is asked for where it is further down
const LEADER_MS = 20_000; // a new leader is told to screen readers at most so often
const EMPTY = { scheduled: "The table fills when the tournament has begun.", running: "No scores yet.", finished: "Nobody scored.", cancelled: "This tournament was cancelled." };
const STATUS_WORDS = { running: "The tournament has started.", finished: "The tournament is over.", cancelled: "The tournament was cancelled." };
const HERE = new URL(".", import.meta.url).href; // the Palio that this module came from

class PalioBoard extends HTMLElement {
  static observedAttributes = ["tournament", "palio", "top", "me"];
  #abort = null; // of what is shown now
  #redraw = () => {};
  #token = null;

  /** A player's token, for a private tournament: a property alone, so that it stands in no document. */
  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token || null;
    if (this.isConnected) this.#start();
  }

  connectedCallback() {
    if (!this.shadowRoot) this.attachShadow({ mode: "open" }).adoptedStyleSheets = [colours, parts, ranks, embed];
    this.#start();
  }

  disconnectedCallback() {
    this.#abort?.abort();
  }

  attributeChangedCallback(name, before, after) {
    if (!this.isConnected || this.#abort === null || before === after) return; // those of the document come before it is connected
    if (name === "tournament" || name === "palio") this.#start();
    else this.#redraw();
  }

  #start() {
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.#redraw = () => {};
    const id = this.getAttribute("tournament") ?? "";
    const place = el("section", { class: "board", "aria-label": "Ranking" });
    this.shadowRoot.replaceChildren(place);
    try {
      if (!/^[1-9][0-9]{0,18}$/.test(id)) throw new Error("Say which tournament: <palio-board tournament=\"…\">.");
      this.#redraw = board(this, place, id, new Palio(this.getAttribute("palio") ?? HERE, this.#token), this.#abort.signal);
    } catch (error) {
      place.append(el("p", { class: "board-empty", text: errorText(error) }));
    }
  }
}

/** Show a tournament in `place` until `signal` aborts. Returns a function that takes in other values of `top` and `me`. */
function board(host, place, id, palio, signal) {
  const live = palio.takeLive(signal);
  const said = el("p", { class: "quiet-text", role: "status" });
  const chip = connectionChip(live, (text) => setText(said, text));
  const pill = statusPill();
  const clock = clockFace();
  const title = el("bdi");
  const link = el("a", { class: "board-title", href: palio.page(id), target: "_blank", rel: "noopener" }, title);
  const crowd = el("span");
  const note = el("p", { class: "board-note" });
  const empty = el("p", { class: "board-empty", text: "Loading…" });
  const table = rankTable({ caption: "Ranking", compact: true });
  table.element.hidden = true;
  place.append(
    el("header", { class: "board-head" }, el("h2", {}, link), pill.element, el("span", { class: "board-clock" }, clock.element)),
    note,
    table.element,
    empty,
    el("footer", { class: "board-foot" }, crowd, chip.element),
    said,
  );
  let timer = null;
  let own = null; // the row of `me`, where it is not among the first
  let leader = null;
  let leaderAt = -LEADER_MS;

  const me = () => host.getAttribute("me");
  const wanted = () => Math.min(MOST_ROWS, Math.max(1, Math.trunc(Number(host.getAttribute("top"))) || DEFAULT_ROWS));

  function draw() {
    clearTimeout(timer);
    timer = null;
    const view = followed.view;
    if (view === null || signal.aborted) return;
    const rows = withRanks(view.top ?? [], view.ties).slice(0, wanted());
    const shown = { me: me(), display: view.display, leader: view.top?.[0]?.score, moves: view.status === "running" };
    table.top.update(rows, shown);
    const apart = own !== null && own.user_id === me() && !table.top.row(own.user_id);
    table.own.update(apart ? [own] : [], { ...shown, news: false });
    setText(title, view.name);
    setAttr(place, "aria-label", `Ranking of ${view.name}`);
    setText(table.element.caption, `${view.name}: the first ${wanted()}`);
    pill.show(view.status);
    setText(crowd, people(view.participants ?? 0));
    table.element.hidden = rows.length === 0;
    empty.hidden = rows.length > 0;
    setText(empty, EMPTY[view.status] ?? "");
    if (view.frozen) setText(note, "The table stands still until the end.");
    else if (!followed.refused) setText(note, "");
    tellLeader(rows[0], view);
  }

  function tellLeader(first, { status, display }) {
    const moment = performance.now();
    if (status === "running" && first && leader && first.user_id !== leader && moment - leaderAt > LEADER_MS) {
      leaderAt = moment;
      setText(said, `${first.name || `Player ${first.user_id}`} leads with ${score(first.score, display)}.`);
    }
    leader = first?.user_id ?? null;
  }

  async function askOwn() {
    if (!me() || table.top.row(me())) own = null;
    else own = (await palio.rowsOf(id, me(), signal)).rows[0] ?? null;
    draw();
  }

  const followed = followTournament(
    { id, live, signal, getView: () => palio.view(id, signal) },
    {
      show(view, before) {
        if (before && before.status !== view.status) setText(said, STATUS_WORDS[view.status] ?? "");
        if (before === null) void askOwn().catch(() => {}); // asked again in a moment
        timer ??= setTimeout(draw, before ? DRAW_MS : 0);
      },
      failed(error) {
        if (followed.view === null) setText(empty, error.status === 404 ? "There is no such tournament, or it is private." : errorText(error));
      },
      refused(error) {
        setText(note, error ? `Not live: ${error.message} The table is refreshed every few seconds.` : "");
      },
    },
  );
  keepDoing(async () => followed.view?.status === "running" && askOwn(), OWN_MS, signal);
  everyTick(() => {
    table.top.settle();
    const { view } = followed;
    place.classList.toggle("known", view !== null);
    if (view === null) return;
    clock.show(phase(view));
    chip.show(view.status === "finished" || view.status === "cancelled");
  }, signal);
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return () => {
    own = null;
    draw();
    void askOwn().catch(() => {});
  };
}

if (!customElements.get("palio-board")) customElements.define("palio-board", PalioBoard); // the module may be on a page twice
