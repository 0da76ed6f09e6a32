// Who did what.

import { writeAddress } from "../address.js";
import { button, el } from "../dom.js";
import { moment, sentenceCase } from "../words.js";
import { field } from "./asking.js";
import { jobLink } from "./links.js";
import { Pages } from "./pages.js";
import { Panel, nothing } from "./panel.js";
import { Table } from "./table.js";

const PAGE = 50;

export class AuditPanel extends Panel {
  #acts = new Pages(PAGE, (act) => act.at);
  #asked = null;

  constructor(parts) {
    super(parts, { everyMs: 20_000 });
    this.form = this.#form();
    this.table = new Table("Who did what, the latest first", COLUMNS);
    this.below = el("div", { class: "panel-more" });
    this.element.prepend(this.form);
  }

  enter(address) {
    const asked = JSON.stringify([address.actor, address.action]);
    if (asked !== this.#asked) {
      this.#asked = asked;
      this.#acts.clear();
      for (const name of ["actor", "action"]) this.form.elements[name].value = address[name] ?? "";
    }
    return super.enter(address);
  }

  fetch(cursor = null) {
    const { actor, action } = this.address;
    return this.api.get("/audit", { actor, action, limit: PAGE, cursor });
  }

  draw(page, isMore = false) {
    this.#acts.take(page, isMore);
    if (!this.body.firstChild) this.body.replaceChildren(this.table.element, this.below);
    this.table.show(this.#acts.items);
    const isFiltered = Boolean(this.address.actor || this.address.action);
    const none = isFiltered ? "Nobody did such a thing." : "Nobody has done anything yet that is noted here.";
    if (this.#acts.cursor) this.below.replaceChildren(button("Show more", () => this.#more()));
    else this.below.replaceChildren(...(this.#acts.isEmpty ? [nothing(none)] : []));
  }

  #more() {
    return this.attempt(async () => this.draw(await this.fetch(this.#acts.cursor), true));
  }

  #form() {
    const ask = () => {
      const { actor, action } = Object.fromEntries(new FormData(this.form));
      writeAddress({ actor: actor.trim() || null, action: action.trim() || null });
    };
    const submit = (event) => {
      event.preventDefault();
      ask();
    };
    return el(
      "form",
      { class: "filters", role: "search", "aria-label": "Find acts", change: ask, submit },
      field("actor", "Who", { maxlength: 200, spellcheck: "false" }),
      field("action", "Act", { maxlength: 200, placeholder: "such as job.cancel", spellcheck: "false" }),
      el("button", { class: "button" }, "Find"),
    );
  }
}

const COLUMNS = [
  { name: "When", cell: ({ at }) => moment(at) },
  { name: "Who", head: true, cell: ({ actor }) => actor },
  { name: "Act", cell: ({ action }) => [sentenceCase(action.replace(".", ": ")), " ", el("code", {}, action)] },
  { name: "To what", cell: ({ subject }) => subjectOf(subject) },
  { name: "Details", cell: ({ details }) => detailsOf(details) },
  { name: "Trace", cell: ({ trace_id: trace }) => trace && el("code", { title: trace }, trace.slice(0, 8)) },
];

function subjectOf({ kind, id }) {
  return kind === "job" ? jobLink(id) : el("code", {}, id);
}

function detailsOf(details) {
  const told = Object.entries(details).filter(([, value]) => value !== null);
  const write = (value) => (typeof value === "object" ? JSON.stringify(value) : value);
  return told.map(([name, value]) => `${sentenceCase(name)}: ${write(value)}`).join("; ");
}
