// Dead letters: what could not be applied and why, and sending scores again.

import { announce } from "../announce.js";
import { el, setText } from "../dom.js";
import { count } from "../format.js";
import { errorText } from "../notice.js";
import { getLetters, replayLetters } from "./calls.js";
import { ask } from "./forms/dialogs.js";
import { button, chip, live, moment, table } from "./parts.js";

const REFRESH_MS = 5000;
const AT_ONCE = 100; // letters of one call
const REASONS = {
  malformed: "It cannot be read", too_big: "It is too big", unsigned: "Its signature is missing or wrong", wrong_partition: "It lay in the wrong partition",
  unknown_tournament: "Its tournament was not made yet", result_invalid: "The result does not fit the tournament's scoring", scoring_unknown: "The function that scores it is not installed",
};
const IGNORED = { duplicate: "counted before", ended: "the tournament had ended", not_joined: "the player has not joined", not_running: "it has not started yet" };

export function lettersView(root, _parameters, { signal, setTitle }) {
  setTitle("Dead letters");
  let letters = [];
  const chosen = new Set();
  const outcomes = new Map(); // place -> what became of it
  const said = el("p", { class: "said", role: "status" });
  const problem = el("p", { class: "form-error", role: "alert" });
  const all = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", id: "all-letters", on: { change: () => chooseAll() } }));
  const send = button("Send again", () => replay(), { kind: "primary", ready: () => chosen.size > 0, failed: (error) => setText(problem, errorText(error)) });
  const tools = el("div", { class: "line letters-tools" }, el("label", { class: "check-line", for: "all-letters" }, all, " All that can be sent again"), send, said);
  const note = el("p", { class: "hint" });
  const grid = table("Dead letters, newest first", [
    { title: "Choose", cell: ({ place, letter }) => (letter.replayable ? box(place, letter) : " ") },
    { title: "Why", class: "wide", head: true, cell: ({ letter }) => [el("span", { class: "strong", text: REASONS[letter.reason] ?? letter.reason.replaceAll("_", " ") }), letter.detail && el("span", { class: "under", text: letter.detail })] },
    { title: "What", class: "wide", cell: ({ letter }) => [el("span", { text: letter.kind }), letter.value && el("details", {}, el("summary", { text: "Its record" }), el("pre", { text: letter.value }))] },
    { title: "Tournament", cell: ({ letter }) => (/^[1-9][0-9]{0,18}$/.test(letter.key) ? el("a", { href: `#/t/${letter.key}`, text: letter.key }) : el("code", { text: letter.key || "none" })) },
    { title: "When", cell: ({ letter }) => moment(letter.at) },
    { title: "Where", cell: ({ place }) => place },
    { title: "Sent again", cell: ({ outcome }) => (outcome ? chip(outcome.text, outcome.tone) : " ") },
  ]);
  const view = live((asked) => getLetters(AT_ONCE * 2, asked), (answer, into) => {
    const seen = new Set(); // a letter may be stored twice
    letters = answer.items.map((letter) => ({ letter, place: `${letter.partition}/${letter.offset}` })).filter(({ place }) => !seen.has(place) && seen.add(place));
    setText(note, answer.more ? `The newest ${count(letters.length)} are shown; scripts/palio inspect dead-letters has all.` : "");
    draw();
    if (!grid.element.isConnected) into.append(tools, problem, note, grid.element, nothing);
  }, REFRESH_MS, signal);
  const nothing = el("section", { class: "notice" }, el("h2", { text: "There are none" }), el("p", { text: "Every record in the log could be applied." }));
  root.append(
    el("div", { class: "view-head" }, el("h1", { text: "Dead letters" })),
    el("p", { class: "lede", text: "Records of the log that could not be applied. A score can be sent again once what was wrong is mended: it is judged by the moment at which it is sent, and one that counted before does not count twice." }),
    view.element,
  );

  function box(place, letter) {
    const input = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", "aria-label": `Choose the score at ${place}: ${letter.reason.replaceAll("_", " ")}` }));
    input.checked = chosen.has(place);
    input.addEventListener("change", () => {
      if (input.checked) chosen.add(place);
      else chosen.delete(place);
      count_();
    });
    return input;
  }

  function chooseAll() {
    for (const { place, letter } of letters) if (letter.replayable && all.checked) chosen.add(place);
    if (!all.checked) chosen.clear();
    draw();
  }

  function draw() {
    const places = new Set(letters.map(({ place }) => place));
    for (const place of chosen) if (!places.has(place)) chosen.delete(place);
    grid.show(letters.map(({ letter, place }) => ({ letter, place, key: place, chosen: chosen.has(place), outcome: outcomes.get(place) })));
    grid.element.hidden = letters.length === 0;
    tools.hidden = !letters.some(({ letter }) => letter.replayable);
    nothing.hidden = letters.length > 0;
    count_();
  }

  function count_() {
    send.disabled = chosen.size === 0;
    setText(send, chosen.size ? `Send ${count(chosen.size)} again` : "Send again");
    const possible = letters.filter(({ letter }) => letter.replayable).length;
    all.checked = possible > 0 && chosen.size === possible;
    all.indeterminate = chosen.size > 0 && chosen.size < possible;
  }

  async function replay() {
    setText(problem, "");
    const places = [...chosen];
    const done = await ask({
      title: `Send ${count(places.length)} ${places.length === 1 ? "score" : "scores"} again?`,
      text: "Each goes into the log anew, with the event id that it had.",
      action: "Send again",
      async work() {
        for (let start = 0; start < places.length; start += AT_ONCE) await sendPart(places.slice(start, start + AT_ONCE));
      },
    });
    if (!done) return;
    const told = places.map((place) => outcomes.get(place)?.tone);
    const counted = told.filter((tone) => tone === "good").length;
    const words = `${count(counted)} counted, ${count(told.length - counted)} did not.`;
    setText(said, words);
    said.dataset.tone = counted === told.length ? "good" : "warn";
    announce(words);
    chosen.clear();
    draw();
  }

  async function sendPart(places) {
    const body = places.map((place) => {
      const [partition, offset] = place.split("/").map(Number);
      return { partition, offset };
    });
    const { replayed, rejected } = await replayLetters(body);
    for (const each of replayed) outcomes.set(`${each.partition}/${each.offset}`, words(each));
    for (const each of rejected) outcomes.set(`${each.partition}/${each.offset}`, { text: each.detail, tone: "bad" });
    draw();
  }

  return {};
}

function words({ outcome, reason }) {
  if (outcome === "applied") return { text: "counted", tone: "good" };
  if (outcome === "ignored") return { text: IGNORED[reason] ?? String(reason).replaceAll("_", " "), tone: "warn" };
  return { text: "sent, not known yet", tone: "warn" };
}
