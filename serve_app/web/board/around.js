// The rows around the visitor's own.

import { getRankings } from "../api.js";
import { el } from "../dom.js";
import { rankTable } from "./table.js";
import { keepDoing } from "../pages.js";
import { player } from "../player.js";

const ROWS = 7;
const REFRESH_MS = 3000;

/** `element`, `show(ranked, leader, display)` and `refresh()`; hidden while the visitor has no rank. */
export function aroundMe(id, signal) {
  const table = rankTable({ caption: "The ranking around you", compact: true });
  const element = el("section", { class: "panel around", "aria-labelledby": "around-head" }, el("h2", { id: "around-head", text: "Around you" }), table.element);
  element.hidden = true;
  let wanted = false; // the visitor has a rank
  let leader;
  let display = null;
  let rows = []; // as last fetched

  async function refresh() {
    const me = player()?.user_id;
    if (!wanted || !me) {
      element.hidden = true;
      return;
    }
    try {
      ({ rows } = await getRankings(id, { around: me, limit: ROWS }, signal));
    } catch (error) {
      if (error.status !== 404) throw error;
      rows = []; // no rank any more
    }
    if (signal.aborted) return;
    draw();
    element.hidden = rows.length === 0;
  }

  const draw = () => void table.top.update(rows, { me: player()?.user_id, leader, display });

  keepDoing(refresh, REFRESH_MS, signal);
  return {
    element,
    /** Tell whether the visitor is ranked, the leader's score (for gaps), and how scores are shown. Loaded at once where that is news. */
    show(ranked, leaderScore, shown) {
      leader = leaderScore;
      const otherwise = shown?.unit !== display?.unit || shown?.decimals !== display?.decimals;
      display = shown;
      if (otherwise && rows.length) draw();
      const news = ranked !== wanted;
      wanted = ranked;
      if (news) refresh().catch(() => {}); // repeated by the loop above, which also waits as told
    },
    tick: () => table.top.settle(),
  };
}
