// The controls of the stage: wipe, opacity, the choice of map, the legend, and what lies under the pointer.

import { button, choices, el } from "./dom.js";
import { icon } from "./icons.js";
import { NEAREST } from "./relief.js";
import { drawLegend } from "./stage.js";
import { stateWord } from "./states.js";
import { number } from "./words.js";

const COLOURINGS = [
  ["turbo", "Turbo"],
  ["spectral", "Spectral"],
  ["grey", "Grey"],
  ["edges", "Edges"],
  ["normals", "Normals"],
];
/** What is shown as it was drawn, and not coloured here. */
const DRAWN = ["edges", "normals"];
const PROBE_STEP = 0.01;
const HELP =
  "The arrow keys read the depth point by point. 1 to 5 choose the map; d held down shows it whole; s puts picture, " +
  "depth and edges side by side.";
let stages = 0;

export class StageControls {
  #stage;
  #table = null;
  #wipeBefore = null;

  constructor(stage, { onColouring, onBeside }) {
    this.#stage = stage;
    this.onBeside = onBeside;
    this.colouring = this.depthColouring = COLOURINGS[0][0];
    this.help = el("p", { class: "unseen", id: `stage-help-${(stages += 1)}` }, HELP);
    const beside = { look: "is-small", "aria-pressed": "false", "aria-keyshortcuts": "s" };
    this.side = button([icon("columns"), "Side by side"], () => this.setBeside(!this.beside), beside);
    this.wipe = this.#slider("Wipe", 50, (share) => stage.show({ wipe: share }));
    this.opacity = this.#slider("Opacity", 100, (share) => stage.show({ opacity: share }));
    this.maps = choices("Map", COLOURINGS, this.colouring, (name) => {
      this.colouring = name;
      if (!DRAWN.includes(name)) this.depthColouring = name;
      onColouring();
    });
    this.legend = el("canvas", { class: "legend-bar", width: 480, height: 56, "aria-hidden": "true" });
    this.reading = el("output", { class: "reading", "aria-live": "off" });
    this.bits = el("span", { class: "badge is-bits", hidden: true });
    this.missing = el("p", { class: "hint stage-missing", hidden: true });
    this.panel = this.#panel();
    this.element = el("div", { class: "stage-controls" }, this.missing, this.panel);
    this.#listen();
    this.reset();
  }

  get beside() {
    return this.#stage.panels > 1;
  }

  setBeside(beside) {
    this.#stage.setBeside(beside);
    this.side.setAttribute("aria-pressed", String(beside));
    this.wipe.disabled = this.opacity.disabled = beside;
    this.onBeside();
  }

  /** Be as at the beginning, but keep the map that was chosen; `keep` the wipe and the opacity, too. */
  reset({ keep = false } = {}) {
    if (!keep) {
      this.opacity.value = 100;
      this.#stage.show({ opacity: 1 });
      this.#setWipe(0.5);
    }
    this.panel.hidden = true;
    this.missing.hidden = this.bits.hidden = true;
    this.#table = null;
    if (!keep) this.#wipeBefore = null;
    this.#tellNothing();
  }

  /** Offer the controls where there is a map, and say why where there is none. */
  offer(map, state) {
    this.panel.hidden = !map;
    this.missing.hidden = Boolean(map);
    this.maps.offer("normals", Boolean(map?.normals));
    if (this.colouring === "normals" && !map?.normals) this.maps.choose(this.depthColouring);
    if (map) return;
    if (this.beside) this.setBeside(false);
    this.missing.textContent = `There is no depth map of this picture: ${stateWord(state).toLowerCase()}.`;
  }

  tellBits(bits, levels) {
    this.bits.hidden = false;
    this.bits.dataset.bits = bits;
    const counted = bits === 16 && levels ? ` · ${number(levels)} levels` : "";
    this.bits.replaceChildren(icon("layers"), bits === 16 ? `16 bit${counted}` : "8-bit preview");
  }

