// A list of tournaments as both pages have it: filtered by tabs and by a text, both in the address; page after page; kept fresh quietly.

import { el, onScreen, setAttr, setText } from "./dom.js";
import { count } from "./format.js";
import { errorPanel, errorText } from "./notice.js";
import { Pages, keepDoing } from "./pages.js";

const SEARCH_MS = 250;
export const STATUS_TABS = [["", "All"], ["running", "Running"], ["scheduled", "Scheduled"], ["finished", "Finished"], ["cancelled", "Cancelled"]];

/** A field for a search, with its label; `searched(text)` is called a moment after typing, unless `signal` is aborted by then: the view is left. */
export function searchField({ id, label, placeholder, value = "", maxLength = 100, signal }, searched) {
  const input = el("input", { type: "search", id, dir: "auto", placeholder, autocomplete: "off", value, maxlength: maxLength });
  let typing;
  input.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => searched(input.value.trim()), SEARCH_MS);
  });
  signal.addEventListener("abort", () => clearTimeout(typing), { once: true });
  const element = el("form", { class: "search", role: "search", on: { submit: (event) => event.preventDefault() } }, el("label", { for: id, class: "quiet-text", text: label }), input);
  return { element, input };
}

/**
 * `tabs`: [[status, words]]. `fetch(filter, cursor)` answers `{items, next_cursor}`; `filter` is `{status, q}`. `draw(items)` shows them in
 * `grid`, whose rows `row(item)` finds; `changed(filter)` is told at each change of it; `empty(filter)` is what stands there for none.
 * Returns `filters` and `list`, to be placed, and `update(parameters)`, for what the address says from now on.
 */
export function listing({ tabs, parameters, refreshMs, grid, fetch, draw, row, empty, changed = (_filter) => {} }, signal) {
  let filter = clean(parameters);
  let pages;
  let loading = 0; // which filter's answers are wanted
  let shown = 0; // items

  const links = tabs.map(([status, name]) => el("a", { text: name, data: { status } }));
  const search = searchField({ id: "search", label: "Search tournaments by name", placeholder: "Search by name", value: filter.q, signal }, (q) => location.replace(address({ ...filter, q })));
  const message = el("div");
  const stale = el("p", { class: "stale-note", role: "status" });
  stale.hidden = true;
  const more = el("button", { type: "button", class: "button more", text: "Show more tournaments", on: { click: () => void loadMore() } });
  const summary = el("p", { class: "quiet-text", role: "status" });

  function clean({ status = "", q = "" }) {
    return { status: tabs.some(([known]) => known === status) ? status : "", q: q.slice(0, 100) };
  }

  function restart() {
    loading += 1;
    changed(filter);
    const mine = loading;
    const asked = filter;
    pages = new Pages(
      async (cursor) => {
        const { items, next_cursor: next } = await fetch(asked, cursor);
        return { items, next };
      },
      (item) => item.id,
    );
    for (const link of links) {
      link.setAttribute("href", address({ ...filter, status: link.dataset.status }));
      setAttr(link, "aria-current", link.dataset.status === filter.status ? "true" : null);
    }
    message.replaceChildren(...(shown ? [] : [el("p", { class: "loading", text: "Loading…" })]));
    more.hidden = true;
    grid.classList.add("waiting");
    void loadMore(mine);
  }

  async function loadMore(mine = loading) {
    const before = pages.items.length;
    more.disabled = true;
    try {
      await pages.more();
      if (mine !== loading || signal.aborted) return;
      show();
      setText(summary, `${count(pages.items.length)} tournaments shown${pages.hasMore ? ", there are more" : ""}.`);
      if (before && document.activeElement === document.body) row(pages.items[before])?.querySelector("a").focus();
    } catch (error) {
      if (mine !== loading || signal.aborted) return;
      if (!before) {
        draw([]);
        shown = 0;
      }
      message.replaceChildren(errorPanel(error, () => {
        message.replaceChildren();
        void loadMore();
      }));
    } finally {
      more.disabled = false;
      grid.classList.remove("waiting");
    }
  }

  async function refresh() {
    const mine = loading;
    if (!pages.loaded) return;
    await pages.refresh((items) => items.length === 0 || items.some((item) => row(item) && onScreen(row(item))));
    if (mine !== loading || signal.aborted) return;
    stale.hidden = true;
    show();
  }

  function show() {
    const items = pages.items;
    draw(items);
    shown = items.length;
    more.hidden = !pages.hasMore;
    message.replaceChildren(...(items.length ? [] : [empty(filter)]));
  }

  restart();
  keepDoing(refresh, refreshMs, signal, (error) => {
    stale.hidden = !pages.loaded;
    setText(stale, error.status === 0 ? "The connection is lost. What you see may be old; trying again." : `Not refreshed: ${errorText(error)}`);
  });
  return {
    filters: el("div", { class: "filters" }, el("nav", { class: "tabs", "aria-label": "Filter by status" }, links), search.element),
    list: [stale, grid, message, more, summary],
    update(next) {
      const wanted = clean(next);
      if (wanted.status === filter.status && wanted.q === filter.q) return;
      filter = wanted;
      if (search.input.value.trim() !== filter.q) search.input.value = filter.q;
      restart();
    },
  };
}

/** What stands where a list is empty: a heading, what to do, and the way to all of them where something was filtered out. */
export function nothing(heading, advice, ...links) {
  return el("section", { class: "notice" }, el("h2", { text: heading }), el("p", { text: advice }), links);
}

export const showAll = () => el("a", { class: "button", href: "#/", text: "Show all" });

function address({ status, q }) {
  const set = Object.entries({ status, q }).filter(([, value]) => value);
  return set.length ? `#/?${new URLSearchParams(set)}` : "#/";
}
