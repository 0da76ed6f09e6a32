// One of the maps in the list of the review.

import { el } from "../dom.js";
import { warningWords } from "../facts.js";
import { icon } from "../icons.js";
import { titleOf } from "../tile.js";

const SIGNS = { approved: ["check", "completed", "Approved"], rejected: ["cross", "failed", "Rejected"] };

export class Row {
  /** `onLook(item)` and `onChoose(item)` are told what is pressed. */
  constructor(item, { onLook, onChoose }) {
    this.item = item;
    this.picture = el("img", { alt: "", loading: "lazy", decoding: "async", crossorigin: "anonymous" });
    this.title = el("span", { class: "review-row-title", dir: "auto" });
    this.more = el("span", { class: "review-row-more" });
    this.sign = el("span", { class: "review-row-sign" });
    this.box = el("input", { type: "checkbox", tabindex: -1, change: () => onChoose(item) });
    const words = el("span", { class: "review-row-words" }, this.title, this.more);
    const press = { type: "button", class: "review-row-look", click: () => onLook(item) };
    this.look = el("button", press, this.picture, words, this.sign);
    this.element = el("li", { class: "review-row" }, el("label", { class: "review-row-box" }, this.box), this.look);
  }

  update({ isCurrent, isChosen }) {
    const { image, review } = this.item;
    const title = titleOf(image);
    const url = image.urls["250"] ?? image.urls.original;
    if (this.picture.src !== url) this.picture.src = url;
    this.title.textContent = title;
    this.more.textContent = warningWords(this.item);
    this.box.checked = isChosen;
    this.box.setAttribute("aria-label", `Choose ${title}`);
    this.look.setAttribute("aria-current", String(isCurrent));
    this.element.dataset.state = review.state;
    const [sign, state, words] = SIGNS[review.state] ?? [];
    // On a narrow screen the words are not there; who cannot see the picture is told them all the same.
    this.look.setAttribute("aria-label", [title, this.more.textContent, words].filter(Boolean).join(", "));
    this.sign.replaceChildren(...(sign ? [icon(sign, { label: words, className: `state is-${state}` })] : []));
  }
}