  drawLegend(relief, table) {
    this.#table = table;
    this.legend.parentElement.classList.toggle("is-without-colours", DRAWN.includes(this.colouring));
    drawLegend(this.legend, relief, table, this.#level());
  }

  /** Keys on the stage itself: the arrows move the probe. Tell whether the key was one of them. */
  key(event) {
    const step = (event.shiftKey ? 5 : 1) * PROBE_STEP;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const move = moves[event.key];
    if (!move || !this.#stage.relief) return false;
    event.preventDefault();
    const { u, v } = this.#stage.probe ?? { u: 0.5, v: 0.5 };
    this.#read(clamp(u + move[0]), clamp(v + move[1]), { aloud: true });
    return true;
  }

  /** Keys anywhere in the viewer: 1 to 5 choose the map, d held down shows it whole, s puts all side by side. */
  shortcut(event) {
    const chosen = COLOURINGS[Number(event.key) - 1];
    if (chosen) this.maps.choose(chosen[0]);
    if (event.key === "s" && !this.panel.hidden) this.setBeside(!this.beside);
    if (event.key === "d" && !event.repeat && this.#wipeBefore === null) {
      this.#wipeBefore = this.#stage.wipe;
      this.#setWipe(0);
    }
  }

  #panel() {
    return el(
      "div",
      { class: "stage-panel" },
      el("div", { class: "stage-row" }, this.wipe.parentElement, this.opacity.parentElement, this.maps, this.side),
      el(
        "div",
        { class: "stage-row legend" },
        el("span", { class: "legend-end" }, "far"),
        this.legend,
        el("span", { class: "legend-end" }, "near"),
        this.reading,
        this.bits,
      ),
      this.help,
    );
  }

  #slider(name, value, onShare) {
    const range = { type: "range", min: 0, max: 100, step: 0.5, value };
    const input = el("input", { ...range, "data-control": name.toLowerCase() });
    input.addEventListener("input", () => onShare(input.valueAsNumber / 100));
    el("label", { class: "slider" }, el("span", {}, name), input);
    return input;
  }

  #listen() {
    const { canvas, element } = this.#stage;
    element.addEventListener("pointerdown", (event) => {
      if (this.panel.hidden || this.beside || event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      this.#setWipe(placeOf(event, this.#stage).u);
    });
    element.addEventListener("pointermove", (event) => {
      const { u, v } = placeOf(event, this.#stage);
      if (element.hasPointerCapture(event.pointerId)) this.#setWipe(u);
      this.#read(u, v);
    });
    element.addEventListener("pointerleave", () => this.#tellNothing());
    canvas.addEventListener("blur", () => this.#tellNothing());
    addEventListener("keyup", (event) => {
      if (event.key !== "d" || this.#wipeBefore === null) return;
      this.#setWipe(this.#wipeBefore);
      this.#wipeBefore = null;
    });
  }

  #setWipe(share) {
    this.wipe.value = share * 100;
    this.#stage.show({ wipe: clamp(share) });
  }

  #level() {
    const { relief, probe } = this.#stage;
    return relief && probe ? relief.at(probe.u, probe.v) : null;
  }

  #read(u, v, { aloud = false } = {}) {
    const { relief } = this.#stage;
    if (!relief) return;
    this.#stage.show({ probe: { u, v } });
    const level = relief.at(u, v);
    const share = level / NEAREST;
    this.reading.setAttribute("aria-live", aloud ? "polite" : "off");
    this.reading.replaceChildren(
      el("b", {}, share.toFixed(relief.bits === 16 ? 4 : 2)),
      ` ${relief.bits === 16 ? number(level) : Math.round(share * 255)}`,
      el("span", { class: "reading-place" }, ` at ${Math.floor(u * relief.width)}, ${Math.floor(v * relief.height)}`),
    );
    if (this.#table) drawLegend(this.legend, relief, this.#table, level);
  }

  #tellNothing() {
    this.#stage.show({ probe: null });
    this.reading.textContent = "";
    if (this.#table && this.#stage.relief) drawLegend(this.legend, this.#stage.relief, this.#table);
  }
}

function clamp(share) {
  return Math.min(1, Math.max(0, share));
}

/** Give the place under the pointer as shares of the picture, in whichever panel it is. */
function placeOf(event, { canvas, panels }) {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const across = clamp((event.clientX - left) / width) * panels;
  return { u: across - Math.min(panels - 1, Math.floor(across)), v: clamp((event.clientY - top) / height) };
}
