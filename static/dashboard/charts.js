/** The charts of the last hours: drawn by uPlot in the colours of the theme, and the same once more as a table. */

import uPlot from "../vendor/uPlot.esm.js";

const ROWS = 12;
const MOST = new Set(["conferences", "members", "streams"]);
const WHOLE = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power)); // nobody is a quarter
const COLOURS = ["--tblr-primary", "--confr-warning"];

const section = document.getElementById("now-charts");
const say = section.querySelector("[data-charts-state]");
const buttons = [...section.querySelectorAll("[data-series]")];
const plots = [...section.querySelectorAll("[data-lines]")].map((box) => ({ box, chart: null }));
const language = document.documentElement.lang;
let address = buttons[0].dataset.series;
let series;

async function load() {
  const asked = address;
  let answer;
  try {
    const response = await fetch(asked, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(response.status);
    answer = await response.json();
  } catch {
    say.textContent = say.dataset.failed;
    return;
  }
  if (asked !== address) return;
  series = answer;
  show();
}

function show() {
  const isEmpty = series.members.every((value) => value === null);
  say.textContent = isEmpty ? say.dataset.empty : "";
  section.querySelector("[data-plots]").hidden = isEmpty;
  if (isEmpty) return;
  for (const plot of plots) draw(plot);
  tabulate();
}

function draw(plot) {
  const lines = plot.box.dataset.lines.split(" ");
  const data = [series.at, ...lines.map((name) => series[name])];
  if (plot.chart) plot.chart.setData(data);
  else plot.chart = new uPlot(options(plot.box, lines), data, plot.box);
}

function options(box, lines) {
  const axis = { stroke: () => colour("--tblr-secondary-color"), grid: { stroke: () => colour("--tblr-border-color"), width: 1 } };
  return {
    ...size(box),
    series: [
      { label: box.parentElement.dataset.time, value: (_, at) => (at === null ? "–" : clock(at)) },
      ...lines.map((name, index) => ({
        label: box.dataset[name],
        stroke: () => colour(COLOURS[index]),
        width: 2,
        dash: index ? [6, 3] : undefined, // not by colour alone
        points: { show: false },
        value: (_, value) => value ?? "–",
      })),
    ],
    axes: [
      { ...axis, values: (_, times) => times.map(clock) },
      { ...axis, size: 48, incrs: WHOLE },
    ],
    scales: { y: { range: (_, least, most) => [0, Math.max(1, most * 1.1)] } },
    cursor: { drag: { x: false, y: false } },
  };
}

function size(box) {
  return { width: Math.max(box.clientWidth, 200), height: 200 };
}

/** A variable of the theme as a colour that a canvas understands: it may be made of others. */
function colour(name) {
  say.style.setProperty("color", `var(${name})`, "important"); // its class has a colour too
  const found = getComputedStyle(say).color;
  say.style.removeProperty("color");
  return found;
}

function clock(at) {
  return new Date(at * 1000).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** What the lines say, in a dozen rows: the most at once, and how often in all. */
function tabulate() {
  const width = Math.ceil(series.at.length / ROWS);
  const columns = [...section.querySelectorAll("[data-column]")].map((cell) => cell.dataset.column);
  const body = section.querySelector(".now-table tbody");
  body.replaceChildren();
  for (let start = 0; start < series.at.length; start += width) {
    const row = body.insertRow();
    for (const name of columns) row.insertCell().textContent = name === "at" ? clock(series.at[start]) : cell(name, start, start + width);
  }
}

function cell(name, start, end) {
  const values = series[name].slice(start, end).filter((value) => value !== null);
  if (!values.length) return "–";
  if (MOST.has(name)) return Math.max(...values);
  return Math.round((values.reduce((sum, value) => sum + value, 0) * series.step) / 60);
}

for (const button of buttons) {
  button.addEventListener("click", () => {
    address = button.dataset.series;
    for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
    load();
  });
}
section.addEventListener("live:changed", load);
new ResizeObserver(() => plots.forEach(({ box, chart }) => chart?.setSize(size(box)))).observe(section);
new MutationObserver(() => plots.forEach(({ chart }) => chart?.redraw())).observe(document.documentElement, {
  attributeFilter: ["data-bs-theme"],
});
load();
