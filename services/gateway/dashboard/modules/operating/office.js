// The operators' part of the page: which panel is shown, and which are offered to whom.

import { readAddress } from "../address.js";
import { el } from "../dom.js";
import { icon } from "../icons.js";
import { problemBox } from "../notices.js";
import { AuditPanel } from "./audit.js";
import { ChaptersPanel } from "./chapters.js";
import { HooksPanel } from "./hooks.js";
import { JobsPanel } from "./jobsearch.js";
import { LettersPanel } from "./letters.js";
import { whileSlow } from "./panel.js";
import { ProcessesPanel } from "./processes.js";
import { QueuesPanel } from "./queues.js";
import { ReasonsPanel } from "./reasons.js";
import { UsagePanel } from "./usage.js";
import { Who } from "./who.js";

const OPERATORS = {
  may: (who) => who.isOperator,
  refusal: "Only operators see this. The role “operator” comes with the token: ask whoever gives out tokens.",
};
const OWNERS = {
  may: (who) => who.isOperator || who.isOwner,
  refusal: "Only owners of a project and operators see this: ask an owner of yours.",
};
const ALL = { may: () => true };
const PANELS = {
  jobs: { title: "Jobs", of: JobsPanel, for: ALL },
  failures: { title: "Failures", of: ReasonsPanel, for: ALL },
  queues: { title: "Queues", of: QueuesPanel, for: OPERATORS },
  workers: { title: "Workers", of: ProcessesPanel, for: OPERATORS },
  letters: { title: "Dead letters", of: LettersPanel, for: ALL },
  webhooks: { title: "Webhooks", of: HooksPanel, for: ALL },
  chapters: { title: "Chapters", of: ChaptersPanel, for: ALL },
  usage: { title: "Usage", of: UsagePanel, for: OWNERS },
  audit: { title: "Audit", of: AuditPanel, for: OWNERS },
};

export class Office {
  #api;
  #who = null;
  #made = new Map();
  #shown = null;
  #name = null;

  constructor(api) {
    this.#api = api;
    this.nav = el("nav", { class: "office-nav", "aria-label": "Panels" });
    this.title = el("h2", { id: "office-title", tabindex: -1 });
    this.place = el("div", { class: "office-place" });
    const sign = [icon("list"), el("span", {}, "Operating")];
    this.link = el("a", { class: "button is-quiet to-office", href: "#panel=jobs" }, sign);
    document.getElementById("masthead-actions").prepend(this.link);
    this.element = el(
      "section",
      { class: "office", "aria-labelledby": "office-title", hidden: true },
      this.nav,
      el("header", { class: "section-head" }, this.title),
      this.place,
    );
  }

  /** Show the panel that the address names; without one the pictures are shown. */
  async follow(address) {
    const name = address.panel ?? null;
    const isNew = name !== this.#name;
    this.#name = name;
    this.element.hidden = name === null;
    document.body.toggleAttribute("data-office", name !== null);
    if (isNew) this.#leave();
    if (name === null) return;
    if (!this.#who && !(await this.#meet())) return;
    if (this.#name === name) this.#show(name, address, isNew);
  }

  close() {
    this.follow({});
  }

  hear(news) {
    this.#shown?.hear(news);
  }

  #leave() {
    document.title = "Diorama";
    this.#shown?.leave();
    this.#shown = null;
  }

  async #meet() {
    const status = el("p", { class: "hint", role: "status" }, "Loading …");
    this.place.replaceChildren(status);
    const end = whileSlow((text) => (status.textContent = text));
    try {
      this.#who = new Who(await this.#api.get("/me"));
      return true;
    } catch (problem) {
      this.place.replaceChildren(problemBox(problem, () => this.follow(readAddress())));
      return false;
    } finally {
      end();
    }
  }

  #show(name, address, isNew) {
    const panel = Object.hasOwn(PANELS, name) ? PANELS[name] : null;
    this.#drawNav(name);
    this.title.textContent = panel?.title ?? "No such panel";
    document.title = `${this.title.textContent} · Diorama`;
    if (isNew) {
      scrollTo({ top: 0 });
      this.title.focus({ preventScroll: true });
    }
    if (!panel || !panel.for.may(this.#who)) {
      this.place.replaceChildren(refusal(panel));
      return;
    }
    if (!this.#made.has(name)) this.#made.set(name, new panel.of({ api: this.#api, who: this.#who }));
    this.#shown = this.#made.get(name);
    if (this.place.firstChild !== this.#shown.element) this.place.replaceChildren(this.#shown.element);
    this.#shown.enter(address);
  }

  #drawNav(name) {
    const offered = Object.entries(PANELS).filter(([, panel]) => panel.for.may(this.#who));
    const links = offered.map(([one, { title }]) =>
      el("li", {}, el("a", { href: `#panel=${one}`, "aria-current": one === name && "page" }, title)),
    );
    const back = el("a", { class: "office-back", href: "#" }, icon("left"), "Pictures");
    this.nav.replaceChildren(back, el("ul", {}, links));
    // On a narrow screen the panels do not all have room, and the one that is shown shall be seen.
    const shown = this.nav.querySelector("[aria-current]");
    const list = shown?.closest("ul");
    if (list) list.scrollLeft = shown.offsetLeft - list.offsetLeft - (list.clientWidth - shown.offsetWidth) / 2;
  }
}

function refusal(panel) {
  const sentence = panel ? panel.for.refusal : "There is no panel of this name; choose one above.";
  return el("p", { class: "calm refusal" }, sentence);
}
