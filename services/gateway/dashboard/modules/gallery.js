// The gallery: pages of pictures, the newest first, that keep themselves up to date.

import { readAddress, writeAddress } from "./address.js";
import { Problem } from "./api.js";
import { arrange, button, choices, el } from "./dom.js";
import { icon } from "./icons.js";
import { announce, problemBox } from "./notices.js";
import { Gathering, forEachOf } from "./pace.js";
import { Tile, titleOf } from "./tile.js";
import { workForm } from "./work.js";
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
  #filter = {};
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
    this.element = el(
      "section",
      { class: "pictures", id: "pictures", tabindex: -1, "aria-labelledby": "pictures-title" },
      [this.#head(), this.scope, this.fresh, this.list, this.below],
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

  /** Show the pictures of a job's tree only, or all where there is none. */
  async scopeTo(jobId) {
    if (jobId === (this.#filter.job_id ?? null)) return;
    this.#filter = { ...this.#filter, job_id: jobId ?? undefined };
    const all = button("Show all", () => writeAddress({ job: null }), { look: "is-small" });
    this.scope.hidden = !jobId;
    this.scope.replaceChildren("Pictures of one job only", el("code", {}, (jobId ?? "").slice(0, 13)), all);
    await this.reload();
  }

  async reload() {
    this.#tiles.clear();
    this.list.replaceChildren();
    this.#cursor = null;
    this.#held = [];
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

  #head() {
    return el(
      "header",
      { class: "section-head" },
      el("h2", { id: "pictures-title" }, "Pictures"),
      el(
        "div",
        { class: "section-tools" },
        choices("Which pictures", FILTERS, "all", (name) => {
          this.#filter = { ...this.#filter, mapped: { mapped: true, unmapped: false }[name] };
          this.reload();
        }),
        choices("Show as", LAYERS, "picture", (layer) => this.#show(layer)),
      ),
    );
  }

  #show(layer) {
    this.#layer = layer;
    this.list.dataset.layer = layer;
    for (const tile of this.#tiles.values()) tile.show(layer);
  }

  #loadPage() {
    this.#loading ??= this.#fetchPage().finally(() => (this.#loading = null));
    return this.#loading;
  }

  async #fetchPage() {
    const filter = this.#filter;
    this.element.setAttribute("aria-busy", "true");
    if (!this.#tiles.size) this.below.replaceChildren(skeleton());
    try {
      const page = await this.#api.get("/images", { ...filter, limit: PAGE, cursor: this.#cursor });
      if (filter !== this.#filter) return;
      this.#cursor = page.next_cursor;
      page.items.forEach((image) => this.#put(image));
      this.#arrange();
      this.#showEnd();
    } catch (problem) {
      if (filter === this.#filter) this.below.replaceChildren(problemBox(problem, () => this.#loadPage()));
    } finally {
      this.element.removeAttribute("aria-busy");
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
    } else if (Object.values(this.#filter).some((value) => value !== undefined)) {
      this.below.replaceChildren(el("p", { class: "calm" }, "No picture is like that."));
    } else if (!this.below.querySelector(".empty")) {
      this.below.replaceChildren(this.#empty());
    }
  }

  #empty() {
    return el(
      "div",
      { class: "empty" },
      icon("layers", { className: "empty-sign" }),
      el("h3", {}, "Nothing to look at yet"),
      el("p", {}, "Name a page, a link or a scene. Its pictures appear here by themselves, with their depth."),
      workForm(this.#api, () => {}, "draw"),
    );
  }

  #put(image) {
    const known = this.#tiles.get(image.id);
    if (known) known.update(image);
    else this.#tiles.set(image.id, new Tile(image, { layer: this.#layer, onStale: (id) => this.#stale.add(id) }));
  }

  #remove(id) {
    if (this.#tiles.delete(id)) this.#arrange();
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
      const page = await this.#api.get("/images", { ...this.#filter, limit: LARGEST_PAGE });
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
    const fresh = images.filter((image) => !this.#tiles.has(image.id));
    images.filter((image) => this.#tiles.has(image.id)).forEach((image) => this.#put(image));
    for (const image of images) this.onChange(image);
    // A filtered gallery is a question that was asked: news are not mixed into its answer.
    if (!fresh.length || Object.values(this.#filter).some((value) => value !== undefined)) return;
    const held = new Map([...this.#held, ...fresh].map((image) => [image.id, image]));
    this.#held = [...held.values()];
    const many = this.#held.length > 1;
    announce(many ? count(this.#held.length, "new picture") : `New picture: ${titleOf(fresh[0])}`, "pictures");
    if (this.#isAtTop()) this.#release();
    else this.#offer();
  }

  #offer() {
    this.fresh.hidden = false;
    this.fresh.replaceChildren(icon("up"), count(this.#held.length, "new picture"));
  }

  #release({ scroll = false } = {}) {
    if (!this.#held.length) return;
    this.fresh.hidden = true;
    if (this.#tiles.size + this.#held.length > MOST_TILES) {
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

  #ordered() {
    const newest = (one, other) => (one.image.created_at < other.image.created_at ? 1 : -1);
    return [...this.#tiles.values()].sort(newest);
  }

  #arrange() {
    arrange(this.list, this.#ordered().map((tile) => tile.element));
  }
}

function skeleton() {
  const blocks = Array.from({ length: 8 }, () => el("span"));
  return el("div", { class: "skeleton", role: "status", "aria-label": "Loading pictures" }, blocks);
}
