// One job: how it stands, what happened to it, what follows from it, and what can be done about it.

import { readAddress } from "../address.js";
import { Problem } from "../api.js";
import { button, el } from "../dom.js";
import { icon } from "../icons.js";
import { toast } from "../notices.js";
import { ENDED, shownState, stateBadge } from "../states.js";
import { subjectOf } from "../subjects.js";
import { count, kindName, moment } from "../words.js";
import { ask } from "./asking.js";
import { curlOf } from "./curl.js";
import { reason, tookOf, work } from "./jobcells.js";
import { hrefOf, jobLink, shortId } from "./links.js";
import { Panel } from "./panel.js";
import { Table } from "./table.js";
import { historyOf, timelineOf } from "./timeline.js";

const CHILDREN = 50;
const TREE = ["completed", "failed", "cancelled", "in_progress", "pending"];
const WAITS = { worker: "a worker", pause: "the end of a pause", retry: "its next attempt", limit: "a free place" };

export class JobSheet extends Panel {
  #id = null;
  #told = null;

  constructor(parts) {
    super(parts, { everyMs: 10_000 });
    this.head = el("div", { class: "sheet-line" });
    this.actions = el("div", { class: "actions" });
    this.command = el("div", { class: "command" });
    this.facts = el("dl", { class: "facts-list" });
    this.tree = el("div");
    this.timeline = el("div");
    this.asked = el("div");
    this.children = new Table("What follows from this job", CHILD_COLUMNS);
    this.back = el("a", { class: "office-back" }, icon("left"), "All jobs");
    this.element.prepend(this.back);
  }

  wants(news) {
    const about = [news.job?.id, news.job?.parent_id, news.job_id];
    return news.type !== "job.progressed" && about.includes(this.#id);
  }

  enter(address) {
    if (this.#id !== address.open) {
      this.#id = address.open;
      this.body.replaceChildren();
      this.command.replaceChildren();
    }
    const { open: _, ...kept } = readAddress();
    this.back.href = hrefOf(kept);
    return super.enter(address);
  }

  async fetch() {
    const job = await this.api.get(`/jobs/${encodeURIComponent(this.#id)}`, { children_limit: CHILDREN });
    return { job, history: await historyOf(this.api, job.id).catch(orNothing) };
  }

  draw({ job, history }) {
    const told = JSON.stringify([job, history.length]);
    if (this.body.firstChild && told === this.#told) return;
    this.#told = told;
    const about = el("span", { class: "break", dir: "auto" }, subjectOf(job));
    this.head.replaceChildren(el("h3", {}, kindName(job.kind)), stateBadge(shownState(job)), about);
    this.#keepFocus(() => this.actions.replaceChildren(...this.#actions(job)));
    this.facts.replaceChildren(...factsOf(job));
    this.timeline.replaceChildren(timelineOf(job, history));
    this.tree.replaceChildren(...treeOf(job));
    this.asked.replaceChildren(...askedOf(job));
    this.children.show(job.children.items);
    if (this.body.firstChild) return;
    this.body.replaceChildren(
      this.head,
      this.actions,
      this.command,
      this.facts,
      part("What happened", this.timeline),
      part("What follows from it", this.tree, this.children.element),
      part("What was asked", this.asked),
    );
  }

  #keepFocus(draw) {
    const name = this.actions.contains(document.activeElement) && document.activeElement.dataset.act;
    draw();
    if (name) this.actions.querySelector(`[data-act="${name}"]`)?.focus();
  }

  #actions(job) {
    const may = this.who.ends(job.project_id);
    const picture = job.image_id ?? job.result?.asset_id;
    const runs = !ENDED.has(job.state) || !job.tree.ended;
    return [
      may && runs && !job.cancel_requested_at && this.#act("cancel", "Cancel …", () => this.#cancel(job)),
      may && job.state === "failed" && !job.retried_as && this.#act("retry", "Do it again", () => this.#retry(job)),
      this.#act("curl", "Copy as curl", () => this.#copy(job)),
      picture && el("a", { class: "button is-small", href: hrefOf({ image: picture }) }, "See the picture"),
    ].filter(Boolean);
  }

