// One job in a list: what it is, how far it is, what went wrong, and what follows from it.

import { button, el } from "./dom.js";
import { icon } from "./icons.js";
import { JobDetail } from "./jobdetail.js";
import { toast, toastProblem } from "./notices.js";
import { onFrame } from "./pace.js";
import { ProgressBar, standingOf } from "./progress.js";
import { ENDED, stateIcon, stateWord } from "./states.js";
import { subjectOf } from "./subjects.js";
import { count, kindName, moment, number } from "./words.js";

const CONFIRM_MS = 4_000;
/** What begins so may have been paid for already. */
const COSTS = "image_generation.";
const WAITS = { worker: "Waiting for a worker", limit: "Waiting for a free place" };

export class JobRow {
  #job;
  #tree = null;
  #detail = null;
  #redraw = onFrame(() => this.#draw());

  /** `lists` is told of every row that is made (`add`) and gives them out by their job's id (`row`). */
  constructor(job, { api, lists, onJob }) {
    this.#job = job;
    this.api = api;
    this.lists = lists;
    this.onJob = onJob;
    this.sign = el("span", { class: "job-sign" });
    this.subject = el("span", { class: "job-subject", dir: "auto" });
    this.when = el("span", { class: "job-when" });
    this.bar = new ProgressBar(`Progress: ${kindName(job.kind)}`);
    this.status = el("p", { class: "job-status" });
    this.error = el("p", { class: "job-error", hidden: true });
    this.cancel = button("Cancel", () => this.#cancel(), { look: "is-small job-cancel", hidden: true });
    this.again = button("", (press) => this.#doAgain(press), { look: "is-small job-again", hidden: true });
    this.inside = el("div", { class: "job-inside", hidden: true });
    this.head = el(
      "button",
      { type: "button", class: "job-head", "aria-expanded": "false", click: () => this.toggle() },
      this.sign,
      el("span", { class: "job-what" }, el("span", { class: "job-kind" }, kindName(job.kind)), this.subject),
      this.when,
      icon("down", { className: "job-arrow" }),
    );
    const line = el("div", { class: "job-line" }, this.status, this.again, this.cancel);
    const parts = [this.head, this.bar.element, line, this.error, this.inside];
    this.element = el("li", { class: "job", "data-job": job.id }, parts);
    lists.add(this);
    this.#draw();
  }

  get job() {
    return this.#job;
  }

  get standing() {
    return standingOf(this.#job, this.#tree);
  }

  get isOpen() {
    return this.#detail !== null;
  }

  /** Lay news or a reply over what is known. A job that has ended stays so, whatever comes late. */
  update(job) {
    const { tree = null, children, ...known } = job;
    if (ENDED.has(this.#job.state) && known.state && !ENDED.has(known.state)) return;
    this.#job = { ...this.#job, ...known };
    this.#tree = tree ?? this.#tree;
    if (children) this.#detail?.take(job);
    this.#redraw();
  }

  /** Ask anew for the job, its tree and, where it is open, its children. */
  async refresh() {
    const limit = this.isOpen ? this.#detail.limit : 0;
    this.update(await this.api.get(`/jobs/${this.#job.id}`, { children_limit: limit }));
  }

  async toggle(open = !this.isOpen) {
    if (open === this.isOpen) return;
    this.head.setAttribute("aria-expanded", String(open));
    this.inside.hidden = !open;
    if (!open) {
      this.#detail.remove();
      this.#detail = null;
      return;
    }
    this.#detail = new JobDetail(this.#job, { api: this.api, onJob: this.onJob, row: (job) => this.#child(job) });
    this.inside.replaceChildren(this.#detail.element);
    await this.#detail.load((job) => this.update(job));
  }

  remove() {
    this.#detail?.remove();
    this.lists.drop(this);
    this.element.remove();
  }

  #child(job) {
    const known = this.lists.row(job.id);
    known?.update(job);
    return known ?? new JobRow(job, { api: this.api, lists: this.lists, onJob: this.onJob });
  }

  #draw() {
    const job = this.#job;
    const { state, ended } = this.standing;
    this.element.dataset.state = state;
    this.sign.replaceChildren(stateIcon(state, stateWord(state)));
    this.subject.textContent = this.subject.title = subjectOf(job);
    const at = job.finished_at && ended ? job.finished_at : job.created_at;
    if (at && this.when.firstChild?.dateTime !== at) this.when.replaceChildren(moment(at));
    this.bar.show(this.standing);
    this.#drawStatus(job, state);
    this.error.hidden = !job.error;
    if (job.error) this.error.replaceChildren(job.error.sentence, " ", el("code", {}, job.error.code));
    this.cancel.hidden = ended;
    this.#drawAgain();
  }

  #drawStatus(job, state) {
    const { ended, sentence, failedBelow } = this.standing;
    const cancelling = job.cancel_requested_at && !ended;
    const parts = [
      el("span", { class: `job-word is-${state}` }, cancelling ? "Cancelling" : wordOf(state, job)),
      sentence,
      failedBelow > 0 && el("span", { class: "job-failed" }, `${failedBelow} failed`),
      job.attempt > 1 && `attempt ${job.attempt}`,
      job.next_attempt_at && ["next try ", moment(job.next_attempt_at)],
    ].filter(Boolean);
    this.status.replaceChildren(...parts.map((part) => el("span", {}, part)));
  }

  async #cancel() {
    if (!this.cancel.dataset.sure) {
      this.cancel.dataset.sure = "asked";
      this.cancel.textContent = "Really cancel?";
      setTimeout(() => this.#calm(), CONFIRM_MS);
      return;
    }
    this.#calm();
    this.cancel.disabled = true;
    try {
      const { outcome, job } = await this.api.post(`/jobs/${this.#job.id}/cancel`);
      this.update(job);
      const late = outcome === "already_ended";
      toast(late ? "It had ended already." : "It will be cancelled, with all that follows from it.");
    } catch (problem) {
      toastProblem(problem);
    } finally {
      this.cancel.disabled = false;
    }
  }

  #calm() {
    delete this.cancel.dataset.sure;
    this.cancel.textContent = "Cancel";
  }

  /** Do a failed job again, or what failed below one that somebody began; what may cost money only when asked twice. */
  async #doAgain(press) {
    if (press.detail > 1) return; // the second half of a double click answers no question
    const { id, kind, state } = this.#job;
    if (state === "failed" && kind.startsWith(COSTS) && !this.again.dataset.sure) {
      this.again.dataset.sure = "asked";
      this.again.textContent = "Again, though it may cost?";
      setTimeout(() => this.#calmAgain(), CONFIRM_MS);
      return;
    }
    this.again.disabled = true;
    try {
      const meant = state === "failed" ? { ids: [id] } : { filter: { root_id: id } };
      const { total, skipped } = await this.api.post("/jobs/retry", meant);
      const why = skipped[0]?.sentence ?? "None of them can be done again together; open them one by one.";
      if (total === 0) toast(why, { failed: true });
      else toast(total === 1 ? "It is done again." : `${count(total, "job")} are done again.`);
      await this.refresh();
    } catch (problem) {
      toastProblem(problem);
    } finally {
      this.again.disabled = false;
    }
  }

  #calmAgain() {
    delete this.again.dataset.sure;
    this.#drawAgain();
  }

  #drawAgain() {
    const { state, retried_as: after, parent_id: parent } = this.#job;
    const { ended, failedBelow } = this.standing;
    this.again.hidden = state === "failed" ? Boolean(after) : !(parent === null && ended && failedBelow > 0);
    const many = state !== "failed" && failedBelow > 1;
    if (!this.again.dataset.sure) this.again.textContent = many ? `Do ${number(failedBelow)} again` : "Do again";
  }
}

function wordOf(state, job) {
  return (state === "pending" && WAITS[job.waiting_for]) || stateWord(state);
}
