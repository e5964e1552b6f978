// The list of tournaments: filter, search, pages, kept fresh quietly.

import { listTournaments } from "./api.js";
import { Card } from "./card.js";
import { everyTick } from "./countdown.js";
import { arrange, el, onScreen, setAttr, setText } from "./dom.js";
import { featured } from "./featured.js";
import { count } from "./format.js";
import { errorPanel, errorText } from "./notice.js";
import { Pages, keepDoing } from "./pages.js";

const PAGE = 24;
const REFRESH_MS = 2000;
const SEARCH_MS = 250;
const TABS = [["", "All"], ["running", "Running"], ["scheduled", "Scheduled"], ["finished", "Finished"], ["cancelled", "Cancelled"]];
const EMPTY = { "": "There are no tournaments yet.", running: "Nothing is running at the moment.", scheduled: "Nothing is planned.", finished: "Nothing has finished yet.", cancelled: "Nothing was cancelled." };

export function listView(root, parameters, { live, signal, setTitle }) {
  let filter = clean(parameters);
  let cards = new Map();
  let pages;
  let loading = 0; // which filter's answers are wanted

  const shopWindow = el("div", {}, featured(live, signal));
  const tabs = TABS.map(([status, name]) => el("a", { text: name, data: { status } }));
  const search = el("input", { type: "search", id: "search", dir: "auto", placeholder: "Search by name", autocomplete: "off", value: filter.q, maxlength: 100 });
  const grid = el("ul", { class: "cards" });
  const message = el("div");
  const stale = el("p", { class: "stale-note" });
  stale.hidden = true;
  const more = el("button", { type: "button", class: "button more", text: "Show more tournaments", on: { click: () => loadMore() } });
  const summary = el("p", { class: "quiet-text", role: "status" });
  root.append(
    el("section", { class: "intro" }, el("h1", { text: "Tournaments" }), el("p", { class: "lede", text: "Every score is ranked the moment it counts. Pick a race and watch." })),
    shopWindow,
    el(
      "section",
      { class: "listing", "aria-labelledby": "listing-head" },
      el("h2", { class: "quiet-text", id: "listing-head", text: "All tournaments" }),
      el(
        "div",
        { class: "filters" },
        el("nav", { class: "tabs", "aria-label": "Filter by status" }, tabs),
        el("form", { class: "search", role: "search", on: { submit: (event) => event.preventDefault() } }, el("label", { for: "search", class: "quiet-text", text: "Search tournaments by name" }), search),
      ),
      stale,
      grid,
      message,
      more,
      summary,
    ),
  );
  setTitle("Tournaments");

  let typing;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => location.replace(address({ ...filter, q: search.value.trim() })), SEARCH_MS);
  });
  everyTick(() => cards.forEach((card) => void card.tick()), signal);
  restart();
  keepDoing(refresh, REFRESH_MS, signal, (error) => {
    stale.hidden = !pages.loaded;
    setText(stale, `Not refreshed: ${errorText(error)}`);
  });

  function restart() {
    loading += 1;
    shopWindow.hidden = Boolean(filter.status || filter.q); // who filters wants what was found
    const mine = loading;
    pages = new Pages(
      async (cursor) => {
        const { items, next_cursor: next } = await listTournaments({ status: filter.status, q: filter.q, cursor, limit: PAGE }, signal);
        return { items, next };
      },
      (item) => item.id,
    );
    for (const tab of tabs) {
      tab.href = address({ ...filter, status: tab.dataset.status });
      setAttr(tab, "aria-current", tab.dataset.status === filter.status ? "true" : null);
    }
    message.replaceChildren();
    more.hidden = true;
    grid.classList.add("waiting");
    loadMore(mine);
  }

  async function loadMore(mine = loading) {
    const before = pages.items.length;
    more.disabled = true;
    try {
      await pages.more();
      if (mine !== loading || signal.aborted) return;
      draw();
      setText(summary, `${count(pages.items.length)} tournaments shown${pages.hasMore ? ", there are more" : ""}.`);
      if (before && document.activeElement === document.body) grid.children[before]?.querySelector("a").focus();
    } catch (error) {
      if (mine !== loading || signal.aborted) return;
      if (!before) arrange(grid, []);
      message.replaceChildren(errorPanel(error, () => {
        message.replaceChildren();
        loadMore();
      }));
    } finally {
      more.disabled = false;
      grid.classList.remove("waiting");
    }
  }

  async function refresh() {
    const mine = loading;
    if (!pages.loaded) return;
    await pages.refresh((items) => items.length === 0 || items.some((item) => cards.has(item.id) && onScreen(cards.get(item.id).element)));
    if (mine !== loading || signal.aborted) return;
    stale.hidden = true;
    draw();
  }

  function draw() {
    const items = pages.items;
    const kept = new Map();
    for (const item of items) {
      const card = cards.get(item.id) ?? new Card(item.id);
      card.show(item);
      kept.set(item.id, card);
    }
    cards = kept;
    arrange(grid, [...kept.values()].map((card) => card.element));
    more.hidden = !pages.hasMore;
    if (items.length) message.replaceChildren();
    else if (!message.firstChild) message.replaceChildren(emptyPanel());
  }

  function emptyPanel() {
    const searched = filter.q !== "";
    return el(
      "section",
      { class: "notice" },
      el("h2", { text: searched ? `Nothing is called “${filter.q}”` : EMPTY[filter.status] }),
      el("p", { text: searched ? "Try another word, or another status." : "New tournaments appear here by themselves." }),
      (searched || filter.status) && el("a", { class: "button", href: "#/", text: "Show all" }),
    );
  }

  return {
    update(next) {
      const wanted = clean(next);
      if (wanted.status === filter.status && wanted.q === filter.q) return;
      filter = wanted;
      if (search.value.trim() !== filter.q) search.value = filter.q;
      restart();
    },
  };
}

function clean({ status = "", q = "" }) {
  return { status: TABS.some(([known]) => known === status) ? status : "", q: q.slice(0, 100) };
}

function address({ status, q }) {
  const set = Object.entries({ status, q }).filter(([, value]) => value);
  return set.length ? `#/?${new URLSearchParams(set)}` : "#/";
}
