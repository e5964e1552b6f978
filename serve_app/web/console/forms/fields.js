// Every field of a tournament: its name in the API, what it means, what may stand in it, and when it may be changed.

const RULES = {
  order: [["desc", "Highest score wins"], ["asc", "Lowest score wins, as in a race"]],
  policy: [["best", "The best one"], ["last", "The last one"], ["sum", "All added up"], ["first", "The first one"]],
  ties: [["first", "Whoever reached it first: 1, 2, 3"], ["shared", "They share the rank: 1, 1, 3"], ["dense", "They share it, the next follows: 1, 1, 2"]],
};
const MOST_PLAYERS = 100_000_000;
const LARGEST = 99_999_999.99;
const YEAR_S = 366 * 24 * 3600;

const series = (values) => values.is_series === "yes";
const scheduled = (values) => values.type === "scheduled" && !series(values);
const scoring = (kind) => (values) => values["scoring.kind"] === kind;
const zones = () => /** @type {string[]} */ (Intl.supportedValuesOf("timeZone"));

/**
 * Groups of fields in the order of the form. A field: `name` (its path in the body; those that begin with `is_` are of the form alone),
 * `label`, `hint`, `kind` (see `inputs.js`), `when(values)`: whether it is asked for at all; `need`: it must be given; `edit`: in which states
 * of a tournament it may be changed (`no` unless said otherwise).
 */
