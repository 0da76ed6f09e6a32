// Failures by reason, and doing a whole group again.

import { button, el } from "../dom.js";
import { toast } from "../notices.js";
import { count, kindName, moment, sentenceCase } from "../words.js";
import { ask } from "./asking.js";
import { hrefOf, jobLink } from "./links.js";
import { Panel, nothing } from "./panel.js";
import { Table } from "./table.js";

const SAMPLES = 3;

export class ReasonsPanel extends Panel {
  constructor(parts) {
    super(parts);
    this.table = new Table("Failed jobs by reason, the most frequent first", this.#columns());
    this.below = el("div", { class: "panel-empty" });
  }

  wants({ type }) {
    return type === "job.failed" || type === "job.submitted";
  }

  fetch() {
    return this.api.get("/failures");
  }

  draw({ items, more, created_after: since }) {
    if (!this.body.firstChild) this.body.replaceChildren(this.table.element, this.below);
    this.table.show(items, ({ error_code: code, kind }) => `${code} ${kind}`);
    const told = [
      items.length === 0 && nothing("Nothing that failed in the last thirty days is left to be done again."),
      more && el("p", { class: "hint" }, "The most frequent reasons are shown; there are more."),
      items.length > 0 && el("p", { class: "hint" }, "Since ", moment(since), ", without those that were done again."),
    ];
    this.below.replaceChildren(...told.filter(Boolean));
  }

  #columns() {
    return [
      { name: "Reason", head: true, cell: named },
      { name: "Work", cell: ({ kind }) => kindName(kind) },
      { name: "Jobs", number: true, cell: this.#jobs },
      { name: "First", cell: ({ first_at: at }) => at && moment(at) },
      { name: "Last", cell: ({ last_at: at }) => at && moment(at) },
      { name: "For example", cell: example },
      { name: "", cell: (group) => this.#offer(group) },
    ];
  }

  #jobs = (group) => {
    const href = hrefOf({ panel: "jobs", state: "failed", code: group.error_code, kind: group.kind });
    return el("a", { href, "data-act": "jobs" }, count(group.jobs, "job"));
  };

  #offer(group) {
    if (!this.who.isWriter) return null;
    return button("Do all again …", () => this.#retry(group), { look: "is-small", "data-act": "retry" });
  }

  async #retry(group) {
    await this.attempt(async () => {
      const planned = await this.api.post("/jobs/retry", { ...group.retry, dry_run: true });
      if (planned.total === 0) {
        toast("None of them can be done again.", { failed: true });
        return;
      }
      const yes = `Do ${count(planned.total, "job")} again`;
      if (!(await ask(sentenceCase(group.error_code), warnings(group, planned), { yes }))) return;
      const { total, more } = await this.api.post("/jobs/retry", group.retry);
      toast(`${count(total, "job")} ${total === 1 ? "is" : "are"} done again.${more ? " There are more." : ""}`);
    });
  }
}

function named({ error_code: code, retry_may_help: passes }) {
  const hint = passes ? "It may pass: another try can help." : "It will not pass by itself.";
  const name = el("strong", {}, sentenceCase(code ?? "unknown"));
  return [name, " ", el("code", {}, code), el("p", { class: "hint" }, hint)];
}

function example({ sentence, newest_job_ids: ids }) {
  const links = ids.slice(0, SAMPLES).map((id, place) => [" ", jobLink(id, `job ${place + 1}`)]);
  return [sentence, el("p", { class: "hint" }, "Newest:", links)];
}

function warnings(group, { total, skipped, more }) {
  const told = [
    `${count(total, "job")} of this reason will be done again, each once.`,
    skipped.length > 0 && `${count(skipped.length, "job")} cannot be: ${skipped[0].sentence}`,
    more && "There are more than fit at once: do this again afterwards.",
    !group.retry_may_help && "This reason does not pass by itself. Was its cause mended?",
    group.may_have_been_paid_for && "They may have been paid for already, and may cost once more.",
  ];
  return told.filter(Boolean).map((sentence) => el("p", {}, sentence));
}
