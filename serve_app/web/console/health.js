// How everything is: servers, the processes that hold tournaments, partitions of the log, shards of the records, notices.

import { el } from "../dom.js";
import { count } from "../format.js";
import { getActors, getNotices, getServers } from "./calls.js";
import { chip, lag, live, panel, table } from "./parts.js";
import { noticesTable } from "./tournament/view.js";

const FAST_MS = 2000;
const SLOW_MS = 10_000;
const TONES = { ok: "good", note: "warn", wrong: "bad" };
const STATES = { ok: "well", note: "note", wrong: "wrong" };
const NOTICES = 20;

const state = (value) => chip(value, value === "running" ? "good" : value === "starting" ? "warn" : "bad");

export function healthView(root, _parameters, { signal, setTitle }) {
  setTitle("Health");
  const summary = el("p", { class: "lede", role: "status", text: "Looking at everything…" });
  const told = { servers: null, actors: null };
  const findings = table("What was found of the servers", [
    { title: "Server", head: true, cell: ({ subject }) => subject },
    { title: "State", cell: ({ state: each }) => chip(STATES[each], TONES[each]) },
    { title: "Found", class: "wide", cell: ({ found }) => found },
    { title: "To do", class: "wide", cell: ({ to_do: toDo }) => toDo || "nothing" },
  ]);
  const owners = table("Owners of tournaments", [
    { title: "Owner", head: true, cell: ({ name }) => name },
    { title: "State", cell: ({ state: each }) => state(each) },
    { title: "Node", cell: ({ node, process }) => (node ? `${node}, process ${process}` : null) },
    { title: "Holds", class: "number", cell: ({ scopes, catching_up: behind }) => [count(scopes), behind ? el("span", { class: "under", text: `${count(behind)} catching up` }) : " "] },
    { title: "Tournaments", class: "number", cell: ({ active_tournaments: active }) => count(active) },
    { title: "Unsaved", class: "number", cell: ({ unsaved_tournaments: unsaved }) => count(unsaved) },
    { title: "Failed saves", class: "number", cell: ({ checkpoint_failures: failures }) => (failures ? chip(count(failures), "bad") : "0") },
  ]);
  const ingest = table("Readers of the log", [
    { title: "Reader", head: true, cell: ({ name }) => name },
    { title: "State", cell: ({ state: each }) => state(each) },
    { title: "Node", cell: ({ node, process }) => (node ? `${node}, process ${process}` : null) },
    { title: "Partitions", class: "number", cell: ({ partitions, stopped_partitions: stopped }) => [count(partitions), stopped ? chip(`${count(stopped)} stopped`, "bad") : " "] },
    { title: "Lag", class: "number", cell: ({ lag_records: records, lag_s: seconds }) => `${count(records)}, ${lag(seconds) ?? "?"}` },
    { title: "Dead letters", class: "number", cell: ({ dead_letters: letters }) => (letters ? el("a", { href: "#/letters", text: count(letters) }) : "0") },
  ]);
  const partitions = table("Partitions of the log", [
    { title: "Partition", class: "number", head: true, cell: ({ partition }) => String(partition) },
    { title: "Owner", cell: ({ owner }) => owner ?? chip("nobody", "warn") },
    { title: "Records", class: "number", cell: ({ records }) => count(records) },
    { title: "Last", class: "number", cell: ({ last }) => count(last) },
    { title: "Saved up to", class: "number", cell: ({ committed }) => count(committed) },
    { title: "Lag", class: "number", cell: ({ lag_records: records, lag_s: seconds }) => (records === null ? null : `${count(records)}, ${lag(seconds) ?? "?"}`) },
    { title: "State", cell: ({ stopped }) => (stopped === null ? chip("not known", "warn") : stopped ? chip("stopped", "bad") : chip("read", "good")) },
  ]);
  const shardServers = table("Servers of the shards", [
    { title: "Shard", class: "number", head: true, cell: ({ shard }) => String(shard) },
    { title: "Server", cell: ({ address }) => address },
    { title: "Role", cell: ({ role }) => role },
    { title: "Partitions", class: "wide", cell: ({ held }) => held },
    { title: "State", cell: ({ answer_ms: ms, behind, error }) => (ms === null ? chip(`does not answer: ${error}`, "bad") : behind ? chip("behind", "warn") : chip(`answers in ${Math.round(ms)} ms`, "good")) },
  ]);
  const moves = el("ul", { class: "moves", "aria-live": "polite" });
  const shards = panel("Shards of the records", {}, el("p", { class: "hint" }, "Partitions are moved while Palio runs, one after the other, and a move that is cut off is finished by starting it again: ", el("code", { text: "scripts/palio shards move 0-9 --to 1" }), ". How far it is shows here."), moves, shardServers.element);
  shards.hidden = true;
  const notices = noticesTable([{ title: "Tournament", cell: ({ tournament_id: id }) => el("a", { href: `#/t/${encodeURIComponent(id)}`, text: id }) }]);

  const servers = live(getServers, (answer, into) => {
    findings.show(answer.findings.map((each, index) => ({ ...each, key: `${index} ${each.subject}` })));
    if (!findings.element.isConnected) into.append(findings.element);
    shards.hidden = answer.shards === null;
    if (answer.shards) drawShards(answer.shards);
    told.servers = answer;
    sum();
  }, SLOW_MS, signal);
  const actors = live(getActors, (answer, into) => {
    owners.show(answer.owners.map(({ checkpoint_age_s: _age, ...each }) => ({ ...each, key: each.name })));
    ingest.show(answer.ingest.map((each) => ({ ...each, key: each.name })));
    partitions.show(answer.partitions.map((each) => ({ ...each, key: each.partition })));
    if (!owners.element.isConnected) into.append(owners.element, el("h3", { text: "Readers of the log" }), ingest.element, el("h3", { text: "Partitions" }), el("div", { class: "tall", tabindex: 0, role: "region", "aria-label": "Partitions of the log" }, partitions.element));
    told.actors = answer;
    sum();
  }, FAST_MS, signal);
  const letters = live((asked) => getNotices(NOTICES, asked), (answer, into) => {
    notices.show(answer.items.map((each) => ({ ...each, key: `${each.tournament_id} ${each.key} ${each.channel}` })));
    if (!notices.element.isConnected) into.append(notices.element);
  }, SLOW_MS, signal);
  root.append(el("div", { class: "view-head" }, el("h1", { text: "Health" })), summary, panel("Servers", {}, servers.element), shards, panel("Processes", {}, actors.element), panel("Notices", {}, letters.element));

  function drawShards({ servers: all, places }) {
    shardServers.show(all.map((server) => ({ ...server, held: server.role === "primary" ? ranges(places.filter((place) => place.shard === server.shard).map((place) => place.partition)) : "as its primary", key: server.address })));
    moves.replaceChildren(...places.filter((place) => place.moving_to !== null).map((place) => el("li", { text: `Partition ${place.partition} is being moved from shard ${place.shard} to ${place.moving_to}.` })));
  }

  function sum() {
    if (!told.servers || !told.actors) return;
    const wrong = [
      ...told.servers.findings.filter((each) => each.state === "wrong").map((each) => each.subject),
      ...[...told.actors.owners, ...told.actors.ingest].filter((each) => each.state !== "running").map((each) => each.name),
      ...told.actors.partitions.filter((each) => each.stopped).map((each) => `partition ${each.partition}`),
    ];
    const words = wrong.length ? `Needs a look: ${wrong.join(", ")}.` : "Everything answers, and all partitions are read.";
    if (summary.textContent !== words) summary.textContent = words;
    summary.dataset.tone = wrong.length ? "bad" : "good";
  }

  return {};
}

/** `0-3,7`. */
export function ranges(numbers) {
  const parts = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ") || "none";
}
