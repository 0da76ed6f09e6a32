// Reviewing maps with the keyboard: one after the other, the most suspicious first.

import { writeAddress } from "../address.js";
import { Problem } from "../api.js";
import { DepthView } from "../depthview.js";
import { warningWords } from "../facts.js";
import { problemBox } from "../notices.js";
import { Gathering } from "../pace.js";
import { titleOf } from "../tile.js";
import { count } from "../words.js";
import { Ahead, nameOf } from "./ahead.js";
import { Names } from "./names.js";
import { Panel, STATES, endOf } from "./panel.js";
import { Queue } from "./queue.js";
import { Side } from "./side.js";

const RECOUNT_MS = 2_000;
const COUNTED = ["image.mapped", "image.reviewed", "image.deleted"];
const DONE = { approve: "Approved", reject: "Rejected", undo: "Taken back" };
const STEPS = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1 };

export class Review {
  #api;
  #queue;
  #place = 0;
  #ahead = new Ahead();
  #chosen = new Set();
  #loading = new AbortController();
  #shown = null;
  #isTurning = false;
  #acts = {
    a: () => this.#decide("approve"),
    r: () => this.#ask(),
    u: () => this.#undo(),
    x: () => this.#choose(this.#current),
    g: () => this.#redraw(),
    o: () => this.#open(),
  };
  #recounts = new Gathering(() => this.#recount(), { intervalMs: RECOUNT_MS });

  constructor(api) {
    this.#api = api;
    this.#queue = new Queue(api);
    this.view = new DepthView({ onTrouble: (problem) => this.#tell(problem) });
    this.side = new Side(this.#acts, {
      onReject: (why) => this.#decide("reject", why),
      onReasonsEnd: () => this.side.title.focus({ preventScroll: true }),
    });
    this.names = new Names({
      onLook: (item) => this.#go(this.#queue.items.indexOf(item)),
      onChoose: (item) => this.#choose(item),
      more: () => this.#attempt(() => this.#more()),
      again: () => this.#load(this.#queue.state),
    });
    this.panel = new Panel({ names: this.names, side: this.side, view: this.view });
    this.entry = this.panel.entry;
    this.element = this.panel.element;
    this.element.addEventListener("close", () => this.#closed());
    // Not of the dialog alone: where what had the focus is gone, as the end of the list is after one step back, keys
    // are pressed on nothing.
    document.addEventListener("keydown", (event) => this.#hears(event) && this.#key(event));
  }

  /** Open, change or close as the address says. */
  async follow({ review }) {
    if (!review) {
      if (this.element.open) this.element.close();
      return;
    }
    const state = review in STATES ? review : "unreviewed";
    if (this.element.open && state === this.#queue.state) return;
    if (!this.element.open) this.element.showModal();
    await this.#load(state);
  }

  /** Hear what happens. */
  hear(news) {
    if (COUNTED.includes(news.type)) this.#recounts.add("all");
    if (!this.element.open) return;
    if (news.type === "image.reviewed") this.#attempt(() => this.#hearOfOthers(news));
    else if (news.type === "image.mapped") this.#attempt(() => this.#renew(news.image_id));
    else if (news.type === "image.deleting") this.#drop(news.image_id);
  }

  /** Make good what could not be heard while the gateway was away. */
  catchUp() {
    this.#recounts.add("all");
  }

  get #current() {
    return this.#queue.items[this.#place] ?? null;
  }

  async #load(state) {
    const again = () => this.#load(state);
    this.#chosen.clear();
    this.#place = 0;
    this.#shown = null;
    this.panel.states.choose(state);
    this.view.begin({ keep: true });
    this.side.trouble.replaceChildren();
    this.side.say("");
    const arrived = this.names.wait();
    const isThere = await this.#attempt(() => this.#queue.load(state).finally(arrived), again);
    if (!isThere || state !== this.#queue.state) return;
    this.side.title.focus({ preventScroll: true });
    this.side.say(this.#nameAloud());
    await this.#showCurrent();
  }

  #closed() {
    this.#loading.abort();
    this.#ahead.clear();
    this.side.reasons.close();
    this.#queue.state = null;
    writeAddress({ review: null });
    this.entry.focus();
  }

  /** Show the current maps: their files are there already where they were fetched ahead. */
  async #showCurrent() {
    this.#render();
    const item = this.#current;
    const shown = item && nameOf(item);
    if (!item || shown === this.#shown) return;
    this.#shown = shown;
    this.names.reveal(item);
    this.#loading.abort();
    const { signal } = (this.#loading = new AbortController());
    this.view.begin({ keep: true });
    this.view.shape(item.image);
    const files = this.#ahead.of(item);
    const shows = [this.view.showPicture(files.picture(), signal), this.view.showMap(item, files, signal)];
    const again = () => this.#renew(item.image.id);
    await Promise.all(shows).catch((problem) => signal.aborted || this.#tell(problem, again));
    if (signal.aborted) return;
    const isNearEnd = this.#ahead.fetch(this.#queue.items, this.#place);
    if (isNearEnd && !this.#queue.isWhole) await this.#attempt(() => this.#more());
  }

  async #more() {
    await this.#queue.more();
    this.#render();
  }

  #render() {
    this.panel.showTally(this.#queue);
    if (this.element.open) this.panel.show(this.#queue, { place: this.#place, chosen: this.#chosen });
  }

  #go(place) {
    const { items, left } = this.#queue;
    const last = left.length ? items.length - 1 : items.length;
    this.#place = Math.min(Math.max(0, place), Math.max(0, last));
    this.#showCurrent();
  }

  #walk(step) {
    this.#go(this.#place + step);
    this.side.say(this.#nameAloud());
  }

  #choose(item) {
    if (!item) return;
    if (!this.#chosen.delete(item)) this.#chosen.add(item);
    this.#sayChosen();
  }

  #sayChosen() {
    this.side.say(this.#chosen.size ? `${this.#chosen.size} chosen.` : "None is chosen.");
    this.#render();
  }

  #targets() {
    if (this.#chosen.size) return [...this.#chosen];
    return this.#current ? [this.#current] : [];
  }

  #ask() {
    const items = this.#targets();
    if (items.length) this.side.reasons.open(namesOf(items));
  }

  async #decide(action, why = {}) {
    const items = this.#targets();
    if (!items.length || this.#isTurning) return;
    this.side.trouble.replaceChildren();
    this.#chosen.clear();
    const deciding = this.#follow(this.#queue.decide(items, action, why), items);
    await this.#next();
    this.side.say(`${DONE[action]}: ${namesOf(items)}. ${this.#nameAloud()}`);
    await deciding;
  }

  async #undo() {
    const items = this.#queue.lastDecided();
    if (!items) {
      this.side.say("There is nothing to take back.");
      return;
    }
    this.side.trouble.replaceChildren();
    const deciding = this.#follow(this.#queue.decide(items, "undo"), items);
    const place = this.#queue.items.indexOf(items[0]);
    this.#go(place < 0 ? this.#place : place);
    this.side.say(`${DONE.undo}: ${namesOf(items)}. ${this.#nameAloud()}`);
    await deciding;
  }

  /** Wait for what was decided; where nothing came of it, go back to it and say why. */
  async #follow(deciding, items) {
    try {
      const missed = await deciding;
      if (missed.length) this.side.say(`${count(missed.length, "map")} left as they were. ${missed[0].sentence}`);
      this.#render();
    } catch (problem) {
      this.#go(this.#queue.items.indexOf(items[0]));
      this.#tell(problem);
    }
  }

  /** Go on to the next that is left, also on a page that is not there yet; from the end back to what was left out. */
  async #next() {
    const queue = this.#queue;
    this.#isTurning = true;
    const isNext = (item, place) => place > this.#place && queue.isLeft(item);
    if (!queue.items.some(isNext) && !queue.isWhole) await this.#attempt(() => queue.more());
    this.#isTurning = false;
    const places = [queue.items.findIndex(isNext), queue.items.findIndex((item) => queue.isLeft(item))];
    this.#go([...places, queue.items.length].find((place) => place >= 0));
  }

  #nameAloud() {
    const item = this.#current;
    if (!item) return `${endOf(this.#queue)[0]}.`;
    const warnings = warningWords(item);
    return `Now: ${titleOf(item.image)}${warnings && `, ${warnings}`}.`;
  }

  async #redraw() {
    const item = this.#current;
    if (!item) return;
    await this.#attempt(async () => {
      await this.#api.post("/maps", { image_id: item.image.id, redraw: true });
      this.side.say(`The maps of ${titleOf(item.image)} will be drawn again, and wait for a review then.`);
    });
  }

  #open() {
    if (this.#current) writeAddress({ image: this.#current.image.id });
  }

  async #hearOfOthers(news) {
    const item = await this.#queue.hear(news);
    if (!item) return;
    const { state, reviewed_by: by } = item.review;
    this.side.say(`${titleOf(item.image)}: ${STATES[state].toLowerCase()} by ${by ?? "somebody"} meanwhile.`);
    this.#render();
  }

  async #renew(imageId) {
    const renewed = await this.#queue.renew(imageId);
    if (!renewed.length) return;
    this.#ahead.clear();
    if (renewed.includes(this.#current)) this.#shown = null;
    await this.#showCurrent();
  }

  #drop(imageId) {
    const item = this.#current;
    this.#queue.remove(imageId);
    for (const one of this.#chosen) if (one.image.id === imageId) this.#chosen.delete(one);
    const place = this.#queue.items.indexOf(item);
    this.#go(place < 0 ? this.#place : place);
  }

  async #recount() {
    try {
      await this.#queue.recount();
      this.#render();
    } catch (problem) {
      // Nothing is lost: whatever happens next, or being back, counts anew.
      if (!(problem instanceof Problem)) throw problem;
    }
  }

  /** Tell whether it went well; where not, what went wrong is shown. */
  async #attempt(work, again = null) {
    try {
      await work();
      return true;
    } catch (problem) {
      if (problem.name !== "AbortError") this.#tell(problem, again);
      return false;
    }
  }

  #tell(problem, again = null) {
    const retry = () => {
      this.side.trouble.replaceChildren();
      this.#attempt(again, again);
    };
    this.side.trouble.replaceChildren(problemBox(problem, again && retry));
  }

  #hears({ target }) {
    return this.element.open && (this.element.contains(target) || target === document.body);
  }

  #key(event) {
    const { reasons } = this.side;
    if (event.key === "Escape") this.#escape(event);
    else if (reasons.isOpen) reasons.key(event);
    else if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.#undo();
    } else if (!event.ctrlKey && !event.metaKey && !event.altKey) this.#act(event);
  }

  #act(event) {
    if (event.target === this.view.canvas && this.view.controls.key(event)) return;
    if (event.key.startsWith("Arrow") && event.target.matches("input")) return;
    const { [event.key]: step } = STEPS;
    const { [event.key]: act } = this.#acts;
    if (step) this.#walk(step);
    else if (act && !event.repeat) act();
    else if (!act && this.#current) this.view.controls.shortcut(event);
  }

  /** Escape ends what was begun last: the reasons, the choice, and only then the review. */
  #escape(event) {
    if (!this.side.reasons.isOpen && !this.#chosen.size) return;
    event.preventDefault();
    if (this.side.reasons.isOpen) this.side.reasons.close();
    else {
      this.#chosen.clear();
      this.#sayChosen();
    }
  }
}

function namesOf(items) {
  return items.length === 1 ? titleOf(items[0].image) : count(items.length, "map");
}
