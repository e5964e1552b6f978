// The series of analytics as charts, kept fresh, and what tournaments came to in the range.

import { el, setAttr, setText, svg } from "../dom.js";
import { count, dayAndTime } from "../format.js";
import { errorText } from "../notice.js";
import { getMetric, getSummary } from "./calls.js";
import { live, table } from "./parts.js";

const REFRESH_MS = 10_000;
const HEIGHT = 190;
/** @type {[string, string, number][]} */
const RANGES = [["hour", "Last hour", 3600], ["day", "Last 24 hours", 86_400], ["week", "Last 7 days", 7 * 86_400], ["month", "Last 30 days", 30 * 86_400]];
const TYPES = [["", "All types"], ["scheduled", "Scheduled"], ["instant", "Instant"]];
// A chart: its title, the lines in it, and whether it is about tournaments (then it follows the type).
const CHARTS = [
  { title: "Submissions and joins", lines: [["submissions", "Submissions"], ["joins", "Joins"]], ofType: true },
  { title: "Tournaments made and finished", lines: [["created", "Made"], ["finished", "Finished"]], ofType: true },
  { title: "Participation and completion", lines: [["participation_rate", "Have a score"], ["completion_rate", "Are done"]], ofType: true },
  { title: "Scores of final tables", lines: [["median_score", "Median"], ["average_score", "Average"], ["q1_score", "Lower quartile"], ["q3_score", "Upper quartile"]], ofType: true },
  { title: "Spread of final scores", lines: [["stddev_score", "Standard deviation"]], ofType: true },
  { title: "Live sockets", lines: [["sockets", "Open"]] },
  { title: "Time to accept a submission", lines: [["latency_p50", "Half within"], ["latency_p95", "95 % within"]] },
];
const COLOURS = ["first", "second", "third", "fourth"];
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]]; // told apart without colours, too

const VALUES = {
  count: (value) => count(Math.round(value * 100) / 100),
  ratio: (value) => `${(value * 100).toFixed(1)} %`,
  score: (value) => value.toLocaleString("en", { maximumFractionDigits: 2 }),
  ms: (value) => `${value.toLocaleString("en", { maximumFractionDigits: 1 })} ms`,
};

export function chartsView(root, parameters, { signal, setTitle }) {
  setTitle("Charts");
  let asked = clean(parameters);
  const choose = (label, id, options, change) => {
    const select = /** @type {HTMLSelectElement} */ (el("select", { id, on: { change: () => change(select.value) } }, options.map(([value, text]) => el("option", { value, text }))));
    return [select, el("div", { class: "choice" }, el("label", { for: id, text: label }), select)];
  };
  const go = (next) => location.replace(`#/charts?${new URLSearchParams({ ...asked, ...next })}`);
  const [range, rangeField] = choose("Range", "range", RANGES, (value) => go({ range: value }));
  const [type, typeField] = choose("Type", "type", TYPES, (value) => go({ type: value }));
  const totals = el("dl", { class: "totals" });
  const types = table("What each type came to", [
    { title: "Type", head: true, cell: (row) => row.type },
    { title: "Made", class: "number", cell: (row) => count(row.created) },
    { title: "Finished", class: "number", cell: (row) => count(row.finished) },
    { title: "Joins", class: "number", cell: (row) => count(row.joins) },
    { title: "Submissions", class: "number", cell: (row) => count(row.submissions) },
    { title: "Have a score", class: "number", cell: (row) => shown("ratio", row.participation_rate) },
    { title: "Median", class: "number", cell: (row) => shown("score", row.scores.median) },
  ]);
  const charts = CHARTS.map((described) => chart(described, signal));
  const view = live(fetchSummary, drawSummary, REFRESH_MS, signal);
  root.append(
    el("div", { class: "view-head" }, el("h1", { text: "Charts" }), el("div", { class: "line" }, rangeField, typeField)),
    view.element,
    el("div", { class: "charts" }, charts.map((each) => each.element)),
  );
  show();

  function since() {
    const [, , seconds] = RANGES.find(([name]) => name === asked.range);
    return { from: new Date(Date.now() - seconds * 1000).toISOString() };
  }

  function fetchSummary(signalOf) {
    for (const each of charts) void each.load(since(), asked.type);
    return getSummary({ ...since(), type: asked.type }, signalOf);
  }

  function drawSummary(summary, into) {
    totals.replaceChildren(
      ...[
        ["Tournaments made", count(summary.created)],
        ["Finished", count(summary.finished)],
        ["Joins", count(summary.joins)],
        ["Submissions", count(summary.submissions)],
        ["Have a score", shown("ratio", summary.participation_rate)],
        ["Are done", shown("ratio", summary.completion_rate)],
        ["Median score", shown("score", summary.scores.median)],
      ].map(([name, value]) => el("div", {}, el("dt", { text: name }), el("dd", { text: value }))),
    );
    types.show(summary.types.map((row) => ({ ...row, key: row.type })));
    if (!totals.isConnected) into.append(totals, types.element);
  }

  function show() {
    range.value = asked.range;
    type.value = asked.type;
  }

  return {
    update(next) {
      asked = clean(next);
      show();
      void view.refresh();
    },
  };
}

