// The list of tournaments, with what is on at the moment above it.

import { listTournaments } from "./api.js";
import { Card } from "./card.js";
import { everyTick } from "./countdown.js";
import { arrange, el } from "./dom.js";
import { featured } from "./featured.js";
import { STATUS_TABS, listing, nothing, showAll } from "./listing.js";

const PAGE = 24;
const REFRESH_MS = 2000;
const EMPTY = { "": "There are no tournaments yet.", running: "Nothing is running at the moment.", scheduled: "Nothing is planned.", finished: "Nothing has finished yet.", cancelled: "Nothing was cancelled." };

export function listView(root, parameters, { live, signal, setTitle }) {
  let cards = new Map();
  const shopWindow = el("div", {}, featured(live, signal));
  const grid = el("ul", { class: "cards" });
  const { filters, list, update } = listing(
    {
      tabs: STATUS_TABS,
      parameters,
      refreshMs: REFRESH_MS,
      grid,
      fetch: ({ status, q }, cursor) => listTournaments({ status, q, cursor, limit: PAGE }, signal),
      draw,
      row: (item) => cards.get(item.id)?.element,
      empty: ({ status, q }) =>
        q ? nothing(`Nothing is called “${q}”`, "Try another word, or another status.", showAll()) : nothing(EMPTY[status], "New tournaments appear here by themselves.", status && showAll()),
      changed({ status, q }) {
        shopWindow.hidden = Boolean(status || q); // who filters wants what was found
      },
    },
    signal,
  );
  root.append(
    el("section", { class: "intro" }, el("h1", { text: "Tournaments" }), el("p", { class: "lede", text: "Every score is ranked the moment it counts. Pick a race and watch." })),
    shopWindow,
    el("section", { class: "listing", "aria-labelledby": "listing-head" }, el("h2", { class: "quiet-text", id: "listing-head", text: "All tournaments" }), filters, list),
  );
  setTitle("Tournaments");
  everyTick(() => cards.forEach((card) => void card.tick()), signal);

  function draw(items) {
    const kept = new Map();
    for (const item of items) {
      const card = cards.get(item.id) ?? new Card(item.id);
      card.show(item);
      kept.set(item.id, card);
    }
    cards = kept;
    arrange(grid, [...kept.values()].map((card) => card.element));
  }

  return { update };
}
