// One tournament as operators see it: how it stands, what can be done with it, who is in it, what happened.

import { announce } from "../../announce.js";
import { clockFace, everyTick, phase } from "../../countdown.js";
import { arrange, el, setText } from "../../dom.js";
import { STATUS, count, rules } from "../../format.js";
import { getHistory, getPlace, getTournament } from "../calls.js";
import { actionsOf, keepPlace } from "./actions.js";
import { childrenPanel } from "./children.js";
import { filesPanel } from "./files.js";
import { importsPanel } from "./imports.js";
import { invitationsPanel } from "./invitations.js";
import { orders } from "./orders.js";
import { chip, facts, lag, live, moment, panel, pill, table } from "../parts.js";
import { playersPanel } from "./players.js";
import { prizesPanel } from "./prizes.js";
import { showDuration } from "../forms/inputs.js";

const REFRESH_MS = 2000;
const SLOW_MS = 5000;

export function tournamentView(root, { id }, { signal, setTitle }) {
  const title = el("h1", { class: "t-name", text: "Tournament" });
  const status = el("span");
  const clock = clockFace();
  const about = el("div");
  const doing = el("div", { class: "actions" });
  const spec = el("div");
  const children = childrenPanel(id, signal);
  const players = playersPanel(id, signal, () => void view.refresh());
  const imports = importsPanel(id, signal, () => void view.refresh());
  const prizes = prizesPanel(id, signal);
  const invitations = invitationsPanel(id, signal);
  const files = filesPanel(id);
  let now = null;
  let drawn = "";

  const view = live((asked) => getTournament(id, asked), draw, REFRESH_MS, signal);
  const place = live((asked) => getPlace(id, asked), drawPlace, SLOW_MS, signal);
  const history = orders("What was ordered here");
  const past = live((asked) => getHistory(id, asked), (answer, into) => {
    history.show(answer.items);
    if (!history.element.isConnected) into.append(history.element);
  }, SLOW_MS, signal);
  const notices = noticesTable();
  const told = panel("Notices", {}, el("p", { class: "hint", text: "How far events are told, channel by channel." }), notices.element);
  const where = el("div");
  const heads = el("div", { class: "t-top" }, el("div", { class: "view-head" }, title, status));
  root.append(el("a", { class: "back", href: "#/", text: "← All tournaments" }), heads, view.element);
  everyTick(() => now && clock.show(phase(now)), signal);

  function draw(answer, into) {
    now = answer;
    setTitle(answer.name);
    if (!doing.isConnected) {
      heads.append(el("div", { class: "t-clock" }, clock.element, " ", el("a", { href: `./#/t/${encodeURIComponent(id)}`, text: "As players see it" }), " ", el("a", { href: `#/t/${encodeURIComponent(id)}/report`, text: "Report" })), doing);
      into.append(
        el("div", { class: "console-columns" }, el("div", { class: "t-column" }, children.element, players.element, imports.element, prizes.element, files.element, invitations.element, told, panel("Audit", {}, past.element)), el("div", { class: "t-column" }, panel("How it stands", {}, about), panel("Where it is", {}, place.element), panel("As it was made", {}, spec))),
      );
    }
    if (title.textContent !== answer.name) title.replaceChildren(el("bdi", { text: answer.name }));
    clock.show(phase(answer));
    children.show(answer);
    players.show(answer);
    imports.show(answer);
    prizes.show(answer);
    files.show(answer);
    invitations.show(answer);
    const text = JSON.stringify({ ...answer, top: null, position: null });
    if (text === drawn) return;
    drawn = text;
    status.replaceChildren(pill(answer.status, STATUS[answer.status]), ...(answer.frozen ? [" ", chip("Table stands still", "warn")] : []), ...(answer.visibility === "private" ? [" ", chip("Private")] : []));
    about.replaceChildren(standing(answer));
    spec.replaceChildren(made(answer));
    const focused = /** @type {HTMLElement} */ (document.activeElement);
    const at = doing.contains(focused) ? focused.dataset.name : null;
    arrange(doing, actionsOf(answer, (words) => {
      announce(words);
      setText(said, words);
      void view.refresh();
      void past.refresh();
      void prizes.refresh();
    }));
    doing.append(said);
    if (at) keepPlace(at);
  }
  const said = el("p", { class: "said", role: "status" });

  function drawPlace({ notices: told, ...held }, into) {
    notices.show(told.map((each) => ({ ...each, key: `${each.key} ${each.channel}` })));
    const shown = facts([
      ["Owner", held.owner ?? chip("nobody", "warn")],
      ["Node", held.node],
      ["Epoch", held.epoch === null ? null : count(held.epoch)],
      ["Lag", held.lag_records === null ? null : `${count(held.lag_records)} records, ${lag(held.lag_s) ?? "?"}`],
      ["Partition", String(held.partition)],
      ["Scope", held.scope],
    ]);
    where.replaceChildren(shown);
    if (!where.isConnected) into.append(where);
  }

  return {};
}

