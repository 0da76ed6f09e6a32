// How the review looks: how far it is, the list, the stage or that nothing is left, and the decision.

import { writeAddress } from "../address.js";
import { button, choices, el } from "../dom.js";
import { icon } from "../icons.js";
import { count } from "../words.js";

export const STATES = { unreviewed: "To review", approved: "Approved", rejected: "Rejected" };
const ENDS = {
  unreviewed: ["All maps are reviewed", "Maps that are drawn from now on come here by themselves."],
  approved: ["No maps are approved yet", "Approve some, and they can be exported to learn from."],
  rejected: ["No maps are rejected", "What you reject stands here with its reasons."],
};
const NOTHING = ["There are no maps yet", "Open a picture and press “Draw the maps”; what is drawn comes here."];

export class Panel {
  #told = el("span", { class: "viewer-place" });
  #progress = el("progress", { class: "review-progress", "aria-label": "Reviewed", max: 1, value: 0 });
  #tally = el("span", { class: "tally", hidden: true });
  #end = el("div", { class: "empty review-end", tabindex: -1, hidden: true });
  #parts;

  /** `parts` are `names`, `view` and `side`. */
  constructor(parts) {
    this.#parts = parts;
    const enter = () => writeAddress({ review: "unreviewed" });
    this.entry = button([icon("eye"), "Review", this.#tally], enter);
    this.states = choices("Which maps", Object.entries(STATES), "unreviewed", (review) => writeAddress({ review }));
    this.element = this.#build();
  }

  show(queue, { place, chosen }) {
    const { items, counts, total } = queue;
    const item = items[place] ?? null;
    const done = counts.approved + counts.rejected;
    const { names, side, view } = this.#parts;
    names.show(queue, item, chosen);
    side.show(item, { place, of: items.length, chosen: chosen.size });
    this.#told.textContent = `${done} of ${total} reviewed`;
    this.#progress.max = Math.max(1, total);
    this.#progress.value = done;
    view.element.hidden = !item;
    this.#showEnd(!item, queue);
  }

  /** Tell at the entry how many wait. */
  showTally({ counts: { unreviewed } }) {
    this.#tally.hidden = unreviewed === 0;
    this.#tally.textContent = unreviewed;
    this.#tally.setAttribute("aria-label", `${count(unreviewed, "map")} to review`);
  }

  #showEnd(isEnd, queue) {
    const [title, sentence] = endOf(queue);
    const isShown = !this.#end.hidden && this.#end.dataset.title === title;
    this.#end.hidden = !isEnd;
    if (!isEnd || isShown) return;
    this.#end.dataset.title = title;
    const close = button("Back to the pictures", () => this.element.close());
    const sign = icon("check", { className: "empty-sign" });
    this.#end.replaceChildren(sign, el("h3", {}, title), el("p", {}, sentence), close);
    this.#end.focus({ preventScroll: true });
  }

  #build() {
    const { names, side, view } = this.#parts;
    const shut = { look: "is-round", "aria-label": "Close (Esc)", title: "Close (Esc)" };
    const close = button(icon("close"), () => this.element.close(), shut);
    const title = el("h2", { id: "review-title" }, "Review");
    const middle = el("div", { class: "review-middle" }, view.element, this.#end);
    // Where nothing is focused, keys would go to the page behind.
    const body = { class: "viewer-body review-body", tabindex: -1 };
    return el(
      "dialog",
      { class: "viewer review", "aria-labelledby": "review-title" },
      el("header", { class: "viewer-head" }, title, this.states, this.#progress, this.#told, close),
      el("div", body, names.element, middle, side.element),
    );
  }
}

/** Say that nothing is left, and what to do then. */
export function endOf({ state, total }) {
  return total && state ? ENDS[state] : NOTHING;
}
