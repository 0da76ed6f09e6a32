// Handing work in: scrape a page, store one link, draw a scene.

import { button, choices, el } from "./dom.js";
import { problemBox, toast } from "./notices.js";

const STYLES = ["illustration", "watercolour", "ink", "oil", "flat", "pixel", "noir", "pastel", "woodblock", "sepia"];
const RATIOS = ["16:9", "3:2", "4:3", "1:1", "3:4", "2:3", "9:16", "21:9"];
const CHAPTER = "dashboard";
const SCENE = { placeholder: "a red house by a lake at dusk", required: true, maxlength: 4000, dir: "auto" };

const ERRANDS = {
  scrape: {
    name: "A page",
    button: "Scrape the page",
    fields: () => [
      field("url", "Address of a page", { type: "url", placeholder: "https://example.org/gallery", required: true }),
      hint("Its pictures are downloaded, described and depth-mapped. Rules in robots.txt are kept."),
    ],
    send: (api, { url }) => api.post("/scrapes", { url }),
  },
  store: {
    name: "A link",
    button: "Store the picture",
    fields: () => [
      field("url", "Address of a picture", { type: "url", placeholder: "https://example.org/a.jpg", required: true }),
      field("title", "Title", { placeholder: "optional", maxlength: 2000, dir: "auto" }),
    ],
    send: (api, { url, title }) => api.post("/media/store", { url, ...(title && { title }) }),
  },
  draw: {
    name: "A scene",
    button: "Draw the scene",
    fields: () => [
      field("description", "What is to be seen", SCENE, "textarea"),
      el("div", { class: "row" }, select("style", "Style", STYLES), select("ratio", "Shape", RATIOS)),
    ],
    send: (api, { description, style, ratio }) =>
      api.post(`/chapters/${CHAPTER}/images/scenes/${Math.floor(Date.now() / 100) % 1_000_000}`, {
        scene_description: description,
        style,
        aspect_ratio: ratio,
      }),
  },
};

/** Build the form; `onTaken()` is called when the gateway has taken the work in. */
export function workForm(api, onTaken = () => {}, first = "scrape") {
  let errand = first;
  const fields = el("div", { class: "work-fields" });
  const trouble = el("div");
  const send = el("button", { class: "button is-primary" });
  const choose = (name) => {
    errand = name;
    fields.replaceChildren(...ERRANDS[name].fields());
    send.textContent = ERRANDS[name].button;
    trouble.replaceChildren();
  };
  const submit = async (event) => {
    event.preventDefault();
    send.disabled = true;
    trouble.replaceChildren();
    try {
      await ERRANDS[errand].send(api, Object.fromEntries(new FormData(form)));
      toast("Taken in. Follow it under Jobs.");
      choose(errand);
      onTaken();
    } catch (problem) {
      trouble.replaceChildren(problemBox(problem));
    } finally {
      send.disabled = false;
    }
  };
  const names = Object.entries(ERRANDS).map(([name, one]) => [name, one.name]);
  const form = el(
    "form",
    { class: "work", submit },
    choices("What to begin with", names, errand, choose),
    fields,
    trouble,
    el("div", { class: "work-end" }, send),
  );
  choose(errand);
  return form;
}

/** Build the dialog that holds the form; `begin()` opens it. */
export function workDialog(api) {
  const close = () => dialog.close();
  const dialog = el(
    "dialog",
    { class: "sheet", "aria-labelledby": "work-title" },
    el(
      "div",
      { class: "sheet-head" },
      el("h2", { id: "work-title" }, "New work"),
      button("Close", close, { look: "is-quiet" }),
    ),
    workForm(api, close),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.begin = () => {
    dialog.showModal();
    dialog.querySelector(".field input, .field textarea").focus();
  };
  return dialog;
}

let fields = 0;

function field(name, label, attributes, tag = "input") {
  const id = `work-${name}-${(fields += 1)}`;
  const control = el(tag, { id, name, ...(tag === "textarea" && { rows: 3 }), ...attributes });
  return el("p", { class: "field" }, el("label", { for: id }, label), control);
}

function select(name, label, values) {
  const id = `work-${name}-${(fields += 1)}`;
  const options = values.map((value) => el("option", { value }, value));
  return el("p", { class: "field" }, el("label", { for: id }, label), el("select", { id, name }, options));
}

function hint(text) {
  return el("p", { class: "hint" }, text);
}
