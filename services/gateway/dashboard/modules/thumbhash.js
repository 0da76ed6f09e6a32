// Decoding ThumbHash (Evan Wallace 2023): some 25 bytes that hold a blurred picture as a few cosine waves.

const LONGEST_PX = 32;

/** Decode into `{width, height, pixels}`, RGBA. */
export function decodeThumbHash(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const head = readHead(bytes);
  const nibbles = nibblesOf(bytes, head.hasAlpha ? 6 : 5);
  const luma = readWaves(nibbles, head.wavesX, head.wavesY, head.lumaScale);
  const yellowBlue = readWaves(nibbles, 3, 3, head.yellowBlueScale * 1.25);
  const redGreen = readWaves(nibbles, 3, 3, head.redGreenScale * 1.25);
  const alpha = head.hasAlpha ? readWaves(nibbles, 5, 5, head.alphaScale) : null;
  const width = Math.round(head.ratio > 1 ? LONGEST_PX : LONGEST_PX * head.ratio);
  const height = Math.round(head.ratio > 1 ? LONGEST_PX / head.ratio : LONGEST_PX);
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let y = 0, place = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, place += 4) {
      const [u, v] = [(x + 0.5) / width, (y + 0.5) / height];
      const l = head.luma + sumOf(luma, u, v);
      const p = head.yellowBlue + sumOf(yellowBlue, u, v);
      const q = head.redGreen + sumOf(redGreen, u, v);
      const blue = l - (2 / 3) * p;
      const red = (3 * l - blue + q) / 2;
      pixels[place] = 255 * red;
      pixels[place + 1] = 255 * (red - q);
      pixels[place + 2] = 255 * blue;
      pixels[place + 3] = 255 * (alpha ? head.alpha + sumOf(alpha, u, v) : 1);
    }
  }
  return { width, height, pixels };
}

/** Draw a hash onto a canvas; the stylesheet stretches it. Tell whether it could be read. */
export function drawThumbHash(canvas, base64) {
  try {
    const { width, height, pixels } = decodeThumbHash(base64);
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
    return true;
  } catch {
    return false; // a placeholder is not worth an error: the picture comes anyway
  }
}

function readHead(bytes) {
  const colour = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
  const shape = bytes[3] | (bytes[4] << 8);
  const [hasAlpha, landscape] = [colour >> 23 === 1, shape >> 15 === 1];
  const longest = hasAlpha ? 5 : 7;
  const [wavesX, wavesY] = landscape ? [longest, shape & 7] : [shape & 7, longest];
  return {
    hasAlpha,
    wavesX: Math.max(3, wavesX),
    wavesY: Math.max(3, wavesY),
    ratio: wavesX / wavesY,
    luma: (colour & 63) / 63,
    yellowBlue: ((colour >> 6) & 63) / 31.5 - 1,
    redGreen: ((colour >> 12) & 63) / 31.5 - 1,
    lumaScale: ((colour >> 18) & 31) / 31,
    yellowBlueScale: ((shape >> 3) & 63) / 63,
    redGreenScale: ((shape >> 9) & 63) / 63,
    alpha: hasAlpha ? (bytes[5] & 15) / 15 : 1,
    alphaScale: hasAlpha ? (bytes[5] >> 4) / 15 : 0,
  };
}

function* nibblesOf(bytes, from) {
  for (const byte of bytes.subarray(from)) {
    yield byte & 15;
    yield byte >> 4;
  }
}

/** Read the waves of one channel: a triangle of the lower frequencies, without the constant one. */
function readWaves(nibbles, wavesX, wavesY, scale) {
  const waves = [];
  for (let y = 0; y < wavesY; y += 1) {
    for (let x = y ? 0 : 1; x * wavesY < wavesX * (wavesY - y); x += 1) {
      waves.push({ x, y, height: ((nibbles.next().value ?? 7.5) / 7.5 - 1) * scale * 2 });
    }
  }
  return waves;
}

function sumOf(waves, u, v) {
  const at = ({ x, y, height }) => height * Math.cos(Math.PI * x * u) * Math.cos(Math.PI * y * v);
  return waves.reduce((sum, wave) => sum + at(wave), 0);
}
