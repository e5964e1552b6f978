// All tournaments: their status, who holds them, and how far behind that is.

import { el, onScreen, setAttr, setText } from "../dom.js";
import { STATUS, count } from "../format.js";
import { errorPanel, errorText } from "../notice.js";
import { Pages, keepDoing } from "../pages.js";
import { listTournaments } from "./calls.js";
import { button, chip, lag, moment, pill, table } from "./parts.js";

const PAGE = 50;
const REFRESH_MS = 3000;
const SEARCH_MS = 250;
const TABS = [["", "All"], ["running", "Running"], ["scheduled", "Scheduled"], ["finished", "Finished"], ["cancelled", "Cancelled"], ["series", "Series"]];
const LAGS = 5; // seconds from which a lag is worth a colour

const COLUMNS = [
  {
    title: "Tournament", class: "wide", head: true,
    cell: ({ id, name, visibility, recurrence, league, cohorts, series, cohort }) => [
      el("a", { class: "strong", href: `#/t/${encodeURIComponent(id)}` }, el("bdi", { text: name })),
      el("span", { class: "under" }, [visibility === "private" && "private", league ? "league" : recurrence && "series", cohorts && "cohorts", series && "of a series", cohort && `board ${cohort.number}`].filter(Boolean).join(" · ")),
    ],
  },
  { title: "Status", cell: ({ status }) => pill(status, STATUS[status]) },
  { title: "Players", class: "number", cell: ({ participants, capacity }) => (capacity ? `${count(participants)} / ${count(capacity)}` : count(participants)) },
  { title: "Start", cell: ({ starts_at }) => moment(starts_at) },
  { title: "End", cell: ({ ends_at }) => moment(ends_at) },
  { title: "Owner", class: "short", cell: ({ owner, placement }) => (owner ? [owner, placement === "dedicated" ? el("span", { class: "under", text: "its own" }) : " "] : chip("nobody", "warn")) },
  { title: "Node", class: "short", cell: ({ node }) => node },
  { title: "Epoch", class: "number", cell: ({ epoch }) => (epoch === null ? null : count(epoch)) },
  { title: "Lag", class: "number", cell: ({ lag_records: records, lag_s: seconds }) => (records === null ? null : seconds >= LAGS ? chip(`${count(records)}, ${lag(seconds)}`, "warn") : records > 0 ? `${count(records)}, ${lag(seconds)}` : "0") },
];

export function tournamentsView(root, parameters, { signal, setTitle }) {
  setTitle("Tournaments");
  let filter = clean(parameters);
  let pages;
  let loading = 0; // which filter's answers are wanted
  const tabs = TABS.map(([name, title]) => el("a", { text: title, data: { name } }));
  const search = el("input", { type: "search", id: "search", dir: "auto", placeholder: "Search by name", autocomplete: "off", value: filter.q, maxlength: 100 });
  const grid = table("Tournaments, newest first", COLUMNS);
  const message = el("div");
  const stale = el("p", { class: "stale-note", role: "status" });
  stale.hidden = true;
  const more = button("Show more tournaments", () => loadMore(), { kind: "more" });
  const summary = el("p", { class: "quiet-text", role: "status" });
  root.append(
    el("div", { class: "view-head" }, el("h1", { text: "Tournaments" }), el("a", { class: "button primary", href: "#/new", text: "New tournament" })),
    el(
      "div",
      { class: "filters" },
      el("nav", { class: "tabs", "aria-label": "Filter by status" }, tabs),
      el("form", { class: "search", role: "search", on: { submit: (event) => event.preventDefault() } }, el("label", { for: "search", class: "quiet-text", text: "Search tournaments by name" }), search),
    ),
    stale,
    grid.element,
    message,
    more,
    summary,
  );

  let typing;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => location.replace(address({ ...filter, q: search.value.trim() })), SEARCH_MS);
  });
  restart();
  keepDoing(refresh, REFRESH_MS, signal, (error) => {
    stale.hidden = !pages.loaded;
    setText(stale, error.status === 0 ? "The connection is lost. What you see may be old; trying again." : `Not refreshed: ${errorText(error)}`);
  });

  function restart() {
    loading += 1;
    const mine = loading;
    const asked = filter.tab === "series" ? { type: "series" } : { status: filter.tab };
    pages = new Pages(
      async (cursor) => {
        const { items, next_cursor: next } = await listTournaments({ ...asked, q: filter.q, cursor, limit: PAGE }, signal);
        return { items, next };
      },
      (item) => item.id,
    );
    for (const tab of tabs) {
      tab.setAttribute("href", address({ ...filter, tab: tab.dataset.name }));
      setAttr(tab, "aria-current", tab.dataset.name === filter.tab ? "true" : null);
    }
    message.replaceChildren(el("p", { class: "loading", text: "Loading…" }));
    more.hidden = true;
    grid.element.classList.add("waiting");
    void loadMore(mine);
  }

  async function loadMore(mine = loading) {
    try {
      await pages.more();
      if (mine !== loading || signal.aborted) return;
      draw();
      setText(summary, `${count(pages.items.length)} tournaments shown${pages.hasMore ? ", there are more" : ""}.`);
    } catch (error) {
      if (mine !== loading || signal.aborted) return;
      message.replaceChildren(errorPanel(error, () => restart()));
    } finally {
      grid.element.classList.remove("waiting");
    }
  }

  async function refresh() {
    const mine = loading;
    if (!pages.loaded) return;
    await pages.refresh((items) => items.length === 0 || items.some(seen));
    if (mine !== loading || signal.aborted) return;
    stale.hidden = true;
    draw();
  }

  function seen({ id }) {
    const row = grid.element.querySelector(`tr[data-id="${CSS.escape(id)}"]`);
    return row !== null && onScreen(row);
  }

  function draw() {
    const items = pages.items.map((item) => ({ ...item, key: item.id, data: { id: item.id } }));
    grid.show(items);
    grid.element.hidden = items.length === 0;
    more.hidden = !pages.hasMore;
    message.replaceChildren(...(items.length ? [] : [nothing()]));
  }

  function nothing() {
    const searched = filter.q !== "" || filter.tab !== "";
    return el(
      "section",
      { class: "notice" },
      el("h2", { text: filter.q ? `Nothing is called “${filter.q}”` : searched ? "There are none of these" : "There are no tournaments yet" }),
      el("p", { text: searched ? "Try another word, or another status." : "Make the first one: every field is explained." }),
      searched ? el("a", { class: "button", href: "#/", text: "Show all" }) : el("a", { class: "button primary", href: "#/new", text: "New tournament" }),
    );
  }

  return {
    update(next) {
      const wanted = clean(next);
      if (wanted.tab === filter.tab && wanted.q === filter.q) return;
      filter = wanted;
      if (search.value.trim() !== filter.q) search.value = filter.q;
      restart();
    },
  };
}

function clean({ status = "", q = "" }) {
  return { tab: TABS.some(([known]) => known === status) ? status : "", q: q.slice(0, 100) };
}

function address({ tab, q }) {
  const set = Object.entries({ status: tab, q }).filter(([, value]) => value);
  return set.length ? `#/?${new URLSearchParams(set)}` : "#/";
}
