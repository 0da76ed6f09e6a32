// Maps to review, the most suspicious first, and what was decided of them here.

const PAGE = 40;
const VERDICTS = { approve: "approved", reject: "rejected", undo: "unreviewed" };

export function keyOf({ image, recipe }) {
  return `${image.id} ${recipe}`;
}

export class Queue {
  #api;
  #cursor = null;
  #sending = Promise.resolve();
  #busy = new Map();
  #decided = [];

  constructor(api) {
    this.#api = api;
    this.state = null;
    this.items = [];
    this.counts = { unreviewed: 0, approved: 0, rejected: 0 };
  }

  get isWhole() {
    return this.#cursor === null;
  }

  get total() {
    return Object.values(this.counts).reduce((sum, one) => sum + one, 0);
  }

  /** Those of which nothing was decided since they were loaded. */
  get left() {
    return this.items.filter((item) => this.isLeft(item));
  }

  isLeft(item) {
    return item.review.state === this.state;
  }

  find(imageId, recipe) {
    return this.items.find((item) => item.image.id === imageId && item.recipe === recipe) ?? null;
  }

  /** Begin with the maps in one state. */
  async load(state) {
    this.state = state;
    this.items = [];
    this.#cursor = null;
    await this.more();
  }

  async more() {
    const { state } = this;
    const page = await this.#api.get("/review/maps", { state, limit: PAGE, cursor: this.#cursor });
    if (state !== this.state) return;
    const known = new Set(this.items.map(keyOf));
    this.items.push(...page.items.filter((item) => !known.has(keyOf(item))));
    this.#cursor = page.next_cursor;
    this.counts = page.counts;
  }

  async recount() {
    this.counts = (await this.#api.get("/review/maps", { limit: 1 })).counts;
  }

  /**
   * Decide the same of some maps. It shows at once, and is sent behind what was decided before.
   * Gives what was skipped, and why; throws where nothing came of it, and then all is as it was.
   */
  async decide(items, action, why = {}) {
    const { reasons = [], note = null } = why;
    const before = new Map(items.map((item) => [item, item.review]));
    if (action !== "undo") this.#decided.push(items);
    for (const item of items) {
      this.#set(item, { ...item.review, state: VERDICTS[action], reasons, note, reviewed_by: null });
      this.#hold(item, 1);
    }
    const sent = this.#sending.then(() => this.#send(items, action, why));
    this.#sending = sent.catch(() => null);
    try {
      return await sent;
    } catch (problem) {
      this.#decided = this.#decided.filter((one) => one !== items);
      for (const [item, review] of before) this.#set(item, { ...review, version: item.review.version });
      throw problem;
    } finally {
      for (const item of items) this.#hold(item, -1);
    }
  }

  /** Give what was decided last and forget that it was; null where nothing is left to take back. */
  lastDecided() {
    return this.#decided.pop() ?? null;
  }

  /** Hear that somebody has decided of maps; gives them where that was not here. */
  async hear({ image_id: imageId, recipe, state }) {
    const item = this.find(imageId, recipe);
    if (!item || this.#busy.has(item) || item.review.state === state) return null;
    const before = item.review;
    const review = await this.#ask(item);
    if (this.#busy.has(item) || item.review !== before) return null;
    this.#set(item, review);
    return review.state === before.state ? null : item;
  }

  /** Load a picture with its maps anew: they were drawn again, or the addresses of their files have expired. */
  async renew(imageId) {
    const items = this.items.filter(({ image }) => image.id === imageId);
    if (!items.length) return [];
    const [image, maps] = await Promise.all([
      this.#api.get(`/images/${imageId}`),
      this.#api.get(`/images/${imageId}/maps`),
    ]);
    for (const item of items) {
      const map = maps.items.find(({ recipe }) => recipe === item.recipe);
      if (map) Object.assign(item, map, { image });
    }
    return items;
  }

  remove(imageId) {
    this.items = this.items.filter(({ image }) => image.id !== imageId);
  }

  async #send(items, action, { reasons = [], note = null }) {
    const named = new Map(items.map((item) => [keyOf(item), item]));
    const maps = items.map(({ image, recipe, review }) => ({ image_id: image.id, recipe, version: review.version }));
    const said = { ...(reasons.length && { reasons }), ...(note && { note }) };
    const { items: done, skipped } = await this.#api.post("/review/maps", { action, maps, ...said });
    for (const review of done) {
      const item = named.get(`${review.image_id} ${review.recipe}`);
      // Meanwhile something else may have been decided here, which is sent next.
      const { state, reasons: why, note: words } = item.review;
      item.review = { ...review, state, reasons: why, note: words };
    }
    const missed = skipped.filter(({ code }) => code !== "already_so");
    const found = missed.map((one) => named.get(`${one.image_id} ${one.recipe}`));
    await Promise.all(found.map(async (item) => this.#set(item, await this.#ask(item))));
    return missed;
  }

  async #ask({ image, recipe }) {
    return this.#api.get(`/images/${image.id}/maps/${recipe}/review`);
  }

  #set(item, review) {
    this.counts[item.review.state] -= 1;
    this.counts[review.state] += 1;
    item.review = review;
  }

  #hold(item, by) {
    const held = (this.#busy.get(item) ?? 0) + by;
    if (held) this.#busy.set(item, held);
    else this.#busy.delete(item);
  }
}
