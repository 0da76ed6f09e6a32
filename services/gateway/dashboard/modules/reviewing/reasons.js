// Why maps are rejected: reasons to choose from, and words of one's own.

import { button, el } from "../dom.js";
import { sentenceCase } from "../words.js";

/** The codes of the gateway, and what each means. */
export const REASONS = {
  blurry_edges: "Outlines are soft where the picture's are sharp.",
  misaligned_edges: "Outlines lie beside those of the picture.",
  mirror_or_glass: "It shows what a mirror or a pane shows, not the mirror or the pane.",
  inverted: "What is near is drawn far.",
  banding: "Smooth surfaces are drawn as steps.",
  flat: "There is no relief where there should be.",
  missing_detail: "Something thin or small is missing.",
  artefacts: "It shows what is not in the picture.",
  unsuitable_image: "The picture itself is not fit for training.",
  other: "See the note.",
};
const LONGEST_NOTE = 2000;

export class Reasons {
  /** `onReject({reasons, note})` is told what was chosen; `onEnd()` that the form is gone. */
  constructor({ onReject, onEnd }) {
    this.onReject = onReject;
    this.onEnd = onEnd;
    this.chips = Object.entries(REASONS).map(([code, meaning], place) => chip(code, meaning, (place + 1) % 10));
    const wording = { "aria-label": "Note", placeholder: "In your own words", dir: "auto" };
    this.note = el("input", { ...wording, maxlength: LONGEST_NOTE });
    this.lacking = el("p", { class: "step-error", role: "alert" });
    this.legend = el("legend", {});
    const chips = el("div", { class: "reason-chips" }, this.chips.map(({ element }) => element));
    const buttons = [
      el("button", { class: "button is-primary" }, "Reject", key("↵")),
      button("Cancel", () => this.close(), { look: "is-quiet" }),
    ];
    const submit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    const parts = [this.legend, chips, this.note, this.lacking, el("div", { class: "row" }, buttons)];
    this.element = el("form", { class: "reasons", hidden: true, submit }, el("fieldset", {}, parts));
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** Ask why; `name` is what would be rejected. */
  open(name) {
    this.legend.textContent = `Why reject ${name}?`;
    this.lacking.textContent = "";
    this.note.value = "";
    for (const { input } of this.chips) input.checked = false;
    this.element.hidden = false;
    this.chips[0].input.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  close() {
    if (!this.isOpen) return;
    this.element.hidden = true;
    this.onEnd();
  }

  /** Keys while the form is open: digits choose reasons. */
  key(event) {
    if (event.key === "Enter" && !event.target.matches("button")) {
      event.preventDefault();
      this.#submit();
    }
    if (event.target === this.note) return;
    const chosen = this.chips.find(({ digit }) => String(digit) === event.key);
    chosen?.input.click();
    chosen?.input.focus();
  }

  #submit() {
    const reasons = this.chips.filter(({ input }) => input.checked).map(({ code }) => code);
    const note = this.note.value.trim() || null;
    if (!reasons.length && !note) {
      this.lacking.textContent = "Choose a reason, or write a note.";
      return;
    }
    this.close();
    this.onReject({ reasons, note });
  }
}

/** A key, as it is written on a button. */
export function key(name) {
  return el("kbd", { "aria-hidden": "true" }, name);
}

function chip(code, meaning, digit) {
  const input = el("input", { type: "checkbox", value: code, "aria-keyshortcuts": digit });
  const words = el("span", {}, key(digit), sentenceCase(code));
  const element = el("label", { class: "reason-chip", title: meaning }, input, words);
  return { code, digit, input, element };
}
