// All tournaments: their status, who holds them, and how far behind that is.

import { el } from "../dom.js";
import { STATUS, count } from "../format.js";
import { STATUS_TABS, listing, nothing, showAll } from "../listing.js";
import { listTournaments } from "./calls.js";
import { chip, lag, moment, pill, table } from "./parts.js";

const PAGE = 50;
const REFRESH_MS = 3000;
const TABS = [...STATUS_TABS, ["series", "Series"]];
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
  const grid = table("Tournaments, newest first", COLUMNS, { empty: "" });
  const { filters, list, update } = listing(
    {
      tabs: TABS,
      parameters,
      refreshMs: REFRESH_MS,
      grid: grid.element,
      fetch: ({ status, q }, cursor) => listTournaments({ ...(status === "series" ? { type: "series" } : { status }), q, cursor, limit: PAGE }, signal),
      draw(items) {
        grid.show(items.map((item) => ({ ...item, key: item.id, data: { id: item.id } })));
        grid.element.hidden = items.length === 0;
      },
      row: ({ id }) => grid.element.querySelector(`tr[data-id="${CSS.escape(id)}"]`),
      empty({ status, q }) {
        if (!q && !status) return nothing("There are no tournaments yet", "Make the first one: every field is explained.", el("a", { class: "button primary", href: "#/new", text: "New tournament" }));
        return nothing(q ? `Nothing is called “${q}”` : "There are none of these", "Try another word, or another status.", showAll());
      },
    },
    signal,
  );
  root.append(el("div", { class: "view-head" }, el("h1", { text: "Tournaments" }), el("a", { class: "button primary", href: "#/new", text: "New tournament" })), filters, ...list);
  return { update };
}
