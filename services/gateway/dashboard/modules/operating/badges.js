// How things other than jobs are: each state has its own sign, word and colour.

import { el } from "../dom.js";
import { icon } from "../icons.js";

const PROCESSES = {
  working: ["check", "Working", "completed"],
  stopping: ["clock", "Stopping", "retrying"],
  stopped: ["none", "Stopped", "pending"],
  gone: ["cross", "Gone", "failed"],
};
const LETTERS = {
  dead: ["cross", "Dead", "failed"],
  redriving: ["again", "On its way again", "in_progress"],
  taken_in: ["check", "Taken in", "completed"],
  said_again: ["up", "Said again", "paused"],
  discarding: ["clock", "Being given up", "retrying"],
  discarded: ["slash", "Given up", "cancelled"],
  unknown: ["warning", "Nobody knows", "doubt"],
};
const DELIVERIES = {
  pending: ["clock", "Waiting", "pending"],
  delivered: ["check", "Delivered", "completed"],
  failed: ["cross", "Failed", "failed"],
};
const WEBHOOKS = {
  active: ["check", "Active", "completed"],
  failing: ["warning", "Failing", "retrying"],
  by_request: ["pause", "Switched off", "paused"],
  gone: ["slash", "Off: the receiver is gone", "cancelled"],
  off: ["cross", "Off: it failed for days", "failed"],
};
const WORK = {
  runs: ["check", "Goes on", "completed"],
  rests: ["pause", "Rests", "paused"],
};
const QUEUES = {
  well: ["check", "Well", "completed"],
  behind: ["clock", "Behind", "retrying"],
  no_consumer: ["cross", "No consumer", "failed"],
  no_worker: ["warning", "No worker", "doubt"],
  queue_missing: ["slash", "Queue missing", "cancelled"],
  not_taken_over: ["layers", "Dead messages", "paused"],
  broker_away: ["none", "Broker away", "pending"],
};
export const SETS = { PROCESSES, LETTERS, DELIVERIES, WEBHOOKS, WORK, QUEUES };

/** The sign and the word of a state of one of these sets. */
export function badge(set, state) {
  const [sign, word, look] = SETS[set][state] ?? ["none", state, "pending"];
  return el("span", { class: `badge is-${look}` }, icon(sign), word);
}

export function hookState({ active, disabled_reason: reason, failing_since: failing }) {
  if (active) return failing ? "failing" : "active";
  return { gone: "gone", failing: "off" }[reason] ?? "by_request";
}
