// The gallery: pages of pictures, the newest first, that keep themselves up to date.

import { readAddress, writeAddress } from "./address.js";
import { Problem } from "./api.js";
import { nothingLikeThat, nothingYet, waiting } from "./below.js";
import { arrange, button, choices, el } from "./dom.js";
import { icon } from "./icons.js";
import { announce, problemBox } from "./notices.js";
import { Gathering, forEachOf } from "./pace.js";
import { questionOf } from "./question.js";
import { Search } from "./search.js";
import { Tile, titleOf } from "./tile.js";
import { count } from "./words.js";

const PAGE = 60;
const LARGEST_PAGE = 200;
/** When news have brought more tiles than this, the gallery begins anew with its first page. */
const MOST_TILES = 1_200;
const REFRESH_MS = 800;
const ONE_BY_ONE = 6;
const SETTLED = new Set(["completed", "failed", "cancelled"]);
const FILTERS = [
  ["all", "All"],
  ["mapped", "With depth"],
  ["unmapped", "Without"],
];
const LAYERS = [
  ["picture", "Picture"],
  ["depth", "Depth"],
  ["edges", "Edges"],
];

export class Gallery {
  #api;
  #tiles = new Map();
  #cursor = null;
  #held = [];
  #question = null;
  #mapped;
  #layer = "picture";
  #loading = null;
  #end;
  #stale = new Gathering((ids) => this.#refresh(ids), { intervalMs: REFRESH_MS });

