// The tags of a picture, to be read, searched for, given and taken.

import { button, el } from "./dom.js";
import { icon } from "./icons.js";
import { listed, search } from "./question.js";

const LONGEST_TAG = 80;
const STALE = "Somebody else has changed this picture meanwhile. These are its tags now; say yours again.";

export class TagEditor {
  #api;
  #image = null;

  /** `onSaved(image)` is given the picture as it is then. */
  constructor(api, { onSaved }) {
    this.#api = api;
    this.onSaved = onSaved;
    this.list = el("ul", { class: "tag-list", "aria-label": "Tags" });
    const wording = { "aria-label": "Add a tag", placeholder: "Add a tag" };
    this.input = el("input", { ...wording, autocomplete: "off", maxlength: LONGEST_TAG, dir: "auto" });
    this.status = el("p", { class: "hint tag-status", role: "status" });
    const submit = (event) => {
      event.preventDefault();
      this.#add();
    };
    const form = el("form", { class: "tag-form", submit }, this.input, el("button", { class: "button" }, "Add"));
    this.element = el("section", { class: "facts-section" }, el("h3", {}, "Tags"), this.list, form, this.status);
  }

  show(image) {
    if (image.id !== this.#image?.id) {
      this.input.value = "";
      this.status.textContent = "";
    }
    // A reply may be older than what was saved here.
    if (image.id === this.#image?.id && image.version < this.#image.version) return;
    const same = this.#image?.id === image.id && this.#image.tags.join() === image.tags.join();
    this.#image = image;
    if (!same) this.list.replaceChildren(...image.tags.map((tag) => this.#tag(tag)));
    this.list.hidden = image.tags.length === 0;
  }

  #tag(tag) {
    const look = () => search({ tags: tag });
    const gone = { look: "is-gone", "aria-label": `Take the tag ${tag} away`, title: "Take it away" };
    return el(
      "li",
      {},
      button(tag, look, { look: "is-tag", dir: "auto", title: "Pictures with this tag" }),
      button(icon("close"), () => this.#remove(tag), gone),
    );
  }

  #add() {
    const added = listed(this.input.value);
    const empty = () => (this.input.value = "");
    if (added.length) this.#save([...this.#image.tags, ...added], `Tagged: ${added.join(", ")}.`, empty);
  }

  #remove(tag) {
    const left = this.#image.tags.filter((one) => one !== tag);
    this.#save(left, `No longer tagged: ${tag}.`, () => this.input.focus());
  }

  async #save(tags, sentence, onSaved) {
    const { id, version } = this.#image;
    try {
      const image = await this.#api.patch(`/images/${id}`, { tags }, version);
      this.#take(image, sentence);
      onSaved();
    } catch (problem) {
      if (problem.code === "version_stale") this.#take(await this.#api.get(`/images/${id}`), STALE);
      else this.status.textContent = `${problem.sentence ?? problem.message} (${problem.code ?? problem.name})`;
    }
  }

  #take(image, sentence) {
    if (image.id !== this.#image?.id) return;
    this.show(image);
    this.status.textContent = sentence;
    this.onSaved(image);
  }
}
