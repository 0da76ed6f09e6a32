// Whether news arrive: a small sign in the masthead, and a banner when they do not.

import { button, el } from "./dom.js";
import { icon } from "./icons.js";
import { announce } from "./notices.js";

const WORDS = { live: "Live", connecting: "Connecting", lost: "Offline" };
const TICK_MS = 500;

export class Connection {
  #sign = document.getElementById("connection");
  #banner = document.getElementById("offline");
  #countdown = el("span", { "aria-hidden": "true" });
  #nextTryAt = null;
  #timer = null;
  #outdated = false;
  #known;
  #resolve;

  constructor() {
    this.onRetry = () => {};
    this.#known = new Promise((resolve) => (this.#resolve = resolve));
    this.#banner.replaceChildren(
      icon("warning"),
      el("span", {}, "The connection is lost. What you see may be out of date; no work is lost."),
      this.#countdown,
      button("Try now", () => this.onRetry(), { look: "is-small" }),
    );
  }

  /** Wait until it is known whether the feed is there, but not longer than this. */
  known(longestMs) {
    return Promise.race([this.#known, new Promise((resolve) => setTimeout(resolve, longestMs))]);
  }

  show(state, nextTryAt) {
    const wasLost = !this.#banner.hidden && !this.#outdated;
    if (state !== "connecting") this.#resolve();
    this.#sign.hidden = false;
    this.#sign.dataset.state = state;
    this.#sign.replaceChildren(el("span", { class: "connection-dot", "aria-hidden": "true" }), WORDS[state]);
    // While it tries again the banner stays: only news that arrive take it away.
    if (state !== "connecting" && !this.#outdated) this.#banner.hidden = state === "live";
    if (state === "live" && wasLost) announce("Connected again", "connection");
    this.#nextTryAt = nextTryAt;
    clearInterval(this.#timer);
    this.#timer = nextTryAt ? setInterval(() => this.#tick(), TICK_MS) : null;
    this.#tick();
  }

  /** What is shown may be wrong for ever, not only while the connection is lost. */
  outdated() {
    if (this.#outdated) return;
    this.#outdated = true;
    this.#banner.replaceChildren(
      icon("warning"),
      el("span", {}, "Not all that happened meanwhile can be told any more. What you see may be out of date."),
      button("Reload", () => location.reload(), { look: "is-small" }),
    );
    this.#banner.hidden = false;
  }

  hide() {
    clearInterval(this.#timer);
    this.#sign.hidden = this.#banner.hidden = true;
  }

  #tick() {
    const seconds = this.#nextTryAt ? Math.max(0, Math.ceil((this.#nextTryAt - Date.now()) / 1000)) : 0;
    this.#countdown.textContent = seconds ? `Next try in ${seconds} s.` : "Trying …";
  }
}
