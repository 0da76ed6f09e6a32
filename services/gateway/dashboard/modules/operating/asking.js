// Asking before something is done, and showing what is shown once.

import { button, el } from "../dom.js";

let number = 0;

/** Ask in a dialog; gives the fields of its form, or null where nobody agreed. */
export function ask(title, content, { yes, fields = [], danger = false }) {
  const agree = el("button", { class: `button is-primary${danger ? " is-danger" : ""}` }, yes);
  const no = button("Leave it", () => dialog.close(), { look: "is-quiet" });
  let answer = null;
  const submit = (event) => {
    event.preventDefault();
    answer = Object.fromEntries(new FormData(event.target));
    dialog.close();
  };
  const form = el("form", { class: "ask", submit }, content, fields, el("div", { class: "ask-end" }, no, agree));
  const dialog = sheet(title, form);
  return opened(dialog, () => answer);
}

/** Show something until it is put away. */
export function tell(title, ...content) {
  const dialog = sheet(title, el("div", { class: "ask" }, content, button("Close", () => dialog.close())));
  return opened(dialog, () => null);
}

export function field(name, label, attributes = {}) {
  const id = `ask-${name}-${(number += 1)}`;
  const { options, ...own } = attributes;
  const control = options
    ? el("select", { id, name, ...own }, options.map(([value, text]) => el("option", { value }, text)))
    : el("input", { id, name, ...own });
  return el("p", { class: "field" }, el("label", { for: id }, label), control);
}

function sheet(title, content) {
  const id = `ask-title-${(number += 1)}`;
  const head = el("div", { class: "sheet-head" }, el("h2", { id }, title));
  return el("dialog", { class: "sheet", "aria-labelledby": id }, head, content);
}

function opened(dialog, answer) {
  const before = document.activeElement;
  const home = before?.closest("tr") ?? before?.closest(".actions, section");
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      const again = before?.isConnected ? before : home?.querySelector(`[data-act="${before.dataset.act}"]`);
      again?.focus();
      resolve(answer());
    });
  });
}
