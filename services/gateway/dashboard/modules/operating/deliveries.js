// What one webhook was told, and telling it again.

import { button, el } from "../dom.js";
import { icon } from "../icons.js";
import { toast } from "../notices.js";
import { moment } from "../words.js";
import { badge } from "./badges.js";
import { Pages } from "./pages.js";
import { Panel, nothing } from "./panel.js";
import { Table } from "./table.js";

const PAGE = 50;

export class Deliveries extends Panel {
  #id = null;
  #hook = null;
  #told = new Pages(PAGE, (delivery) => delivery.created_at);

  constructor(parts) {
    super(parts, { everyMs: 4_000 });
    this.title = el("h3", { class: "break" });
    this.table = new Table("What it was told, the newest first", this.#columns());
    this.below = el("div", { class: "panel-more" });
    const chosen = { class: "panel-part", "aria-label": "The chosen delivery", tabindex: -1, hidden: true };
    this.detail = el("section", chosen);
    this.element.prepend(el("a", { class: "office-back", href: "#panel=webhooks" }, icon("left"), "All webhooks"));
  }

  wants({ type }) {
    return !type.startsWith("job.progressed");
  }

  enter(address) {
    if (this.#id !== address.open) {
      this.#id = address.open;
      this.#told.clear();
      this.detail.hidden = true;
      this.body.replaceChildren();
    }
    return super.enter(address);
  }

  async fetch(cursor = null) {
    const path = `/webhooks/${encodeURIComponent(this.#id)}`;
    const asked = { limit: PAGE, cursor };
    const [hook, page] = await Promise.all([this.api.get(path), this.api.get(`${path}/deliveries`, asked)]);
    return { hook, page };
  }

  draw({ hook, page }, isMore = false) {
    this.#hook = hook;
    this.#told.take(page, isMore);
    if (!this.body.firstChild) this.body.replaceChildren(this.title, this.detail, this.table.element, this.below);
    this.title.textContent = hook.url;
    this.table.show(this.#told.items);
    this.below.replaceChildren(...this.#end());
  }

  #end() {
    if (this.#told.cursor) return [button("Show more", () => this.#more())];
    return this.#told.isEmpty ? [nothing("It was told nothing in the last thirty days. “Test” sends a ping.")] : [];
  }

  #more() {
    return this.attempt(async () => this.draw(await this.fetch(this.#told.cursor), true));
  }

  #columns() {
    return [
      { name: "State", cell: ({ state }) => badge("DELIVERIES", state) },
      { name: "Event", head: true, cell: (one) => this.#open(one) },
      { name: "Happened", cell: ({ at }) => moment(at) },
      { name: "Attempts", number: true, cell: ({ attempts }) => attempts },
      { name: "Answer", cell: answer },
      { name: "Took", number: true, cell: ({ duration_ms: took }) => took !== null && `${took} ms` },
      { name: "Next", cell: ({ next_attempt_at: at }) => at && moment(at) },
      { name: "", cell: (one) => this.#offer(one) },
    ];
  }

  #open(one) {
    return button(one.type, () => this.#look(one), { look: "is-link", "data-act": "open" });
  }

  #offer(one) {
    if (!this.who.writes(one.project_id) || !this.#hook.active) return null;
    const label = `Send again: ${one.type}`;
    const about = { look: "is-small", "data-act": "resend", "aria-label": label };
    return button("Send again", () => this.#resend(one), about);
  }

  #resend(one) {
    return this.attempt(async () => {
      await this.api.post(`/webhooks/${this.#id}/deliveries/${one.id}/resend`);
      toast("It is sent once more.");
    });
  }

  #look(one) {
    return this.attempt(async () => {
      const found = await this.api.get(`/webhooks/${this.#id}/deliveries/${one.id}`);
      const attempts = found.attempt_log.map((attempt) => el("li", {}, moment(attempt.at), ": ", answer(attempt)));
      const body = { class: "selectable", tabindex: 0, "aria-label": "What is sent" };
      this.detail.replaceChildren(
        el("h3", {}, `${found.type} `, el("code", {}, found.message_id)),
        el("ul", { class: "tree-failures" }, attempts.length ? attempts : el("li", {}, "Not sent yet.")),
        el("pre", body, JSON.stringify(found.body, null, 2)),
        button("Close", () => (this.detail.hidden = true), { look: "is-small is-quiet" }),
      );
      this.detail.hidden = false;
      this.detail.focus();
    });
  }
}

function answer({ status_code: status, error, response_excerpt: excerpt }) {
  const said = excerpt ? ` “${excerpt.slice(0, 80)}”` : "";
  if (error) return el("span", { class: "reason-told" }, error.sentence, " ", el("code", {}, error.code), said);
  return status === null ? null : `${status}${said}`;
}
