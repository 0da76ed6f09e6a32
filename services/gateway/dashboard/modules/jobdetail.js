// What is inside of a job: what it was asked, what it found, what was refused, and the jobs that follow from it.

import { arrange, button, el, outsideLink } from "./dom.js";
import { problemBox } from "./notices.js";
import { leftOut, pageFacts } from "./pagefacts.js";
import { count, duration } from "./words.js";

const PAGE = 20;
const MOST_CHILDREN = 200;
const SHOWN_REFUSALS = 20;
/** What of a request is told, and how it is called. */
const ASKED = {
  url: "Address",
  urls: "Pages",
  description: "To be seen",
  style: "Style",
  aspect_ratio: "Shape",
  recipe: "Recipe",
  seed: "Seed",
  provider: "Provider",
};

export class JobDetail {
  #rows = new Map();

  /** `row(job)` gives the row of a child. */
  constructor(job, { api, onJob, row }) {
    this.job = job;
    this.api = api;
    this.onJob = onJob;
    this.row = row;
    this.limit = PAGE;
    this.pages = this.#buildPages();
    this.facts = el("div", { class: "job-facts" });
    this.list = el("ul", { class: "jobs" });
    this.more = el("div", { class: "job-more" });
    this.element = el("div", { class: "job-detail" }, this.facts, this.list, this.more);
    this.more.append(el("div", { class: "bar is-unmeasured", role: "progressbar", "aria-label": "Loading" }));
  }

  async load(onJob) {
    this.onLoaded = onJob;
    try {
      onJob(await this.api.get(`/jobs/${this.job.id}`, { children_limit: this.limit }));
    } catch (problem) {
      this.more.replaceChildren(problemBox(problem, () => this.load(onJob)));
    }
  }

  /** Show a job's reply with its children. */
  take(job) {
    this.job = job;
    this.facts.replaceChildren(...this.#tellFacts(job));
    const gone = new Map(this.#rows);
    this.#rows = new Map();
    for (const child of job.children.items) {
      this.#rows.set(child.id, this.row(child));
      gone.delete(child.id);
    }
    for (const row of gone.values()) row.remove();
    arrange(this.list, [...this.#rows.values()].map((row) => row.element));
    this.more.replaceChildren(...this.#tellMore(job.children.next_cursor));
  }

  remove() {
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
  }

  /** What the pages say of themselves is loaded when somebody wants to know it, and stays open meanwhile. */
  #buildPages() {
    const list = el("ul");
    const load = async () => {
      try {
        const { items } = await this.api.get(`/jobs/${this.job.id}/pages`, { limit: SHOWN_REFUSALS });
        list.replaceChildren(...items.map(pageSays));
      } catch (problem) {
        list.replaceChildren(el("li", {}, problemBox(problem, load)));
      }
    };
    const head = el("summary", {}, "What the pages say of themselves");
    return el("details", { class: "report", toggle: ({ target }) => target.open && load() }, head, list);
  }

  #tellMore(cursor) {
    if (!cursor) return [];
    if (this.limit >= MOST_CHILDREN) return [el("p", { class: "hint" }, `The newest ${MOST_CHILDREN} are shown.`)];
    const more = () => {
      this.limit = Math.min(MOST_CHILDREN, this.limit * 3);
      this.load(this.onLoaded);
    };
    return [button("Show more", more, { look: "is-small" })];
  }

  #tellFacts(job) {
    const picture = job.image_id ?? job.request?.asset_id ?? job.result?.asset_id;
    const links = [
      el("a", { href: `#panel=jobs&open=${job.id}` }, "All about this job"),
      picture && el("a", { href: `#image=${picture}` }, "See the picture"),
      job.parent_id === null && job.tree?.total > 0 && el("a", { href: `#job=${job.id}` }, "See its pictures"),
      job.retried_from && el("span", {}, "a retry of ", el("code", {}, job.retried_from.slice(0, 13))),
    ].filter(Boolean);
    return [
      el("dl", { class: "facts-list" }, asked(job), took(job), named(job)),
      el("p", { class: "job-links" }, links),
      report("Failed", job.tree.failures, failure),
      report("Pages", job.pages, page),
      job.pages?.length > 0 && this.pages,
      report("Refused", job.rejections, refusal),
    ].filter(Boolean);
  }
}

function asked(job) {
  const told = Object.entries(job.request ?? {}).filter(([name, value]) => name in ASKED && value !== "");
  return told.map(([name, value]) => {
    const words = [value].flat().slice(0, 5).map(word);
    return [el("dt", {}, ASKED[name]), el("dd", { dir: "auto" }, words)];
  });
}

function word(value) {
  return el("div", {}, typeof value === "string" && URL.canParse(value) ? outsideLink(value) : String(value));
}

function named({ id }) {
  return [el("dt", {}, "Job"), el("dd", {}, el("code", { class: "selectable" }, id))];
}

function took({ started_at: from, finished_at: to }) {
  return from && to ? [el("dt", {}, "Took"), el("dd", {}, duration(from, to))] : [];
}

function report(name, items, line) {
  if (!items?.length) return null;
  const left = items.length - SHOWN_REFUSALS;
  return el(
    "div",
    { class: "report" },
    el("h4", {}, name),
    el("ul", {}, items.slice(0, SHOWN_REFUSALS).map(line)),
    left > 0 && el("p", { class: "hint" }, `and ${count(left, "more", "more")}`),
  );
}

function page({ url, title, images_found: found, images_skipped: left, skipped }) {
  const codes = (skipped ?? []).map(({ code }) => code);
  const reasons = [...new Set(codes)].map((code) => [code, codes.filter((one) => one === code).length]);
  const why = reasons.map(([code, number]) => `${number} ${code.replaceAll("_", " ")}`).join(", ");
  const told = ` ${count(found, "picture")}, ${left} left out${why && ` (${why})`}`;
  return el("li", {}, outsideLink(url, title || url), el("span", { class: "hint" }, told));
}

function pageSays(page) {
  return el("li", {}, outsideLink(page.url), pageFacts(page), leftOut(page));
}

function failure({ count: number, sentence, code }) {
  const why = el("span", { class: "step-error" }, ` ${sentence ?? "Nobody knows why."} `, code && el("code", {}, code));
  return el("li", {}, `${number} ×`, why);
}

function refusal({ source, sentence, code }) {
  const why = el("span", { class: "step-error" }, ` ${sentence} `, el("code", {}, code));
  return el("li", {}, source && outsideLink(source), why);
}
