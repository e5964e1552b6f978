// Numbers, times and the contract's words, as people read them.

const whole = new Intl.NumberFormat("en");
const decimals = [0, 1, 2].map((digits) => new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const plurals = new Intl.PluralRules("en", { type: "ordinal" });
const SUFFIXES = { one: "st", two: "nd", few: "rd", other: "th" };

export const count = (number) => whole.format(number);

/**
 * A score as its tournament shows scores (`display`: `{unit, decimals}`, null for points with two decimals), with a true minus sign.
 * Times are seconds: `46:54`, `1:02:09.50`. What has more decimals than are shown is rounded.
 */
export function score(value, display) {
  if (value === null || value === undefined) return "–";
  const digits = display?.decimals ?? 2;
  if (display?.unit !== "time") return decimals[digits].format(value).replace("-", "−");
  const ticks = 10 ** digits;
  const total = Math.round((Math.round(Math.abs(value) * 100) * ticks) / 100); // in whole numbers, so that 59.999 is no 0:60
  const [seconds, rest] = [Math.floor(total / ticks), total % ticks];
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (number) => String(number).padStart(2, "0");
  const whole = hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
  return `${value < 0 && total > 0 ? "−" : ""}${whole}${digits ? `.${String(rest).padStart(digits, "0")}` : ""}`;
}

export const ordinal = (rank) => `${whole.format(rank)}${SUFFIXES[plurals.select(rank)]}`;
/** A name within other text, so that its direction of writing ends with it (an element of its own is a `bdi`). */
export const isolated = (name) => `\u2068${name.replace(/[\u202a-\u202e\u2066-\u2069]/g, "")}\u2069`;
export const people = (number) => `${whole.format(number)} ${number === 1 ? "participant" : "participants"}`;
export const timeOfDay = (rfc3339) => clock.format(new Date(rfc3339));
export const dayAndTime = (rfc3339) => day.format(new Date(rfc3339));
export const timeRange = (from, to) => day.formatRange(new Date(from), new Date(to));

/** Seconds as a clock: `4:05`, `1:02:09`, or `3 d 04:00` from two days on. */
export function duration(seconds) {
  const total = Math.max(0, Math.ceil(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  if (hours >= 48) return `${Math.floor(hours / 24)} d ${two(hours % 24)}:${two(minutes)}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Seconds ago in rough words: `just now`, `12 s ago`, `5 min ago`, `3 h ago`, `2 d ago`. */
export function ago(seconds) {
  if (seconds < 3) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

export const STATUS = { scheduled: "Scheduled", running: "Running", finished: "Finished", cancelled: "Cancelled" };

const ORDER = { desc: "Highest score wins", asc: "Lowest score wins" };
const POLICY = { best: "Best attempt counts", last: "Last attempt counts", sum: "Attempts add up", first: "First attempt counts" };
const TIES = { first: "Ties: first to reach it leads", shared: "Ties share a rank (1, 1, 3)", dense: "Ties share a rank (1, 1, 2)" };

const MOST_ATTEMPTS = 10_000; // everyone's limit: no rule of this tournament's own

/** The rules of a tournament as short phrases. */
export function rules(view) {
  const order = view.display?.unit === "time" && view.order === "asc" ? "Fastest time wins" : ORDER[view.order];
  const phrases = [order, POLICY[view.score_policy], TIES[view.ties]];
  const attempts = view.max_attempts ?? MOST_ATTEMPTS;
  if (attempts < MOST_ATTEMPTS) phrases.push(attempts === 1 ? "One attempt" : `${count(attempts)} attempts each`);
  if (view.visibility === "private") phrases.push("By invitation");
  return phrases.filter(Boolean);
}

const REASONS = {
  not_joined: "you have not joined this tournament",
  not_running: "the tournament has not started yet",
  ended: "the tournament had already ended",
  duplicate: "this submission was already counted",
  attempts_used: "all your attempts are used",
  out_of_range: "the total would be beyond the largest score",
  cancelled: "the tournament was cancelled",
};

/** What became of a submission, in words. */
export function outcome(answer, display) {
  if (answer.outcome === "ignored") {
    const reason = REASONS[answer.reason] ?? String(answer.reason ?? "no reason given").replaceAll("_", " ");
    return `Not counted: ${reason}.`;
  }
  if (answer.rank === null || answer.rank === undefined) return "Counted.";
  const now = `You are ${ordinal(answer.rank)} with ${score(answer.score, display)}`;
  const before = answer.previous_rank;
  if (before === null || before === undefined) return `Counted. ${now}.`;
  if (before === answer.rank) return `Counted. ${now}, the same place as before.`;
  const places = Math.abs(before - answer.rank);
  return `Counted. ${now}, ${answer.rank < before ? "up" : "down"} ${count(places)} ${places === 1 ? "place" : "places"} from ${ordinal(before)}.`;
}
