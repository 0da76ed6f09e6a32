// The stage: the picture and one of its maps on one canvas, parted by a wipe; or both and the edges side by side.

import { NEAREST } from "./relief.js";
import { onFrame } from "./pace.js";

const LONGEST_PX = 1440;
const LONGEST_BESIDE_PX = 2400;
const PANELS = 3;

export class Stage {
  /** `canvas` is drawn on; `element` is its frame and gets `--wipe` and `--ratio` for the handle and the layout. */
  constructor(canvas, element) {
    this.canvas = canvas;
    this.element = element;
    this.context = canvas.getContext("2d");
    this.redraw = onFrame(() => this.#draw());
    this.size = [3, 2];
    this.wipe = 0.5;
    this.opacity = 1;
    this.panels = 1;
    this.clear();
  }

  clear() {
    this.picture = this.map = this.edges = this.relief = this.probe = null;
    this.redraw();
  }

  /** Give the stage the shape of a picture before its pixels are there. */
  shape(width, height) {
    this.size = [width, height];
    const longest = this.panels > 1 ? LONGEST_BESIDE_PX : LONGEST_PX;
    const scale = Math.min(1, longest / Math.max(width * this.panels, height));
    this.canvas.width = Math.max(1, Math.round(width * scale)) * this.panels;
    this.canvas.height = Math.max(1, Math.round(height * scale));
    this.element.style.setProperty("--ratio", String((width * this.panels) / height));
    this.redraw();
  }

  /** Show picture, map and edges side by side, or the map over the picture. */
  setBeside(beside) {
    this.panels = beside ? PANELS : 1;
    this.element.classList.toggle("is-beside", beside);
    this.shape(...this.size);
  }

  /** Change what is shown: `picture`, `map`, `edges`, `wipe` and `opacity` (0 to 1), `probe` ({u, v}). */
  show(changes) {
    Object.assign(this, changes);
    this.redraw();
  }

  #draw() {
    const { context, canvas } = this;
    const { width, height } = canvas;
    context.clearRect(0, 0, width, height);
    if (this.panels > 1) {
      this.#drawBeside();
      return;
    }
    if (this.picture) context.drawImage(this.picture, 0, 0, width, height);
    if (this.map) this.#drawMap(Math.round(this.wipe * width), width, height);
    this.element.style.setProperty("--wipe", String(this.wipe));
    if (this.probe) this.#drawProbe(this.probe.u * width, this.probe.v * height);
  }

  #drawBeside() {
    const { width, height } = this.canvas;
    const panel = width / this.panels;
    [this.picture, this.map, this.edges].forEach((content, place) => {
      if (content) this.context.drawImage(content, place * panel, 0, panel, height);
      if (this.probe) this.#drawProbe((place + this.probe.u) * panel, this.probe.v * height);
    });
  }

  #drawMap(from, width, height) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(from, 0, width - from, height);
    context.clip();
    context.globalAlpha = this.opacity;
    context.drawImage(this.map, 0, 0, width, height);
    context.restore();
  }

  #drawProbe(x, y) {
    const { context } = this;
    const size = Math.max(6, this.canvas.width / this.panels / 110);
    for (const [colour, thickness] of [["#000c", 4], ["#fff", 1.8]]) {
      context.strokeStyle = colour;
      context.lineWidth = (thickness * size) / 7;
      context.beginPath();
      context.arc(x, y, size, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

/** Draw the legend: the colours from far to near, as high as each depth is frequent, with a mark at one level. */
export function drawLegend(canvas, relief, table, level = null) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const bar = Math.round(height * 0.36);
  context.clearRect(0, 0, width, height);
  const shares = relief.histogram();
  for (let x = 0; x < width; x += 1) {
    const packed = table[Math.round((x / (width - 1)) * (table.length - 1))];
    context.fillStyle = `rgb(${packed & 255} ${(packed >> 8) & 255} ${(packed >> 16) & 255})`;
    context.fillRect(x, height - bar, 1, bar);
    const rise = Math.sqrt(shares[Math.floor((x / width) * shares.length)]) * (height - bar - 2);
    context.globalAlpha = 0.55;
    context.fillRect(x, height - bar - rise, 1, rise);
    context.globalAlpha = 1;
  }
  if (level !== null) {
    const x = Math.round((level / NEAREST) * (width - 1));
    context.fillStyle = "#000";
    context.fillRect(x - 2, 0, 5, height);
    context.fillStyle = "#fff";
    context.fillRect(x - 1, 0, 3, height);
  }
}