/** @type {{title: string, note?: string, fields: any[]}[]} */
export const GROUPS = [
  {
    title: "What and when",
    fields: [
      { name: "name", label: "Name", kind: "text", max: 200, need: true, edit: "running", hint: "Players see it in lists and at the top of the table." },
      {
        name: "is_series", label: "How often", kind: "choice", options: [["no", "Once"], ["yes", "Again and again: a series"]],
        hint: "A series opens a tournament at each time of its schedule, each with players, scores and a table of its own.",
      },
      {
        name: "type", label: "Starts", kind: "choice", options: [["scheduled", "At a set time"], ["instant", "As soon as it is full"]],
        hint: "Set times are to the millisecond by the log's clock, however far behind the processing is.",
      },
      { name: "recurrence.cron", label: "Schedule", kind: "text", max: 100, need: true, when: series, placeholder: "0 20 * * FRI", hint: "Five fields: minute, hour, day of month, month, day of week. 0 20 * * FRI is each Friday at 20:00." },
      { name: "recurrence.time_zone", label: "Time zone", kind: "suggest", options: zones, need: true, when: series, placeholder: "Europe/Rome", hint: "An IANA name. What summer time skips is due once, at the first moment after it." },
      { name: "recurrence.duration_s", label: "Each one takes", kind: "duration", need: true, max: YEAR_S, when: series },
      { name: "recurrence.ahead", label: "Open ahead of time", kind: "integer", min: 1, max: 20, when: series, placeholder: "1", hint: "So many that have not started yet can be joined." },
      { name: "starts_at", label: "Start", kind: "time", need: true, when: scheduled, edit: "scheduled", hint: "A time that has passed starts it at once." },
      { name: "ends_at", label: "End", kind: "time", need: true, when: scheduled, edit: "running", hint: "What is appended to the log before this moment counts. It may be moved while the tournament runs." },
      { name: "duration_s", label: "Takes", kind: "duration", need: true, max: YEAR_S, when: (values) => values.type === "instant" && !series(values), edit: "scheduled", hint: "From the moment in which it is full." },
      {
        name: "visibility", label: "Who may see it", kind: "choice", options: [["public", "Everybody"], ["private", "Those who are in it, by invitation"]],
        hint: "To everybody else a private one is not there at all, in every call.",
      },
    ],
  },
  {
    title: "Players",
    fields: [
      {
        name: "capacity", label: "Places", kind: "integer", min: 1, max: MOST_PLAYERS, edit: "running",
        when: (values) => values.is_cohorts !== "yes" && values.is_league !== "yes", hint: "Left out: no limit. An instant tournament needs it. Later it may only grow.",
      },
      { name: "min_participants", label: "Fewest players", kind: "integer", min: 0, max: MOST_PLAYERS, edit: "scheduled", when: (values) => values.is_cohorts !== "yes", placeholder: "0", hint: "With fewer at its start it is cancelled instead." },
      { name: "join_until", label: "Joining is possible until", kind: "choice", options: [["end", "The end"], ["start", "The start"]] },
      { name: "is_cohorts", label: "Boards", kind: "choice", options: [["no", "One table for all"], ["yes", "Boards of so many players each"]], when: (values) => values.is_league !== "yes", hint: "With boards the next one opens when one is full, so nobody is ever refused." },
      { name: "cohorts.size", label: "Players on a board", kind: "integer", min: 1, max: 100_000, need: true, when: (values) => values.is_cohorts === "yes" && values.is_league !== "yes" },
      { name: "is_league", label: "League", kind: "choice", options: [["no", "No tiers"], ["yes", "Tiers, with promotion and demotion"]], when: (values) => series(values) && values.type === "scheduled", hint: "Players join the series; each time has a table for each tier." },
      { name: "league.tiers", label: "Tiers", kind: "integer", min: 2, max: 10, need: true, when: (values) => series(values) && values.is_league === "yes", hint: "1 is the highest; whoever is new begins in the lowest." },
      { name: "league.promote", label: "Rise by one", kind: "integer", min: 0, max: 100, need: true, when: (values) => series(values) && values.is_league === "yes", hint: "So many of the first of each final table." },
      { name: "league.demote", label: "Fall by one", kind: "integer", min: 0, max: 100, need: true, when: (values) => series(values) && values.is_league === "yes", hint: "So many of the last." },
      { name: "boards", label: "Ranked also among their own by", kind: "words", most: 4, placeholder: "country, team", hint: "Up to four attributes that players give at joining, in small letters: each gives a rank within its groups beside the global one." },
      { name: "teams.score", label: "Table of teams", kind: "choice", optional: true, options: [["", "None"], ["sum", "The sum of all members"], ["best_mean", "The mean of the best members"]], when: (values) => words(values.boards).includes("team"), hint: "Of those who gave the same team. It needs the attribute “team” above." },
      { name: "teams.best", label: "Best members that count", kind: "integer", min: 1, max: 1000, need: true, when: (values) => words(values.boards).includes("team") && values["teams.score"] === "best_mean" },
    ],
  },
  {
    title: "Scores",
    fields: [
      { name: "order", label: "Who wins", kind: "choice", options: RULES.order },
      { name: "score_policy", label: "Of several attempts counts", kind: "choice", options: RULES.policy },
      { name: "max_attempts", label: "Attempts", kind: "integer", min: 1, max: 10_000, hint: "Left out: 10,000, the most there are. What comes beyond is ignored." },
      { name: "ties", label: "Equal scores", kind: "choice", options: RULES.ties },
      { name: "display.unit", label: "Scores are shown as", kind: "choice", optional: true, edit: "running", options: [["", "Points, two decimals"], ["points", "Points"], ["time", "Times: they are seconds"], ["currency", "Money"]] },
      { name: "display.decimals", label: "Decimals", kind: "integer", min: 0, max: 2, need: true, edit: "running", when: (values) => values["display.unit"] !== "", hint: "What is stored keeps two." },
      {
        name: "scoring.kind", label: "A submission brings", kind: "choice", optional: true,
        options: [["", "Its score"], ["weighted", "A result: fields with weights"], ["keyed", "A result: answers against a key"], ["speed", "A result: the faster, the more points"], ["penalty", "A result: problems solved, minutes and penalties"], ["custom", "A result for a function of this Palio"]],
        hint: "Of a result Palio computes the score. It stays as it is once the tournament is made.",
      },
      { name: "scoring.fields", label: "Weights", kind: "pairs", values: "number", need: true, when: scoring("weighted"), placeholder: "correct = 2\nwrong = -0.5", hint: "A field of the result on each line, and what each of it is worth." },
      { name: "scoring.key", label: "Key", kind: "pairs", values: "answers", need: true, when: scoring("keyed"), placeholder: "q1 = B\nq2 = 4 | four", hint: "A question on each line, its right answer, or several with a | between. Nobody can read the key afterwards, operators included." },
      { name: "scoring.points", label: "Points", kind: "number", need: (values) => values["scoring.kind"] === "speed", when: (values) => ["keyed", "speed"].includes(values["scoring.kind"]), hint: "For each right answer; 1 with a key unless told otherwise." },
      { name: "scoring.wrong", label: "For each wrong answer", kind: "number", when: scoring("keyed"), placeholder: "0" },
      { name: "scoring.skipped", label: "For each missing answer", kind: "number", when: scoring("keyed"), placeholder: "0" },
      { name: "scoring.from_s", label: "All points up to", kind: "duration", when: scoring("speed"), placeholder: "0", hint: "From there they fall evenly." },
      { name: "scoring.to_s", label: "The least from", kind: "duration", need: true, when: scoring("speed") },
      { name: "scoring.least", label: "Least points", kind: "number", when: scoring("speed"), placeholder: "0", hint: "For a right answer that came late. A wrong one has none." },
      { name: "scoring.wrong_minutes", label: "Minutes for a wrong attempt", kind: "integer", min: 0, max: 10_000, when: scoring("penalty"), placeholder: "20", hint: "Only at problems that were solved in the end." },
      { name: "scoring.problems", label: "Problems", kind: "words", most: 100, when: scoring("penalty"), placeholder: "A, B, C", hint: "Left out: any name is taken." },
      { name: "scoring.floor", label: "Not below", kind: "number", min: -LARGEST, max: LARGEST, when: (values) => ["weighted", "keyed"].includes(values["scoring.kind"]) },
      { name: "scoring.cap", label: "Not above", kind: "number", min: -LARGEST, max: LARGEST, when: (values) => ["weighted", "keyed"].includes(values["scoring.kind"]) },
      { name: "scoring.function", label: "Function", kind: "text", max: 64, need: true, when: scoring("custom"), hint: "The name under which it is registered." },
      { name: "scoring.options", label: "Its options", kind: "json", when: scoring("custom"), placeholder: '{"each": 3}' },
      { name: "subscore.order", label: "Second number that tells equal scores apart", kind: "choice", optional: true, options: [["", "None"], ["asc", "Lower first, such as a time"], ["desc", "Higher first"]] },
    ],
  },
  {
    title: "How it ends",
    fields: [
      { name: "is_goal", label: "Ends before its time", kind: "choice", edit: "scheduled", options: [["no", "Never"], ["all_done", "When everyone is done"], ["target", "When a score is reached"]], hint: "Done is whoever has used their attempts or said so." },
      { name: "ends_when.target_score", label: "Score to reach", kind: "number", min: -LARGEST, max: LARGEST, need: true, edit: "scheduled", when: (values) => values.is_goal === "target" },
      { name: "ends_when.count", label: "By so many players", kind: "integer", min: 1, max: MOST_PLAYERS, edit: "scheduled", when: (values) => values.is_goal === "target", placeholder: "1" },
      { name: "window_s", label: "Window of one's own", kind: "duration", max: YEAR_S, edit: "scheduled", hint: "Each player begins by themselves, and has so long. Left out: no windows. Extra time is given to single players later." },
      { name: "freeze_s", label: "The table stands still for the last", kind: "duration", max: YEAR_S, edit: "running", hint: "Players see their own score without its rank; you see the real table. It is shown again at the end, or when you reveal it." },
    ],
  },
  { title: "Prizes", note: "Who wins what. At the end Palio works out the winners; you approve before anything is paid.", fields: [{ name: "prizes", label: "Prizes", kind: "prizes", edit: "scheduled" }] },
  {
    title: "Technical",
    fields: [
      { name: "placement", label: "Process", kind: "choice", options: [["auto", "By its size"], ["shared", "With others"], ["dedicated", "One of its own"]], hint: "A large tournament does better alone; there are as many such processes as the settings allow." },
      { name: "metadata", label: "Metadata", kind: "json", edit: "running", placeholder: '{"room": 7}', hint: "A JSON object that goes along in every view; up to 16 KiB. Palio does not look at it." },
    ],
  },
];