  /** `onChange(image)` hears of every picture that was loaded anew. */
  constructor(api, { onChange = () => {} } = {}) {
    this.#api = api;
    this.onChange = onChange;
    this.list = el("ul", { class: "gallery", "aria-label": "Pictures, the newest first" });
    this.below = el("div", { class: "gallery-below" });
    this.fresh = button("", () => this.#release({ scroll: true }), { look: "is-fresh", hidden: true });
    this.scope = el("p", { class: "scope", hidden: true });
    this.search = new Search(api);
    this.element = el(
      "section",
      { class: "pictures", id: "pictures", tabindex: -1, "aria-labelledby": "pictures-title" },
      [this.#head(), this.search.element, this.scope, this.fresh, this.list, this.below],
    );
    const nearEnd = (seen) => seen.at(-1).isIntersecting && this.#cursor && this.#loadPage();
    this.#end = new IntersectionObserver(nearEnd, { rootMargin: "600px" });
    addEventListener("scroll", () => this.#isAtTop() && this.#release(), { passive: true });
  }

  /** Pictures in the order in which they are shown. */
  get images() {
    return this.#ordered().map((tile) => tile.image);
  }

  find(id) {
    return this.#tiles.get(id)?.image ?? null;
  }

  focus(id) {
    this.#tiles.get(id)?.link.focus();
  }

  /** Show what the address asks for: what is searched, the pictures of a job's tree only, or all. */
  async follow(address) {
    if (address.panel) return; // what else it says then, it says to another part of the page
    const question = questionOf(address, { mapped: this.#mapped });
    this.search.show(address);
    if (question.key === this.#question?.key) return;
    this.#question = question;
    this.mapped.hidden = question.searches;
    this.#tellScope(question.parameters.job_id);
    await this.reload();
  }

  async reload() {
    this.#tiles.clear();
    this.list.replaceChildren();
    this.#cursor = null;
    this.#held = [];
    this.fresh.hidden = true;
    this.#loading = null;
    await this.#loadPage();
  }

  /** Load the next page, where there is one: to walk on behind the last picture. */
  async more() {
    if (this.#cursor) await this.#loadPage();
  }

  /** Hear what happens. */
  hear(news) {
    if (news.type === "image.deleted") this.#remove(news.image_id);
    else if (news.image_id) this.#stale.add(news.image_id);
    else if (news.job) this.#hearJob(news.job);
  }

  /** Make good what could not be loaded while the gateway was away. */
  catchUp() {
    this.#stale.again();
    if (this.below.querySelector(".problem")) this.#loadPage();
  }

  #hearJob(job) {
    const unsettled = [...this.#tiles.values()].filter(({ image }) => !SETTLED.has(image.processing_status));
    const own = unsettled.filter(({ image }) => Object.values(image.steps).some((step) => step.job_id === job.id));
    const mapping = job.kind.startsWith("depth_map.map_depth");
    const meant = own.length || !mapping || job.state === "pending" ? own : unsettled.slice(0, ONE_BY_ONE);
    this.#stale.add(...meant.map(({ image }) => image.id));
  }

  #tellScope(jobId) {
    const all = button("Show all", () => writeAddress({ job: null }), { look: "is-small" });
    this.scope.hidden = !jobId;
    this.scope.replaceChildren("Pictures of one job only", el("code", {}, (jobId ?? "").slice(0, 13)), all);
  }

  #head() {
    this.mapped = choices("Which pictures", FILTERS, "all", (name) => {
      this.#mapped = { mapped: true, unmapped: false }[name];
      this.follow(readAddress());
    });
    const layers = choices("Show as", LAYERS, "picture", (layer) => this.#show(layer));
    this.tools = el("div", { class: "section-tools" }, this.mapped, layers);
    const title = el("h2", { id: "pictures-title" }, "Pictures");
    return el("header", { class: "section-head" }, title, this.tools);
  }

  #show(layer) {
    this.#layer = layer;
    this.list.dataset.layer = layer;
    for (const tile of this.#tiles.values()) tile.show(layer);
  }

  #loadPage() {
    if (this.#loading) return this.#loading;
    const loading = this.#fetchPage().finally(() => {
      if (this.#loading === loading) this.#loading = null;
    });
    return (this.#loading = loading);
  }

  async #fetchPage() {
    const question = this.#question;
    const { path, parameters } = question;
    this.element.setAttribute("aria-busy", "true");
    const end = waiting(this.below, { isEmpty: !this.#tiles.size });
    try {
      const page = await this.#api.get(path, { ...parameters, limit: PAGE, cursor: this.#cursor });
      if (question !== this.#question) return;
      this.#cursor = page.next_cursor;
      page.items.forEach((image) => this.#put(image));
      this.#arrange();
      this.#showEnd();
      if (question.searches) announce(`${count(this.#tiles.size, "picture")} found`, "search");
    } catch (problem) {
      if (question === this.#question) this.below.replaceChildren(problemBox(problem, () => this.#loadPage()));
    } finally {
      end();
      if (question === this.#question) this.element.removeAttribute("aria-busy");
    }
  }

  #showEnd() {
    if (this.#cursor) {
      this.below.replaceChildren(button("Show more", () => this.#loadPage()));
      // An observer tells changes only, and an end that a page did not push out of sight has not changed.
      this.#end.unobserve(this.below);
      this.#end.observe(this.below);
    } else if (this.#tiles.size) {
      this.below.replaceChildren(el("p", { class: "hint" }, count(this.#tiles.size, "picture"), ", and that is all."));
    } else if (this.#question.isNarrow) {
      this.below.replaceChildren(nothingLikeThat(this.#question));
    } else if (!this.below.querySelector(".empty .work")) {
      this.below.replaceChildren(nothingYet(this.#api));
    }
  }

  #put(image) {
    const known = this.#tiles.get(image.id);
    if (known) known.update(image);
    else this.#tiles.set(image.id, new Tile(image, { layer: this.#layer, onStale: (id) => this.#stale.add(id) }));
  }

  #remove(id) {
    const held = this.#held.filter((image) => image.id !== id);
    if (held.length < this.#held.length) {
      this.#held = held;
      this.#offer();
    }
    if (!this.#tiles.delete(id)) return;
    this.#arrange();
    const isDone = !this.#loading && !this.#cursor && !this.below.querySelector(".problem");
    if (isDone) this.#showEnd();
  }

  async #refresh(ids) {
    try {
      this.#take(await this.#fetchMany(ids));
      return [];
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      return ids;
    }
  }

  /** Load pictures anew: a few one by one, many by the page that holds the newest. */
  async #fetchMany(ids) {
    const wanted = new Set(ids);
    const images = [];
    if (wanted.size > ONE_BY_ONE) {
      const page = await this.#api.get("/images", { limit: LARGEST_PAGE });
      for (const image of page.items) if (wanted.delete(image.id)) images.push(image);
    }
    const left = [...wanted].filter((id) => ids.length <= ONE_BY_ONE || this.#tiles.has(id));
    await forEachOf(left, async (id) => {
      try {
        images.push(await this.#api.get(`/images/${id}`));
      } catch (problem) {
        if (problem.status !== 404) throw problem;
        this.#remove(id);
      }
    });
    return images;
  }

  #take(images) {
    const fresh = images.filter((image) => !this.#tiles.has(image.id) && this.#belongsHere(image));
    images.filter((image) => this.#tiles.has(image.id)).forEach((image) => this.#put(image));
    for (const image of images) this.onChange(image);
    if (!fresh.length) return;
    const held = new Map([...this.#held, ...fresh].map((image) => [image.id, image]));
    this.#held = [...held.values()];
    // A filtered gallery is a question that was asked: news are not mixed into its answer.
    if (this.#question?.isNarrow) {
      this.#offer();
      return;
    }
    const many = this.#held.length > 1;
    announce(many ? count(this.#held.length, "new picture") : `New picture: ${titleOf(fresh[0])}`, "pictures");
    if (this.#isAtTop()) this.#release();
    else this.#offer();
  }

  /** What has changed behind the last picture that was loaded is not new, and comes with its page. */
  #belongsHere(image) {
    if (this.#question?.isNarrow || !this.#cursor) return true;
    const last = this.#ordered().at(-1);
    return !last || image.created_at >= last.image.created_at;
  }

  #offer() {
    const number = this.#held.length;
    const changed = () => `${count(number, "picture")} changed since you asked. Ask again?`;
    this.fresh.hidden = number === 0;
    this.fresh.replaceChildren(icon("up"), this.#question?.isNarrow ? changed() : count(number, "new picture"));
  }

  #release({ scroll = false } = {}) {
    if (!this.#held.length) return;
    if (this.#question?.isNarrow && !scroll) return;
    this.fresh.hidden = true;
    if (this.#question?.isNarrow || this.#tiles.size + this.#held.length > MOST_TILES) {
      this.reload();
      return;
    }
    this.#held.splice(0).forEach((image) => this.#put(image));
    this.#arrange();
    this.#showEnd();
    if (scroll) scrollTo({ top: 0, behavior: "smooth" });
  }

  #isAtTop() {
    return scrollY < 120 && !readAddress().image;
  }

  /** A search has its own order, in which its tiles came. */
  #ordered() {
    const newest = (one, other) => (one.image.created_at < other.image.created_at ? 1 : -1);
    const tiles = [...this.#tiles.values()];
    return this.#question?.searches ? tiles : tiles.sort(newest);
  }

  #arrange() {
    arrange(this.list, this.#ordered().map((tile) => tile.element));
  }
}
