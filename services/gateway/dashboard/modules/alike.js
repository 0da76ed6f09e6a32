// Pictures that look like one, and those that are the same picture: asked for when somebody wants to see them.

import { followLink } from "./address.js";
import { el } from "./dom.js";
import { problemBox } from "./notices.js";
import { titleOf } from "./tile.js";

const SIMILAR = 12;
const GROUPS = 50;
const MOST_PAGES = 6;
const TIERS = { exact: "same bytes", resized: "resized", similar: "retouched or cropped" };
const NOT_SEEN = "There are more copies than are looked through here, and this picture is not among the first of them.";
const NO_VECTOR = "This picture cannot be compared yet: that comes with its description.";

export class Alike {
  #api;
  #id = null;

  constructor(api) {
    this.#api = api;
    this.similar = this.#part("Similar pictures", (id) => this.#similar(id));
    this.same = this.#part("Near-duplicates", (id) => this.#duplicates(id));
    this.element = el("section", { class: "facts-section alike" }, el("h3", {}, "Alike"), this.similar, this.same);
  }

  /** Begin with another picture; what was opened stays open. */
  begin(id) {
    this.#id = id;
    for (const part of [this.similar, this.same]) part.begin();
  }

  #part(title, load) {
    const content = el("div");
    const details = el("details", {}, el("summary", {}, title), content);
    let loaded = null;
    details.begin = async () => {
      const id = this.#id;
      if (!details.open || loaded === id) return;
      loaded = id;
      content.replaceChildren(el("p", { class: "hint", role: "status" }, "Looking…"));
      const again = () => {
        loaded = null;
        details.begin();
      };
      const shown = await load(id).catch((problem) => problemBox(problem, again));
      if (id === this.#id) content.replaceChildren(shown);
    };
    details.addEventListener("toggle", () => details.begin());
    return details;
  }

  async #similar(id) {
    try {
      const { items } = await this.#api.get(`/search/images/${id}/similar`, { limit: SIMILAR });
      if (!items.length) return hint("There is no other picture to compare with.");
      return list(items.map((image) => card(image, percent(image.match.score))));
    } catch (problem) {
      if (problem.code === "embedding_not_found") return hint(NO_VECTOR);
      throw problem;
    }
  }

  async #duplicates(id) {
    const { group, sawAll } = await this.#groupOf(id);
    if (!group) return hint(sawAll ? "There is no other copy of this picture." : NOT_SEEN);
    const cards = group.images.filter((image) => image.id !== id).map((image) => {
      const pair = group.pairs.find(({ image_ids: ids }) => ids.includes(id) && ids.includes(image.id));
      const size = `${image.width_px} × ${image.height_px}`;
      return card(image, `${TIERS[pair?.tier] ?? "by way of another"}${score(pair)}`, size);
    });
    return list(cards);
  }

  /** Find the group that shows a picture among the groups of its project; tell whether all pictures were seen. */
  async #groupOf(id) {
    let cursor = null;
    let sawAll = true;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const { items, next_cursor: next } = await this.#api.get("/search/images/duplicates", { limit: GROUPS, cursor });
      const found = items.find(({ images }) => images.some((image) => image.id === id));
      sawAll &&= items.every(({ images, total }) => images.length === total);
      if (found || !next) return { group: found, sawAll };
      cursor = next;
    }
    return { group: null, sawAll: false };
  }
}

function score(pair) {
  return pair?.score === null || pair?.score === undefined ? "" : `, ${percent(pair.score)}`;
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}

function list(cards) {
  return el("ul", { class: "alike-list" }, cards);
}

function hint(sentence) {
  return el("p", { class: "hint" }, sentence);
}

function card(image, how, more = null) {
  const picture = { src: image.urls["250"] ?? image.urls.original, alt: "", loading: "lazy", crossorigin: "anonymous" };
  const open = (event) => followLink(event, { image: image.id });
  return el(
    "li",
    {},
    el(
      "a",
      { href: `#image=${image.id}`, click: open },
      el("img", picture),
      el("span", { class: "alike-title", dir: "auto" }, titleOf(image)),
      el("b", {}, how),
      more && el("span", { class: "alike-title" }, more),
    ),
  );
}
