// Looking at one picture: the stage, its controls, and what is known of it.

import { readAddress, writeAddress } from "./address.js";
import { Alike } from "./alike.js";
import { DepthView } from "./depthview.js";
import { button, el } from "./dom.js";
import { Drawing } from "./drawing.js";
import { factsOf, headOf, jobsOf, provenanceOf } from "./facts.js";
import { icon } from "./icons.js";
import { MapFiles, largeOf } from "./mapfiles.js";
import { problemBox } from "./notices.js";
import { TagEditor } from "./tags.js";
import { titleOf } from "./tile.js";

const MOST_JOBS = 200;

export class Viewer {
  #api;
  #gallery;
  #image = null;
  #loading = new AbortController();

  /** `onJob(job)` is called to look at a job. */
  constructor(api, gallery, { onJob }) {
    this.#api = api;
    this.#gallery = gallery;
    this.onJob = (job) => {
      this.close();
      writeAddress({ review: null });
      onJob(job);
    };
    this.view = new DepthView({ onTrouble: (problem) => this.#tellTrouble(problem, this.#image?.id) });
    this.tags = new TagEditor(api, { onSaved: (image) => this.take(image) });
    this.alike = new Alike(api);
    this.drawing = new Drawing(api);
    this.facts = el("aside", { class: "facts", "aria-label": "About this picture" });
    this.jobs = el("div");
    this.depth = el("div");
    this.head = el("div");
    this.about = el("div");
    const parts = [this.head, this.tags.element, this.drawing.element, this.depth, this.about];
    this.facts.append(...parts, this.alike.element, this.jobs);
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
    this.view.begin();
    this.alike.begin(id);
    this.drawing.begin();
    this.depth.replaceChildren();
    this.jobs.replaceChildren();
    await this.#attempt(async () => {
      this.#image ??= await this.#api.get(`/images/${id}`, {}, { signal });
      this.view.shape(this.#image);
      this.#tell();
      this.head.firstElementChild.focus();
      const loads = [this.#loadPicture(signal), this.#loadMaps(signal), this.#loadJobs(signal)];
      await Promise.all([...loads, this.drawing.load(id, signal)]);
      this.#prefetch();
    }, id);
  }

  /** Do something that may fail, and tell of it on the stage; what was given up on purpose is not told. */
  async #attempt(work, id) {
    try {
      await work();
    } catch (problem) {
      this.#tellTrouble(problem, id);
    }
  }

  #tellTrouble(problem, id) {
    if (problem.name !== "AbortError") this.view.trouble.replaceChildren(problemBox(problem, () => this.#open(id)));
  }

  #tell() {
    const image = this.#image;
    const hadFocus = this.facts.contains(document.activeElement);
    this.head.replaceChildren(...headOf(image));
    this.tags.show(image);
    this.about.replaceChildren(...factsOf(image, this.#api));
    // Nobody presses keys in vain because what he was at has been told anew.
    if (hadFocus && !this.facts.contains(document.activeElement)) this.head.firstElementChild.focus();
    const place = this.#gallery.images.findIndex(({ id }) => id === image.id);
    this.place.textContent = place < 0 ? "" : `${place + 1} of ${this.#gallery.images.length}`;
    document.title = `${titleOf(image)} · Diorama`;
  }

  async #loadPicture(signal) {
    const { id, urls } = this.#image;
    try {
      await this.view.showPicture(new MapFiles(urls, null, signal).picture(), signal);
    } catch (error) {
      if (error.name === "AbortError" || error.status !== 403) throw error;
      this.#image = await this.#api.get(`/images/${id}`, {}, { signal }); // its URL may have expired
      await this.view.showPicture(new MapFiles(this.#image.urls, null, signal).picture(), signal);
    }
  }

  async #loadMaps(signal) {
    const { items } = await this.#api.get(`/images/${this.#image.id}/maps`, {}, { signal });
    if (signal.aborted) return;
    const [map] = items;
    this.depth.replaceChildren(...(map ? [provenanceOf(map)] : []));
    if (map) await this.view.showMap(map, new MapFiles(this.#image.urls, map, signal), signal);
    else this.view.controls.offer(null, this.#image.steps.depth.state);
  }

  /** Load what was done to the picture: its steps, and whatever else of its tree of jobs was about it. */
  async #loadJobs(signal) {
    const { id, root_job_id: root, job_id: storing, steps } = this.#image;
    const tree = root ? await this.#api.get("/jobs", { root_id: root, limit: MOST_JOBS }, { signal }) : { items: [] };
    const known = new Map(tree.items.filter((job) => job.image_id === id).map((job) => [job.id, job]));
    const ids = new Set([root, storing, ...Object.values(steps).map((step) => step.job_id)].filter(Boolean));
    const missing = [...ids].filter((one) => !known.has(one));
    const loads = missing.map((one) => this.#api.get(`/jobs/${one}`, { children_limit: 0 }, { signal }));
    const jobs = [...known.values(), ...(await Promise.all(loads))];
    jobs.sort((one, other) => (one.created_at < other.created_at ? -1 : 1));
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
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, k: -1, j: 1 };
    const writing = event.target.matches("input, select, textarea");
    if (event.target === this.view.canvas && this.view.controls.key(event)) return;
    if (writing && !(event.target.type === "radio" && !event.key.startsWith("Arrow"))) return;
    if (steps[event.key]) this.#walk(steps[event.key]);
    else this.view.controls.shortcut(event);
  }

  #build() {
    const round = (sign, label, onPress) =>
      button(icon(sign), onPress, { look: "is-round", "aria-label": label, title: label });
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
      el("div", { class: "viewer-body" }, this.view.element, this.facts),
    );
  }
}
