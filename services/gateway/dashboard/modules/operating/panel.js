// What all panels have: they load, stay fresh while somebody looks, and tell when that is slow or fails.

import { Problem } from "../api.js";
import { el } from "../dom.js";
import { problemBox, toastProblem } from "../notices.js";
import { Gathering } from "../pace.js";

const SLOW_MS = 3_000;
const SLOW = "The gateway takes its time; it is still being asked.";
const NEWS_MS = 1_200;

export class Panel {
  #run = 0;
  #timer = null;
  #isShown = false;
  #everyMs;
  #stale = new Gathering(() => this.load(), { intervalMs: NEWS_MS });

  /** Heirs give `fetch()` what is to be shown, `draw(found)` to show it, and `wants(news)` to be loaded by news. */
  constructor({ api, who }, { everyMs = 15_000 } = {}) {
    this.api = api;
    this.who = who;
    this.address = {};
    this.#everyMs = everyMs;
    this.trouble = el("div", { class: "panel-trouble" });
    this.status = el("p", { class: "hint panel-status", role: "status" });
    this.body = el("div", { class: "panel-body" });
    this.element = el("div", { class: "panel" }, this.status, this.trouble, this.body);
  }

  wants() {
    return false;
  }

  hear(news) {
    if (this.#isShown && this.wants(news)) this.#stale.add("all");
  }

  /** Show what the address says. */
  enter(address) {
    this.address = address;
    this.#isShown = true;
    return this.load();
  }

  leave() {
    this.#isShown = false;
    this.#run += 1;
    clearTimeout(this.#timer);
    this.body.removeAttribute("aria-busy");
  }

  async load() {
    if (!this.#isShown) return;
    const run = (this.#run += 1);
    clearTimeout(this.#timer);
    this.body.setAttribute("aria-busy", "true");
    if (!this.body.firstChild) this.status.textContent = "Loading …";
    const end = whileSlow((text) => this.#say(text));
    try {
      const found = await this.fetch();
      if (run !== this.#run) return;
      this.trouble.replaceChildren();
      this.#say("");
      this.draw(found);
    } catch (problem) {
      if (run === this.#run) this.#tell(problem);
    } finally {
      end();
      if (run === this.#run) this.#rest();
    }
  }

  /** Do something and show what came of it; tell where it fails. */
  async attempt(work) {
    try {
      await work();
      await this.load();
      // What was pressed may be gone with what it did; whoever works by keyboard goes on from the panel's head.
      const isLost = document.activeElement === document.body;
      if (isLost) document.getElementById("office-title")?.focus({ preventScroll: true });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      toastProblem(problem);
    }
  }

  #say(text) {
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  /** Tell a problem once, however often it comes back; what was known stays and is said to be old. */
  #tell(problem) {
    if (!(problem instanceof Problem)) reportError(problem);
    this.#say(this.body.firstChild ? "What you see may be out of date." : "");
    const known = this.trouble.firstChild?.dataset.code;
    if (known === problem.code) return;
    const box = problemBox(problem, () => this.load());
    box.dataset.code = problem.code;
    this.trouble.replaceChildren(box);
  }

  #rest() {
    this.body.removeAttribute("aria-busy");
    this.#timer = setTimeout(() => {
      if (document.hidden) this.#rest();
      else this.load();
    }, this.#everyMs);
  }
}

/** Say so where an answer is long in coming; gives how to end the waiting. */
export function whileSlow(say) {
  const timer = setTimeout(() => say(SLOW), SLOW_MS);
  return () => clearTimeout(timer);
}

/** What stands where nothing is: what that means, and what to do. */
export function nothing(text, ...more) {
  return el("p", { class: "calm" }, text, ...more);
}
