// What tables say of a job.

import { el } from "../dom.js";
import { duration } from "../words.js";

/** What went wrong: the sentence for a person, the code for a search. */
export function reason({ code, sentence }) {
  return el("span", { class: "reason-told" }, sentence, " ", el("code", {}, code));
}

export function tookOf({ started_at: from, finished_at: to }) {
  return from && to ? duration(from, to) : null;
}
