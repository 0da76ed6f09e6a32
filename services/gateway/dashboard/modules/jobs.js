// The live jobs: those that somebody began, each with all that follows from it.

import { Problem } from "./api.js";
import { arrange, button, choices, el } from "./dom.js";
import { Failures } from "./failures.js";
import { JobRow } from "./jobrow.js";
import { announce, problemBox } from "./notices.js";
import { Gathering, forEachOf } from "./pace.js";
import { kindName } from "./words.js";

const PAGE = 25;
const REFRESH_MS = 700;
const AT_ONCE = 12;
/** When news have brought more rows than this, as many are taken from the end; they come back page by page. */
const MOST_NEWS = 200;
const MANY_UNKNOWN = 6;
const NOTHING = "Nothing has been asked for yet.";
const NONE = "No job is like that.";
const FILTERS = {
  all: { name: "All", asks: { roots: true }, fits: () => true },
  active: { name: "Active", asks: { state: ["pending", "in_progress"] }, fits: (row) => !row.standing.ended },
  failed: { name: "Failed", asks: { state: "failed" }, fits: (row) => row.standing.jobs.failed > 0 },
  completed: { name: "Done", asks: { roots: true, state: "completed" }, fits: isIn("completed") },
  cancelled: { name: "Cancelled", asks: { roots: true, state: "cancelled" }, fits: isIn("cancelled") },
};

function isIn(state) {
  return (row) => row.standing.state === state;
}

export class Jobs {
  #api;
  #rows = new Map();
  #roots = new Set();
  #filter = FILTERS.all;
  #cursor = null;
  #most = PAGE + MOST_NEWS;
  #isCut = false;
  #stale = new Gathering((ids) => this.#refresh(ids), { intervalMs: REFRESH_MS });

