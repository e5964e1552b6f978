// The first three of a finished tournament.

import { el } from "../dom.js";
import { emblem } from "../emblem.js";
import { count, score } from "../format.js";

/** A podium of up to three `rows`, with scores as the tournament shows them; empty for none. Listed in order of rank, placed by CSS. */
export function podium(rows, display) {
  return el(
    "ol",
    { class: "podium", "aria-label": "The first three" },
    rows.slice(0, 3).map((row, index) =>
      el(
        "li",
        { data: { step: index + 1, place: Math.min(row.rank, 3) } },
        emblem(row.user_id, "large"),
        el("bdi", { class: "podium-name", text: row.name || `Player ${row.user_id}` }),
        el("span", { class: "podium-score", text: score(row.score, display) }),
        el("span", { class: "podium-step" }, el("span", { class: "quiet-text", text: "Rank " }), el("span", { text: count(row.rank) })),
      ),
    ),
  );
}
