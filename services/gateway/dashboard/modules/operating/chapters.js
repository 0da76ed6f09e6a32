// Chapters and their scenes: a cell for each, with its picture and how it is.

import { arrange, button, el } from "../dom.js";
import { toast } from "../notices.js";
import { forEachOf } from "../pace.js";
import { stateBadge } from "../states.js";
import { count } from "../words.js";
import { ask } from "./asking.js";
import { hrefOf, jobLink } from "./links.js";
import { Panel, nothing } from "./panel.js";

const CHAPTERS = 20;
const SCENES = 200;
let number = 0;

export class ChaptersPanel extends Panel {
  #limit = CHAPTERS;
  #sections = new Map();

  constructor(parts) {
    super(parts, { everyMs: 30_000 });
    this.list = el("div", { class: "chapters" });
    this.below = el("div", { class: "panel-more" });
  }

  wants({ type, job }) {
    const drawing = job?.kind.startsWith("image_generation.") ?? false;
    return (drawing && type !== "job.progressed") || ["image.generated", "image.chosen", "image.stored"].includes(type);
  }

  async fetch() {
    const page = await this.api.get("/chapters", { limit: this.#limit });
    const grids = new Map();
    await forEachOf(page.items, async ({ id, project_id: project }) => {
      const path = `/chapters/${encodeURIComponent(id)}/grid`;
      grids.set(keyOf({ id, project_id: project }), await this.api.get(path, { project_id: project, limit: SCENES }));
    });
    return { grids: page.items.map((chapter) => grids.get(keyOf(chapter))), more: page.next_cursor !== null };
  }

  draw({ grids, more }) {
    if (!this.body.firstChild) this.body.replaceChildren(this.list, this.below);
    const known = this.#sections;
    this.#sections = new Map();
    for (const grid of grids) {
      const key = keyOf(grid.chapter);
      this.#sections.set(key, this.#section(grid, known.get(key)));
    }
    arrange(this.list, [...this.#sections.values()].map(({ element }) => element));
    const next = () => {
      this.#limit = Math.min(200, this.#limit + CHAPTERS);
      this.load();
    };
    const none = "No chapter yet. Whoever draws a scene makes its chapter in passing: “New”, then “A scene”.";
    const told = [grids.length === 0 && nothing(none), more && this.#limit < 200 && button("Show more", next)];
    this.below.replaceChildren(...told.filter(Boolean));
  }

  #section(grid, known) {
    // Addresses of pictures are signed anew each time, which is no reason to load them anew.
    const told = JSON.stringify(grid, (name, value) => (/^thumb_|^next_cursor$/.test(name) ? Boolean(value) : value));
    if (known?.told === told) return known;
    const { chapter, items, next_cursor: cursor } = grid;
    const id = `chapter-${(number += 1)}`;
    const shown = { told, element: null };
    const onLost = () => (shown.told = null); // its address has expired, perhaps: the next time it is a new one
    const failed = items.filter(({ status, task_id: task }) => status === "failed" && task);
    const retry =
      failed.length > 0 &&
      this.who.writes(chapter.project_id) &&
      button(`Retry ${count(failed.length, "failed scene")} …`, () => this.#retry(failed), { look: "is-small" });
    shown.element = el(
      "section",
      { class: "chapter", "aria-labelledby": id, "data-chapter": chapter.id },
      el(
        "div",
        { class: "sheet-line" },
        el("h3", { id, dir: "auto" }, chapter.title || chapter.id),
        el("span", { class: "hint" }, standing(chapter.scenes)),
        retry,
      ),
      items.length > 0 && el("ul", { class: "cells" }, items.map((cell) => cellOf(cell, onLost))),
      items.length === 0 && el("p", { class: "hint" }, "It has no scenes yet."),
      cursor && el("p", { class: "hint" }, `The first ${SCENES} scenes are shown.`),
    );
    return shown;
  }

  async #retry(cells) {
    const ids = cells.map(({ task_id: task }) => task);
    await this.attempt(async () => {
      const { total, skipped } = await this.api.post("/jobs/retry", { ids, dry_run: true });
      if (total === 0) {
        toast(skipped[0]?.sentence ?? "They are being drawn again already.", { failed: true });
        return;
      }
      const left = skipped.length ? ` ${skipped.length} cannot be: ${skipped[0].sentence}` : "";
      const words = el("p", {}, `They may have been paid for already, and may cost once more.${left}`);
      const agreed = await ask("Draw them again?", words, { yes: `Draw ${count(total, "scene")} again` });
      if (!agreed) return;
      const answer = await this.api.post("/jobs/retry", { ids });
      toast(`${count(answer.total, "scene")} ${answer.total === 1 ? "is" : "are"} drawn again.`);
    });
  }
}

function keyOf({ id, project_id: project }) {
  return `${project}/${id}`;
}

function standing(scenes) {
  const told = [`${count(scenes.total, "scene")}`, `${scenes.completed} done`];
  if (scenes.failed) told.push(`${scenes.failed} failed`);
  return told.join(" · ");
}

function cellOf(cell, onLost) {
  const name = cell.title || `Scene ${cell.number}`;
  const lost = (event) => {
    event.target.remove();
    onLost();
  };
  const picture = cell.thumb_url && el("img", { src: cell.thumb_url, alt: "", loading: "lazy", error: lost });
  const frame = el("span", { class: "cell-frame" }, picture);
  const href = hrefOf({ panel: "chapters", image: cell.image_id });
  return el(
    "li",
    { class: "grid-cell", "data-status": cell.status },
    cell.image_id ? el("a", { class: "cell-link", href, "aria-label": `See ${name}` }, frame) : frame,
    el("p", { class: "cell-name", dir: "auto" }, el("span", { class: "cell-number" }, `${cell.number}`), name),
    stateBadge(cell.status),
    cell.retry_count > 0 && el("span", { class: "hint" }, ` drawn again ${cell.retry_count} ×`),
    cell.error && el("p", { class: "cell-error" }, cell.error, " ", el("code", {}, cell.error_code)),
    cell.task_id && el("p", { class: "hint" }, jobLink(cell.task_id, "Its job")),
  );
}
