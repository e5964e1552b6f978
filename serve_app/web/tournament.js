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
import { followTournament } from "./follow.js";
import { count, isolated, rules, timeRange } from "./format.js";
import { notThere } from "./invited.js";
import { errorPanel } from "./notice.js";
import { PlayPanel } from "./play_panel.js";
import { onPlayerChange } from "./player.js";
import { prizePanel } from "./prizes.js";

const STILL = { running: "The table stands still until the end: scores count, and are not shown.", cancelled: "The table stands as it was when it was frozen." };
const STATUS_WORDS = { running: "The tournament has started.", finished: "The tournament is over.", cancelled: "The tournament was cancelled." };

export function tournamentView(root, { id }, { live, signal, setTitle }) {
  let missing = null; // what is shown in its place when it is not there
  const body = el("div", { class: "tournament" });
  root.append(el("a", { class: "back", href: "#/" }, el("span", { "aria-hidden": "true", text: "←" }), " All tournaments"), body);
  body.append(el("p", { class: "loading", text: "Loading…" }));
  setTitle("Tournament");

  const head = header(id);
  const board = new Board(id, signal);
  const around = aroundMe(id, signal);
  const prizes = prizePanel(id, signal);
  const jump = el("button", { type: "button", class: "button jump", text: "Take part", on: { click: () => play.focus() } });
  let ranked = false; // whether the visitor has a place
  const showAround = () => void around.show(ranked, followed.view?.top?.[0]?.score, followed.view?.display);
  const play = new PlayPanel(id, signal, (me) => {
    ranked = Boolean(me?.rank);
    showAround();
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

  function show(view, before) {
    layOut();
    head.show(view);
    setTitle(isolated(view.name));
    board.show(view);
    play.show(view);
    showAround();
    prizes.show(view);
    if (!followed.refused) setText(board.note, view.frozen ? STILL[view.status] ?? STILL.running : "");
    jump.hidden = view.status === "finished" || view.status === "cancelled";
    const revised = before?.revision !== undefined && view.revision !== before.revision;
    if (revised && view.status === "finished") board.revise();
    if (before && before.status !== view.status) announce(STATUS_WORDS[view.status] ?? "", { kind: "status" });
  }

  const followed = followTournament(
    { id, live, signal, getView: () => getTournament(id, signal) },
    {
      show,
      failed(error) {
        if (followed.view !== null) return; // what is shown stays; the chip says how old it is
        if (error.status !== 404) {
          body.replaceChildren(errorPanel(error, () => void followed.load(), "This could not be loaded", "h1"));
          return;
        }
        missing ??= notThere(id, () => void followed.load(), signal);
        if (!missing.isConnected) body.replaceChildren(missing); // what is typed there stays
      },
      refused: (error) => void setText(board.note, error ? `Not live: ${error.message} The table is refreshed every few seconds.` : ""),
      me: (message) => play.heard(message),
    },
  );

  const endings = [
    live.onState(() => tick()),
    onPlayerChange((why) => {
      play.playerChanged(why);
      board.redraw();
    }),
  ];
  signal.addEventListener("abort", () => endings.forEach((end) => void end()), { once: true });

  function tick() {
    const { view } = followed;
    if (view === null) return;
    head.tick(view);
    board.tick();
    around.tick();
    chip.show(view.status === "finished" || view.status === "cancelled");
  }

  everyTick(tick, signal);
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
