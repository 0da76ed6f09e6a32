// The files of the maps near the one that is shown, so that the next is there before it is wanted.

import { MapFiles } from "../mapfiles.js";
import { keyOf } from "./queue.js";

const AHEAD = 3;
const BEHIND = 2;

export class Ahead {
  #files = new Map();

  of(item) {
    const name = nameOf(item);
    if (!this.#files.has(name)) this.#files.set(name, new MapFiles(item.image.urls, item));
    return this.#files.get(name);
  }

  /** Fetch what comes next, and forget what is far away; tell whether the end of the list is near. */
  fetch(items, place) {
    const near = items.slice(Math.max(0, place - BEHIND), place + AHEAD + 1);
    const kept = new Set(near.map(nameOf));
    for (const name of this.#files.keys()) if (!kept.has(name)) this.#files.delete(name);
    for (const item of items.slice(place + 1, place + AHEAD + 1)) this.of(item).warm();
    return items.length - place <= AHEAD;
  }

  clear() {
    this.#files.clear();
  }
}

/** Maps that are drawn anew have other files. */
export function nameOf(item) {
  return `${keyOf(item)} ${item.job_id}`;
}