  #act(name, text, onPress) {
    return button(text, onPress, { look: "is-small", "data-act": name });
  }

  async #cancel(job) {
    const left = job.tree.pending + job.tree.in_progress;
    const also = left ? ` ${count(left, "job")} that follow from it end too.` : "";
    const words = el("p", {}, `What is being done stops soon; what is done stays.${also}`);
    if (!(await ask("Cancel this job?", words, { yes: "Cancel the job", danger: true }))) return;
    await this.attempt(async () => {
      const { outcome } = await this.api.post(`/jobs/${job.id}/cancel`);
      toast(outcome === "already_ended" ? "It had ended already." : "It will be cancelled, with all that follows.");
    });
  }

  async #retry(job) {
    await this.attempt(async () => {
      const { items, skipped } = await this.api.post("/jobs/retry", { ids: [job.id] });
      const again = items[0]?.job;
      if (again) toast("It is done again.", { link: jobLink(again.id, "See it") });
      else toast(skipped[0]?.sentence ?? "It cannot be done again.", { failed: true });
    });
  }

  async #copy(job) {
    const command = curlOf(job, location.origin);
    this.command.replaceChildren(el("pre", { class: "selectable", tabindex: 0, "aria-label": "Command" }, command));
    try {
      await navigator.clipboard.writeText(command);
      toast("Copied. Set DIORAMA_TOKEN before you run it.");
    } catch {
      toast("Copy it from below: this browser keeps the clipboard to itself.");
    }
  }
}

function orNothing(problem) {
  if (problem instanceof Problem || problem instanceof TypeError || problem.name === "AbortError") return [];
  throw problem;
}

function part(title, ...content) {
  return el("section", { class: "panel-part" }, el("h3", {}, title), content);
}

function factsOf(job) {
  const facts = [
    ["Job", el("code", { class: "selectable" }, job.id)],
    ["Of", [job.submitted_by, " in ", el("code", { title: job.project_id }, shortId(job.project_id))]],
    ["Done by", job.service],
    ["Reason", job.error && reason(job.error)],
    ["Waits for", job.waiting_for && WAITS[job.waiting_for]],
    ["Attempt", job.attempt || null],
    ["Next attempt", job.next_attempt_at && moment(job.next_attempt_at)],
    ["Stage", job.stage],
    ["Handed in", moment(job.created_at)],
    ["Took", tookOf(job)],
    ["Part of", job.parent_id && jobLink(job.parent_id)],
    ["Began with", job.root_id !== job.id && job.root_id !== job.parent_id && jobLink(job.root_id)],
    ["Does again", job.retried_from && jobLink(job.retried_from)],
    ["Done again as", job.retried_as && jobLink(job.retried_as)],
  ];
  return facts.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
}

function treeOf({ id, root_id: root, tree, children }) {
  if (!tree.total) return [el("p", { class: "hint" }, "Nothing.")];
  // Jobs are found by the root of their tree, or by the one that they follow from at once.
  const whole = id === root ? { root: id } : { parent: id };
  const list = (state, text) => el("a", { href: hrefOf({ panel: "jobs", ...whole, state }) }, text);
  const counts = TREE.filter((state) => tree[state]).map((state) =>
    el("li", {}, stateBadge(state), " ", list(state, count(tree[state], "job"))),
  );
  const more = `The newest ${count(CHILDREN, "job")} that follow from it at once are shown here. `;
  const failures = tree.failures.map((one) => el("li", {}, `${one.count} × `, reason(one)));
  return [
    el("ul", { class: "tree-counts" }, counts),
    failures.length > 0 && el("ul", { class: "tree-failures" }, failures),
    children.next_cursor && el("p", { class: "hint" }, more, list(null, "Show all")),
  ].filter(Boolean);
}

function askedOf({ request, rejections }) {
  const about = { class: "selectable", tabindex: 0, "aria-label": "Request" };
  const asked = el("pre", about, JSON.stringify(request, null, 2));
  const refused = rejections.map((one) => el("li", {}, one.source ?? "", " ", reason(one)));
  return [
    request ? asked : el("p", { class: "hint" }, "Nobody noted it."),
    refused.length > 0 && el("h4", {}, `${count(refused.length, "thing")} refused`),
    refused.length > 0 && el("ul", { class: "tree-failures" }, refused),
  ].filter(Boolean);
}

const CHILD_COLUMNS = [
  { name: "State", cell: (job) => stateBadge(shownState(job)) },
  { name: "Work", head: true, cell: work },
  { name: "Reason", cell: ({ error }) => error && reason(error) },
  { name: "Attempt", number: true, cell: (job) => job.attempt || null },
  { name: "Took", number: true, cell: tookOf },
];
