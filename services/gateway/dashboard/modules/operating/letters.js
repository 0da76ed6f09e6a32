// Dead letters: what could not be taken in, and what shall become of it.

import { writeAddress } from "../address.js";
import { button, el } from "../dom.js";
import { toast } from "../notices.js";
import { bytes, count, moment } from "../words.js";
import { ask, field } from "./asking.js";
import { badge, SETS } from "./badges.js";
import { jobLink } from "./links.js";
import { Panel, nothing } from "./panel.js";
import { serviceName } from "./queues.js";
import { Table } from "./table.js";

const PAGE = 50;
const MOST = 200;
const SERVICES = ["depth_map", "gateway", "image_generation", "media", "scraper"];
const OPEN = new Set(["dead", "redriving", "discarding"]);
const ACTS = {
  redrive: { yes: "Deliver", title: "Deliver once more?", done: "on the way again" },
  discard: { yes: "Give up", title: "Give up for good?", done: "given up" },
};
const WARNINGS = {
  redrive: "Their services take them in once more. What was taken in meanwhile is recognised.",
  discard: "They are never delivered again: what they asked for is not done. This cannot be taken back.",
};

export class LettersPanel extends Panel {
  #limit = PAGE;
  #asked = null;

  constructor(parts) {
    super(parts, { everyMs: 10_000 });
    this.form = this.#form();
    this.bulk = el("div", { class: "actions" });
    this.table = new Table("Dead letters, the newest first", this.#columns());
    this.below = el("div", { class: "panel-more" });
    this.detail = el("section", { class: "panel-part letter", "aria-label": "The chosen letter", tabindex: -1 });
    this.element.prepend(this.form);
  }

  wants({ type }) {
    return type === "job.failed" || type === "job.revived";
  }

  enter(address) {
    const asked = JSON.stringify([address.service, address.state, address.code]);
    if (asked !== this.#asked) {
      this.#asked = asked;
      this.#limit = PAGE;
      for (const name of ["service", "state", "code"]) this.form.elements[name].value = address[name] ?? "";
    }
    return super.enter(address);
  }

  async fetch() {
    const { service, state, code, open } = this.address;
    const page = await this.api.get("/dead-letters", { service, state, code, limit: this.#limit });
    return { page, letter: open ? await this.api.get(`/dead-letters/${encodeURIComponent(open)}`) : null };
  }

  draw({ page, letter }) {
    if (!this.body.firstChild) this.body.replaceChildren(this.bulk, this.detail, this.table.element, this.below);
    this.table.show(page.items);
    this.#drawBulk(page.items.some(({ state }) => state === "dead"));
    this.#drawDetail(letter);
    this.below.replaceChildren(...this.#end(page));
  }

  #end({ items, next_cursor: cursor }) {
    const more = () => {
      this.#limit = Math.min(MOST, this.#limit + PAGE);
      this.load();
    };
    if (cursor && this.#limit < MOST) return [button("Show more", more)];
    if (cursor) return [nothing(`The newest ${MOST} are shown: narrow what you look for.`)];
    if (items.length) return [];
    const isFiltered = Boolean(this.address.service || this.address.state || this.address.code);
    return [nothing(isFiltered ? "No dead letter is like that." : "No dead letters: every message was taken in.")];
  }

  #drawBulk(isOffered) {
    if (!this.who.isWriter || !isOffered) {
      this.bulk.replaceChildren();
      return;
    }
    if (this.bulk.firstChild) return;
    const all = (act, text) => button(text, () => this.#decideAll(act), { look: "is-small" });
    this.bulk.replaceChildren(all("redrive", "Redrive all of these …"), all("discard", "Discard all of these …"));
  }

  #drawDetail(letter) {
    this.detail.hidden = letter === null;
    const told = JSON.stringify(letter);
    if (this.detail.dataset.told === told) return;
    const isNew = letter && this.detail.dataset.letter !== letter.id;
    this.detail.dataset.told = told;
    this.detail.dataset.letter = letter?.id ?? "";
    this.detail.replaceChildren(...(letter ? this.#detail(letter) : []));
    if (isNew) this.detail.focus();
  }

  #detail(letter) {
    const facts = [
      ["Letter", el("code", { class: "selectable" }, letter.id)],
      ["Reason", [letter.sentence, " ", el("code", {}, letter.code)]],
      ["Message", letter.message_id && el("code", { class: "selectable" }, letter.message_id)],
      ["Topic", letter.topic && el("code", {}, letter.topic)],
      ["Job", letter.job_id && jobLink(letter.job_id)],
      ["Asked last by", letter.asked_by],
      ["Size", letter.size_bytes !== null && bytes(letter.size_bytes)],
    ];
    const begins = { class: "selectable", tabindex: 0, "aria-label": "How it begins" };
    const lines = facts.filter(([, value]) => value);
    const close = button("Close", () => writeAddress({ open: null }), { look: "is-small is-quiet" });
    return [
      el("div", { class: "sheet-line" }, el("h3", {}, nameOf(letter)), badge("LETTERS", letter.state)),
      el("dl", { class: "facts-list" }, lines.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
      letter.excerpt && el("pre", begins, letter.excerpt),
      el("div", { class: "actions" }, this.#actions(letter), close),
    ].filter(Boolean);
  }

  #actions(letter) {
    if (!OPEN.has(letter.state) || !this.#may(letter)) return [];
    const one = (act, text) =>
      button(text, () => this.#decide(act, { ids: [letter.id] }, 1), { look: "is-small", "data-act": act });
    return [one("redrive", "Redrive …"), one("discard", "Discard …")];
  }

  #may({ project_id: project }) {
    return project ? this.who.ends(project) : this.who.isOperator && this.who.isWriter;
  }

  async #decideAll(act) {
    const { service, code } = this.address;
    const filter = { ...(service && { service }), ...(code && { code }) };
    await this.attempt(async () => {
      const { total, more } = await this.api.post(`/dead-letters/${act}`, { filter, dry_run: true });
      if (total === 0) toast("None of them is dead any more.", { failed: true });
      else await this.#decide(act, { filter }, total, more);
    });
  }

  async #decide(act, meant, total, more = false) {
    const { title, yes, done } = ACTS[act];
    const letters = count(total, "letter");
    const also = more ? " There are more: do this again afterwards." : "";
    const words = el("p", {}, `${WARNINGS[act]}${also}`);
    const agreed = await ask(title, words, { yes: `${yes} ${letters}`, danger: act === "discard" });
    if (!agreed) return;
    await this.attempt(async () => {
      const answer = await this.api.post(`/dead-letters/${act}`, meant);
      toast(`${count(answer.total, "letter")} ${answer.total === 1 ? "is" : "are"} ${done}.`);
    });
  }

  #columns() {
    const open = (letter) => writeAddress({ open: letter.id });
    const link = (letter) => button(nameOf(letter), () => open(letter), { look: "is-link", "data-act": "open" });
    return [
      { name: "State", cell: ({ state }) => badge("LETTERS", state) },
      { name: "Message", head: true, cell: link },
      { name: "For", cell: ({ service }) => serviceName(service) },
      { name: "Reason", cell: ({ sentence, code }) => [sentence, " ", el("code", {}, code)] },
      { name: "Job", cell: ({ job_id: job }) => job && jobLink(job) },
      { name: "Received", cell: ({ received_at: at }) => moment(at) },
    ];
  }

  #form() {
    const states = [["", "All states"], ...Object.entries(SETS.LETTERS).map(([state, [, word]]) => [state, word])];
    const services = [["", "All services"], ...SERVICES.map((service) => [service, serviceName(service)])];
    const told = () => {
      const { service, state, code } = Object.fromEntries(new FormData(this.form));
      writeAddress({ service: service || null, state: state || null, code: code.trim() || null, open: null });
    };
    const submit = (event) => {
      event.preventDefault();
      told();
    };
    return el(
      "form",
      { class: "filters", role: "search", "aria-label": "Find dead letters", change: told, submit },
      field("service", "For", { options: services }),
      field("state", "State", { options: states }),
      field("code", "Error code", { placeholder: "such as not_json", maxlength: 200, spellcheck: "false" }),
      el("button", { class: "button" }, "Find"),
    );
  }
}

function nameOf({ message_type: type }) {
  return type ?? "A message that nobody can read";
}
