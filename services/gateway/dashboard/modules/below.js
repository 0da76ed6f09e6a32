// What stands below the gallery where pictures are missing: still loading, slow, nothing like that, nothing at all.

import { button, el } from "./dom.js";
import { icon } from "./icons.js";
import { search } from "./question.js";
import { workForm } from "./work.js";

const SLOW_MS = 4_000;

/** Hold the place of pictures that are on their way, and say so where that takes long; gives how to end it. */
export function waiting(below, { isEmpty }) {
  if (isEmpty) below.replaceChildren(skeleton());
  const sentence = "This takes longer than usual. The pictures appear here as soon as the gateway answers.";
  const note = el("p", { class: "hint slow", role: "status" });
  const timer = setTimeout(() => {
    below.prepend(note);
    note.textContent = sentence;
  }, SLOW_MS);
  return () => {
    clearTimeout(timer);
    note.remove();
  };
}

/** Say that nothing is like that, and what may help. */
export function nothingLikeThat({ searches }) {
  if (!searches) return el("p", { class: "calm" }, "No picture is like that.");
  return el(
    "div",
    { class: "empty is-narrow" },
    icon("search", { className: "empty-sign" }),
    el("h3", {}, "No picture is like that"),
    el("p", {}, "Fewer words or filters find more; begin* finds every word that begins so, and OR either of two."),
    button("Show all pictures", () => search()),
  );
}

/** Say how the first pictures come. */
export function nothingYet(api) {
  return el(
    "div",
    { class: "empty" },
    icon("layers", { className: "empty-sign" }),
    el("h3", {}, "Nothing to look at yet"),
    el("p", {}, "Name a page, a link or a scene. Its pictures appear here by themselves, with their depth."),
    workForm(api, () => {}, "draw"),
  );
}

function skeleton() {
  const blocks = Array.from({ length: 8 }, () => el("span"));
  return el("div", { class: "skeleton", role: "status", "aria-label": "Loading pictures" }, blocks);
}
