// Which part is in view where there is no room for both.

import { el } from "./dom.js";
import { icon } from "./icons.js";
import { count } from "./words.js";

const VIEWS = { pictures: ["Pictures", "picture"], jobs: ["Jobs", "list"] };

export class Views {
  #bar = document.getElementById("views");
  #buttons = new Map();
  #tally = el("span", { class: "tally", hidden: true });

  constructor() {
    for (const [name, [title, sign]] of Object.entries(VIEWS)) {
      this.#buttons.set(name, el("button", { type: "button", click: () => this.#choose(name) }, icon(sign), title));
    }
    this.#buttons.get("jobs").append(this.#tally);
    this.#bar.replaceChildren(...this.#buttons.values());
    this.#bar.hidden = false;
  }

  show(name) {
    document.body.dataset.view = name;
    for (const [one, button] of this.#buttons) button.setAttribute("aria-current", String(one === name));
  }

  showActive(active) {
    this.#tally.hidden = active === 0;
    this.#tally.textContent = active;
    this.#tally.setAttribute("aria-label", count(active, "live job"));
  }

  hide() {
    this.#bar.hidden = true;
  }

  #choose(name) {
    this.show(name);
    scrollTo({ top: 0 });
  }
}
