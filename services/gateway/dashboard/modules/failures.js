// Failures by reason: the latest failed jobs, grouped by their code.

import { Problem } from "./api.js";
import { arrange, button, el } from "./dom.js";
import { stateIcon } from "./states.js";
import { Gathering } from "./pace.js";
import { count, kindName, moment, number, sentenceCase } from "./words.js";

const LATEST = 200;
/** How many pages of what was done again are passed over to find what was not. */
const MOST_PAGES = 10;
const REFRESH_MS = 2_000;
const SAMPLES = 5;
const DAY_MS = 24 * 3600 * 1000;

export class Failures {
  #api;
  #onJob;
  #groups = new Map();
  #stale = new Gathering(() => this.#load(), { intervalMs: REFRESH_MS });

  constructor(api, { onJob }) {
    this.#api = api;
    this.#onJob = onJob;
    this.list = el("ul", { class: "failures" });
    this.title = el("h3", { id: "failures-title" });
    const box = { class: "failures-box", "aria-labelledby": "failures-title", hidden: true };
    this.element = el("section", box, this.title, this.list);
  }

  begin() {
    this.#stale.add("all");
  }

  hear(news) {
    if (news.type === "job.failed" || news.type === "job.submitted") this.#stale.add("all");
  }

  async #load() {
    const since = new Date(Date.now() - DAY_MS).toISOString();
    try {
      const asked = { state: "failed", created_after: since, limit: LATEST };
      const failed = [];
      let cursor = null;
      for (let pages = 0; pages < MOST_PAGES && failed.length < LATEST; pages += 1) {
        const page = await this.#api.get("/jobs", cursor === null ? asked : { ...asked, cursor });
        // What was done again is no failure any more: what became of it then is told of the new job.
        failed.push(...page.items.filter((job) => !job.retried_as));
        cursor = page.next_cursor;
        if (cursor === null) break;
      }
      this.#show(failed.slice(0, LATEST), cursor !== null || failed.length > LATEST);
      return [];
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      return ["all"];
    }
  }

  /** Make good what could not be loaded. */
  catchUp() {
    this.#stale.again();
  }

  #show(jobs, more) {
    const reasons = new Map();
    for (const job of jobs) {
      const code = job.error?.code ?? "unknown";
      reasons.set(code, [...(reasons.get(code) ?? []), job]);
    }
    this.element.hidden = jobs.length === 0;
    const failures = more ? `More than ${number(jobs.length)} failures` : count(jobs.length, "failure");
    this.title.textContent = `${failures} in the last day`;
    const shown = [...reasons].sort(([, one], [, other]) => other.length - one.length);
    arrange(this.list, shown.map(([code, failed]) => this.#group(code, failed)));
  }

  #group(code, jobs) {
    const key = `${code} ${jobs.length} ${jobs[0].id}`;
    const known = this.#groups.get(code);
    if (known?.key === key) return known.element;
    const open = known?.element.firstElementChild.open ?? false;
    const kinds = [...new Set(jobs.map((job) => kindName(job.kind)))].join(", ");
    const element = el(
      "li",
      {},
      el(
        "details",
        { open },
        el(
          "summary",
          {},
          stateIcon("failed"),
          el("span", { class: "reason" }, sentenceCase(code)),
          el("span", { class: "tally" }, String(jobs.length)),
        ),
        el("p", { class: "hint" }, `${kinds} · `, el("code", {}, code)),
        el("ul", { class: "reason-jobs" }, jobs.slice(0, SAMPLES).map((job) => this.#link(job))),
      ),
    );
    this.#groups.set(code, { key, element });
    return element;
  }

  #link(job) {
    const look = () => this.#onJob(job);
    const sentence = job.error?.sentence ?? kindName(job.kind);
    return el("li", {}, button(sentence, look, { look: "is-link" }), moment(job.finished_at ?? job.created_at));
  }
}
