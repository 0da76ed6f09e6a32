// States as they are shown: each has its own icon, word and colour, and none shares a colour with another.

import { el } from "./dom.js";
import { icon } from "./icons.js";

const LOOKS = {
  pending: ["clock", "Waiting"],
  retrying: ["again", "Will retry"],
  paused: ["pause", "Paused"],
  in_progress: ["arc", "Working"],
  completed: ["check", "Done"],
  failed: ["cross", "Failed"],
  cancelled: ["slash", "Cancelled"],
  not_requested: ["none", "Not asked for"],
};
export const ENDED = new Set(["completed", "failed", "cancelled"]);

/** Name the state to show: a job that waits says for what. */
export function shownState({ state, waiting_for: waitingFor }) {
  if (state !== "pending") return state;
  return { retry: "retrying", pause: "paused" }[waitingFor] ?? "pending";
}

export function stateWord(state) {
  return LOOKS[state][1];
}

/** A small round sign of a state, for where the word stands beside it. */
export function stateIcon(state, label = null) {
  return icon(LOOKS[state][0], { label, className: `state is-${state}` });
}

/** The sign and the word together. */
export function stateBadge(state, word = stateWord(state)) {
  return el("span", { class: `badge is-${state}` }, icon(LOOKS[state][0]), word);
}
