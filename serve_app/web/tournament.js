// One tournament: its head, its ranking, the visitor's part in it.

import { getTournament } from "./api.js";
import { announce } from "./announce.js";
import { aroundMe } from "./board/around.js";
import { Board } from "./board/board.js";
import { statusPill } from "./card.js";
import { connectionChip } from "./connection.js";
import { clockFace, everyTick, phase, timeBar } from "./countdown.js";
import { arrange, el, setText } from "./dom.js";
import { banner } from "./emblem.js";
import { count, isolated, rules, timeRange } from "./format.js";
import { errorPanel } from "./notice.js";
import { keepDoing } from "./pages.js";
import { PlayPanel } from "./play_panel.js";
import { onPlayerChange } from "./player.js";
import { prizePanel } from "./prizes.js";

const POLL_MS = 3000; // while the socket is down, and for the spec's edits when it is up
const STATUS_WORDS = { running: "The tournament has started.", finished: "The tournament is over.", cancelled: "The tournament was cancelled." };

export function tournamentView(root, { id }, { live, signal, setTitle }) {
  let view = null; // the last GET, with the live data over it
  let stop = null; // ends the subscription
  let refused = false; // the server does not let this visitor follow live

  const body = el("div", { class: "tournament" });
  root.append(el("a", { class: "back", href: "#/" }, el("span", { "aria-hidden": "true", text: "←" }), " All tournaments"), body);
  body.append(el("p", { class: "loading", text: "Loading…" }));
  setTitle("Tournament");

  const head = header(id);
  const board = new Board(id, signal);
  const around = aroundMe(id, signal);
  const prizes = prizePanel(id, signal);
  const jump = el("button", { type: "button", class: "button jump", text: "Take part", on: { click: () => play.focus() } });
  const play = new PlayPanel(id, signal, (me) => {
    around.show(Boolean(me?.rank), view?.top?.[0]?.score, view?.display);
    board.showMe(me);
    setText(jump, me ? "Your place" : "Take part");
  });
  const chip = connectionChip(live);
  board.side.append(chip.element);
  let laidOut = false;

  function layOut() {
    if (laidOut) return;
    laidOut = true;
    body.replaceChildren(head.element, jump, el("div", { class: "columns" }, el("div", { class: "t-column" }, board.element, prizes.element), el("aside", { class: "side", "aria-label": "Your part" }, play.element, around.element)));
  }

  function show(next, { fromLive = false } = {}) {
    const before = view?.status;
    const revised = view?.revision !== undefined && next.revision !== undefined && next.revision !== view.revision;
    view = { ...view, ...next };
    layOut();
    head.show(view);
    setTitle(isolated(view.name));
    board.show(view);
    play.show(view);
    prizes.show(view);
    if (!refused) setText(board.note, view.frozen ? "The table stands still until the end: scores count, and are not shown." : "");
    jump.hidden = view.status === "finished" || view.status === "cancelled";
    if (revised && view.status === "finished") board.revise();
    if (before && before !== view.status) {
      announce(STATUS_WORDS[view.status] ?? "", { kind: "status" });
      if (fromLive) load(); // the times may be new, and the rest of the spec with them
    }
  }

  async function load() {
    try {
      const { position: _position, frozen = false, ...fetched } = await getTournament(id, signal);
      const newer = view !== null && live.state === "live" && !refused;
      if (newer) for (const name of ["status", "participants", "top"]) delete fetched[name]; // the socket is ahead of a cached view
      show({ ...fetched, frozen });
      if (stop === null) follow();
    } catch (error) {
      if (signal.aborted) return;
      if (view !== null) return; // what is shown stays; the chip says how old it is
      const heading = error.status === 404 ? "There is no such tournament" : "This could not be loaded";
      body.replaceChildren(errorPanel(error, () => load(), heading, "h1"));
    }
  }

  function follow() {
    stop = live.watch(id, {
      data: (data) => {
        refused = false;
        show(data.status === "finished" ? { ...data, frozen: false } : data, { fromLive: true });
      },
      me: (message) => play.heard(message),
      error: (error) => {
        refused = true;
        setText(board.note, `Not live: ${error.message} The table is refreshed every few seconds.`);
      },
    });
  }

  const endings = [
    live.onState(() => tick()),
    onPlayerChange((why) => {
      play.playerChanged(why);
      board.redraw();
    }),
    () => stop?.(),
  ];
  signal.addEventListener("abort", () => endings.forEach((end) => void end()), { once: true });

  function tick() {
    if (view === null) return;
    head.tick(view);
    board.tick();
    around.tick();
    chip.show(view.status === "finished" || view.status === "cancelled");
  }

  everyTick(tick, signal);
  load();
  let turn = 0;
  keepDoing(async () => {
    turn += 1;
    if (live.state !== "live" || refused || turn % 5 === 0) await load();
  }, POLL_MS, signal);
  return {};
}

/** The head: name, status, rules, time and how many take part. */
function header(id) {
  const pill = statusPill();
  const clock = clockFace();
  const bar = timeBar();
  const title = el("bdi");
  const crowd = el("span", { class: "fact-number" });
  const capacity = el("span", { class: "fact-more" });
  const phrases = el("ul", { class: "rules" });
  const times = el("p", { class: "times" });
  const element = el(
    "header",
    { class: "t-head" },
    banner(id, "large"),
    el(
      "div",
      { class: "t-main" },
      el("div", { class: "t-title" }, el("h1", {}, title), pill.element),
      phrases,
      el(
        "div",
        { class: "t-facts" },
        el("div", { class: "fact time" }, clock.element),
        el("div", { class: "fact" }, el("span", { class: "clock-label", text: "Participants" }), " ", crowd, " ", capacity),
        times,
      ),
      bar.element,
    ),
  );
  return {
    element,
    show(view) {
      setText(title, view.name);
      pill.show(view.status);
      const wanted = rules(view);
      if (phrases.childElementCount !== wanted.length) arrange(phrases, wanted.map((text) => el("li", { text })));
      else wanted.forEach((text, index) => void setText(phrases.children[index], text));
      setText(crowd, count(view.participants ?? 0));
      setText(capacity, view.capacity ? `of ${count(view.capacity)}` : "");
      setText(times, view.starts_at && view.ends_at ? timeRange(view.starts_at, view.ends_at) : "");
      this.tick(view);
    },
    tick(view) {
      const at = phase(view);
      clock.show(at);
      bar.show(at);
    },
  };
}
