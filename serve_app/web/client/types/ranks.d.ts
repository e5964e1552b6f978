/**
 * The rank of each row of a table's beginning (rows in listing order, the first being the leader).
 * `ties`: "first" (1, 2, 3), "shared" (1, 1, 3) or "dense" (1, 1, 2). Throws RangeError for another rule.
 * @param {{score: number, subscore?: number | null}[]} rows @param {string} ties @returns {number[]}
 */
export function ranksOf(rows: {
    score: number;
    subscore?: number | null;
}[], ties: string): number[];
