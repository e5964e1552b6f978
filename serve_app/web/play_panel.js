// The visitor's part in a tournament: become a player, join, send scores, see one's place.

import { getMe, join, leave, makeDemoPlayer, submitScore } from "./api.js";
import { announce } from "./announce.js";
import { arrange, el, setText } from "./dom.js";
import { count, isolated, ordinal, outcome, score } from "./format.js";
import { errorText } from "./notice.js";
import { keepDoing } from "./pages.js";
import { player, playerFromToken, signIn } from "./player.js";
import { scoreForm } from "./score_form.js";

const ME_MS = 5000;
const JOIN_TRIES = 3; // 202 means undecided: the call is repeated, which does no harm
const PLACE_WORDS_S = 10;

export class PlayPanel {
  #id;
  #signal;
  #changed;
  #view = null;
  #me = null; // GET participants/me; null: not joined
  #asked = false; // whether #me is known
  #drawn = null;

  /** `changed(me)` is called when the visitor's place may have changed. */
  constructor(id, signal, changed) {
    this.#id = id;
    this.#signal = signal;
    this.#changed = changed;
    this.heading = el("h2", { id: "play-head", tabindex: "-1", text: "Take part" });
    this.body = el("div", { class: "play-body" });
    this.said = el("p", { class: "said", role: "status" });
    this.problem = el("p", { class: "form-error", role: "alert" });
    this.element = el("section", { class: "panel play", "aria-labelledby": "play-head" }, this.heading, this.body, this.said, this.problem);
    this.place = placeCard();
    this.form = scoreForm((eventId, value) => this.#send(eventId, value));
    keepDoing(async () => (this.#me || !this.#asked) && this.#ask(), ME_MS, signal); // who has not joined joins here
    this.#ask().catch((error) => this.#fail(error));
  }

  focus() {
    this.element.scrollIntoView({ block: "start" });
    (this.body.querySelector("button, input") ?? this.heading).focus({ preventScroll: true });
  }

  show(view) {
    this.#view = view;
    this.form.hint(view);
    this.#draw();
  }

  /** A `me` message from the socket. */
  heard({ rank, previous_rank, score: value, percentile }) {
    if (rank === null) {
      if (this.#me?.rank || value !== null) this.#ask().catch(() => {}); // left, taken out of the table, or it stands still; asked again in a moment anyway
      return; // else: no score yet, or not joined, which the message does not tell apart
    }
    this.#me = { ...(this.#me ?? {}), rank, previous_rank, score: value, percentile };
    this.#asked = true;
    if (rank && previous_rank && rank !== previous_rank)
      announce(`You are ${ordinal(rank)}, ${rank < previous_rank ? "up" : "down"} from ${ordinal(previous_rank)}.`, { kind: "place", everyS: PLACE_WORDS_S });
    this.#draw();
    this.#changed(this.#me);
  }

  playerChanged(why) {
    this.#me = null;
    this.#asked = false;
    setText(this.said, "");
    setText(this.problem, why ?? "");
    this.#draw();
    this.#changed(null);
    this.#ask().catch((error) => this.#fail(error));
  }

  async #ask() {
    const asking = player();
    if (!asking) {
      this.#draw();
      return;
    }
    try {
      const me = await getMe(this.#id, this.#signal);
      if (player()?.user_id !== asking.user_id || this.#signal.aborted) return;
      this.#me = me;
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#me = null;
    }
    this.#asked = true;
    this.#draw();
    this.#changed(this.#me);
  }

  /** Which of the panel's faces is shown; built anew only when that changes, so that focus and typing stay. */
  #draw() {
    if (!this.#view) return;
    const { status } = this.#view;
    const over = status === "finished" || status === "cancelled";
    const face = !player() ? (over ? "watch" : "nobody") : !this.#asked ? "asking" : this.#me?.cohort ? "elsewhere" : this.#me ? (over ? "done" : status === "running" ? "member" : "waiting") : over ? "watch" : "stranger";
    this.element.hidden = face === "watch";
    if (this.#me) this.place.show(this.#me, this.#view.display);
    if (face === this.#drawn) return;
    const focused = this.body.contains(document.activeElement) || document.activeElement === this.heading;
    this.#drawn = face;
    setText(this.heading, this.#me ? "Your place" : "Take part");
    arrange(this.body, this.#face(face));
    if (focused) (this.body.querySelector("input, button") ?? this.heading).focus({ preventScroll: true });
  }

  #face(face) {
    const leaving = () => el("button", { type: "button", class: "link-button", text: "Leave the tournament", on: { click: (event) => this.#leave(event.currentTarget) } });
    switch (face) {
      case "nobody":
        return [el("p", { text: "Play along in this window. Another window is another player." }), this.#demoButton(), tokenForm((found) => this.#become(found))];
      case "stranger":
        return [joinForm(player().name, (name, button) => this.#join(name, button))];
      case "elsewhere": {
        const { tournament_id: board, number } = this.#me.cohort;
        return [el("p", { text: `You are on board ${count(number)}: your scores count there.` }), el("a", { class: "button primary wide", href: `#/t/${encodeURIComponent(board)}`, text: "Go to your board" })];
      }
      case "member":
        return [this.place.element, this.form.element, leaving()];
      case "waiting":
        return [el("p", { text: "You are in. Scores count from the start." }), leaving()];
      case "done":
        return [this.place.element];
      default:
        return [];
    }
  }

  #demoButton() {
    return el("button", {
      type: "button",
      class: "button primary wide",
      text: "Play as a demo player",
      on: {
        click: (event) =>
          this.#busy(event.currentTarget, async () => {
            try {
              this.#become(await makeDemoPlayer());
            } catch (error) {
              if (error.status !== 404 && error.status !== 405) throw error;
              setText(this.problem, "This Palio gives out no demo players. Use a token instead.");
            }
          }),
      },
    });
  }

  #become(found) {
    signIn(found);
    setText(this.said, `You are ${isolated(player()?.name ?? "")}.`);
  }

  #join(name, button) {
    return this.#busy(button, async () => {
      let answer = await join(this.#id, name);
      for (let tries = 1; answer.status === 202 && tries < JOIN_TRIES; tries++) answer = await join(this.#id, name);
      if (answer.status === 202) throw new Error("Joining takes longer than usual. Please try again.");
      if (name) signIn({ ...player(), name });
      await this.#ask();
      setText(this.said, "You have joined.");
      if (this.#me?.cohort) location.hash = `#/t/${encodeURIComponent(this.#me.cohort.tournament_id)}`;
    });
  }

  #leave(button) {
    return this.#busy(button, async () => {
      await leave(this.#id);
      this.#me = null;
      await this.#ask();
      setText(this.said, "You have left. Joining again restores your score.");
    });
  }

  #send(eventId, value) {
    return this.#busy(this.form.button, async () => {
      setText(this.said, "Sending…");
      const answer = await submitScore(this.#id, eventId, value);
      this.form.sent();
      setText(this.said, answer.outcome ? outcome(answer, this.#view?.display) : "Accepted. It will show in the table as soon as it is counted.");
      this.said.dataset.outcome = answer.outcome ?? "accepted";
      this.#ask().catch(() => {}); // asked again in a moment anyway
    });
  }

  async #busy(button, work) {
    button.disabled = true;
    setText(this.problem, "");
    setText(this.said, "");
    delete this.said.dataset.outcome;
    try {
      await work();
    } catch (error) {
      this.#fail(error);
    } finally {
      button.disabled = false;
    }
  }

  #fail(error) {
    if (this.#signal.aborted) return;
    setText(this.said, "");
    setText(this.problem, errorText(error));
  }
}

function placeCard() {
  const rank = el("span", { class: "place-rank" });
  const move = el("span", { class: "place-move" });
  const value = el("dd");
  const percentile = el("dd");
  const attempts = el("dd");
  const fact = (name, cell) => el("div", {}, el("dt", { text: name }), cell);
  const element = el("div", { class: "place" }, el("p", { class: "place-line" }, rank, " ", move), el("dl", {}, fact("Score", value), fact("Percentile", percentile), fact("Attempts", attempts)));
  return {
    element,
    show(me, display) {
      setText(rank, me.rank ? ordinal(me.rank) : me.disqualified ? "Disqualified" : me.score === null || me.score === undefined ? "No score yet" : "Rank not shown yet");
      const places = me.rank && me.previous_rank ? me.previous_rank - me.rank : 0;
      setText(move, places === 0 ? "" : `${places > 0 ? "▲ up" : "▼ down"} ${count(Math.abs(places))}`);
      move.dataset.move = places > 0 ? "up" : "down";
      setText(value, score(me.score, display));
      setText(percentile, me.percentile === null || me.percentile === undefined ? "–" : me.percentile.toFixed(1));
      setText(attempts, me.attempts === undefined ? "–" : count(me.attempts));
    },
  };
}

/** Asks for a name: `submit(name, button)`. */
export function joinForm(name, submit) {
  const input = el("input", { id: "join-name", type: "text", dir: "auto", value: name, maxlength: 64, required: true, autocomplete: "nickname" });
  const button = el("button", { type: "submit", class: "button primary", text: "Join" });
  const onSubmit = (event) => {
    event.preventDefault();
    submit(input.value.trim(), button);
  };
  return el(
    "form",
    { class: "row-form", on: { submit: onSubmit } },
    el("label", { for: "join-name", text: "Your name in the table" }),
    el("div", { class: "row" }, input, button),
  );
}

/** Asks for a token: `submit(player)`. */
export function tokenForm(submit) {
  const input = el("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const problem = el("p", { class: "form-error", id: "token-problem", role: "alert" });
  input.setAttribute("aria-describedby", "token-problem");
  const take = (event) => {
    event.preventDefault();
    try {
      setText(problem, "");
      submit(playerFromToken(input.value));
    } catch (error) {
      setText(problem, error.message);
      input.focus();
    }
  };
  return el(
    "details",
    { class: "token" },
    el("summary", { text: "I have a token" }),
    el("form", { class: "row-form", on: { submit: take } }, el("label", { for: "token", text: "Player token (JWT)" }), el("div", { class: "row" }, input, el("button", { type: "submit", class: "button", text: "Use it" })), problem),
  );
}
