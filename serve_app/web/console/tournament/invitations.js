// Invitations of a tournament: giving them, who has used them, taking them back.

import { announce } from "../../announce.js";
import { el, setText } from "../../dom.js";
import { count } from "../../format.js";
import { getInvitations, invite, newKey, revokeInvitation } from "../calls.js";
import { ask } from "../forms/dialogs.js";
import { button, live, moment, panel, table } from "../parts.js";

const REFRESH_MS = 10_000;
const FIELDS = [
  { name: "is_for", label: "For", kind: "choice", options: [["anyone", "Whoever brings it"], ["user", "One user"]] },
  { name: "user_id", label: "User id", kind: "text", max: 19, need: true, when: (values) => values.is_for === "user" },
  { name: "uses", label: "How many may come by it", kind: "integer", min: 1, max: 1_000_000, when: (values) => values.is_for === "anyone", placeholder: "1" },
  { name: "expires_at", label: "Counts until", kind: "time", hint: "Left out: until the tournament is over." },
];

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
  const element = panel("Invitations", { tools: [button("Invite", give, { kind: "small primary" })] }, given);
  element.hidden = true;
  let list = null;

  async function give() {
    const key = newKey(); // a second click gives the same one
    let made = { invite: "" };
    const done = await ask({
      title: "Invite", text: "The invite is shown once: send it to the players, in a link or a message.", action: "Make it", fields: FIELDS,
      async work({ is_for: _for, ...body }) {
        made = await invite(id, body, key);
      },
    });
    if (!done) return;
    show(made.invite);
    announce("The invitation is made.");
    await list?.refresh();
  }

  function show(text) {
    const field = el("input", { id: "invite", readonly: true, value: text, on: { focus: (event) => event.target.select() } });
    const copied = el("span", { class: "hint", role: "status" });
    const copy = button("Copy", async () => {
      field.select();
      await navigator.clipboard.writeText(text);
      setText(copied, "Copied.");
    }, { failed: () => setText(copied, "It is marked: copy it with the keyboard.") });
    given.replaceChildren(el("label", { for: "invite", text: "The invite, told this once" }), el("div", { class: "line" }, field, copy, copied));
    field.focus();
  }

  async function revoke(row) {
    if (await ask({ title: "Revoke this invitation?", text: "Who came by it stays.", action: "Revoke", danger: true, work: () => revokeInvitation(id, row.id) })) {
      announce("Revoked.");
      await list.refresh();
    }
  }

  return {
    element,
    show({ visibility, status }) {
      element.hidden = visibility !== "private" || status === "cancelled";
      if (element.hidden || list) return;
      list = live((asked) => getInvitations(id, asked), (answer, into) => {
        grid.show(answer.items.map((item) => ({ ...item, key: item.id })));
        if (!grid.element.isConnected) into.append(grid.element);
      }, REFRESH_MS, signal);
      element.append(list.element);
    },
  };
}
