// Pages of a list, the newest first: more are added below, and the first is asked for again and again.

/** When news have brought more than this beside what was asked for, the list begins anew. */
const MOST_NEWS = 500;

export class Pages {
  #items = new Map();
  #size;
  #momentOf;
  #asked = 0;
  cursor = null;

  /** `momentOf(item)` is what the list is ordered by, and `size` how many items a page has. */
  constructor(size, momentOf) {
    this.#size = size;
    this.#momentOf = momentOf;
  }

  get items() {
    const key = (item) => this.#momentOf(item) + item.id;
    return [...this.#items.values()].sort((one, other) => (key(one) < key(other) ? 1 : -1));
  }

  get isEmpty() {
    return this.#items.size === 0;
  }

  find(id) {
    return this.#items.get(id) ?? null;
  }

  put(item) {
    this.#items.set(item.id, item);
  }

  take({ items, next_cursor: cursor }, isMore = false) {
    if (!isMore && this.#items.size > this.#asked + MOST_NEWS) this.clear();
    if (isMore || this.#items.size <= this.#size) this.cursor = cursor;
    items.forEach((item) => this.put(item));
    if (isMore || this.#asked === 0) this.#asked = this.#items.size;
  }

  clear() {
    this.#items.clear();
    this.#asked = 0;
    this.cursor = null;
  }
}
