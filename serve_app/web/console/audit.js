// Who ordered what, in all tournaments.

import { el, setText } from "../dom.js";
import { count } from "../format.js";
import { getOrders } from "./calls.js";
import { live } from "./parts.js";
import { orders } from "./tournament/orders.js";

const REFRESH_MS = 10_000;
const MOST = 200;

export function auditView(root, _parameters, { signal, setTitle }) {
  setTitle("Audit");
  const list = orders("Orders, newest first", true);
  const note = el("p", { class: "hint" });
  const view = live((asked) => getOrders({ limit: MOST }, asked), (answer, into) => {
    list.show(answer.items);
    const silent = answer.silent ? ` ${count(answer.silent)} of them did not answer just now.` : "";
    setText(note, `Of the newest ${count(answer.tournaments)} tournaments.${silent} Each tournament's own page has its newest 200 orders.`);
    if (!list.element.isConnected) into.append(note, list.element);
  }, REFRESH_MS, signal);
  root.append(el("div", { class: "view-head" }, el("h1", { text: "Audit" })), el("p", { class: "lede", text: "Who ordered what, when, and what it changed. It is kept with the tournaments, and goes through the log as everything does." }), view.element);
  return {};
}
