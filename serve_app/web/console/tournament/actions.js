// What can be done with a tournament as a whole, by its state.

import { el } from "../../dom.js";
import { isolated } from "../../format.js";
import { command, edit } from "../calls.js";
import { ask } from "../forms/dialogs.js";
import { when } from "../parts.js";

const MORE_TIME = { name: "ends_at", label: "New end", kind: "time", need: true };

/** The buttons; `done(words)` is called once one of them has done its work. */
export function actionsOf(view, done) {
  const { id, status } = view;
  const name = isolated(view.name);
  const series = Boolean(view.recurrence);
  const act = (text, question, kind = "") =>
    el("button", {
      type: "button",
      class: `button ${kind}`.trim(),
      text,
      data: { name: text.toLowerCase() },
      on: {
        async click() {
          let words = question.said;
          const work = async (found) => {
            const answer = await question.work(found);
            if (answer?.event_id) words = "It is in the log; its outcome is not known yet. This page shows it when it is.";
          };
          if (await ask({ action: text, ...question, work })) done(words);
          if (document.activeElement === document.body) keepPlace(text.toLowerCase());
        },
      },
    });
  const changed = el("a", { class: "button", data: { name: "edit" }, href: `#/t/${encodeURIComponent(id)}/edit`, text: "Edit" });
  const cancel = act(
    series ? "Stop the series" : "Cancel",
    {
      title: series ? `Stop ${name}?` : `Cancel ${name}?`,
      text: series ? "Nothing more opens, what has not started is cancelled, what runs goes on to its end." : "Nobody wins. It can be reopened afterwards.",
      action: series ? "Stop it" : "Cancel it",
      danger: true, work: () => command(id, "cancel"), said: series ? "The series is stopped." : "It is cancelled.",
    },
    "quiet-danger",
  );
  const reopen = (text, fields) => act("Reopen", { title: `Reopen ${name}?`, text, fields, given: { ends_at: soon(view) }, work: (found) => command(id, "reopen", found), said: "It is open again." });
  if (status === "scheduled")
    return [
      !series && act("Start now", { title: `Start ${name} now?`, text: `Scores count from this moment on. ${view.starts_at ? `It would start ${when(view.starts_at)}.` : ""}`, work: () => command(id, "start"), said: "It has started." }, "primary"),
      changed,
      cancel,
    ].filter(Boolean);
  if (status === "running")
    return [
      act("End now", { title: `End ${name} now?`, text: "What is in the log by now counts, nothing later. Prizes are worked out at once. A mistaken end can be undone until prizes are approved.", danger: true, work: () => command(id, "end"), said: "It has ended." }, "primary"),
      view.ends_at &&
        act("Extend", {
          title: `Give ${name} more time`, text: `It ends ${when(view.ends_at)}.`,
          fields: [{ name: "more", label: "Longer by", kind: "duration", max: 366 * 24 * 3600, need: true, hint: "Such as 15 min or 1:30:00." }],
          given: { more: 900 },
          work: ({ more }) => edit(id, { ends_at: new Date(Date.parse(view.ends_at) + more * 1000).toISOString() }, view.version),
          said: "It ends later.",
        }),
      view.frozen && act("Reveal", { title: "Show the real table?", text: "Everybody sees it from now on; it is not frozen again.", work: () => command(id, "reveal"), said: "The table is shown." }),
      changed,
      cancel,
    ].filter(Boolean);
  const revealed = view.frozen && act("Reveal", { title: "Show the real table?", text: "Everybody sees it from now on.", work: () => command(id, "reveal"), said: "The table is shown." });
  if (series) return [];
  return [
    status === "finished"
      ? reopen("It goes on from where it was: what counted counts on, what was ignored since the end stays so. Not any more once prizes are approved.", [MORE_TIME])
      : reopen("Its cancellation is undone. Before its start it waits for it again, and needs no new end.", [{ ...MORE_TIME, need: false }]),
    revealed,
  ].filter(Boolean);
}

/** The focus where it was: meanwhile the buttons may have been made anew, or this one be gone. */
export function keepPlace(name) {
  const same = /** @type {HTMLElement | null} */ (document.querySelector(`.actions [data-name="${name}"]`));
  (same ?? document.getElementById("main")).focus({ preventScroll: true });
}

const soon = ({ status, ends_at }) => (status === "cancelled" && ends_at && Date.parse(ends_at) > Date.now() ? undefined : new Date(Date.now() + 15 * 60_000).toISOString());
