// What a picture was drawn by and what it cost, and the other versions of its scene.

import { followLink } from "./address.js";
import { button, el, unseen } from "./dom.js";
import { toast, toastProblem } from "./notices.js";
import { count, dollars } from "./words.js";

export class Drawing {
  #api;

  constructor(api) {
    this.#api = api;
    this.element = el("div", { class: "drawing" });
  }

  /** Begin with another picture. */
  begin() {
    this.element.replaceChildren();
  }

  /** Load and show what is known; nothing of what was not drawn here. */
  async load(id, signal) {
    const { picture, scene } = await this.#api.get(`/images/${id}/drawing`, {}, { signal });
    if (signal.aborted) return;
    const told = picture && section(picture, scene && this.#versions(id, picture, scene, signal), scene);
    this.element.replaceChildren(...[told].filter(Boolean));
  }

  #versions(id, picture, scene, signal) {
    const act = (how, told) => async (event) => {
      const pressed = event.currentTarget;
      pressed.disabled = true;
      try {
        await this.#api.post(`${pathOf(scene)}/${how}?project_id=${scene.project_id}`, null, scene.version);
        toast(told);
        await this.load(id, signal);
      } catch (problem) {
        pressed.disabled = false;
        if (problem.name !== "AbortError") toastProblem(problem);
      }
    };
    const choose = act(`${picture.number}/choose`, "The scene shows this version now.");
    const undo = act("undo", "That was taken back.");
    const words = count(scene.items.length, "version");
    return [
      el("h4", {}, scene.next_cursor ? `The newest ${words}` : words),
      el("ul", { class: "alike-list versions" }, scene.items.map((one) => card(one, id))),
      el(
        "p",
        { class: "downloads" },
        picture.number !== scene.shown && button("Show this version", choose, { look: "is-small" }),
        scene.chosen !== null && button("Take the choice back", undo, { look: "is-small" }),
      ),
    ];
  }
}

function section(picture, versions, scene) {
  const facts = [
    ["Drawn by", `${picture.service}, ${picture.model_used}`],
    picture.seed !== null && ["Seed", el("code", {}, String(picture.seed))],
    ["Cost", costOf(picture)],
    scene && ["Scene", `${scene.scene_number} of ${scene.chapter_id}`],
  ].filter(Boolean);
  const list = facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
  return el(
    "section",
    { class: "facts-section" },
    el("h3", {}, "Drawing"),
    el("dl", { class: "facts-list" }, list),
    versions,
  );
}

function pathOf({ chapter_id: chapter, scene_number: number }) {
  return `/chapters/${encodeURIComponent(chapter)}/images/scenes/${number}/versions`;
}

function costOf({ paid, cost_micros: micros }) {
  if (micros) return dollars(micros);
  return micros === 0 || paid === false ? "Nothing" : "Nobody knows the price";
}

function card(version, id) {
  const { image_id: image, number, thumb_url: url, shown, deleted } = version;
  const picture = url && el("img", { src: url, alt: "", loading: "lazy", crossorigin: "anonymous" });
  const cost = version.cost_micros ? dollars(version.cost_micros) : "";
  const told = [deleted ? "deleted" : shown && "shown", cost].filter(Boolean).join(", ");
  const inside = [
    picture || el("span", { class: "no-version" }),
    el("b", {}, unseen("Version "), String(number)),
    told && el("span", { class: "alike-title" }, told),
  ];
  const open = (event) => followLink(event, { image });
  const link = { href: `#image=${image}`, click: open, "aria-current": image === id ? "true" : null };
  return el("li", {}, image && !deleted ? el("a", link, inside) : el("span", {}, inside));
}
