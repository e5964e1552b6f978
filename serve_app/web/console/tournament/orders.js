// Orders as a table: who did what, when, and what it changed.

import { el } from "../../dom.js";
import { moment, table, when } from "../parts.js";

const WORDS = {
  create: "Created", edit: "Edited", start: "Started", end: "Ended", cancel: "Cancelled", reopen: "Reopened", reveal: "Revealed the table",
  disqualify: "Disqualified", reinstate: "Reinstated", extra_time: "Gave extra time", invite: "Invited", revoke_invitation: "Revoked an invitation",
  approve_prizes: "Approved prizes", leave: "Removed a player", join: "Added a player", erase: "Erased a user", standings: "Moved players between tiers",
};

/** `element` and `show(items)`; `named`: with a column for the tournament. */
export function orders(caption, named = false) {
  const grid = table(
    caption,
    [
      { title: "When", cell: ({ at }) => moment(at) },
      { title: "Who", cell: ({ by }) => by },
      named && { title: "Tournament", cell: ({ tournament, tournament_id: id }) => el("a", { href: `#/t/${encodeURIComponent(id)}` }, el("bdi", { text: tournament })) },
      { title: "What", head: true, cell: ({ action }) => WORDS[action] ?? action.replaceAll("_", " ") },
      { title: "Changed", class: "wide", cell: ({ from, to }) => changes(from, to) },
    ].filter(Boolean),
    { empty: "Nobody has ordered anything yet." },
  );
  return { element: grid.element, show: (items) => grid.show(items.map((item, index) => ({ ...item, key: `${item.at} ${item.tournament_id ?? ""} ${item.action} ${items.length - index}` }))) };
}

function changes(from, to) {
  return [...new Set([...Object.keys(from ?? {}), ...Object.keys(to ?? {})])].map((name) => {
    const [before, after] = [from?.[name], to?.[name]];
    const words = before === undefined || JSON.stringify(before) === JSON.stringify(after) ? shown(after) : `${shown(before)} → ${shown(after)}`;
    return el("span", { class: "change" }, el("span", { class: "change-name", text: name }), ` ${words}`);
  });
}

function shown(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "string") return JSON.stringify(value);
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? when(value) : value;
}
