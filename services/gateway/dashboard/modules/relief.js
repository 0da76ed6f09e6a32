// Depth as numbers: loading it, colouring it, and telling what lies under a point.

import { Problem } from "./api.js";
import { STEPS, colourTable } from "./colours.js";
import { decodeGrey16 } from "./greypng.js";

export const NEAREST = 65_535;
/** Above this, decoding would be felt, and the preview must do. */
const LARGEST_PX = 24e6;
const BINS = 96;

/** Relative inverse depth of every pixel: 0 is the farthest point of the picture, 65535 the nearest. */
class Relief {
  #histogram = null;

  constructor({ width, height, levels, bits }) {
    this.width = width;
    this.height = height;
    this.levels = levels;
    this.bits = bits;
  }

  /** Give the level at a point, its coordinates as shares of the width and the height. */
  at(u, v) {
    const x = Math.min(this.width - 1, Math.max(0, Math.floor(u * this.width)));
    const y = Math.min(this.height - 1, Math.max(0, Math.floor(v * this.height)));
    return this.levels[y * this.width + x];
  }

  /** Draw it in colours on a new canvas, not larger than it is shown. */
  paint(colouring, longestPx) {
    const scale = Math.min(1, longestPx / Math.max(this.width, this.height));
    const [width, height] = [Math.round(this.width * scale), Math.round(this.height * scale)];
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const table = colourTable(colouring);
    for (let y = 0, place = 0; y < height; y += 1) {
      const row = Math.floor(y / scale) * this.width;
      for (let x = 0; x < width; x += 1, place += 1) {
        const level = this.levels[row + Math.floor(x / scale)];
        pixels[place] = table[Math.round((level * (STEPS - 1)) / NEAREST)];
      }
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  /** Count how often each depth occurs, as shares of what is frequent. */
  histogram() {
    return (this.#histogram ??= this.#count());
  }

  #count() {
    const counts = new Uint32Array(BINS);
    const stride = Math.max(1, Math.floor(this.levels.length / 200_000));
    for (let at = 0; at < this.levels.length; at += stride) {
      counts[Math.floor((this.levels[at] * BINS) / (NEAREST + 1))] += 1;
    }
    // A plain sky would flatten all the rest, so the few highest may stand out of the picture.
    const high = [...counts].sort((one, other) => other - one)[Math.floor(BINS / 16)] || 1;
    return Array.from(counts, (value) => Math.min(1, value / high));
  }
}

/** Load the small preview of 8 bits. */
export async function loadPreview(map, signal) {
  const picture = await loadBitmap(map.preview.url, signal);
  const { data, width, height } = pixelsOf(picture);
  const levels = Uint16Array.from({ length: width * height }, (_, place) => data[place * 4] * 257);
  return new Relief({ width, height, levels, bits: 8 });
}

/** Load the whole map of 16 bits; null where it is too large to be decoded here. */
export async function loadFull(map, signal) {
  if (map.depth.width_px * map.depth.height_px > LARGEST_PX) return null;
  const file = await (await fetchFile(map.depth.url, signal)).arrayBuffer();
  try {
    return new Relief({ ...(await decodeGrey16(file)), bits: 16 });
  } catch (error) {
    const detail = `The depth map cannot be read: ${error.message}. You see its preview.`;
    throw new Problem({ code: "depth_unreadable", detail });
  }
}

/** Load a picture so that its pixels may be drawn and read. */
export async function loadBitmap(url, signal) {
  return createImageBitmap(await (await fetchFile(url, signal)).blob());
}

async function fetchFile(url, signal) {
  let response;
  try {
    response = await fetch(url, { signal, mode: "cors", credentials: "omit", referrerPolicy: "no-referrer" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const detail = "The object store does not answer, or does not let this page read its files.";
    throw new Problem({ code: "object_store_unreachable", detail });
  }
  if (response.ok) return response;
  const detail = "The object store refused the file; its address may have expired.";
  throw new Problem({ status: response.status, code: "file_refused", detail });
}

function pixelsOf(picture) {
  const context = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  context.drawImage(picture, 0, 0);
  return context.getImageData(0, 0, picture.width, picture.height);
}
