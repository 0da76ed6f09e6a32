// The search above the gallery: words, a colour, and filters. What is searched for stands in the address.

import { readAddress } from "./address.js";
import { button, el, setVariables } from "./dom.js";
import { icon } from "./icons.js";
import { askedOf, listed, search, searchAlso } from "./question.js";

const TYPING_MS = 350;
const MOST_TAGS = 200;
const COLOURS = {
  "#e02a2a": "Red",
  "#ee7d22": "Orange",
  "#f0cc2c": "Yellow",
  "#45a03c": "Green",
  "#1f9d98": "Teal",
  "#2b62d6": "Blue",
  "#7f49b8": "Purple",
  "#ea8fb6": "Pink",
  "#7b5334": "Brown",
  "#161616": "Black",
  "#8b8b8b": "Grey",
  "#f7f7f7": "White",
};
const KINDS = { "": "Any way", scraped: "Scraped", uploaded: "Uploaded", generated: "Drawn" };
const MOVING = { "": "Stills and videos", true: "Videos", false: "Stills" };
const WIDTHS = { "": "Any size", 640: "640 px wide or more", 1280: "1280 px or more", 2400: "2400 px or more" };
const SHAPES = { "": "Any shape", landscape: "Landscape", portrait: "Portrait", square: "Square" };
const CHIPS = {
  color: (value) => COLOURS[value],
  kind: (value) => KINDS[value],
  video: (value) => MOVING[value],
  min_width: (value) => WIDTHS[value],
  orientation: (value) => SHAPES[value],
};
const NAMES = { q: "Words", color: "Colour", tags: "Tags", kind: "Came", video: "What", source: "From", min_width: "Size" };

export class Search {
  #api;
  #typing = null;
  #tags = null;

  constructor(api) {
    this.#api = api;
    this.words = el("input", {
      ...{ type: "search", name: "q", id: "search-words", maxlength: 500, autocomplete: "off", enterkeyhint: "search" },
      ...{ placeholder: "Search titles, captions, tags, prompts", "aria-label": "Search pictures", dir: "auto" },
      ...{ "aria-keyshortcuts": "/", title: 'A "phrase", -without, one OR other, begin*' },
      input: () => this.#soon(),
    });
    this.colour = el("input", { type: "hidden", name: "color" });
    const tags = { name: "tags", list: "known-tags", placeholder: "dusk, hills", dir: "auto" };
    this.tags = el("input", { ...tags, autocomplete: "off" });
    this.known = el("datalist", { id: "known-tags" });
    this.source = el("input", { name: "source", placeholder: "example.org", autocomplete: "off", spellcheck: "false" });
    this.kind = options("kind", KINDS);
    this.video = options("video", MOVING);
    this.width = options("min_width", WIDTHS);
    this.shape = options("orientation", SHAPES);
    this.chips = el("ul", { class: "chips", "aria-label": "What is searched for" });
    this.element = this.#build();
    this.tags.addEventListener("focus", () => this.#learnTags());
    this.tags.addEventListener("input", () => this.#suggest());
    addEventListener("keydown", (event) => this.#key(event));
    addEventListener("pointerdown", ({ target }) => this.filters.contains(target) || (this.filters.open = false));
  }

  /** Show what the address asks for. */
  show(address) {
    const asked = askedOf(address);
    for (const input of this.#inputs()) {
      const value = asked[input.name] ?? "";
      if (listed(input.value).join() !== listed(value).join()) input.value = value;
    }
    for (const swatch of this.swatches) swatch.setAttribute("aria-pressed", String(swatch.dataset.hex === asked.color));
    const own = asked.color && !COLOURS[asked.color];
    this.free.classList.toggle("is-chosen", Boolean(own));
    if (own && /^#[0-9a-f]{6}$/.test(asked.color)) this.free.querySelector("input").value = asked.color;
    this.#showChips(asked);
  }

  #inputs() {
    return [this.words, this.colour, this.tags, this.source, this.kind, this.video, this.width, this.shape];
  }

  #build() {
    this.swatches = Object.entries(COLOURS).map(([hex, name]) => this.#swatch(hex, name));
    const pick = { type: "color", "aria-label": "Any other colour", value: "#4a7ab5" };
    const chosen = ({ target }) => this.#choose(target.value);
    const wheel = el("input", { ...pick, change: chosen });
    this.free = el("span", { class: "colour-free", title: "Any other colour" }, wheel);
    const field = el("span", { class: "search-field" }, icon("search"), this.words);
    const colours = el("div", { class: "colours", role: "group", "aria-label": "Colour" }, this.swatches, this.free);
    const submit = (event) => {
      event.preventDefault();
      this.#write();
    };
    return el(
      "form",
      { class: "search", role: "search", "aria-label": "Pictures", submit },
      el("div", { class: "search-row" }, field, colours, this.#filters()),
      this.colour,
      this.chips,
    );
  }

  #filters() {
    const write = () => this.#write();
    for (const input of [this.tags, this.source, this.kind, this.video, this.width, this.shape]) {
      input.addEventListener("change", write);
    }
    const fields = [
      labelled("Tags, with commas", this.tags),
      labelled("Host it came from", this.source),
      labelled("How it came", this.kind),
      labelled("What", this.video),
      labelled("Size", this.width),
      labelled("Shape", this.shape),
    ];
    const head = el("summary", { class: "button" }, icon("sliders"), "Filters");
    const sheet = el("div", { class: "search-filters-sheet" }, fields, this.known);
    this.filters = el("details", { class: "search-filters" }, head, sheet);
    return this.filters;
  }

  #swatch(hex, name) {
    const press = () => this.#choose(this.colour.value === hex ? "" : hex);
    const swatch = { type: "button", class: "colour", "data-hex": hex, "aria-pressed": "false", title: name };
    return setVariables(el("button", { ...swatch, "aria-label": name, click: press }), { colour: hex });
  }

  #choose(hex) {
    this.colour.value = hex;
    this.#write();
  }

  #soon() {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#write({ replace: true }), TYPING_MS);
  }

