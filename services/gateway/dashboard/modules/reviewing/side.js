// What is known of the maps under review, and what can be done about them.

import { button, el } from "../dom.js";
import { doubtsOf, provenanceOf, reviewed } from "../facts.js";
import { titleOf } from "../tile.js";
import { Reasons, key } from "./reasons.js";

const KEYS = [
  ["a", "approve"],
  ["r", "reject"],
  ["u or Ctrl Z", "take back"],
  ["j, k", "next, previous"],
  ["x", "choose, to decide of several"],
  ["d held", "the map alone"],
  ["1 – 4", "which map"],
  ["s", "side by side"],
  ["g", "draw again"],
  ["o", "open the picture"],
];

export class Side {
  #told = null;

  /** `acts` are what the keys do; `onReject(why)` is told the reasons, `onReasonsEnd()` that their form is gone. */
  constructor(acts, { onReject, onReasonsEnd }) {
    this.title = el("h3", { class: "review-name", tabindex: -1, dir: "auto" });
    this.place = el("p", { class: "hint" });
    this.about = el("div");
    this.facts = el("div");
    this.status = el("p", { class: "review-status", role: "status" });
    this.trouble = el("div", { class: "stage-trouble" });
    this.reasons = new Reasons({ onReject, onEnd: onReasonsEnd });
    this.approve = act("Approve", "a", acts.a, "is-primary");
    this.reject = act("Reject", "r", acts.r);
    this.undo = act("Take back", "u", acts.u, "is-quiet");
    this.onItem = [act("Draw again", "g", acts.g, "is-small"), act("Open", "o", acts.o, "is-small")];
    const decide = el("div", { class: "review-acts" }, this.approve, this.reject, this.undo);
    const bar = el("div", { class: "review-bar" }, decide, this.reasons.element, this.status, this.trouble);
    const head = el("div", { class: "review-about" }, this.title, this.place, this.about);
    const more = el("div", { class: "downloads" }, this.onItem);
    const parts = [head, bar, more, this.facts, help()];
    this.element = el("aside", { class: "facts review-side", "aria-label": "Decision" }, parts);
  }

  /** Show an item, or that none is left; `chosen` is of how many would be decided. */
  show(item, { place, of, chosen }) {
    const several = chosen > 0;
    this.approve.firstChild.textContent = several ? `Approve ${chosen}` : "Approve";
    this.reject.firstChild.textContent = several ? `Reject ${chosen}` : "Reject";
    // Disabled, they would lose the focus, and the keys with it.
    for (const one of [this.approve, this.reject]) one.setAttribute("aria-disabled", String(!item && !several));
    for (const one of this.onItem) one.setAttribute("aria-disabled", String(!item));
    this.title.textContent = item ? titleOf(item.image) : "";
    this.place.textContent = item ? `${place + 1} of ${of} in this list · suspicion ${percent(item.suspicion)}` : "";
    this.#tell(item);
  }

  /** Build anew only what has changed: somebody may be about to press a link in it. */
  #tell(item) {
    const told = item && JSON.stringify([item.image.id, item.recipe, item.job_id, item.review]);
    if (told === this.#told) return;
    this.#told = told;
    this.about.replaceChildren(...(item ? about(item) : []));
    this.facts.replaceChildren(...(item ? [provenanceOf(item)] : []));
  }

  say(sentence) {
    this.status.textContent = sentence;
  }
}

function about(item) {
  const decided = item.review.state !== "unreviewed" && el("p", { class: "review-decided" }, reviewed(item.review));
  return [doubtsOf(item), decided].filter(Boolean);
}

function act(name, letter, onPress, look = "") {
  return button([el("span", {}, name), key(letter)], onPress, { look, "aria-keyshortcuts": letter });
}

function help() {
  const rows = KEYS.map(([name, meaning]) => [el("dt", {}, el("kbd", {}, name)), el("dd", {}, meaning)]);
  const list = el("dl", { class: "facts-list review-keys" }, rows);
  return el("section", { class: "facts-section" }, el("h3", {}, "Keys"), list);
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}
