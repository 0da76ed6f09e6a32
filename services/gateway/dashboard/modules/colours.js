// Colours for depth: tables from far to near, packed as a canvas keeps its pixels.

export const STEPS = 1024;

/** Turbo (Mikhailov 2019), every tenth of its 256 colours or so: as the stored coloured previews have it. */
const TURBO = (
  "30123b 3c3184 434fbb 466be3 4686fa 3ba0fd 28bbec 1ad3d1 1ae4b6 31f299 56fa75 80ff53 a2fc3c " +
  "bef434 d8e436 edd03a faba39 fe9f2f fb8022 f26014 e4460a d23105 ba1e02 9d1001 7a0403"
).split(" ");
/** Spectral (ColorBrewer, 11 classes), turned round: red is near. */
const SPECTRAL = "5e4fa2 3288bd 66c2a5 abdda4 e6f598 ffffbf fee08b fdae61 f46d43 d53e4f 9e0142".split(" ");

const COLOURINGS = {
  turbo: (share) => between(TURBO, share),
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
