// The table as operators see it (the real one, also while the public's stands still), and what can be done with one player.

import { announce } from "../../announce.js";
import { arrange, el, setText } from "../../dom.js";
import { count, isolated, ordinal, score } from "../../format.js";
import { errorText } from "../../notice.js";
import { getParticipant, getRankings, giveTime, judge } from "../calls.js";
import { ask } from "../forms/dialogs.js";
import { showDuration } from "../forms/inputs.js";
import { button, chip, facts, moment, panel, table } from "../parts.js";

const SHOWN = 25;
const REASON = { name: "reason", label: "Reason", kind: "text", max: 200, need: true, placeholder: "Two accounts", hint: "That player sees it, others do not." };

/** `element` and `show(view)`. `changed()` is called when a player was judged. */
export function playersPanel(id, signal, changed) {
  let view = null;
  let asked = "";
  let shown = SHOWN;
  const grid = table(
    "The table, live",
    [
      { title: "Rank", class: "number", cell: ({ rank }) => count(rank) },
      { title: "Player", class: "wide", head: true, cell: ({ name, user_id: user }) => [el("bdi", { class: "strong", text: name || `Player ${user}` }), el("span", { class: "under", text: user })] },
      { title: "Score", class: "number", cell: ({ score: value }) => score(value, view?.display) },
      { title: "At", cell: ({ scored_at }) => moment(scored_at) },
      { title: "More", cell: ({ user_id: user, name }) => button("Look", () => look(user), { kind: "small", label: `Look at ${name || `player ${user}`}` }) },
    ],
    { empty: "Nobody has a score yet." },
  );
  const more = button("Show more", async () => {
    shown += 100;
    await load(true);
  }, { kind: "more" });
  more.hidden = true;
  const field = el("input", { id: "player", inputmode: "numeric", autocomplete: "off", placeholder: "User id", maxlength: 19 });
  const problem = el("p", { class: "form-error", role: "alert" });
  const found = el("div", { class: "found", "aria-live": "polite" });
  const search = el("form", { class: "line find", role: "search", on: { submit: (event) => { event.preventDefault(); void look(field.value.trim()); } } }, el("label", { for: "player", class: "quiet-text", text: "Look at a player by user id" }), field, el("button", { type: "submit", class: "button", text: "Look" }));
  const note = el("p", { class: "hint" });
  const element = panel("Players", {}, search, problem, found, note, grid.element, more);

  async function load(force = false) {
    const text = JSON.stringify([view.position, shown]);
    if (text === asked && !force) return;
    asked = text;
    const page = await getRankings(id, Math.min(shown, 1000), signal);
    if (signal.aborted) return;
    grid.show(page.rows.map((row) => ({ ...row, key: row.user_id })));
    more.hidden = !page.next_cursor || shown >= 1000;
  }

  async function look(user) {
    setText(problem, "");
    if (!/^[1-9][0-9]{0,18}$/.test(user)) {
      setText(problem, "Expected a user id: a whole number.");
      field.focus();
      return;
    }
    try {
      draw(await getParticipant(id, user, signal));
      found.scrollIntoView({ block: "nearest" });
    } catch (error) {
      found.replaceChildren();
      setText(problem, error.status === 404 ? `User ${user} does not take part.` : errorText(error));
    }
  }

  function draw(one) {
    const user = one.user_id;
    const name = isolated(one.name || `player ${user}`);
    const after = async (words) => {
      announce(words);
      changed();
      await look(user);
    };
    const act = (text, question, kind = "") => button(text, async () => {
      if (await ask({ action: text, ...question })) await after(question.said);
    }, { kind: `small ${kind}` });
    arrange(found, [
      el(
        "section",
        { class: "one", "aria-label": `Player ${user}` },
        el("div", { class: "panel-head" }, el("h3", {}, el("bdi", { text: one.name || `Player ${user}` })), one.disqualified && chip("disqualified", "bad"), button("Close", () => found.replaceChildren(), { kind: "small" })),
        facts([
          ["User", user],
          ["Rank", one.rank === null ? null : ordinal(one.rank)],
          ["Score", score(one.score, view?.display)],
          ["Attempts", count(one.attempts)],
          one.scored_at && ["Scored", moment(one.scored_at)],
          one.began_at && ["Began", moment(one.began_at)],
          one.done_at && ["Done", moment(one.done_at)],
          one.extra_s ? ["Extra time", showDuration(one.extra_s)] : null,
          one.reason && ["Reason", one.reason],
        ].filter(Boolean)),
        el(
          "div",
          { class: "line" },
          one.disqualified
            ? act("Reinstate", { title: `Reinstate ${name}?`, text: "The table takes them in again, and prizes follow. What was ignored meanwhile stays so.", work: () => judge(id, user, "reinstate"), said: "Reinstated." })
            : act("Disqualify", { title: `Disqualify ${name}?`, text: "The others move up, and prizes follow, also after the end. It can be undone.", danger: true, fields: [REASON], work: (given) => judge(id, user, "disqualify", given), said: "Disqualified." }, "quiet-danger"),
          view?.status !== "finished" && view?.status !== "cancelled" && act("Extra time", { title: `Extra time for ${name}`, text: "How much longer this player's scores count, in all; also beyond the end.", fields: [{ name: "extra_s", label: "Extra time in all", kind: "duration", max: 366 * 24 * 3600, need: true }], given: { extra_s: one.extra_s || 900 }, work: ({ extra_s: extra }) => giveTime(id, user, extra), said: "Extra time is given." }),
        ),
      ),
    ]);
  }

  return {
    element,
    show(next) {
      view = next;
      element.hidden = Boolean(next.recurrence || next.cohorts);
      if (element.hidden) return;
      setText(note, next.frozen ? "This is the real table. The public one stands still." : "");
      load().catch(() => { asked = ""; }); // the view's own refresh tells that the server is away
    },
  };
}
