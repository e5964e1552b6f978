// The biggest race of the moment, live, above the list.

import { listTournaments } from "./api.js";
import { statusPill } from "./card.js";
import { clockFace, everyTick, phase, timeBar } from "./countdown.js";
import { el, setText } from "./dom.js";
import { banner } from "./emblem.js";
import { isolated, people } from "./format.js";
import { keepDoing } from "./pages.js";
import { player } from "./player.js";
import { withRanks } from "./ranks.js";
import { rankTable } from "./board/table.js";

const ROWS = 5;
const DRAW_MS = 400; // calm: it is a shop window
const LOOK_MS = 10_000;

/** A section that hides itself while nothing runs. */
export function featured(live, signal) {
  const section = el("section", { class: "featured", "aria-label": "Featured tournament" });
  section.hidden = true;
  let shown = null; // {id, stop}

  async function look() {
    if (shown) return;
    const { items } = await listTournaments({ status: "running", limit: 100 }, signal);
    if (items.length) show(items.reduce((best, item) => ((item.participants ?? 0) > (best.participants ?? 0) ? item : best)));
  }

  function show(item) {
    const table = rankTable({ caption: `${isolated(item.name)}: the first ${ROWS}, live`, compact: true });
    const clock = clockFace();
    const bar = timeBar();
    const pill = statusPill();
    const crowd = el("span");
    let view = item;
    let timer = null;
    section.replaceChildren(
      banner(item.id, "large"),
      el(
        "div",
        { class: "featured-text" },
        el("div", { class: "featured-top" }, pill.element, crowd),
        el("h2", {}, el("bdi", { text: item.name })),
        el("p", { class: "featured-clock" }, clock.element),
        bar.element,
        el("a", { class: "button primary", href: `#/t/${encodeURIComponent(item.id)}`, "aria-label": `Watch ${isolated(item.name)} live`, text: "Watch live" }),
      ),
      el("div", { class: "featured-table" }, table.element),
    );
    const abort = new AbortController();
    const tick = () => {
      const at = phase(view);
      clock.show(at);
      bar.show(at);
      table.top.settle();
    };
    const draw = () => {
      timer = null;
      pill.show(view.status);
      setText(crowd, people(view.participants ?? 0));
      if (view.top) table.top.update(withRanks(view.top, view.ties).slice(0, ROWS), { me: player()?.user_id, display: view.display });
      section.hidden = false;
    };
    const stopWatching = live.watch(item.id, {
      data(data) {
        view = { ...view, ...data };
        if (data.status !== "running") hide();
        else timer ??= setTimeout(draw, DRAW_MS);
      },
      error: () => hide(),
    });
    const hide = () => {
      abort.abort();
      clearTimeout(timer);
      stopWatching();
      section.hidden = true;
      shown = null;
    };
    everyTick(tick, abort.signal);
    draw();
    signal.addEventListener("abort", () => shown && hide(), { once: true });
    shown = { id: item.id };
  }

  look().catch(() => {}); // the list below says what is wrong; this is looked for again
  keepDoing(look, LOOK_MS, signal);
  return section;
}
