// A tournament in the list.

import { clockFace, phase, timeBar } from "./countdown.js";
import { el, setAttr, setText } from "./dom.js";
import { banner } from "./emblem.js";
import { STATUS, count, isolated, people, score } from "./format.js";

/** A pill that names a status. `show(status)`. */
export function statusPill() {
  const text = el("span");
  const element = el("span", { class: "pill" }, el("span", { class: "dot", "aria-hidden": "true" }), text);
  return {
    element,
    show(status) {
      setAttr(element, "data-status", status);
      setText(text, STATUS[status] ?? status);
    },
  };
}

/** A card: `element`, `show(item)` and `tick()`. */
export class Card {
  #item = null;
  #pill = statusPill();
  #clock = clockFace();
  #bar = timeBar();

  constructor(id) {
    this.title = el("bdi", { class: "card-title" });
    this.people = el("span", { class: "card-people" });
    this.leader = el("span", { class: "card-leader" });
    this.element = el(
      "li",
      { class: "card", data: { tournament: id } },
      el(
        "a",
        { href: `#/t/${encodeURIComponent(id)}`, class: "card-link" },
        banner(id),
        el(
          "span",
          { class: "card-body" },
          el("span", { class: "card-top" }, this.#pill.element, this.#clock.element),
          this.title,
          this.leader,
          el("span", { class: "card-foot" }, this.people),
          this.#bar.element,
        ),
      ),
    );
  }

  show(item) {
    this.#item = item;
    this.#pill.show(item.status);
    setAttr(this.element, "data-status", item.status);
    setText(this.title, item.name);
    setText(this.people, item.capacity ? `${count(item.participants ?? 0)} of ${count(item.capacity)} places taken` : people(item.participants ?? 0));
    const first = item.top?.[0];
    setText(this.leader, first ? `${item.status === "finished" ? "Won by" : "Led by"} ${isolated(first.name || `Player ${first.user_id}`)} · ${score(first.score, item.display)}` : "");
    this.leader.hidden = !first;
    this.tick();
  }

  tick() {
    const at = phase(this.#item);
    this.#clock.show(at);
    this.#bar.show(at);
  }
}
