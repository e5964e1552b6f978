// A tournament's report: what it came to, its pictures with the numbers beside them, and all of it as files.

import { el, setText } from "../../dom.js";
import { STATUS, count, dayAndTime, score } from "../../format.js";
import { errorText } from "../../notice.js";
import { getPicture, getReport, getTournament, saveReport } from "../calls.js";
import { button, live, pill, table, when } from "../parts.js";

const REFRESH_MS = 15_000;
const PICTURES = ["histogram", "attempts", "curves"];
const SAID = { histogram: "Scores: how many participants have which", attempts: "What came in over time: scores that counted, and joins", curves: "Ranks of the first ten over time" };
const TABLES = [["standings", "Table over time"], ["attempts", "What came in"], ["histogram", "Scores"], ["curves", "Ranks"]];

export function reportView(root, { id }, { signal, setTitle }) {
  setTitle("Report");
  const title = el("h1", { class: "t-name", text: "Report" });
  const status = el("span");
  const said = el("p", { class: "said", role: "status" });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
  const totals = el("dl", { class: "totals" });
  const asOf = el("p", { class: "hint" });
  const shown = Object.fromEntries(PICTURES.map((part) => [part, el("img", { alt: SAID[part], width: 1280, height: 576 })]));
  let display = null;
  let drawn = ""; // as of when, and in which colours
  const value = (of) => (of === null ? "–" : score(of, display));
  const rate = (of) => (of === null ? "–" : `${(of * 100).toFixed(1)} %`);
  const numbers = {
    histogram: table("Scores, as numbers", [
      { title: "From", head: true, cell: (row) => value(row.from) },
      { title: "Below", class: "number", cell: (row) => value(row.to) },
      { title: "Participants", class: "number", cell: (row) => count(row.count) },
    ]),
    attempts: table("What came in, as numbers", [
      { title: "From", head: true, cell: (row) => dayAndTime(row.time) },
      { title: "Scores", class: "number", cell: (row) => count(row.submissions) },
      { title: "Joins", class: "number", cell: (row) => count(row.joins) },
    ]),
    curves: table("The first ten, as numbers", [
      { title: "Name", head: true, cell: (row) => el("bdi", { text: row.name ?? `user ${row.user_id}` }) },
      { title: "Rank", class: "number", cell: (row) => count(row.ranks.at(-1)) },
      { title: "Best before", class: "number", cell: (row) => { const before = row.ranks.slice(0, -1).filter((rank) => rank !== null); return before.length ? count(Math.min(...before)) : null; } },
      { title: "Score", class: "number", cell: (row) => value(row.scores.at(-1)) },
    ]),
  };
  const places = PICTURES.map((part) =>
    el("figure", { class: "panel chart" }, el("div", { class: "picture", tabindex: 0, role: "region", "aria-label": SAID[part] }, shown[part]),
      el("details", {}, el("summary", { text: "As numbers" }), el("div", { class: "tall", tabindex: 0, role: "region", "aria-label": `${SAID[part]}, as numbers` }, numbers[part].element))));
  const save = (text, what, name) => button(text, async () => setText(said, `${await saveReport(id, what, name)} is saved.`), { failed: (error) => setText(said, errorText(error)) });
  const files = el("div", { class: "line" },
    save("As PNG", "/picture?format=png", `tournament-${id}-report.png`),
    save("As SVG", "/picture?format=svg", `tournament-${id}-report.svg`),
    TABLES.map(([name, text]) => save(`${text}, CSV`, `?format=csv&table=${name}`, `tournament-${id}-${name}.csv`)));
  const view = live(fetchAll, draw, REFRESH_MS, signal);
  root.append(el("a", { class: "back", href: `#/t/${encodeURIComponent(id)}`, text: "← The tournament" }), el("div", { class: "view-head" }, title, status), view.element);
  const recolour = () => void view.refresh();
  dark.addEventListener("change", recolour, { signal });
  const watched = new MutationObserver(recolour);
  watched.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  signal.addEventListener("abort", () => watched.disconnect(), { once: true });

  async function fetchAll(asked) {
    const [report, tournament] = await Promise.all([getReport(id, asked), getTournament(id, asked)]);
    const colours = theme();
    if (drawn === `${report.as_of} ${report.status} ${colours}`) return { report, tournament, pictures: null, colours };
    const pictures = [];
    for (const part of PICTURES) pictures.push(await getPicture(id, { part, theme: colours }, asked));
    return { report, tournament, pictures, colours };
  }

  function draw({ report, tournament, pictures, colours }, into) {
    display = tournament.display;
    setTitle(`Report: ${report.name}`);
    title.replaceChildren(el("bdi", { text: report.name }));
    status.replaceChildren(pill(report.status, STATUS[report.status]));
    setText(asOf, `As of ${when(report.as_of)}${tournament.frozen ? ". The public table stands still; this is the real one" : ""}.`);
    totals.replaceChildren(...[
      ["Participants", count(report.participants)],
      ["Have a score", rate(report.participation_rate)],
      ["Are done", rate(report.completion_rate)],
      ["Scores counted", count(report.submissions)],
      ["Median", value(report.scores.median)],
      ["Average", value(report.scores.average)],
      ["Spread", value(report.scores.stddev)],
    ].map(([name, text]) => el("div", {}, el("dt", { text: name }), el("dd", { text }))));
    numbers.histogram.show(report.histogram.map((row) => ({ ...row, key: row.from })));
    numbers.attempts.show(report.attempts.map((row) => ({ ...row, key: row.time })).reverse());
    numbers.curves.show(report.curves.players.map((row) => ({ ...row, key: row.user_id })));
    for (const [index, picture] of (pictures ?? []).entries()) shown[PICTURES[index]].src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(picture)}`;
    shown.histogram.alt = `${SAID.histogram}. ${report.scores.count ? `From ${value(report.scores.min)} to ${value(report.scores.max)}, median ${value(report.scores.median)}` : "Nobody has a score"}.`;
    drawn = `${report.as_of} ${report.status} ${colours}`;
    if (!totals.isConnected) into.append(asOf, totals, files, said, el("div", { class: "pictures" }, places));
  }

  return {};
}
