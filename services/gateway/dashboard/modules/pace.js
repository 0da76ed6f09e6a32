// Doing things no more often than they can be seen.

/** Give a function that runs once for each frame that is drawn, however often it is called. */
export function onFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/**
 * Gathers keys and hands them on together: at most once in an interval, and never twice at a time.
 * `handOn(keys)` gives those with which it failed; they wait until `again()`.
 */
export class Gathering {
  #keys = new Set();
  #failed = new Set();
  #timer = null;
  #busy = false;
  #last = 0;

  constructor(handOn, { intervalMs }) {
    this.handOn = handOn;
    this.intervalMs = intervalMs;
  }

  add(...keys) {
    for (const key of keys) this.#keys.add(key);
    this.#plan();
  }

  /** Try once more what failed. */
  again() {
    this.add(...this.#failed);
    this.#failed.clear();
  }

  #plan() {
    if (this.#timer !== null || this.#busy || this.#keys.size === 0) return;
    const waitMs = Math.max(50, this.#last + this.intervalMs - Date.now());
    this.#timer = setTimeout(() => this.#flush(), waitMs);
  }

  async #flush() {
    const keys = [...this.#keys];
    this.#keys.clear();
    this.#timer = null;
    this.#busy = true;
    try {
      for (const key of (await this.handOn(keys)) ?? []) this.#failed.add(key);
    } finally {
      this.#busy = false;
      this.#last = Date.now();
      this.#plan();
    }
  }
}

/** Do something for each item, a few at a time. */
export async function forEachOf(items, work, { atOnce = 4 } = {}) {
  const waiting = [...items];
  const lane = async () => {
    while (waiting.length) await work(waiting.shift());
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, lane));
}
