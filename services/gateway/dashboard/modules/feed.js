// Following what happens: server-sent events over fetch, because EventSource can send no Authorization header.

import { Problem } from "./api.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** The gateway says "still here" every 15 s; who is silent for longer than two of these is gone. */
const LONGEST_SILENCE_MS = 40_000;

/** Read server-sent events (HTML standard, §9.2) from a stream of bytes; what is no event has `news: null`. */
export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = { id: null, data: [] };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        yield { id: event.id, news: event.data.length ? JSON.parse(event.data.join("\n")) : null };
        event = { id: null, data: [] };
      } else if (line.startsWith("id:")) event.id = line.slice(3).trim();
      else if (line.startsWith("data:")) event.data.push(line.slice(5).replace(/^ /, ""));
    }
  }
}

export class Feed {
  #api;
  #onNews;
  #onState;
  #lastId = null;
  #failures = 0;
  #ending = null;
  #stopped = false;
  #waking = () => {};

  /**
   * `onNews(event)` hears what happens; `onState(state, nextTryAt)` hears `live`, `lost` and `connecting`.
   * After a loss the feed resumes behind the last event that it saw, or where it began, so that nothing is missed;
   * where that could not be kept, a `gap` is heard.
   */
  constructor(api, { onNews, onState }) {
    this.#api = api;
    this.#onNews = onNews;
    this.#onState = onState;
    for (const occasion of ["online", "visibilitychange"]) addEventListener(occasion, () => this.wake());
  }

  async start() {
    while (!this.#stopped) {
      this.#onState("connecting", null);
      await this.#follow().catch(reportUnlessLost);
      if (this.#stopped) return;
      this.#failures += 1;
      await this.#pause();
    }
  }

  stop() {
    this.#stopped = true;
    this.#ending?.abort();
    this.wake();
  }

  /** Try again now. */
  wake() {
    this.#waking();
  }

  async #follow() {
    const ending = (this.#ending = new AbortController());
    let silence = setTimeout(() => ending.abort(), LONGEST_SILENCE_MS);
    const headers = { Accept: "text/event-stream", ...(this.#lastId && { "Last-Event-ID": this.#lastId }) };
    try {
      const response = await this.#api.send("GET", "/events", { headers, signal: ending.signal });
      this.#failures = 0;
      this.#onState("live", null);
      for await (const event of eventsOf(response.body)) {
        clearTimeout(silence);
        silence = setTimeout(() => ending.abort(), LONGEST_SILENCE_MS);
        this.#lastId = event.id ?? this.#lastId;
        if (event.news !== null) this.#tell(event.news);
      }
    } finally {
      clearTimeout(silence);
      ending.abort();
    }
  }

  /** A hearer that stumbles over one event must not cost the others. */
  #tell(news) {
    try {
      this.#onNews(news);
    } catch (error) {
      reportError(error);
    }
  }

  async #pause() {
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures);
    const pauseMs = longest * (0.5 + Math.random() / 2);
    this.#onState("lost", Date.now() + pauseMs);
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      this.#waking = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#waking = () => {};
  }
}

/** A connection may end in any way, that is what resuming is for; anything else is a mistake of ours. */
function reportUnlessLost(error) {
  const lost = error instanceof Problem || error instanceof TypeError || error.name === "AbortError";
  if (!lost) reportError(error);
}
