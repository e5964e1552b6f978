// What the live protocol asks of a client, without any socket: positions, gaps, and when to come back.

import { applyPatch } from "./patch.js";

const BACKOFF_MS = 400; // doubled with each failure, up to
const BACKOFF_MAX_MS = 15_000;

/** Whether a close code says not to come back: 4500-4999, or what was sent is not understood. @param {number} code */
export const isFinal = (code) => (code >= 4500 && code <= 4999) || code === 1002 || code === 1007 || code === 1009;

/**
 * How long to wait before connection attempt `attempt` (0, 1, ...): exponential, with half of it random, so that clients do not return together.
 * @param {number} attempt @param {number} [random]
 */
export function backoffMs(attempt, random = Math.random()) {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** attempt);
  return ceiling / 2 + (ceiling / 2) * random;
}

/** The wait that a close reason names (`{"retry_after_ms": 1500}` or `retry_after_ms=1500`), or null. @param {string} reason */
export function retryAfterMs(reason) {
  const found = /retry_after_ms\D{1,4}(\d{1,7})/.exec(reason ?? "");
  return found ? Number(found[1]) : null;
}

/**
 * Take an update or snapshot into a subscription's `{epoch, seq, data}`: "applied", "old" (nothing to do), or "gap".
 * A patch that does not fit counts as a gap: a fresh snapshot heals both.
 * @param {{epoch: number, seq: number, data: any}} subscription @param {any} message
 */
export function take(subscription, message) {
  const { epoch, seq } = message;
  if (message.type === "snapshot") {
    Object.assign(subscription, { epoch, seq, data: message.data });
    return "applied";
  }
  if (subscription.data === null || epoch > subscription.epoch) return "gap";
  if (epoch < subscription.epoch || seq <= subscription.seq) return "old";
  if (seq !== subscription.seq + 1) return "gap";
  try {
    subscription.data = applyPatch(subscription.data, message.patch);
  } catch (error) {
    console.warn("palio: patch did not fit, subscribing again:", error instanceof Error ? error.message : error);
    return "gap";
  }
  subscription.seq = seq;
  return "applied";
}
