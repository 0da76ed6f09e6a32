// One picture in the gallery: its thumbnail, how far each step is, and its colours.

import { followLink } from "./address.js";
import { el, setVariables, unseen } from "./dom.js";
import { icon } from "./icons.js";
import { stateWord } from "./states.js";
import { drawThumbHash } from "./thumbhash.js";
import { playingTime } from "./words.js";

const RATIO = { least: 0.62, most: 2.4 };
const RENEWAL_PAUSE_MS = 60_000;
const STEPS = {
  store: ["picture", "Stored"],
  describe: ["palette", "Described"],
  depth: ["layers", "Depth map"],
  edges: ["cube", "Edge map"],
};
const LAYERS = { depth: "depth_coloured", edges: "edges" };

/** Give the name of a picture: what people or its page call it, or where it came from. */
export function titleOf({ title, alt, caption, source_url: source }) {
  return title || alt || caption || fileName(source) || "Untitled";
}

function fileName(url) {
  if (!url || !URL.canParse(url)) return null;
  const last = new URL(url).pathname.split("/").pop();
  try {
    return decodeURIComponent(last);
  } catch {
    return last; // it is no valid escape, so it is shown as it is
  }
}

export class Tile {
  #image = null;
  #renewedAt = 0;

  /** `onStale(id)` is called when a URL has expired and new ones are wanted. */
  constructor(image, { layer, onStale }) {
    this.onStale = onStale;
    this.layer = layer;
    this.hash = el("canvas", { class: "tile-hash", "aria-hidden": "true", width: 1, height: 1 });
    this.picture = this.#img("tile-picture");
    this.over = this.#img("tile-over");
    this.palette = el("span", { class: "palette", "aria-hidden": "true" });
    this.title = el("span", { class: "tile-title", dir: "auto" });
    this.steps = el("span", { class: "steps" });
    this.length = el("span", { class: "tile-length", hidden: true });
    this.frame = el("span", { class: "tile-frame" }, this.hash, this.picture, this.over, this.length);
    const foot = el("span", { class: "tile-foot" }, this.title, this.steps);
    const open = (event) => followLink(event, { image: this.#image.id });
    this.link = el("a", { class: "tile-link", click: open }, this.frame, this.palette, foot);
    this.element = el("li", { class: "tile" }, this.link);
    this.frame.addEventListener("pointerenter", () => this.#loadOver());
    this.frame.addEventListener("pointermove", (event) => this.#wipe(event));
    this.frame.addEventListener("pointerleave", () => this.#rest());
    this.update(image);
  }

  get image() {
    return this.#image;
  }

  update(image) {
    const before = this.#image;
    this.#image = image;
    if (!before) this.#draw();
    if (before && this.picture.dataset.failed && before.urls["250"] !== image.urls["250"]) this.#loadPicture();
    this.title.textContent = this.title.title = titleOf(image);
    this.#tellLength(image.video);
    this.steps.replaceChildren(...stepIcons(image));
    this.palette.replaceChildren(
      ...image.palette.map(({ hex, share }) => setVariables(el("span"), { colour: hex, share })),
    );
    if (this.layer !== "picture") this.#loadOver();
  }

  /** Show the picture, its depth or its edges. */
  show(layer) {
    this.layer = layer;
    if (layer !== "picture") this.#loadOver();
  }

  #draw() {
    const { id, width_px: width, height_px: height, thumbhash } = this.#image;
    const ratio = Math.min(RATIO.most, Math.max(RATIO.least, width / height));
    setVariables(this.element, { ratio });
    this.link.href = `#image=${id}`;
    this.element.dataset.image = id;
    if (thumbhash) drawThumbHash(this.hash, thumbhash);
    this.#loadPicture();
  }

  #loadPicture() {
    const { urls, width_px: width, height_px: height } = this.#image;
    const renditions = ["250", "1440"].filter((name) => urls[name]);
    delete this.picture.dataset.failed;
    this.picture.sizes = "auto, 320px";
    this.picture.srcset = renditions.map((name) => `${urls[name]} ${widthOf(name, width, height)}w`).join(", ");
    this.picture.src = urls["250"] ?? urls.original;
  }

  #tellLength(video) {
    this.length.hidden = !video;
    if (!video) return;
    const { duration_seconds: seconds } = video;
    this.length.replaceChildren(unseen("Video "), seconds ? playingTime(seconds) : "Video");
  }

  #loadOver() {
    const layer = this.layer === "picture" ? "depth" : this.layer;
    const url = this.#image.urls[LAYERS[layer]];
    this.element.classList.toggle("has-over", Boolean(url));
    const shown = `${layer} ${this.#image.steps.depth.job_id}`;
    if (!url || this.over.dataset.layer === shown) return;
    this.over.dataset.layer = shown;
    delete this.over.dataset.loaded;
    this.over.src = url;
  }

  #wipe(event) {
    if (event.pointerType !== "mouse") return;
    const { left, width } = this.frame.getBoundingClientRect();
    this.element.classList.add("is-wiped");
    setVariables(this.element, { wipe: `${(((event.clientX - left) / width) * 100).toFixed(1)}%` });
  }

  #rest() {
    this.element.classList.remove("is-wiped");
    this.element.style.removeProperty("--wipe");
  }

  #img(className) {
    const lazy = { alt: "", loading: "lazy", decoding: "async", crossorigin: "anonymous", draggable: "false" };
    const img = el("img", { class: className, ...lazy });
    img.addEventListener("load", () => (img.dataset.loaded = "true"));
    img.addEventListener("error", () => this.#renew(img));
    return img;
  }

  #renew(img) {
    img.dataset.failed = "true";
    if (Date.now() - this.#renewedAt < RENEWAL_PAUSE_MS) return;
    this.#renewedAt = Date.now();
    delete this.over.dataset.layer;
    this.onStale(this.#image.id);
  }
}

function widthOf(rendition, width, height) {
  return Math.max(1, Math.round(width * Math.min(1, Number(rendition) / Math.max(width, height))));
}

function stepIcons(image) {
  return Object.entries(STEPS).map(([step, [sign, name]]) => {
    const state = image.steps[step]?.state ?? "not_requested";
    const words = `${name}: ${stateWord(state).toLowerCase()}`;
    return el("span", { class: `step is-${state}`, title: words }, icon(sign), unseen(`${words}. `));
  });
}
