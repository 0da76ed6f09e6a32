// A picture and one of its maps on a stage, with the controls under it.

import { colourTable } from "./colours.js";
import { el } from "./dom.js";
import { Stage } from "./stage.js";
import { StageControls } from "./stagecontrols.js";
import { titleOf } from "./tile.js";

const LONGEST_PX = 1440;

export class DepthView {
  #files = null;
  #map = null;
  #shown = null;

  /** `onTrouble(problem)` is told what could not be painted. */
  constructor({ onTrouble }) {
    this.canvas = el("canvas", { class: "stage-canvas", tabindex: 0, role: "img" });
    const handle = el("span", { class: "stage-handle", "aria-hidden": "true" });
    this.frame = el("div", { class: "stage-frame" }, this.canvas, handle);
    this.stage = new Stage(this.canvas, this.frame);
    const onChange = () => this.#paint().catch(onTrouble);
    this.controls = new StageControls(this.stage, { onColouring: onChange, onBeside: onChange });
    this.canvas.setAttribute("aria-describedby", this.controls.help.id);
    this.trouble = el("div", { class: "stage-trouble" });
    const parts = [this.trouble, this.frame, this.controls.element];
    this.element = el("section", { class: "stage", "aria-label": "Picture and depth" }, parts);
  }

  /** Begin with another picture; `keep` the wipe and the opacity as they are. */
  begin({ keep = false } = {}) {
    this.#files = this.#map = this.#shown = null;
    this.stage.clear();
    this.controls.reset({ keep });
    this.trouble.replaceChildren();
  }

  /** Take the shape of a picture before its pixels are there. */
  shape(image) {
    this.stage.shape(image.width_px, image.height_px);
    this.canvas.setAttribute("aria-label", `${titleOf(image)}, left of the wipe as a picture, right of it as its map`);
  }

  async showPicture(loading, signal) {
    const picture = await loading;
    if (!signal.aborted) this.stage.show({ picture });
  }

  /** Show a map: its preview at once, and all of it as soon as it is there. */
  async showMap(map, files, signal) {
    this.#map = map;
    this.#files = files;
    this.stage.show({ edges: null });
    this.controls.offer(map, null);
    await this.#takeRelief(files.preview(), signal);
    if (!signal.aborted) await this.#takeRelief(files.full(), signal);
  }

  async #takeRelief(loading, signal) {
    const relief = await loading;
    if (signal.aborted || !relief) return;
    this.stage.show({ relief });
    this.controls.tellBits(relief.bits, this.#map.quality?.level_count ?? null);
    await this.#paint();
  }

  async #paint() {
    const { stage, controls } = this;
    const { relief } = stage;
    if (!relief) return;
    const [files, shown] = [this.#files, (this.#shown = Symbol("what was asked for last"))];
    const { colouring } = controls;
    const edges = colouring === "edges" || controls.beside ? await files.edges() : null;
    const normals = colouring === "normals" ? await files.normals() : null;
    if (this.#shown !== shown) return;
    const drawn = colouring === "edges" && !controls.beside ? edges : normals;
    stage.show({ map: drawn ?? relief.paint(controls.depthColouring, LONGEST_PX), edges });
    controls.drawLegend(relief, colourTable(controls.depthColouring));
  }
}
