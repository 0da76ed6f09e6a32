// How much was done each day.

import { readAddress, writeAddress } from "../address.js";
import { choices, el } from "../dom.js";
import { bytes, count, dollars, number } from "../words.js";
import { barChart } from "./bars.js";
import { Panel, nothing } from "./panel.js";
import { Table } from "./table.js";

const DAY_MS = 24 * 3_600 * 1_000;
const USUAL_DAYS = 30;
const SPANS = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
];
const MEASURES = {
  jobs_completed: ["Jobs done", number],
  jobs_failed: ["Jobs failed", number],
  jobs_cancelled: ["Jobs cancelled", number],
  images_stored: ["Pictures stored", number],
  bytes_stored: ["Bytes stored", bytes],
  images_generated: ["Pictures drawn", number],
  generation_seconds: ["Seconds of drawing", (seconds) => number(Math.round(seconds))],
  paid_calls: ["Paid calls", number],
  cost_micros: ["Cost of pictures", dollars],
};
const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeZone: "UTC" });

export class UsagePanel extends Panel {
  constructor(parts) {
    super(parts, { everyMs: 60_000 });
    const { days = String(USUAL_DAYS), of = "jobs_completed" } = readAddress();
    const measures = Object.entries(MEASURES).map(([name, [title]]) => [name, title]);
    this.measure = el(
      "select",
      { id: "usage-measure", change: (event) => writeAddress({ of: event.target.value }, { replace: true }) },
      measures.map(([value, title]) => el("option", { value, selected: value === of }, title)),
    );
    this.chart = el("figure", { class: "chart" });
    this.table = new Table("What was done, by day in UTC", COLUMNS);
    this.below = el("div", { class: "panel-empty" });
    this.element.prepend(
      el(
        "div",
        { class: "filters" },
        choices("How many days", SPANS, days, (span) => writeAddress({ days: span }, { replace: true })),
        el("p", { class: "field" }, el("label", { for: "usage-measure" }, "What the chart shows"), this.measure),
      ),
    );
  }

  wants({ type }) {
    return type === "job.completed" || type === "job.failed" || type === "image.stored";
  }

  fetch() {
    const days = Number(SPANS.find(([span]) => span === this.address.days)?.[0] ?? USUAL_DAYS);
    const since = new Date(Date.now() - (days - 1) * DAY_MS).toISOString().slice(0, 10);
    return this.api.get("/analytics/usage", { group_by: "day", since, limit: 366 });
  }

  draw({ items, total, since, until }) {
    if (!this.body.firstChild) this.body.replaceChildren(this.chart, this.table.element, this.below);
    const measure = this.address.of in MEASURES ? this.address.of : "jobs_completed";
    this.measure.value = measure;
    const [title, write] = MEASURES[measure];
    const byDay = new Map(items.map((one) => [one.day, one]));
    const bars = daysBetween(since, until).map((day) => {
      const value = byDay.get(day)?.[measure] ?? 0;
      return { label: dayName(day), value, text: write(value) };
    });
    const sum = el("strong", {}, `${title}: ${write(total[measure])}`);
    const ends = [since, until].map((day) => el("span", {}, dayName(day)));
    this.chart.replaceChildren(
      el("figcaption", {}, sum, ` in ${count(bars.length, "day")}`),
      barChart(bars),
      el("p", { class: "chart-ends hint", "aria-hidden": "true" }, ends),
    );
    this.table.show(items, ({ day }) => day);
    this.below.replaceChildren(...(items.length ? [] : [nothing("Nothing was done in these days.")]));
  }
}

const COLUMNS = [
  { name: "Day", head: true, cell: ({ day }) => dayName(day) },
  ...Object.entries(MEASURES).map(([name, [title, write]]) => {
    return { name: title, number: true, cell: (one) => write(one[name]) };
  }),
];

function dayName(day) {
  return DAY.format(new Date(`${day}T00:00:00Z`));
}

function daysBetween(since, until) {
  const days = [];
  for (let at = Date.parse(since); at <= Date.parse(until); at += DAY_MS) {
    days.push(new Date(at).toISOString().slice(0, 10));
  }
  return days;
}