  /** `onActive(number)` hears how many of the jobs that are shown have not ended. */
  constructor(api, { onActive }) {
    this.#api = api;
    this.onActive = onActive;
    this.failures = new Failures(api, { onJob: (job) => this.look(job) });
    this.list = el("ul", { class: "jobs", "aria-labelledby": "jobs-title" });
    this.below = el("div", { class: "jobs-below" });
    this.tally = el("span", { class: "tally", hidden: true });
    const names = Object.entries(FILTERS).map(([name, filter]) => [name, filter.name]);
    this.element = el(
      "section",
      { class: "work-panel", id: "jobs", tabindex: -1, "aria-labelledby": "jobs-title" },
      el("header", { class: "section-head" }, el("h2", { id: "jobs-title" }, "Jobs "), this.tally),
      this.failures.element,
      choices("Jobs by state", names, "all", (name) => this.#choose(FILTERS[name])),
      this.list,
      this.below,
    );
  }

  // What the rows need: to be found by their job.
  add(row) {
    this.#rows.set(row.job.id, row);
  }

  row(id) {
    return this.#rows.get(id) ?? null;
  }

  drop(row) {
    this.#rows.delete(row.job.id);
    this.#roots.delete(row);
  }

  async load() {
    this.failures.begin();
    await this.#loadPage();
  }

  /** Make good what could not be loaded while the gateway was away. */
  catchUp() {
    this.failures.catchUp();
    this.#stale.again();
    if (this.below.querySelector(".problem")) this.#loadPage();
  }

  /** Hear what happens. */
  hear(news) {
    this.failures.hear(news);
    if (!news.job) {
      if (news.type === "job.cancel_requested") this.#stale.add(news.root_id);
      return;
    }
    this.#rows.get(news.job.id)?.update(news.job);
    if (news.type !== "job.progressed") this.#stale.add(news.job.root_id);
    if (news.job.parent_id === null) tell(news);
  }

  /** Go to a job: its root's row is opened and brought into view. */
  async look({ id, root_id: rootId }) {
    await this.#fetch(rootId);
    const row = this.#rows.get(rootId);
    if (!row) return;
    this.#arrange();
    await row.toggle(true);
    const target = this.#rows.get(id) ?? row;
    target.head.focus();
    target.element.scrollIntoView({ block: "center", behavior: "smooth" });
  }

  async #choose(filter) {
    this.#filter = filter;
    this.#cursor = null;
    this.#most = PAGE + MOST_NEWS;
    this.#isCut = false;
    for (const row of [...this.#roots]) row.remove();
    await this.#loadPage();
  }

  async #loadPage() {
    const filter = this.#filter;
    const loading = { class: "bar is-unmeasured", role: "progressbar", "aria-label": "Loading jobs" };
    this.below.replaceChildren(el("div", loading));
    try {
      const page = await this.#nextPage(filter);
      if (filter !== this.#filter) return;
      for (const job of page.items) if (job.parent_id === null) this.#put(job);
      this.#arrange();
      this.#showEnd();
      await forEachOf(new Set(page.items.map((job) => job.root_id)), (id) => this.#fetch(id));
      if (filter !== this.#filter) return;
      for (const row of [...this.#roots]) if (!filter.fits(row)) row.remove();
      this.#arrange();
      this.#showEnd();
    } catch (problem) {
      if (filter === this.#filter) this.below.replaceChildren(problemBox(problem, () => this.#loadPage()));
    }
  }

  /** Load what comes after the last page; where rows were taken from the end, the first page that has any of them. */
  async #nextPage(filter) {
    const wasCut = this.#isCut;
    if (wasCut) this.#cursor = null;
    this.#isCut = false;
    for (;;) {
      const page = await this.#api.get("/jobs", { ...filter.asks, limit: PAGE, cursor: this.#cursor });
      if (filter !== this.#filter) return page;
      this.#cursor = page.next_cursor;
      const isKnown = page.items.every((job) => this.#rows.has(job.root_id));
      if (!wasCut || !isKnown || !this.#cursor) return page;
    }
  }

  #showEnd() {
    const more = () => {
      this.#most = this.#roots.size + PAGE + MOST_NEWS;
      this.#loadPage();
    };
    if (this.#cursor || this.#isCut) this.below.replaceChildren(button("Show more", more));
    else if (this.#roots.size) this.below.replaceChildren();
    else this.below.replaceChildren(el("p", { class: "calm" }, this.#filter === FILTERS.all ? NOTHING : NONE));
  }

  #put(job) {
    const known = this.#rows.get(job.id);
    if (known) known.update(job);
    else this.#roots.add(new JobRow(job, { api: this.#api, lists: this, onJob: (one) => this.look(one) }));
    return this.#rows.get(job.id);
  }

  /** Load a root with its tree. */
  async #fetch(rootId) {
    const known = this.#rows.get(rootId);
    try {
      if (known) await known.refresh();
      else this.#put(await this.#api.get(`/jobs/${rootId}`, { children_limit: 0 }));
    } catch (problem) {
      if (problem.status !== 404) throw problem;
      known?.remove();
    }
  }

  async #refresh(ids) {
    try {
      await this.#fetchMany(ids);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      return ids;
    }
    for (const id of ids) {
      const row = this.#rows.get(id);
      // What no longer fits stays, so that nothing vanishes under a hand; what never fitted does not come.
      if (row && !row.element.isConnected && !this.#filter.fits(row)) row.remove();
    }
    this.#arrange();
    this.#showEnd();
    return [];
  }

  /** Load a few roots with their trees now, and have the others wait for their turn. */
  async #fetchMany(ids) {
    if (ids.filter((id) => !this.#rows.has(id)).length > MANY_UNKNOWN && this.#filter === FILTERS.all) {
      const page = await this.#api.get("/jobs", { roots: true, limit: PAGE });
      page.items.forEach((job) => this.#put(job));
    }
    const known = ids.filter((id) => this.#rows.has(id) || ids.length <= AT_ONCE);
    await forEachOf(known.slice(0, AT_ONCE), (id) => this.#fetch(id));
    this.#stale.add(...known.slice(AT_ONCE));
  }

  #arrange() {
    const newest = (one, other) => (one.job.created_at < other.job.created_at ? 1 : -1);
    const rows = [...this.#roots].sort(newest);
    for (const row of rows.splice(this.#most)) {
      row.remove();
      this.#isCut = true;
    }
    arrange(this.list, rows.map((row) => row.element));
    const active = rows.filter((row) => !row.standing.ended).length;
    this.tally.hidden = active === 0;
    this.tally.textContent = `${active} live`;
    this.onActive(active);
  }
}

function tell({ type, job }) {
  const name = kindName(job.kind);
  if (type === "job.failed") announce(`${name} failed: ${job.error?.sentence ?? ""}`, job.id);
  else if (type === "job.submitted") announce(`${name}: taken in`, "submitted");
  else if (type === "job.cancelled") announce(`${name}: cancelled`, job.id);
}
