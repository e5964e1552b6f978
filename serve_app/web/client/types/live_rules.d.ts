/**
 * How long to wait before connection attempt `attempt` (0, 1, ...): exponential, with half of it random, so that clients do not return together.
 * @param {number} attempt @param {number} [random]
 */
export function backoffMs(attempt: number, random?: number): number;
/** The wait that a close reason names (`{"retry_after_ms": 1500}` or `retry_after_ms=1500`), or null. @param {string} reason */
export function retryAfterMs(reason: string): number | null;
/**
 * Take an update or snapshot into a subscription's `{epoch, seq, data}`: "applied", "old" (nothing to do), or "gap".
 * A patch that does not fit counts as a gap: a fresh snapshot heals both.
 * @param {{epoch: number, seq: number, data: any}} subscription @param {any} message
 */
export function take(subscription: {
    epoch: number;
    seq: number;
    data: any;
}, message: any): "applied" | "gap" | "old";
export function isFinal(code: number): boolean;
