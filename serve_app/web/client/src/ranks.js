// Ranks of listed rows, as the contract says: from the index, the scores (with the subscores) and the tie rule.

/**
 * The rank of each row of a table's beginning (rows in listing order, the first being the leader).
 * `ties`: "first" (1, 2, 3), "shared" (1, 1, 3) or "dense" (1, 1, 2). Throws RangeError for another rule.
 * @param {{score: number, subscore?: number | null}[]} rows @param {string} ties @returns {number[]}
 */
export function ranksOf(rows, ties) {
  if (!["first", "shared", "dense"].includes(ties)) throw new RangeError(`unknown tie rule ${String(ties)}`);
  /** @type {number[]} */
  const ranks = [];
  rows.forEach((row, index) => {
    const tied = index > 0 && row.score === rows[index - 1].score && row.subscore === rows[index - 1].subscore;
    if (ties === "first") ranks.push(index + 1);
    else if (tied) ranks.push(ranks[index - 1]);
    else if (ties === "shared") ranks.push(index + 1);
    else ranks.push(index === 0 ? 1 : ranks[index - 1] + 1);
  });
  return ranks;
}
