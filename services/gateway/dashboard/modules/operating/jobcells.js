// What tables say of a job.

import { el } from "../dom.js";
import { subjectOf } from "../subjects.js";
import { duration, kindName } from "../words.js";
import { jobLink } from "./links.js";

/** What is done, and of what: a link to the job. */
export function work(job) {
  const about = subjectOf(job);
  const told = about && el("p", { class: "hint job-about", dir: "auto", title: about }, about);
  return [jobLink(job.id, kindName(job.kind), { "data-act": "open" }), told];
}

/** What went wrong: the sentence for a person, the code for a search. */
export function reason({ code, sentence }) {
  return el("span", { class: "reason-told" }, sentence, " ", el("code", {}, code));
}

export function tookOf({ started_at: from, finished_at: to }) {
  return from && to ? duration(from, to) : null;
}
