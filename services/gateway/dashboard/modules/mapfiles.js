// The files of a picture and of one of its maps: each is loaded once, when it is first wanted.

import { loadBitmap, loadFull, loadPreview } from "./relief.js";

export class MapFiles {
  #urls;
  #map;
  #signal;
  #loads = new Map();

  /** `urls` are those of the picture; `map` may be null; where `signal` says so, loading is given up. */
  constructor(urls, map, signal) {
    this.#urls = urls;
    this.#map = map;
    this.#signal = signal;
  }

  picture() {
    return this.#once("picture", () => loadBitmap(largeOf(this.#urls), this.#signal));
  }

  /** The depth in 8 bits: small, and soon there. */
  preview() {
    return this.#once("preview", () => loadPreview(this.#map, this.#signal));
  }

  /** The depth in 16 bits; null where it is too large for a browser. */
  full() {
    return this.#once("full", () => loadFull(this.#map, this.#signal));
  }

  edges() {
    return this.#once("edges", () => loadBitmap(this.#map.edges.url, this.#signal));
  }

  /** The normals of surfaces, where they were drawn. */
  normals() {
    return this.#once("normals", () => loadBitmap(this.#map.normals.url, this.#signal));
  }

  /** Load what is shown first, to have it when it is wanted. Where it fails, showing it will tell. */
  warm() {
    for (const load of [this.picture(), this.preview()]) load.catch(() => null);
  }

  #once(name, load) {
    if (!this.#loads.has(name)) {
      const loading = load();
      loading.catch(() => this.#loads.delete(name));
      this.#loads.set(name, loading);
    }
    return this.#loads.get(name);
  }
}

/** Give the address of what is shown large: browsers cannot show every original, and need not load the largest. */
export function largeOf(urls) {
  return urls["1440"] ?? urls.original;
}
