// What a tournament gives out and, once it is finished, who won what and how far that is.

import { claimPrizes, getPrizes, getRowsOf } from "./api.js";
import { arrange, el, setText } from "./dom.js";
import { emblem } from "./emblem.js";
import { count, ordinal, score } from "./format.js";
import { keepDoing } from "./pages.js";
import { player } from "./player.js";

const REFRESH_MS = 5000;
const SHOWN = 50;
const SETTLED = ["paid", "failed", "revoked"];
const STATES = {
  pending_review: "Waits for approval",
  approved: "Approved",
  paying: "On its way",
  paid: "Paid",
  failed: "Failed",
  revoked: "Revoked",
};

/** Money as a currency, things by their number: `€100.01`, `2 × mug`. */
export function prize({ amount, currency, item, count: pieces }) {
  if (item) return pieces > 1 ? `${count(pieces)} × ${item}` : item;
  const decimals = amount.split(".")[1]?.length ?? 0;
  return new Intl.NumberFormat("en", { style: "currency", currency, minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(amount);
}

/** Who wins by a rule, in words. */
export function winners(rule, view) {
  const [first, last] = rule.ranks ? [rule.ranks[0], rule.ranks.at(-1)] : [0, 0];
  let words;
  if (rule.top_percent !== undefined) words = `Best ${rule.top_percent} %`;
  else if (rule.min_score !== undefined) words = `${score(rule.min_score, view.display)} or ${view.order === "asc" ? "less" : "more"}`;
  else words = first === last ? `${ordinal(first)} place` : `${ordinal(first)} to ${ordinal(last)} place`;
  return rule.board ? `${words} in each ${rule.board}` : words;
}

/** Where a prize is, in words. */
export function stateOf(winner) {
  if (winner.kind === "claw_back") return winner.state === "paid" ? "Taken back" : "To be given back";
  if (winner.state === "approved" && winner.claimed_at === null) return "Waits for the winner's claim";
  return STATES[winner.state] ?? winner.state;
}

/** `element` and `show(view)`; hidden where there are no prizes. */
export function prizePanel(id, signal) {
  const rules = el("tbody");
  const rows = el("tbody");
  const note = el("p", { class: "prize-note", role: "status" });
  const claim = el("button", { type: "button", class: "button", text: "Claim your prize", on: { click: () => void ask() } });
  const head = (...names) => el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col", text: name }))));
  const offered = el("table", { class: "prizes" }, el("caption", { class: "quiet-text", text: "What there is to win" }), head("Who", "Prize"), rules);
  const won = el("table", { class: "prizes" }, el("caption", { class: "quiet-text", text: "Who won what" }), head("Rank", "Winner", "Prize", "State"), rows);
  const element = el("section", { class: "panel prize-panel", "aria-labelledby": "prizes-head" }, el("h2", { id: "prizes-head", text: "Prizes" }), offered, won, note, claim);
  element.hidden = true;
  let view = null;
  let shownRules = "";
  const known = new Map(); // names by user id
  let settled = false;

  async function refresh() {
    if (view?.status !== "finished" || !view.prizes?.length || settled) return;
    const table = await getPrizes(id, SHOWN, signal);
    if (signal.aborted) return;
    const wanted = [...new Set(table.winners.map((winner) => winner.user_id))].filter((user) => !known.has(user));
    if (wanted.length) for (const row of (await getRowsOf(id, wanted.slice(0, 100), signal)).rows) known.set(row.user_id, row.name);
    if (signal.aborted) return;
    draw(table);
  }

  function draw(table) {
    const me = player()?.user_id;
    arrange(rows, table.winners.map((winner) => row(winner, winner.user_id === me)));
    won.hidden = table.winners.length === 0;
    offered.hidden = table.winners.length > 0;
    setText(note, table.next_cursor ? `The first ${count(table.winners.length)} of the list.` : table.winners.length ? "" : "Nobody has won anything.");
    claim.hidden = !table.winners.some((winner) => winner.user_id === me && winner.claimed_at === null && winner.state !== "revoked");
    settled = table.winners.length > 0 && table.winners.every((winner) => SETTLED.includes(winner.state));
  }

  function row(winner, mine) {
    const name = known.get(winner.user_id) || `Player ${winner.user_id}`;
    return el(
      "tr",
      { data: { user: winner.user_id, state: winner.state }, class: mine ? "me" : null, "aria-current": mine ? "true" : null },
      el("td", { class: "rank", text: winner.group ? `${count(winner.rank)} · ${winner.group}` : count(winner.rank) }),
      el("th", { scope: "row", class: "name" }, el("span", { class: "name-line" }, emblem(winner.user_id), el("bdi", { class: "who", text: name }))),
      el("td", { class: "what", text: prize(winner) }),
      el("td", {}, el("span", { class: "prize-state", data: { state: winner.state }, text: stateOf(winner) })),
    );
  }

  async function ask() {
    claim.disabled = true;
    try {
      await claimPrizes(id);
      settled = false;
      await refresh();
    } catch (error) {
      setText(note, error.text ?? "This did not work.");
    } finally {
      claim.disabled = false;
    }
  }

  keepDoing(refresh, REFRESH_MS, signal);
  return {
    element,
    show(next) {
      const news = view?.status !== next.status || view?.revision !== next.revision;
      view = next;
      element.hidden = !view.prizes?.length;
      if (element.hidden) return;
      const text = JSON.stringify(view.prizes);
      if (text !== shownRules) {
        shownRules = text;
        arrange(rules, view.prizes.map((rule) => el("tr", {}, el("th", { scope: "row", text: winners(rule, view) }), el("td", { class: "what", text: each(rule) }))));
      }
      if (view.status !== "finished") {
        won.hidden = claim.hidden = true;
        offered.hidden = false;
        setText(note, "");
      }
      if (news) {
        settled = false;
        if (view.status === "finished") won.hidden = claim.hidden = rows.childElementCount === 0;
        refresh().catch(() => {}); // repeated by the loop above
      }
    },
  };
}

/** What a rule gives, to each where it may be several. */
function each(rule) {
  const one = rule.ranks && rule.ranks[0] === rule.ranks.at(-1);
  const claimed = rule.claim ? ", to be claimed" : "";
  return `${prize({ count: 1, ...rule })}${one ? "" : " each"}${claimed}`;
}
