// How far a job and all that follows from it are.

import { el, setVariables } from "./dom.js";
import { ENDED, shownState } from "./states.js";
import { count } from "./words.js";

const PARTS = ["completed", "failed", "cancelled", "in_progress", "pending"];

/** Sum up a job with its tree, where that is known: the state to show, the parts of the bar, and a sentence. */
export function standingOf(job, tree) {
  const working = tree !== null && !tree.ended;
  const state = working && ENDED.has(job.state) ? "in_progress" : shownState(job);
  const jobs = countJobs(job, tree);
  const share = working && jobs.total === 1 && ENDED.has(job.state) ? null : shareOf(job, jobs);
  const ended = ENDED.has(job.state) && !working;
  return { state, ended, share, jobs, failedBelow: tree?.failed ?? 0, sentence: sentenceOf(job, jobs) };
}

function countJobs(job, tree) {
  const jobs = Object.fromEntries(PARTS.map((part) => [part, tree?.[part] ?? 0]));
  jobs[job.state] += 1;
  return { ...jobs, total: (tree?.total ?? 0) + 1 };
}

/** Give the share that is done, or null where nobody can know it yet: then the bar must not say 0 %. */
function shareOf(job, jobs) {
  if (jobs.total === 1) return ENDED.has(job.state) ? 1 : job.progress || null;
  // A job that still runs may name more that follow, so a share of those known today would go backwards.
  if (!ENDED.has(job.state)) return null;
  return (jobs.completed + jobs.failed + jobs.cancelled) / jobs.total;
}

function sentenceOf(job, jobs) {
  const done = jobs.completed + jobs.failed + jobs.cancelled;
  if (jobs.total === 1) return job.stage ?? null;
  if (!ENDED.has(job.state)) return `${done} done so far`;
  return done === jobs.total ? count(jobs.total, "job") : `${done} of ${count(jobs.total, "job")}`;
}

export class ProgressBar {
  constructor(label) {
    this.parts = PARTS.map((part) => el("span", { class: `part is-${part}` }));
    const bar = { class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 };
    this.element = el("div", bar, this.parts);
  }

  show({ state, ended, share, jobs, sentence }) {
    const bar = this.element;
    const waiting = state !== "in_progress" && !ended;
    // What went well to the end needs no bar any more.
    bar.hidden = waiting || (ended && (jobs.total === 1 || jobs.completed === jobs.total));
    bar.classList.toggle("is-unmeasured", share === null);
    if (share === null) bar.removeAttribute("aria-valuenow");
    else bar.setAttribute("aria-valuenow", Math.round(share * 100));
    bar.setAttribute("aria-valuetext", sentence ?? (share === null ? "working" : `${Math.round(share * 100)} %`));
    const alone = jobs.total === 1 && share !== null;
    const shares = alone ? { [ended ? state : "in_progress"]: share, pending: 1 - share } : jobs;
    this.parts.forEach((part, place) => setVariables(part, { share: shares[PARTS[place]] ?? 0 }));
  }
}
