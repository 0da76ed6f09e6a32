// Colours for depth: tables from far to near, packed as a canvas keeps its pixels.

export const STEPS = 1024;

/** Turbo (Mikhailov 2019), as the polynomial that he published with it; rows are powers 0 to 5. */
const TURBO = [
  [0.13572138, 0.09140261, 0.1066733],
  [4.6153926, 2.19418839, 12.64194608],
  [-42.66032258, 4.84296658, -60.58204836],
  [132.13108234, -14.18503333, 110.36276771],
  [-152.94239396, 4.27729857, -89.90310912],
  [59.28637943, 2.82956604, 27.34824973],
];
/** Spectral (ColorBrewer, 11 classes), turned round: red is near. */
const SPECTRAL = ["5e4fa2", "3288bd", "66c2a5", "abdda4", "e6f598", "ffffbf", "fee08b", "fdae61", "f46d43", "d53e4f", "9e0142"];

const COLOURINGS = {
  turbo: (share) => [0, 1, 2].map((channel) => TURBO.reduce((sum, row, power) => sum + row[channel] * share ** power, 0)),
  spectral: (share) => between(SPECTRAL, share),
  grey: (share) => [share, share, share],
};
const tables = new Map();

/** Give the table of a colouring: STEPS pixels, the farthest first. */
export function colourTable(name) {
  if (!tables.has(name)) {
    const pixels = new Uint8ClampedArray(STEPS * 4);
    for (let step = 0; step < STEPS; step += 1) {
      pixels.set([...COLOURINGS[name](step / (STEPS - 1)).map((value) => value * 255), 255], step * 4);
    }
    tables.set(name, new Uint32Array(pixels.buffer));
  }
  return tables.get(name);
}

function between(stops, share) {
  const place = share * (stops.length - 1);
  const lower = Math.min(stops.length - 2, Math.floor(place));
  const [from, to] = [channels(stops[lower]), channels(stops[lower + 1])];
  return from.map((value, channel) => value + (to[channel] - value) * (place - lower));
}

function channels(hex) {
  return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
}
