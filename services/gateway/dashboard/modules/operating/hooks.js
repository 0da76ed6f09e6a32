// Webhooks: who is told what happens, whether he hears it, and telling him again.

import { button, el } from "../dom.js";
import { toast } from "../notices.js";
import { moment } from "../words.js";
import { ask, field, tell } from "./asking.js";
import { badge, hookState } from "./badges.js";
import { Deliveries } from "./deliveries.js";
import { hrefOf } from "./links.js";
import { Panel, nothing } from "./panel.js";
import { Table } from "./table.js";

const OVERLAPS = [
  [24, "1 day: receivers can change over"],
  [1, "1 hour"],
  [168, "7 days"],
  [0, "not at all: it has leaked"],
];

/** The list, or what one of them was told where the address names it. */
export class HooksPanel {
  #shown = null;

  constructor(parts) {
    this.list = new HookList(parts);
    this.log = new Deliveries(parts);
    this.element = el("div", {}, this.list.element, this.log.element);
  }

  hear(news) {
    this.#shown?.hear(news);
  }

  enter(address) {
    const next = address.open ? this.log : this.list;
    if (this.#shown !== next) this.#shown?.leave();
    this.#shown = next;
    this.list.element.hidden = next !== this.list;
    this.log.element.hidden = next !== this.log;
    return next.enter(address);
  }

  leave() {
    this.#shown?.leave();
    this.#shown = null;
  }
}

class HookList extends Panel {
  constructor(parts) {
    super(parts, { everyMs: 10_000 });
    this.table = new Table("Webhooks, the newest first", this.#columns());
    this.below = el("div", { class: "panel-empty" });
    const add = button("New webhook …", () => this.#add(), { look: "is-small" });
    this.tools = el("div", { class: "actions" }, parts.who.isWriter && add);
    this.element.prepend(this.tools);
  }

  wants({ type }) {
    return type === "webhook.disabled";
  }

  fetch() {
    return this.api.get("/webhooks", { limit: 200 });
  }

  draw({ items }) {
    if (!this.body.firstChild) this.body.replaceChildren(this.table.element, this.below);
    this.table.show(items);
    const none = "Nobody is told yet. A webhook sends what happens in a project to an address of yours, signed.";
    this.below.replaceChildren(...(items.length ? [] : [nothing(none)]));
  }

  #columns() {
    return [
      { name: "State", cell: state },
      { name: "Address", head: true, cell: (hook) => this.#address(hook) },
      { name: "Is told", cell: (hook) => hook.event_types.join(", ") || "everything" },
      { name: "Made", cell: (hook) => [moment(hook.created_at), ` by ${hook.created_by}`] },
      { name: "", cell: (hook) => this.#actions(hook) },
    ];
  }

  #address({ id, url, description }) {
    const link = el("a", { href: hrefOf({ panel: "webhooks", open: id }), "data-act": "log" }, url);
    return [link, description && el("p", { class: "hint" }, description)];
  }

  #actions(hook) {
    if (!this.who.writes(hook.project_id)) return null;
    const label = (text) => `${text.replace(" …", "")}: ${hook.url}`;
    const act = (name, text, onPress) =>
      button(text, onPress, { look: "is-small", "data-act": name, "aria-label": label(text) });
    const off = hook.active ? "Switch off" : "Switch on";
    return el(
      "div",
      { class: "actions" },
      hook.active && act("test", "Test", () => this.#test(hook)),
      act("rotate", "Rotate …", () => this.#rotate(hook)),
      act("switch", off, () => this.#switch(hook)),
    );
  }

  #test(hook) {
    return this.attempt(async () => {
      await this.api.post(`/webhooks/${hook.id}/test`);
      const link = el("a", { href: hrefOf({ panel: "webhooks", open: hook.id }) }, "See the log");
      toast("A ping is on its way.", { link });
    });
  }

  async #rotate(hook) {
    const words = el("p", {}, "A new secret signs from now on. It is shown once.");
    const fields = [field("hours", "The old one signs too for", { options: OVERLAPS })];
    const answer = await ask("Rotate the secret?", words, { yes: "Make a new secret", fields });
    if (!answer) return;
    await this.attempt(async () => {
      const body = { keep_previous_hours: Number(answer.hours) };
      await showSecret(await this.api.post(`/webhooks/${hook.id}/rotate`, body));
    });
  }

  #switch(hook) {
    return this.attempt(async () => {
      const headers = { "Content-Type": "application/json", "If-Match": `"${hook.version}"` };
      const body = JSON.stringify({ active: !hook.active });
      await this.api.send("PATCH", `/webhooks/${hook.id}`, { headers, body });
      toast(hook.active ? "It is told nothing new now." : "It is told what happens again.");
    });
  }

  async #add() {
    const words = el("p", {}, "What happens in your own project is sent there, signed.");
    const fields = [
      field("url", "Address", { type: "url", required: true, placeholder: "https://example.org/hooks" }),
      field("types", "Events", { placeholder: "all; or job.failed, image.*" }),
    ];
    const answer = await ask("New webhook", words, { yes: "Make it", fields });
    if (!answer) return;
    const types = answer.types.split(/[\s,]+/).filter(Boolean);
    await this.attempt(async () => {
      await showSecret(await this.api.post("/webhooks", { url: answer.url, event_types: types }));
    });
  }
}

function state(hook) {
  const until = hook.previous_secret_expires_at;
  const both = until && el("p", { class: "hint" }, "Two secrets sign; the old one ends ", moment(until));
  return [badge("WEBHOOKS", hookState(hook)), both];
}

function showSecret({ secret }) {
  const words = el("p", {}, "Keep it now: it is shown this once.");
  const shown = el("pre", { class: "selectable secret", tabindex: 0, "aria-label": "Secret" }, secret);
  return tell("The new secret", words, shown);
}
