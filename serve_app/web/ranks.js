// Rows as the page shows them: with their ranks, and how far behind the leader they are.

import { ranksOf } from "./client/src/ranks.js";

/** Rows with their `rank`; rows that bring one keep it. */
export function withRanks(rows, ties) {
  const ranks = ranksOf(rows, ties);
  return rows.map((row, index) => ({ ...row, rank: row.rank ?? ranks[index] }));
}

/** How far behind the leader a score is, as a number not below 0, or null where there is no leader. */
export function gapToLeader(score, leaderScore) {
  if (leaderScore === null || leaderScore === undefined) return null;
  return Math.abs(Math.round(leaderScore * 100) - Math.round(score * 100)) / 100;
}