/** One chart: `load(bounds, type)` fetches its lines and draws them. */
function chart({ title, lines, ofType = false }, signal) {
  const place = el("div", { class: "plot" });
  const note = el("p", { class: "hint", text: "Loading…" });
  const values = table(`${title}, as numbers`, [{ title: "From", head: true, cell: ({ time }) => dayAndTime(time) }, ...lines.map(([, text], index) => ({ title: text, class: "number", cell: (row) => shown(row.unit, row.values[index]) }))]);
  const numbers = el("details", {}, el("summary", { text: "As numbers" }), el("div", { class: "tall", tabindex: 0, role: "region", "aria-label": `${title}, as numbers` }, values.element));
  const told = lines.map(() => el("span", { class: "legend-value" }));
  const legend = el("ul", { class: "legend" }, lines.map(([, text], index) => el("li", {}, swatch(index), text, " ", told[index])));
  const element = el("figure", { class: "panel chart" }, el("figcaption", {}, el("h2", { text: title }), note), legend, place, numbers);
  let plot = null;
  let pointed = (_index) => {}; // tells of the step under the pointer
  let newest = 0; // which answers are wanted
  const watch = new ResizeObserver(() => plot?.setSize({ width: place.clientWidth, height: HEIGHT }));
  watch.observe(place);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const recoloured = () => plot?.redraw();
  dark.addEventListener("change", recoloured);
  const theme = new MutationObserver(recoloured);
  theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  signal.addEventListener("abort", () => {
    watch.disconnect();
    theme.disconnect();
    dark.removeEventListener("change", recoloured);
    plot?.destroy();
  }, { once: true });

  async function load(bounds, type) {
    const mine = ++newest;
    try {
      const answers = await Promise.all(lines.map(([metric]) => getMetric({ metric, ...bounds, type: ofType ? type : "" }, signal)));
      if (mine === newest && !signal.aborted) await draw(answers);
    } catch (error) {
      if (mine === newest && !signal.aborted) setText(note, errorText(error));
    }
  }

  async function draw(answers) {
    const { default: Plot } = await import("../vendor/uplot/uPlot.esm.js");
    if (signal.aborted) return;
    const [{ unit, points }] = answers;
    const data = [points.map(({ time }) => Date.parse(time) / 1000), ...answers.map((answer) => answer.points.map(({ value }) => value))];
    const last = answers.map((answer) => answer.points.findLast(({ value }) => value !== null)?.value ?? null);
    const words = lines.map(([, text], index) => `${text}: ${shown(unit, last[index])}`).join(" · ");
    const tell = (index) => {
      const values = index === null ? last : answers.map((answer) => answer.points[index]?.value ?? null);
      for (const [line, value] of values.entries()) setText(told[line], shown(unit, value));
      setText(note, last.every((value) => value === null) ? "Nothing in this range." : index === null ? "Newest" : `From ${dayAndTime(points[index].time)}`);
    };
    tell(null);
    pointed = tell;
    setAttr(place, "role", "img");
    setAttr(place, "aria-label", `${title}. Newest: ${words}`);
    const rows = points.map(({ time }, index) => ({ time, unit, values: answers.map((answer) => answer.points[index]?.value ?? null), key: time })).filter((row) => row.values.some((value) => value !== null && value !== 0));
    values.show(rows.reverse());
    if (plot) plot.setData(data);
    else plot = new Plot(options(unit, lines, place, (index) => pointed(index)), data, place);
  }

  return { element, load };
}

/** How a line looks, for its legend. */
const swatch = (index) => svg("svg", { class: "swatch", viewBox: "0 0 24 8", "aria-hidden": "true", focusable: "false", data: { ink: COLOURS[index] } }, svg("line", { x1: 0, y1: 4, x2: 24, y2: 4, "stroke-dasharray": DASHES[index].join(" ") || null }));

/** A colour of the theme in use, as a canvas takes it: `light-dark()` is resolved where an element has it. */
function ink(name) {
  const probe = el("span", { data: { ink: name } });
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** What uPlot is told of a chart. */
function options(unit, lines, place, pointedAt) {
  const axis = { stroke: () => ink("text"), grid: { stroke: () => ink("line"), width: 1 }, ticks: { stroke: () => ink("line"), width: 1 }, font: "12px system-ui, sans-serif" };
  return {
    width: place.clientWidth,
    height: HEIGHT,
    cursor: { y: false },
    legend: { show: false },
    hooks: { setCursor: [(plot) => pointedAt(plot.cursor.idx ?? null)] },
    scales: { y: { range: (_plot, low, high) => bounds(low, high) } },
    axes: [axis, { ...axis, size: 68, values: (_plot, ticks) => ticks.map((tick) => shown(unit, tick)) }],
    series: [
      {},
      ...lines.map(([, text], index) => ({ label: text, stroke: () => ink(COLOURS[index]), width: 2, dash: DASHES[index], spanGaps: true, points: { show: (plot, at) => plot.data[at].filter((value) => value !== null).length < 40, size: 5 } })),
    ],
  };
}

/** From 0, or from below it; with room above. @returns {[number, number]} */
function bounds(low, high) {
  if (low === null) return [0, 1];
  return [Math.min(0, low), high > 0 ? high * 1.05 : 1];
}

const shown = (unit, value) => (value === null || value === undefined ? "–" : VALUES[unit](value));

function clean({ range = "day", type = "" }) {
  return { range: RANGES.some(([name]) => name === range) ? range : "day", type: TYPES.some(([name]) => name === type) ? type : "" };
}
