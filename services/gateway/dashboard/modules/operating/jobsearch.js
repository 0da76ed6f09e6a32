// Finding jobs: by state, kind, reason and time. The address says by what, so that it can be sent to somebody.

import { writeAddress } from "../address.js";
import { button, el } from "../dom.js";
import { announce } from "../notices.js";
import { shownState, stateBadge, stateWord } from "../states.js";
import { count, moment } from "../words.js";
import { field } from "./asking.js";
import { reason, tookOf, work } from "./jobcells.js";
import { JobSheet } from "./jobsheet.js";
import { kindOptions } from "./kinds.js";
import { jobLink, shortId } from "./links.js";
import { Pages } from "./pages.js";
import { Panel, nothing } from "./panel.js";
import { Table } from "./table.js";

const PAGE = 50;
const STATES = ["pending", "in_progress", "completed", "failed", "cancelled"];
const ASKED = ["root", "parent", "state", "kind", "code", "after", "before", "mine"];

/** The list, or one job where the address names one. */
export class JobsPanel {
  #shown = null;

  constructor(parts) {
    this.list = new JobList(parts);
    this.sheet = new JobSheet(parts);
    this.element = el("div", {}, this.list.element, this.sheet.element);
  }

  hear(news) {
    this.#shown?.hear(news);
  }

  enter(address) {
    const next = address.open ? this.sheet : this.list;
    if (this.#shown !== next) this.#shown?.leave();
    this.#shown = next;
    this.list.element.hidden = next !== this.list;
    this.sheet.element.hidden = next !== this.sheet;
    return next.enter(address);
  }

  leave() {
    this.#shown?.leave();
    this.#shown = null;
  }
}

class JobList extends Panel {
  #jobs = new Pages(PAGE, (job) => job.created_at);
  #asked = null;
  #isAsked = false;

  constructor(parts) {
    super(parts, { everyMs: 5_000 });
    this.form = this.#form();
    this.scope = el("p", { class: "hint", hidden: true });
    this.tally = el("p", { class: "hint" });
    this.table = new Table("Jobs, the newest first", COLUMNS);
    this.empty = el("div", { class: "panel-empty" });
    this.more = el("div", { class: "panel-more" });
    this.element.prepend(this.form);
  }

  hear(news) {
    const known = this.#jobs.find(news.job?.id);
    if (known) {
      this.#jobs.put({ ...known, ...news.job });
      this.#show();
    }
    super.hear(news);
  }

  wants({ type, job }) {
    return Boolean(job) && type !== "job.progressed" && !this.#jobs.find(job.id);
  }

  enter(address) {
    const asked = JSON.stringify(ASKED.map((name) => address[name] ?? null));
    if (asked !== this.#asked) {
      this.#asked = asked;
      this.#jobs.clear();
      this.body.replaceChildren();
      this.#isAsked = true;
      this.#fill(address);
    }
    return super.enter(address);
  }

  async fetch(cursor = null) {
    const { root, parent, state, kind, code, after, before, mine } = this.address;
    const everybody = this.who.isOperator && !mine ? true : null;
    const times = { created_after: after, created_before: before };
    const asked = { root_id: root, parent_id: parent, state, kind, error_code: code, ...times, everybody };
    return this.api.get("/jobs", { ...asked, limit: PAGE, cursor });
  }

  draw(page, isMore = false) {
    this.#jobs.take(page, isMore);
    const parts = [this.scope, this.tally, this.table.element, this.empty, this.more];
    if (!this.body.firstChild) this.body.replaceChildren(...parts);
    this.#show();
    this.#tellScope();
    const isFiltered = ASKED.some((name) => name !== "mine" && this.address[name]);
    const clear = el("a", { href: "#panel=jobs" }, "Show all jobs");
    const none = isFiltered ? ["No job is like that. ", clear] : ["No job yet. Begin with “New” above."];
    if (this.#isAsked) announce(this.tally.textContent || none[0], "jobs found");
    this.#isAsked = false;
    this.empty.replaceChildren(...(this.#jobs.isEmpty ? [nothing(...none)] : []));
    this.more.replaceChildren(...(this.#jobs.cursor ? [button("Show more", () => this.#loadMore())] : []));
  }

  #show() {
    const { items, cursor } = this.#jobs;
    this.table.show(items);
    this.tally.textContent = items.length ? `${count(items.length, "job")}${cursor ? ", and there are more" : ""}` : "";
  }

  #tellScope() {
    const whole = this.address.root ?? this.address.parent;
    this.scope.hidden = !whole;
    const all = el("a", { href: "#panel=jobs" }, "Show all jobs");
    if (whole) this.scope.replaceChildren("Only what follows from ", jobLink(whole), ". ", all);
  }

  #loadMore() {
    const asked = this.#asked;
    return this.attempt(async () => {
      const page = await this.fetch(this.#jobs.cursor);
      if (asked === this.#asked) this.draw(page, true);
    });
  }

  #form() {
    const states = [["", "All states"], ...STATES.map((state) => [state, stateWord(state)])];
    const mine = el("input", { type: "checkbox", name: "mine" });
    return el(
      "form",
      {
        class: "filters",
        role: "search",
        "aria-label": "Find jobs",
        change: () => this.#ask(),
        submit: (event) => {
          event.preventDefault();
          this.#ask();
        },
      },
      field("state", "State", { options: states }),
      field("kind", "Work", { options: kindOptions() }),
      field("code", "Error code", { placeholder: "such as timed_out", maxlength: 200, spellcheck: "false" }),
      field("after", "Handed in after", { type: "datetime-local" }),
      field("before", "and before", { type: "datetime-local" }),
      this.who.isOperator && el("label", { class: "tick" }, mine, "Only mine"),
      el("button", { class: "button" }, "Find"),
    );
  }

  #ask() {
    const { state, kind, code, after, before, mine } = Object.fromEntries(new FormData(this.form));
    const asked = { state, kind, code: code.trim(), after: momentOf(after), before: momentOf(before), mine };
    const told = Object.entries(asked).map(([name, value]) => [name, value || null]);
    writeAddress(Object.fromEntries(told));
  }

  #fill(address) {
    const { elements } = this.form;
    for (const name of ["state", "kind", "code"]) elements[name].value = address[name] ?? "";
    for (const name of ["after", "before"]) elements[name].value = localOf(address[name]);
    if (elements.mine) elements.mine.checked = Boolean(address.mine);
  }
}

const COLUMNS = [
  { name: "State", cell: (job) => stateBadge(shownState(job)) },
  { name: "Work", head: true, cell: work },
  { name: "Job", cell: (job) => el("code", { title: job.id }, shortId(job.id)) },
  { name: "Reason", cell: ({ error }) => error && reason(error) },
  { name: "Attempt", number: true, cell: (job) => job.attempt || null },
  { name: "Of", cell: (job) => job.submitted_by },
  { name: "Handed in", cell: (job) => moment(job.created_at) },
  { name: "Took", number: true, cell: tookOf },
];

function momentOf(local) {
  return local && new Date(local).toISOString();
}

function localOf(moment) {
  const at = new Date(moment ?? NaN);
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
