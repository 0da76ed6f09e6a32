// Looking at one picture: the stage, its controls, and what is known of it.

import { readAddress, writeAddress } from "./address.js";
import { colourTable } from "./colours.js";
import { button, el } from "./dom.js";
import { factsOf, headOf, jobsOf, provenanceOf } from "./facts.js";
import { icon } from "./icons.js";
import { problemBox } from "./notices.js";
import { loadBitmap, loadFull, loadPreview } from "./relief.js";
import { Stage } from "./stage.js";
import { StageControls } from "./stagecontrols.js";
import { titleOf } from "./tile.js";

const LONGEST_PX = 1440;

export class Viewer {
  #api;
  #gallery;
  #image = null;
  #maps = [];
  #loading = new AbortController();
  #edges = null;
  #shownMap = null;

  /** `onJob(job)` is called to look at a job. */
  constructor(api, gallery, { onJob }) {
    this.#api = api;
    this.#gallery = gallery;
    this.onJob = (job) => {
      this.close();
      onJob(job);
    };
    this.canvas = el("canvas", { class: "stage-canvas", tabindex: 0, role: "img", "aria-describedby": "stage-help" });
    const handle = el("span", { class: "stage-handle", "aria-hidden": "true" });
    this.frame = el("div", { class: "stage-frame" }, this.canvas, handle);
    this.stage = new Stage(this.canvas, this.frame);
    const onColouring = (name) => this.#attempt(() => this.#paint(name), this.#image.id);
    this.controls = new StageControls(this.stage, { onColouring });
    this.facts = el("aside", { class: "facts", "aria-label": "About this picture" });
    this.jobs = el("div");
    this.depth = el("div");
    this.head = el("div");
    this.about = el("div");
    this.facts.append(this.head, this.depth, this.about, this.jobs);
    this.trouble = el("div", { class: "stage-trouble" });
    this.place = el("span", { class: "viewer-place" });
    this.element = this.#build();
    this.element.addEventListener("close", () => this.#closed());
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Open, change or close as the address says. */
  async follow({ image: id }) {
    if (!id) {
      this.close();
      return;
    }
    if (this.#image?.id === id && this.element.open) return;
    if (!this.element.open) this.element.showModal();
    await this.#open(id);
  }

  /** Take what was loaded anew of a picture. */
  take(image) {
    if (image.id !== this.#image?.id || !this.element.open) return;
    const [before, now] = [this.#image.steps.depth, image.steps.depth];
    const mapped = now.job_id !== before.job_id || now.state !== before.state;
    this.#image = image;
    this.#tell();
    const { signal } = this.#loading;
    if (mapped) this.#attempt(() => this.#loadMaps(signal), image.id);
  }

  close() {
    if (this.element.open) this.element.close();
  }

  #closed() {
    this.#loading.abort();
    const id = this.#image?.id;
    this.#image = null;
    document.title = "Diorama";
    writeAddress({ image: null });
    if (id) this.#gallery.focus(id);
  }

  async #open(id) {
    this.#loading.abort();
    const { signal } = (this.#loading = new AbortController());
    this.#image = this.#gallery.find(id);
    this.#maps = [];
    this.#edges = this.#shownMap = null;
    this.stage.clear();
    this.controls.reset();
    this.trouble.replaceChildren();
    this.depth.replaceChildren();
    this.jobs.replaceChildren();
    await this.#attempt(async () => {
      this.#image ??= await this.#api.get(`/images/${id}`, {}, { signal });
      this.stage.shape(this.#image.width_px, this.#image.height_px);
      this.#tell();
      this.head.firstElementChild.focus();
      await Promise.all([this.#loadPicture(signal), this.#loadMaps(signal), this.#loadJobs(signal)]);
      this.#prefetch();
    }, id);
  }

  /** Do something that may fail, and tell of it on the stage; what was given up on purpose is not told. */
  async #attempt(work, id) {
    try {
      await work();
    } catch (problem) {
      if (problem.name !== "AbortError") this.trouble.replaceChildren(problemBox(problem, () => this.#open(id)));
    }
  }

  #tell() {
    const image = this.#image;
    this.head.replaceChildren(...headOf(image));
    this.about.replaceChildren(...factsOf(image, this.#api));
    this.canvas.setAttribute("aria-label", `${titleOf(image)}, left of the wipe as a picture, right of it as its map`);
    const place = this.#gallery.images.findIndex(({ id }) => id === image.id);
    this.place.textContent = place < 0 ? "" : `${place + 1} of ${this.#gallery.images.length}`;
    document.title = `${titleOf(image)} · Diorama`;
  }

  async #loadPicture(signal) {
    const { id, urls } = this.#image;
    let picture;
    try {
      picture = await loadBitmap(largeOf(urls), signal);
    } catch (error) {
      if (error.name === "AbortError" || error.status !== 403) throw error;
      this.#image = await this.#api.get(`/images/${id}`, {}, { signal }); // its URL may have expired
      picture = await loadBitmap(largeOf(this.#image.urls), signal);
    }
    if (!signal.aborted) this.stage.show({ picture });
  }

  async #loadMaps(signal) {
    const { items } = await this.#api.get(`/images/${this.#image.id}/maps`, {}, { signal });
    if (signal.aborted) return;
    this.#maps = items;
    const [map] = items;
    this.controls.offer(map ?? null, this.#image.steps.depth.state);
    this.depth.replaceChildren(...(map ? [provenanceOf(map)] : []));
    if (!map) return;
    this.#edges = null;
    await this.#takeRelief(loadPreview(map, signal), signal);
    await this.#takeRelief(loadFull(map, signal), signal);
  }

  async #takeRelief(loading, signal) {
    const relief = await loading;
    if (signal.aborted || !relief) return;
    this.stage.show({ relief });
    this.controls.tellBits(relief.bits, this.#maps[0].quality?.level_count ?? null);
    await this.#paint(this.controls.colouring);
  }

  async #paint(colouring) {
    const { relief } = this.stage;
    if (!relief) return;
    this.#shownMap = colouring;
    const map = colouring === "edges" ? await this.#loadEdges() : relief.paint(colouring, LONGEST_PX);
    if (this.#shownMap !== colouring || !map) return;
    this.stage.show({ map });
    this.controls.drawLegend(relief, colourTable(colouring === "edges" ? "grey" : colouring));
  }

  async #loadEdges() {
    this.#edges ??= loadBitmap(this.#maps[0].edges.url, this.#loading.signal);
    return this.#edges.catch((error) => {
      this.#edges = null;
      throw error;
    });
  }

  async #loadJobs(signal) {
    const { root_job_id: root, steps } = this.#image;
    const ids = new Set([root, ...Object.values(steps).map((step) => step.job_id)].filter(Boolean));
    const loads = [...ids].map((id) => this.#api.get(`/jobs/${id}`, { children_limit: 0 }, { signal }));
    const jobs = await Promise.all(loads);
    if (!signal.aborted && jobs.length) this.jobs.replaceChildren(jobsOf(jobs, this.onJob));
  }

  #prefetch() {
    for (const step of [-1, 1]) {
      const neighbour = this.#neighbour(step);
      // Only to warm the browser's cache: where it fails, opening the picture will tell.
      if (neighbour) fetch(largeOf(neighbour.urls), { mode: "cors", credentials: "omit" }).catch(() => null);
    }
  }

  #neighbour(step) {
    const { images } = this.#gallery;
    return images[images.findIndex(({ id }) => id === this.#image?.id) + step] ?? null;
  }

  async #walk(step) {
    if (step > 0 && !this.#neighbour(step)) await this.#gallery.more();
    const neighbour = this.#neighbour(step);
    const stillThere = readAddress().image === this.#image?.id;
    if (neighbour && stillThere) writeAddress({ image: neighbour.id }, { replace: true });
  }

  #key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, k: -1, j: 1 };
    const writing = event.target.matches("input, select, textarea");
    if (event.target === this.canvas && this.controls.key(event)) return;
    if (writing && !(event.target.type === "radio" && !event.key.startsWith("Arrow"))) return;
    if (steps[event.key]) this.#walk(steps[event.key]);
    else this.controls.shortcut(event);
  }

  #build() {
    const round = (sign, label, onPress) =>
      button(icon(sign), onPress, { look: "is-round", "aria-label": label, title: label });
    const parts = [this.trouble, this.frame, this.controls.element];
    const stage = el("section", { class: "stage", "aria-label": "Picture and depth" }, parts);
    return el(
      "dialog",
      { class: "viewer", "aria-labelledby": "viewer-title" },
      el(
        "header",
        { class: "viewer-head" },
        round("left", "Previous picture (←)", () => this.#walk(-1)),
        round("right", "Next picture (→)", () => this.#walk(1)),
        this.place,
        round("close", "Close (Esc)", () => this.close()),
      ),
      el("div", { class: "viewer-body" }, stage, this.facts),
    );
  }
}

/** Give the address of what is shown large: browsers cannot show every original, and need not load the largest. */
function largeOf(urls) {
  return urls["1440"] ?? urls.original;
}
