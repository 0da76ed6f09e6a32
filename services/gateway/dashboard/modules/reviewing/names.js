// The list of the review: which maps wait, which were decided of, which are chosen.

import { arrange, button, el } from "../dom.js";
import { count } from "../words.js";
import { Row } from "./row.js";

const SLOW_MS = 4_000;
const SLOW = "This takes longer than usual. The maps appear as soon as the gateway answers.";

export class Names {
  #rows = new Map();
  #acts;

  /** `acts` are `onLook(item)`, `onChoose(item)`, `more()` and `again()`. */
  constructor(acts) {
    this.#acts = acts;
    this.list = el("ul", { class: "review-list", "aria-label": "Maps, the most suspicious first" });
    this.below = el("div", { class: "review-below" });
    this.element = el("nav", { class: "review-names", "aria-label": "Maps" }, this.list, this.below);
  }

  /** Be empty until maps are there; gives how to end the waiting. */
  wait() {
    const note = el("p", { class: "hint", role: "status" }, "Loading…");
    this.#rows.clear();
    this.list.replaceChildren();
    this.below.replaceChildren(note);
    const timer = setTimeout(() => (note.textContent = SLOW), SLOW_MS);
    return () => {
      clearTimeout(timer);
      note.remove();
    };
  }

  show(queue, current, chosen) {
    const rows = queue.items.map((item) => {
      if (!this.#rows.has(item)) this.#rows.set(item, new Row(item, this.#acts));
      const row = this.#rows.get(item);
      row.update({ isCurrent: item === current, isChosen: chosen.has(item) });
      return row;
    });
    arrange(this.list, rows.map(({ element }) => element));
    this.#showBelow(queue);
  }

  reveal(item) {
    this.#rows.get(item)?.element.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #showBelow({ isWhole, left, state, counts }) {
    const fresh = isWhole && state === "unreviewed" ? counts.unreviewed - left.length : 0;
    const { again, more } = this.#acts;
    const parts = [];
    if (fresh > 0) parts.push(button(`${count(fresh, "new map")}: show`, again, { look: "is-small" }));
    if (!isWhole) parts.push(button("Show more", more, { look: "is-small" }));
    this.below.replaceChildren(...parts);
  }
}
