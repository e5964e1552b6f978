// What a tournament has opened: the tournaments of a series, the boards of cohorts.

import { el, setText } from "../../dom.js";
import { STATUS, count, dayAndTime } from "../../format.js";
import { getCohorts, getSeries } from "../calls.js";
import { live, moment, panel, pill, table } from "../parts.js";

const REFRESH_MS = 5000;

/** `element` and `show(view)`; hidden for what opens nothing. */
export function childrenPanel(id, signal) {
  const note = el("p", { class: "hint" });
  const element = el("div");
  element.hidden = true;
  let begun = false;

  function series() {
    const grid = table("Tournaments of the series, newest first", [
      { title: "For", head: true, cell: ({ id: child, at }) => el("a", { href: `#/t/${encodeURIComponent(child)}`, text: dayAndTime(at) }) },
      { title: "Tier", class: "number", cell: ({ tier }) => tier && count(tier) },
      { title: "Ends", cell: ({ ends_at }) => moment(ends_at) },
      { title: "Players", class: "number", cell: ({ participants }) => (participants === null ? null : count(participants)) },
      { title: "Status", cell: ({ status }) => status && pill(status, STATUS[status]) },
    ]);
    show("Its tournaments", grid, (asked) => getSeries(id, asked), ({ tournaments, next, missed }) => {
      setText(note, `${next.length ? `Next: ${next.slice(0, 3).map(dayAndTime).join(", ")}.` : "Nothing more opens."}${missed ? ` ${count(missed)} were over before they could be opened.` : ""}`);
      grid.show(tournaments.map((each) => ({ ...each, key: each.id })));
    });
  }

  function boards() {
    const grid = table("Boards, by number", [
      { title: "Board", head: true, cell: ({ tournament_id: child, number }) => el("a", { href: `#/t/${encodeURIComponent(child)}`, text: `Board ${count(number)}` }) },
      { title: "Seats given", class: "number", cell: ({ seats }) => count(seats) },
    ], { empty: "None was opened yet: the first player to join opens it." });
    show("Its boards", grid, (asked) => getCohorts(id, asked), ({ items, next_cursor: next }) => {
      setText(note, next ? `The first ${count(items.length)} are shown.` : "");
      grid.show(items.map((each) => ({ ...each, key: each.number })));
    });
  }

  function show(title, grid, fetch, draw) {
    const view = live(fetch, (answer, into) => {
      draw(answer);
      if (!grid.element.isConnected) into.append(note, grid.element);
    }, REFRESH_MS, signal);
    element.append(panel(title, {}, view.element));
  }

  return {
    element,
    show({ recurrence, cohorts }) {
      element.hidden = !recurrence && !cohorts;
      if (element.hidden || begun) return;
      begun = true;
      if (recurrence) series();
      else boards();
    },
  };
}
