// Prizes: what there is to win, who would win it, and from review to payment.

import { announce } from "../../announce.js";
import { el, setText } from "../../dom.js";
import { count } from "../../format.js";
import { errorText } from "../../notice.js";
import { prize, stateOf, winners } from "../../prizes.js";
import { decidePrizes, getPrizes, previewPrizes } from "../calls.js";
import { ask } from "../forms/dialogs.js";
import { button, chip, panel, table } from "../parts.js";

const SHOWN = 200;
const REFRESH_MS = 3000;
const TONES = { pending_review: "warn", approved: "warn", paying: "warn", paid: "good", failed: "bad", revoked: "bad" };
const OPEN = ["pending_review", "approved", "failed"]; // these can be revoked
const REASON = { name: "reason", label: "Reason", kind: "text", max: 200, placeholder: "Not eligible" };

/** `element`, `show(view)`, `refresh()`; hidden where there are no prizes. */
export function prizesPanel(id, signal) {
  let view = null;
  let table_ = null; // the newest answer
  const offered = table("What there is to win", [
    { title: "Who", head: true, cell: ({ rule }) => winners(rule, view) },
    { title: "Prize", cell: ({ rule }) => prize({ count: 1, ...rule }) },
    { title: "Ties", cell: ({ rule }) => ({ split: "share it", each: "have it each", next: "one by one" })[rule.ties] },
    { title: "Claim", cell: ({ rule }) => (rule.claim ? "asked for" : "none") },
  ]);
  const won = table("Who won what", [
    { title: "Rank", class: "number", cell: ({ winner }) => (winner.group ? `${count(winner.rank)} · ${winner.group}` : count(winner.rank)) },
    { title: "User", head: true, cell: ({ winner }) => winner.user_id },
    { title: "Prize", cell: ({ winner }) => prize(winner) },
    { title: "Rule", class: "number", cell: ({ winner }) => `${winner.rule + 1}` },
    { title: "State", cell: ({ winner }) => [chip(stateOf(winner), TONES[winner.state]), winner.reason && el("span", { class: "under", text: winner.reason })] },
    { title: "Decide", cell: ({ winner, decided }) => (decided ? decisions(winner) : " ") },
  ]);
  const note = el("p", { class: "hint", role: "status" });
  const problem = el("p", { class: "form-error", role: "alert" });
  const tools = el("div", { class: "line" });
  const approveAll = button("Approve all", () => decide("approve", {}, { title: "Approve all prizes?", text: "All that wait for review are paid, once they are claimed where that is asked for. From then on the tournament is not opened again.", action: "Approve all" }), { kind: "primary small" });
  const revokeAll = button("Revoke all", () => decide("revoke", {}, { title: "Revoke all prizes?", text: "Nothing that is not paid yet is paid. Approving one by one takes it back.", action: "Revoke all", danger: true, fields: [REASON] }), { kind: "quiet-danger small" });
  const preview = button("Who would win now?", async () => show(await previewPrizes(id), true), { kind: "small", failed: (error) => setText(problem, errorText(error)) });
  tools.append(approveAll, revokeAll, preview);
  const element = panel("Prizes", { tools: [tools] }, problem, offered.element, note, won.element);
  element.hidden = true;
  won.element.hidden = true;

  function decisions(winner) {
    const one = { user_id: winner.user_id, rule: winner.rule };
    const what = `${prize(winner)} of user ${winner.user_id}`;
    return el(
      "div",
      { class: "line" },
      ["pending_review", "failed", "revoked"].includes(winner.state) && button("Approve", () => decide("approve", one, { title: "Approve this prize?", text: what, action: "Approve" }), { kind: "small", label: `Approve ${what}` }),
      OPEN.includes(winner.state) && button("Revoke", () => decide("revoke", one, { title: "Revoke this prize?", text: what, action: "Revoke", danger: true, fields: [REASON] }), { kind: "small quiet-danger", label: `Revoke ${what}` }),
    );
  }

  async function decide(name, which, question) {
    setText(problem, "");
    const done = await ask({
      ...question,
      async work(found) {
        const answer = await decidePrizes(id, name, { ...which, ...found });
        if (answer.winners) show(answer);
      },
    });
    if (!done) return;
    announce(name === "approve" ? "Approved." : "Revoked.");
    await refresh();
  }

  function show(answer, asPreview = false) {
    table_ = answer;
    const states = answer.winners.map((winner) => winner.state);
    won.show(answer.winners.slice(0, SHOWN).map((winner) => ({ winner, decided: !asPreview, key: `${winner.rule} ${winner.user_id} ${winner.kind} ${winner.group ?? ""}` })));
    won.element.hidden = answer.winners.length === 0;
    const more = (answer.total ?? answer.winners.length) > SHOWN || answer.next_cursor ? ` The first ${SHOWN} are shown.` : "";
    if (asPreview) setText(note, answer.winners.length ? `If it ended now: ${count(answer.total)} prizes. Nothing is written.${more}` : "Nobody would win anything now.");
    else if (!answer.winners.length) setText(note, view.status === "finished" ? "Nobody has won anything." : "");
    else setText(note, `${count(states.filter((state) => state === "paid").length)} of ${count(states.length)} are paid, ${count(states.filter((state) => state === "pending_review").length)} wait for review.${more}`);
    approveAll.hidden = asPreview || !states.includes("pending_review");
    revokeAll.hidden = asPreview || !states.some((state) => OPEN.includes(state));
  }

  async function refresh() {
    if (view?.status !== "finished" || !view.prizes?.length) return;
    const answer = await getPrizes(id, SHOWN, signal);
    if (!signal.aborted) show(answer);
  }

  const timer = setInterval(() => void (document.hidden || refresh().catch(() => {})), REFRESH_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  return {
    element,
    refresh: () => refresh().catch(() => {}),
    show(next) {
      const before = view;
      view = next;
      element.hidden = !view.prizes?.length;
      if (element.hidden) return;
      preview.hidden = view.status === "finished" || view.status === "cancelled" || Boolean(view.recurrence || view.cohorts);
      if (view.status !== "finished") approveAll.hidden = revokeAll.hidden = true;
      offered.show(view.prizes.map((rule) => ({ rule })));
      if (before?.status === view.status) return;
      if (table_ !== null && view.status !== "finished") {
        won.element.hidden = true;
        setText(note, "");
      }
      refresh().catch(() => {});
    },
  };
}
