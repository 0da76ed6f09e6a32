// Tables whose rows stay while news come, so that neither focus nor selection is lost.

import { arrange, el, unseen } from "../dom.js";

export class Table {
  #columns;
  #rows = new Map();

  /**
   * `columns` are `{ name, cell(item), number, head }`: what stands above, what stands in it, how it is aligned, and
   * whether it names its row.
   */
  constructor(caption, columns) {
    this.#columns = columns;
    // Narrow screens show rows as cards; the roles keep what is lost where a table is not laid out as one.
    const heads = columns.map(({ name, number }) =>
      el("th", { scope: "col", role: "columnheader", class: number && "is-number" }, name || unseen("What to do")),
    );
    this.body = el("tbody", { role: "rowgroup" });
    this.table = el(
      "table",
      { role: "table" },
      el("caption", { class: "unseen" }, caption),
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads)),
      this.body,
    );
    // A wide table is scrolled by keyboard too.
    const frame = { class: "table-frame", tabindex: 0, role: "region", "aria-label": caption };
    this.element = el("div", frame, this.table);
  }

  show(items, keyOf = ({ id }) => id) {
    const known = this.#rows;
    this.#rows = new Map();
    for (const item of items) {
      const key = keyOf(item);
      this.#rows.set(key, this.#row(item, known.get(key)));
    }
    const held = this.#held();
    arrange(this.body, [...this.#rows.values()].map(({ element }) => element));
    held?.();
    this.element.hidden = items.length === 0;
  }

  #row(item, known) {
    const told = JSON.stringify(item);
    if (known?.told === told) return known;
    const element = known?.element ?? el("tr", { role: "row" });
    const restore = this.#held(element);
    element.replaceChildren(...this.#columns.map((column) => cellOf(column, item)));
    restore?.();
    return { told, element };
  }

  /** Remember what has the focus, by its row and name, to give it back when its row was drawn anew. */
  #held(row = document.activeElement?.closest("tr")) {
    const held = document.activeElement;
    if (!row || !row.contains(held) || !this.body.contains(row)) return null;
    const name = held.dataset.act;
    return () => {
      if (document.activeElement !== held) row.querySelector(`[data-act="${name}"]`)?.focus({ preventScroll: true });
    };
  }
}

function cellOf({ name, cell, number, head }, item) {
  const about = { role: head ? "rowheader" : "cell", "data-label": name || null, class: number && "is-number" };
  const content = cell(item);
  const isEmpty = [null, undefined, false, ""].includes(content);
  const shown = isEmpty && name ? "–" : content;
  return el(head ? "th" : "td", { ...about, scope: head && "row" }, el("div", { class: "cell", dir: "auto" }, shown));
}