  #write(options) {
    clearTimeout(this.#typing);
    const said = this.#inputs().map((input) => [input.name, input.value]);
    searchAlso({ ...Object.fromEntries(said), tags: listed(this.tags.value).join() }, options);
  }

  #showChips(asked) {
    const filters = Object.entries(asked).filter(([name]) => name !== "q");
    const chips = filters.map(([name, value]) => this.#chip(name, value));
    if (Object.keys(asked).length) {
      chips.push(el("li", {}, button("Show all pictures", () => search(), { look: "is-small" })));
    }
    this.chips.replaceChildren(...chips);
    this.chips.hidden = chips.length === 0;
  }

  #chip(name, value) {
    const words = CHIPS[name]?.(value) ?? value;
    const dot = () => setVariables(el("span", { class: "dot", "aria-hidden": "true" }), { colour: value });
    const mark = name === "color" && dot();
    const label = `${NAMES[name] ?? "Shape"}: ${words}. Search without it`;
    const content = [mark, el("span", { dir: "auto" }, words), icon("close")];
    const remove = () => {
      searchAlso({ [name]: "" });
      this.words.focus();
    };
    return el("li", {}, button(content.filter(Boolean), remove, { look: "is-small is-chip", "aria-label": label }));
  }

  async #learnTags() {
    if (this.#tags) return;
    try {
      const { items } = await this.#api.get("/tags", { limit: MOST_TAGS });
      this.#tags = items.map(({ tag }) => tag);
      this.#suggest();
    } catch {
      this.#tags = null; // they are only suggested; whoever knows a tag can write it
    }
  }

  #suggest() {
    const before = this.tags.value.replace(/[^,]*$/, "");
    const values = (this.#tags ?? []).map((tag) => el("option", { value: before + tag }));
    this.known.replaceChildren(...values);
  }

  #key(event) {
    if (event.key === "Escape" && this.filters.open) {
      this.filters.open = false;
      this.filters.firstElementChild.focus();
    }
    const busy = event.target.matches?.("input, textarea, select") || document.querySelector("dialog[open]");
    if (event.key !== "/" || busy || readAddress().image) return;
    event.preventDefault();
    this.words.select();
  }
}

function options(name, values) {
  // An object's keys that are numbers come first, so the one that asks for nothing is moved before them.
  const sorted = Object.entries(values).sort(([one], [other]) => Number(one !== "") - Number(other !== ""));
  return el("select", { name }, sorted.map(([value, text]) => el("option", { value }, text)));
}

function labelled(text, input) {
  const id = `search-${input.name}`;
  input.id = id;
  return el("p", { class: "field" }, el("label", { for: id }, text), input);
}
