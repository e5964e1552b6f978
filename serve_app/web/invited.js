// What stands in place of a tournament that is not there for this visitor. It may be private: who brings an invite, or is in it, gets in.

import { join, makeDemoPlayer } from "./api.js";
import { el, setText } from "./dom.js";
import { errorText } from "./notice.js";
import { joinForm, tokenForm } from "./play_panel.js";
import { onPlayerChange, player, signIn } from "./player.js";

const TRIES = 3; // 202 means undecided: the call is repeated, which does no harm

/** The invite that the address brings, `#/t/<id>?invite=...`, or "". */
const brought = () => new URLSearchParams(location.hash.split("?")[1] ?? "").get("invite") ?? "";

/** A panel; `retry()` is called once the tournament may be there for the visitor. */
export function notThere(id, retry, signal) {
  const invite = brought();
  const problem = el("p", { class: "form-error", role: "alert" });
  const body = el("div", { class: "play-body" });
  const words = invite ? "You are invited" : "There is no such tournament";
  const element = el("section", { class: "notice invited" }, el("h1", { text: words }), body, problem);
  signal.addEventListener("abort", onPlayerChange(draw), { once: true });
  draw();
  return element;

  function draw() {
    const who = player();
    if (!who) {
      const why = invite ? "Say who you are, then join." : "Or it is private: then those see it who are in it, and those who open the link of their invitation.";
      body.replaceChildren(el("p", { text: why }), tokenForm(become), ...(invite ? [demoButton()] : []));
    } else if (invite) {
      body.replaceChildren(el("p", { text: "This tournament is private. Join it, and you see it." }), joinForm(who.name, enter));
    } else {
      const ask = el("p", { text: "Or it is private, and you are not in it. Open the link of your invitation, or ask who runs it." });
      body.replaceChildren(ask, el("button", { type: "button", class: "button", text: "Try again", on: { click: retry } }));
    }
  }

  function become(found) {
    signIn(found);
    retry(); // who is in it needs no invite
  }

  function demoButton() {
    const button = el("button", { type: "button", class: "button", text: "Play as a demo player" });
    button.addEventListener("click", () => busy(button, async () => become(await makeDemoPlayer())));
    return button;
  }

  function enter(name, button) {
    return busy(button, async () => {
      let answer = await join(id, name, invite);
      for (let tries = 1; answer.status === 202 && tries < TRIES; tries++) answer = await join(id, name, invite);
      if (name) signIn({ ...player(), name });
      history.replaceState(null, "", `#/t/${encodeURIComponent(id)}`); // it is used up
      retry();
    });
  }

  async function busy(button, work) {
    button.disabled = true;
    setText(problem, "");
    try {
      await work();
    } catch (error) {
      if (error.code === "tournament_unknown") setText(problem, "This invitation is not for you, or no good any more: it was used, taken back, or is too late. Ask for another one.");
      else if (error.status === 404) setText(problem, "This Palio gives out no demo players. Use a token instead.");
      else setText(problem, errorText(error));
    } finally {
      button.disabled = false;
    }
  }
}