export const words = (text) => String(text ?? "").split(/[\s,]+/).filter(Boolean);

/** The fields of one prize's rule. */
export const PRIZE_FIELDS = [
  { name: "is_who", label: "Who wins", kind: "choice", options: [["ranks", "By rank"], ["top_percent", "The best percent"], ["min_score", "By score"]] },
  { name: "first", label: "From rank", kind: "integer", min: 1, max: 1_000_000, need: true, when: (values) => values.is_who === "ranks" },
  { name: "last", label: "To rank", kind: "integer", min: 1, max: 1_000_000, when: (values) => values.is_who === "ranks", hint: "Left out: that rank alone." },
  { name: "top_percent", label: "Percent", kind: "number", min: 0.01, max: 100, need: true, when: (values) => values.is_who === "top_percent", hint: "Of those with a score, rounded up." },
  { name: "min_score", label: "Score", kind: "number", min: -LARGEST, max: LARGEST, need: true, when: (values) => values.is_who === "min_score", hint: "All whose score is at least as good." },
  { name: "is_what", label: "What", kind: "choice", options: [["money", "Money"], ["item", "A thing"]] },
  { name: "amount", label: "Amount for each place", kind: "amount", need: true, when: (values) => values.is_what === "money", placeholder: "100.00" },
  { name: "currency", label: "Currency", kind: "currency", need: true, when: (values) => values.is_what === "money", placeholder: "EUR" },
  { name: "item", label: "Thing", kind: "text", max: 200, need: true, when: (values) => values.is_what === "item", placeholder: "medal" },
  { name: "count", label: "How many", kind: "integer", min: 1, max: 1_000_000, when: (values) => values.is_what === "item", placeholder: "1" },
  { name: "ties", label: "Those who share a rank", kind: "choice", options: [["split", "Share the amounts of their places"], ["each", "Have it each"], ["next", "Have it one by one, as they came"]] },
  { name: "board", label: "Within each group of", kind: "text", max: 64, hint: "One of the attributes of the tournament. Left out: among all." },
  { name: "claim", label: "Paid only once the winner asks for it", kind: "check" },
];

/** Why a whole form cannot be right, though its fields are: `{path: message}`. */
export function contradictions(values, body) {
  const found = {};
  if (body.starts_at && body.ends_at && Date.parse(body.ends_at) <= Date.parse(body.starts_at)) found.ends_at = "The end must lie after the start.";
  else if (body.ends_at && Date.parse(body.ends_at) <= Date.now()) found.ends_at = "The end must lie in the future.";
  if (values.type === "instant" && values.is_cohorts !== "yes" && "type" in body && body.capacity === undefined) found.capacity = "An instant tournament starts when it is full: say how many places it has.";
  if (body.capacity !== undefined && body.min_participants > body.capacity) found.min_participants = `At most the ${body.capacity} places that there are.`;
  if (body.scoring?.floor !== undefined && body.scoring.cap !== undefined && body.scoring.floor > body.scoring.cap) found["scoring.cap"] = "Not below the lowest score.";
  (body.prizes ?? []).forEach((rule, index) => {
    if (rule.ranks && rule.ranks[1] < rule.ranks[0]) found[`prizes[${index}].last`] = "The last place must not come before the first.";
  });
  return found;
}
