// Each process of each service, and what it has in hand.

import { el } from "../dom.js";
import { bytes, count, kindName, moment } from "../words.js";
import { badge } from "./badges.js";
import { Panel, nothing } from "./panel.js";
import { rate, serviceName } from "./queues.js";
import { Table } from "./table.js";

export class ProcessesPanel extends Panel {
  constructor(parts) {
    super(parts, { everyMs: 5_000 });
    this.summary = el("p", { class: "hint" });
    this.table = new Table("Processes by service", COLUMNS);
    this.empty = el("div", { class: "panel-empty" });
  }

  fetch() {
    return this.api.get("/workers");
  }

  draw({ items }) {
    if (!this.body.firstChild) this.body.replaceChildren(this.summary, this.table.element, this.empty);
    // How long ago it was heard of goes on by itself, so that it is no reason to draw a row anew.
    this.table.show(items.map(({ silent_seconds: _, ...worker }) => worker), ({ worker }) => worker);
    const live = items.filter(({ state }) => state === "working").length;
    this.summary.textContent = items.length ? `${count(live, "process", "processes")} at work` : "";
    const none = "No process has reported within the last hour. Start the services: each reports every 10 s.";
    this.empty.replaceChildren(...(items.length ? [] : [nothing(none)]));
  }
}

const COLUMNS = [
  { name: "Service", head: true, cell: ({ service }) => serviceName(service) },
  { name: "Process", cell: ({ worker }) => el("code", {}, worker) },
  { name: "State", cell: ({ state }) => badge("PROCESSES", state) },
  { name: "In hand", number: true, cell: inHand },
  { name: "In", number: true, cell: (worker) => rate(worker.heard_per_second) },
  { name: "Memory", number: true, cell: ({ memory_bytes: size }) => size && bytes(size) },
  { name: "Up since", cell: ({ started_at: at }) => moment(at) },
  { name: "Last heard", cell: ({ last_heard_at: at }) => moment(at) },
  { name: "Version", cell: ({ version }) => version },
  { name: "Does", cell: does },
];

function inHand({ running, capacity }) {
  if (!capacity) return null;
  const meter = el("meter", { min: 0, max: capacity, value: running, "aria-hidden": "true" });
  return [`${running} of ${capacity} `, meter];
}

function does({ kinds }) {
  return kinds.map(kindName).join(", ");
}
