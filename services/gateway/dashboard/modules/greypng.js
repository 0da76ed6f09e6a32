// Reading grey PNGs of 16 bits (PNG, third edition, §7 to §10): a canvas would keep only the upper 8 of them.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const SAMPLE_BYTES = 2;

/** Decode into `{width, height, levels}`, levels 0 to 65535. Throws where the file is no grey PNG of 16 bits. */
export async function decodeGrey16(buffer) {
  const bytes = new Uint8Array(buffer);
  if (SIGNATURE.some((value, place) => bytes[place] !== value)) throw new TypeError("this is no PNG");
  const { width, height, data } = readChunks(bytes);
  const levels = new Uint16Array(width * height);
  const rows = new Rows(width, levels);
  const unpacked = new Blob(data).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  for (let part = await unpacked.read(); !part.done; part = await unpacked.read()) rows.take(part.value);
  if (rows.complete < height) throw new TypeError("the PNG ends too early");
  return { width, height, levels };
}

function readChunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = [];
  let size = null;
  for (let at = SIGNATURE.length; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const content = at + 8;
    if (name === "IHDR") size = readHeader(view, content);
    else if (name === "IDAT") data.push(bytes.subarray(content, content + view.getUint32(at)));
    else if (name === "IEND") break;
  }
  if (!size) throw new TypeError("the PNG has no header");
  return { ...size, data };
}

function readHeader(view, at) {
  const [bits, colour, interlaced] = [view.getUint8(at + 8), view.getUint8(at + 9), view.getUint8(at + 12)];
  if (bits !== 16 || colour !== 0 || interlaced !== 0) throw new TypeError("the PNG is not plain grey of 16 bits");
  return { width: view.getUint32(at), height: view.getUint32(at + 4) };
}

/** Takes unpacked bytes as they come, and undoes the filter of each row that is complete. */
class Rows {
  constructor(width, levels) {
    this.levels = levels;
    this.width = width;
    this.stride = width * SAMPLE_BYTES;
    this.before = new Uint8Array(this.stride);
    this.row = new Uint8Array(this.stride);
    this.filter = null;
    this.filled = 0;
    this.complete = 0;
  }

  take(bytes) {
    let at = 0;
    while (at < bytes.length) {
      if (this.filter === null) {
        this.filter = bytes[at];
        at += 1;
        continue;
      }
      const part = bytes.subarray(at, at + this.stride - this.filled);
      this.row.set(part, this.filled);
      this.filled += part.length;
      at += part.length;
      if (this.filled === this.stride) this.#finish();
    }
  }

  #finish() {
    unfilter(this.filter, this.row, this.before);
    const start = this.complete * this.width;
    for (let x = 0; x < this.width; x += 1) this.levels[start + x] = (this.row[2 * x] << 8) | this.row[2 * x + 1];
    [this.before, this.row] = [this.row, this.before];
    [this.filter, this.filled, this.complete] = [null, 0, this.complete + 1];
  }
}

function unfilter(filter, row, above) {
  if (filter === 0) return;
  for (let at = 0; at < row.length; at += 1) {
    const left = at < SAMPLE_BYTES ? 0 : row[at - SAMPLE_BYTES];
    if (filter === 1) row[at] += left;
    else if (filter === 2) row[at] += above[at];
    else if (filter === 3) row[at] += (left + above[at]) >> 1;
    else row[at] += nearest(left, above[at], at < SAMPLE_BYTES ? 0 : above[at - SAMPLE_BYTES]);
  }
}

/** The Paeth predictor: whichever neighbour is nearest to left + above - corner. */
function nearest(left, above, corner) {
  const guess = left + above - corner;
  const [toLeft, toAbove, toCorner] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}
