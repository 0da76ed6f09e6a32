// Pages of a list, the newest first: more are added below, and the first is asked for again and again.

const MOST = 500;

export class Pages {
  #items = new Map();
  #size;
  #momentOf;
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
    if (!isMore && this.#items.size > MOST) this.clear();
    if (isMore || this.#items.size <= this.#size) this.cursor = cursor;
    items.forEach((item) => this.put(item));
  }

  clear() {
    this.#items.clear();
    this.cursor = null;
  }
}
