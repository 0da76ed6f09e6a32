// The queue of each service, and the kinds of work that rest.

import { button, el } from "../dom.js";
import { icon } from "../icons.js";
import { toast } from "../notices.js";
import { kindName, moment, number } from "../words.js";
import { ask, field } from "./asking.js";
import { badge } from "./badges.js";
import { KINDS } from "./kinds.js";
import { Panel } from "./panel.js";
import { Table } from "./table.js";

// Not one text: a path of the gateway that begins like a folder of some machines.
const WORK = "/work";
const HOUR = 3_600;
const LENGTHS = [
  [900, "15 minutes"],
  [HOUR, "1 hour"],
  [8 * HOUR, "8 hours"],
  [24 * HOUR, "1 day"],
  [7 * 24 * HOUR, "7 days"],
];

export class QueuesPanel extends Panel {
  constructor(parts) {
    super(parts, { everyMs: 5_000 });
    this.warnings = el("ul", { class: "warnings", "aria-label": "What to look after", "aria-live": "polite" });
    this.queues = new Table("Queues of the services", QUEUE_COLUMNS);
    this.work = new Table("Kinds of work", this.#workColumns());
  }

  async fetch() {
    const [queues, pauses] = await Promise.all([this.api.get("/queues"), this.api.get(`${WORK}/pauses`)]);
    return { queues: queues.items, pauses: pauses.items };
  }

  draw({ queues, pauses }) {
    if (!this.body.firstChild) {
      const work = el("section", { class: "panel-part" }, el("h3", {}, "Kinds of work"), this.work.element);
      this.body.replaceChildren(this.warnings, this.queues.element, work);
    }
    this.#warn(queues.filter(({ warning }) => warning));
    this.queues.show(queues, ({ service }) => service);
    this.work.show(workOf(queues, pauses), ({ kind }) => kind);
  }

  #warn(troubled) {
    this.warnings.hidden = troubled.length === 0;
    const told = troubled.map(({ service, sentence }) => `${serviceName(service)}: ${sentence}`);
    const shown = [...this.warnings.children].map((one) => one.dataset.told);
    if (told.join() === shown.join()) return;
    const line = (text) => el("li", { class: "warning", "data-told": text }, icon("warning"), el("span", {}, text));
    this.warnings.replaceChildren(...told.map(line));
  }

  #workColumns() {
    return [
      { name: "Work", head: true, cell: ({ kind }) => [kindName(kind), " ", el("code", {}, kind)] },
      { name: "State", cell: ({ pause }) => badge("WORK", pause ? "rests" : "runs") },
      { name: "Waiting", number: true, cell: ({ waiting }) => known(waiting) },
      { name: "In hand", number: true, cell: ({ running }) => known(running) },
      { name: "Oldest", cell: ({ oldest_waiting_at: at }) => at && moment(at) },
      { name: "Paused by", cell: ({ pause }) => pause && [pause.owner, ", ends ", moment(pause.expires_at)] },
      { name: "", cell: (work) => this.#offer(work) },
    ];
  }

  #offer({ kind, pause }) {
    const [text, act] = pause ? ["Resume", () => this.#resume(kind, pause)] : ["Pause …", () => this.#pause(kind)];
    const label = `${text.replace(" …", "")}: ${kindName(kind)}`;
    return button(text, act, { look: "is-small", "data-act": "pause", "aria-label": label });
  }

  async #pause(kind) {
    const words = el("p", {}, "No job of this kind begins until then; what runs goes on. You will be its owner.");
    const fields = [field("seconds", "For how long", { options: LENGTHS })];
    const answer = await ask(`Pause “${kindName(kind)}”?`, words, { yes: "Pause", fields });
    if (!answer) return;
    await this.#decide(`${WORK}/pause`, { kind, seconds: Number(answer.seconds) }, `${kindName(kind)} rests.`);
  }

  async #resume(kind, { owner }) {
    const isForeign = owner !== this.who.id;
    if (isForeign) {
      const words = el("p", {}, `${owner} has paused it, perhaps for a reason.`);
      if (!(await ask(`Resume “${kindName(kind)}”?`, words, { yes: "Resume it all the same" }))) return;
    }
    const body = { kind, ...(isForeign && { take_over: true }) };
    await this.#decide(`${WORK}/resume`, body, `${kindName(kind)} goes on.`);
  }

  async #decide(path, body, done) {
    await this.attempt(async () => {
      await this.api.post(path, body);
      toast(done);
    });
  }
}

/** Lay what services report over all kinds that there are: one can be paused that nobody works at. */
function workOf(queues, pauses) {
  const reported = new Map(queues.flatMap(({ work }) => work).map((one) => [one.kind, one]));
  const paused = new Map(pauses.map((pause) => [pause.kind, pause]));
  const kinds = [...new Set([...KINDS, ...reported.keys(), ...paused.keys()])].sort();
  return kinds.map((kind) => ({ kind, ...reported.get(kind), pause: paused.get(kind) ?? null }));
}

const QUEUE_COLUMNS = [
  { name: "Service", head: true, cell: ({ service, queue }) => el("span", { title: queue }, serviceName(service)) },
  { name: "State", cell: ({ warning }) => badge("QUEUES", warning ?? "well") },
  { name: "Waiting", number: true, cell: ({ ready }) => known(ready) },
  { name: "Taken, not done", number: true, cell: ({ unacknowledged }) => known(unacknowledged) },
  { name: "In", number: true, cell: (queue) => rate(queue.rate_in_per_second) },
  { name: "Out", number: true, cell: (queue) => rate(queue.rate_out_per_second) },
  { name: "Consumers", number: true, cell: ({ consumers }) => known(consumers) },
  { name: "Processes", number: true, cell: ({ workers }) => known(workers) },
  { name: "Oldest", number: true, cell: ({ oldest_age_seconds: age }) => age !== null && ageOf(age) },
  { name: "Dead", number: true, cell: ({ dead }) => known(dead) },
];

export function serviceName(service) {
  return service.charAt(0).toUpperCase() + service.slice(1).replaceAll("_", " ");
}

export function rate(perSecond) {
  return perSecond === null ? null : `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`;
}

function known(value) {
  return typeof value === "number" ? number(value) : null;
}

function ageOf(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5_400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
