// Telling a person what happened: aloud to a screen reader, as a toast, or as a problem in its place.

import { button, el } from "./dom.js";
import { icon } from "./icons.js";

const TOAST_MS = 6_000;
const NEWS_DELAY_MS = 300;
const NEWS_PAUSE_MS = 3_000;
const waiting = new Map();
let newsTimer = null;

/** Have a screen reader say something soon. News of one topic replace each other, so that nobody is flooded. */
export function announce(text, topic = text) {
  waiting.set(topic, text);
  newsTimer ??= setTimeout(sayNews, NEWS_DELAY_MS);
}

function sayNews() {
  document.getElementById("news").textContent = [...waiting.values()].join(". ");
  waiting.clear();
  newsTimer = setTimeout(() => {
    newsTimer = null;
    if (waiting.size) sayNews();
  }, NEWS_PAUSE_MS);
}

/** Show a sentence for a while. */
export function toast(text, { link = null, failed = false } = {}) {
  const sign = icon(failed ? "cross" : "check", { className: `state is-${failed ? "failed" : "completed"}` });
  const note = el("div", { class: "toast", role: failed ? "alert" : "status" }, sign, el("span", {}, text), link);
  const notes = document.getElementById("toasts");
  notes.append(note);
  // Shown anew, it lies above whatever dialog was opened meanwhile.
  notes.popover = "manual";
  notes.hidePopover();
  notes.showPopover();
  setTimeout(() => note.remove(), failed ? 2 * TOAST_MS : TOAST_MS);
}

/** Tell a problem as a toast. */
export function toastProblem(problem) {
  toast(`${problem.sentence ?? problem.message} (${problem.code ?? problem.name})`, { failed: true });
}

/** Tell a problem in the place of what it prevented: a sentence, its code, and the trace that finds it in the logs. */
export function problemBox(problem, onRetry = null) {
  return el(
    "div",
    { class: "problem", role: "alert" },
    icon("warning", { className: "problem-sign" }),
    el(
      "div",
      {},
      el("p", { class: "problem-sentence" }, problem.sentence ?? "This page made a mistake."),
      el(
        "p",
        { class: "problem-where" },
        el("code", {}, problem.code ?? `${problem.name}: ${problem.message}`),
        problem.traceId && [" · trace ", el("code", { class: "selectable" }, problem.traceId)],
      ),
    ),
    onRetry && button("Try again", onRetry),
  );
}
