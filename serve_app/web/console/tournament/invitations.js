// Invitations of a tournament: giving them, who has used them, taking them back.

import { announce } from "../../announce.js";
import { el, setText } from "../../dom.js";
import { count } from "../../format.js";
import { newId } from "../../client/src/transport.js";
import { getInvitations, invite, revokeInvitation } from "../calls.js";
import { ask } from "../forms/dialogs.js";
import { button, live, moment, panel, table } from "../parts.js";

const REFRESH_MS = 10_000;
const FIELDS = [
  { name: "is_for", label: "For", kind: "choice", options: [["anyone", "Whoever brings it"], ["user", "One user"]] },
  { name: "user_id", label: "User id", kind: "text", max: 19, need: true, when: (values) => values.is_for === "user" },
  { name: "uses", label: "How many may come by it", kind: "integer", min: 1, max: 1_000_000, when: (values) => values.is_for === "anyone", placeholder: "1" },
  { name: "expires_at", label: "Counts until", kind: "time", hint: "Left out: until the tournament is over." },
];

/** Why nobody is invited to a tournament itself, or nothing. */
function elsewhere({ status, recurrence, league, cohort, series }) {
  const link = (id, text) => el("a", { href: `#/t/${encodeURIComponent(id)}`, text });
  if (status === "finished") return ["It is over: nobody joins any more."];
  if (recurrence && !league) return ["Nobody joins the series itself. Invite to each of its tournaments, above."];
  if (cohort) return ["A board fills by itself. Invite to ", link(cohort.tournament_id, "the tournament that opened it"), "."];
  if (series?.tier) return ["A tier has those who belong there. Invite to ", link(series.id, "the league"), "."];
  return null;
}

/** Where an invited player goes: the players' page, which asks who they are and lets them in. */
const linkOf = (id, invite) => new URL(`./#/t/${encodeURIComponent(id)}?invite=${encodeURIComponent(invite)}`, document.baseURI).href;

/** `element` and `show(view)`; hidden for a public tournament. */
export function invitationsPanel(id, signal) {
  const given = el("div", { class: "given", "aria-live": "polite" });
  const grid = table(
    "Invitations, newest first",
    [
      { title: "For", head: true, cell: ({ user_id: user }) => (user ? `User ${user}` : "Whoever brings it") },
      { title: "Left", class: "number", cell: ({ uses, uses_left: left }) => `${count(left)} of ${count(uses)}` },
      { title: "Until", cell: ({ expires_at }) => moment(expires_at) },
      { title: "Given", cell: ({ created_at, created_by }) => [moment(created_at), el("span", { class: "under", text: `by ${created_by}` })] },
      { title: "Take back", cell: (row) => button("Revoke", () => revoke(row), { kind: "small quiet-danger", label: `Revoke the invitation ${row.id}` }) },
    ],
    { empty: "None were given." },
  );
  const tool = button("Invite", give, { kind: "small primary" });
  const why = el("p", { class: "hint" });
  const element = panel("Invitations", { tools: [tool] }, why, given);
  element.hidden = true;
  let list = null;

  async function give() {
    const key = newId(); // a second click gives the same one
    let made = { invite: "" };
    const done = await ask({
      title: "Invite", text: "A link for the player is made, and shown this once: send it to them.", action: "Make it", fields: FIELDS,
      async work({ is_for: _for, ...body }) {
        made = await invite(id, body, key);
      },
    });
    if (!done) return;
    show(made.invite);
    announce("The invitation is made.");
    await list?.refresh();
  }

  function show(invite) {
    const link = copyField("invite-link", "The link for the player, told this once", linkOf(id, invite));
    const bare = copyField("invite", "The invite alone, for a program of yours", invite);
    given.replaceChildren(link.element, bare.element);
    link.field.focus();
  }

  function copyField(name, label, text) {
    const field = el("input", { id: name, readonly: true, value: text, on: { focus: (event) => event.target.select() } });
    const copied = el("span", { class: "hint", role: "status" });
    const copy = button("Copy", async () => {
      field.select();
      await navigator.clipboard.writeText(text);
      setText(copied, "Copied.");
    }, { label: `Copy: ${label}`, failed: () => setText(copied, "It is marked: copy it with the keyboard.") });
    return { field, element: el("div", {}, el("label", { for: name, text: label }), el("div", { class: "line" }, field, copy, copied)) };
  }

  async function revoke(row) {
    if (await ask({ title: "Revoke this invitation?", text: "Who came by it stays.", action: "Revoke", danger: true, work: () => revokeInvitation(id, row.id) })) {
      announce("Revoked.");
      await list.refresh();
    }
  }

  return {
    element,
    show(view) {
      element.hidden = view.visibility !== "private" || view.status === "cancelled";
      const reason = elsewhere(view);
      tool.hidden = reason !== null;
      if (reason) given.replaceChildren();
      if (why.dataset.reason !== String(Boolean(reason))) why.replaceChildren(...(reason ?? []));
      why.dataset.reason = String(Boolean(reason));
      if (element.hidden || list) return;
      list = live((asked) => getInvitations(id, asked), (answer, into) => {
        grid.show(answer.items.map((item) => ({ ...item, key: item.id })));
        if (!grid.element.isConnected) into.append(grid.element);
      }, REFRESH_MS, signal);
      element.append(list.element);
    },
  };
}