/** The numbers of the moment. */
function standing(view) {
  const link = (of, text) => el("a", { href: `#/t/${encodeURIComponent(of)}`, text });
  const plays = !view.recurrence; // a series only opens others, which are listed below with their times
  return facts([
    (plays || view.league) && ["Players", view.capacity ? `${count(view.participants)} of ${count(view.capacity)}` : count(view.participants)],
    plays && ["Start", moment(view.starts_at)],
    plays && ["End", moment(view.ends_at)],
    view.finished_at && ["Over since", moment(view.finished_at)],
    ["Version", String(view.version)],
    view.revision ? ["Revision of the table", String(view.revision)] : null,
    view.series && ["Series", view.recurrence ? "this one opens the others" : link(view.series.id, "the series that opened it")],
    view.cohort && ["Board", link(view.cohort.tournament_id ?? view.cohort.id, `number ${view.cohort.number}`)],
  ].filter(Boolean));
}

/** What its create said, in words. */
function made(view) {
  const pairs = [
    ["Rules", rules(view).join(" · ")],
    ["Joining", view.join_until === "end" ? "until the end" : "until the start"],
    view.min_participants && ["Fewest players", count(view.min_participants)],
    view.recurrence && ["Schedule", `${view.recurrence.cron}, ${view.recurrence.time_zone}, ${showDuration(view.recurrence.duration_s)} each, ${view.recurrence.ahead} ahead`],
    view.league && ["League", `${view.league.tiers} tiers, ${view.league.promote} rise, ${view.league.demote} fall`],
    view.cohorts && ["Boards", `${count(view.cohorts.size)} players each`],
    view.window_s && ["Window of one's own", showDuration(view.window_s)],
    view.freeze_s && ["Stands still for the last", showDuration(view.freeze_s)],
    view.ends_when && ["Ends early", view.ends_when.all_done ? "when everyone is done" : `when ${count(view.ends_when.count ?? 1)} reached ${view.ends_when.target_score}`],
    view.boards && ["Boards by", view.boards.join(", ")],
    view.teams && ["Teams", view.teams.score === "sum" ? "sum of all" : `mean of the best ${view.teams.best ?? ""}`],
    view.display && ["Shown as", `${view.display.unit}, ${view.display.decimals} decimals`],
    ["Made", el("span", {}, moment(view.created_at), ` by ${view.created_by}`)],
    ["Process", view.placement],
    ["Id", el("code", { text: view.id })],
  ].filter(Boolean);
  const json = (name, value) => value && Object.keys(value).length > 0 && el("details", {}, el("summary", { text: name }), el("pre", { text: JSON.stringify(value, null, 2) }));
  return el("div", {}, facts(pairs), json("Scoring", view.scoring), json("Subscore", view.subscore), json("Metadata", view.metadata));
}

/** Notices' progress. */
export function noticesTable(more = []) {
  return table(
    "How far notices are told",
    [
      { title: "Event", head: true, cell: ({ event }) => event.replaceAll("_", " ") },
      ...more,
      { title: "Channel", cell: ({ channel }) => channel },
      { title: "Since", cell: ({ made_at }) => moment(made_at) },
      { title: "Sent", class: "number", cell: ({ sent }) => count(sent) },
      { title: "Failed", class: "number", cell: ({ failed }) => (failed ? chip(count(failed), "bad") : "0") },
      { title: "Waiting", class: "number", cell: ({ waiting }) => count(waiting) },
      { title: "State", cell: ({ done_at, waiting }) => (done_at && !waiting ? chip("told", "good") : chip(done_at ? "tries again" : "under way", "warn")) },
    ],
    { empty: "Nothing was to be told yet." },
  );
}
