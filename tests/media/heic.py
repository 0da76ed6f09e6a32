"""HEIC files made here, since what reads them cannot write them: HEVC of one kind of block, its plain samples.

ITU-T H.265 for the stream, ISO/IEC 23008-12 and 14496-12 for the boxes around it. Nothing is compressed: each block of
32 x 32 is a PCM coding unit, so that the arithmetic coder has but three decisions to write for each.
"""

import struct
from collections.abc import Sequence

import numpy as np
from PIL import Image

BLOCK_PX = 32
MOST_BLOCKS = 16

# Table 9-52 (rangeTabLps) for the highest quarter of the range, which is where each block begins.
_LEAST_PROBABLE = (240, 227, 216, 205, 195, 185, 175, 166, 158, 150, 142, 135, 128, 122, 116, 110)
_PROFILE = b"\x03\x70\0\0\0\x90\0\0\0\0\0\x1e"
"""Main Still Picture, progressive frames, level 1."""


def heic(picture: Image.Image, *, exif: bytes = b"", quarter_turns: int = 0, declaring: Sequence[int] = ()) -> bytes:
    """Write a picture whose sides are even.

    Args:
        picture: of at most 16 blocks of 32 x 32.
        exif: TIFF header and directories.
        quarter_turns: anticlockwise, that a viewer must make.
        declaring: another width and height than the picture has, for the boxes alone.

    """
    parameters, slices = _stream(picture)
    width, height = declaring or picture.size
    properties = [_configuration(parameters), _full(b"ispe", struct.pack(">II", width, height))]
    if quarter_turns:
        properties.append(_box(b"irot", bytes((quarter_turns,))))
    items = [(b"hvc1", struct.pack(">I", len(slices)) + slices)]
    if exif:
        items.append((b"Exif", struct.pack(">I", 6) + b"Exif\0\0" + exif))
    head = _box(b"ftyp", b"heic\0\0\0\0mif1heic")
    length = len(_meta(items, properties, 0))
    contents = b"".join(content for _, content in items)
    return head + _meta(items, properties, len(head) + length + 8) + _box(b"mdat", contents)


class _Bits:
    def __init__(self) -> None:
        self._bits: list[int] = []

    def put(self, value: int, count: int) -> None:
        self._bits += [value >> place & 1 for place in reversed(range(count))]

    def golomb(self, *values: int) -> None:
        for value in values:
            length = (value + 1).bit_length()
            self.put(value + 1, 2 * length - 1)

    def flags(self, text: str) -> None:
        self._bits += [int(flag) for flag in text.replace(" ", "")]

    def align(self, *, stop: bool) -> None:
        self._bits += [1] if stop else []
        self._bits += [0] * (-len(self._bits) % 8)

    def raw(self, content: bytes) -> None:
        self._bits += np.unpackbits(np.frombuffer(content, np.uint8)).tolist()

    def done(self) -> bytes:
        return np.packbits(np.array(self._bits, np.uint8)).tobytes()


class _Coder:
    """The arithmetic encoder of H.265 9.3.4 in as much as it is needed here."""

    def __init__(self, bits: _Bits) -> None:
        self._bits = bits
        self._state = 0
        self.restart()

    def restart(self) -> None:
        self._low, self._range, self._first, self._outstanding = 0, 510, True, 0

    def likely(self) -> None:
        """Write the more probable value of the one context that there is."""
        self._range -= _LEAST_PROBABLE[self._state]
        self._state += 1
        self._renorm()

    def terminate(self, *, yes: bool) -> None:
        self._range -= 2
        if yes:
            self._low += self._range
            self._range = 2
        self._renorm()
        if yes:
            self._put(self._low >> 9 & 1)
            self._bits.put(self._low >> 8 & 1, 1)
            self._bits.align(stop=True)
            self.restart()

    def _renorm(self) -> None:
        while self._range < 256:
            if self._low < 256:
                self._put(0)
            elif self._low >= 512:
                self._low -= 512
                self._put(1)
            else:
                self._low -= 256
                self._outstanding += 1
            self._range <<= 1
            self._low <<= 1

    def _put(self, bit: int) -> None:
        if self._first:
            self._first = False
        else:
            self._bits.put(bit, 1)
        while self._outstanding:
            self._bits.put(1 - bit, 1)
            self._outstanding -= 1


def _stream(picture: Image.Image) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the parameter sets with their kinds, and the one slice."""
    width, height = (-(-side // BLOCK_PX) * BLOCK_PX for side in picture.size)
    if picture.width % 2 or picture.height % 2 or width * height > MOST_BLOCKS * BLOCK_PX**2:
        raise ValueError("a picture of even sides and at most 16 blocks can be written")
    whole = Image.new("RGB", (width, height))
    whole.paste(picture)
    return [
        (32, _unit(32, _video_parameters())),
        (33, _unit(33, _sequence_parameters(width, height, picture.size))),
        (34, _unit(34, _picture_parameters())),
    ], _unit(20, _slice(whole))


def _unit(kind: int, content: bytes) -> bytes:
    """Wrap as a NAL unit: no three bytes in it may look like the start of another."""
    out = bytearray(struct.pack(">BB", kind << 1, 1))
    zeros = 0
    for byte in content:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = 0 if byte else zeros + 1
    return bytes(out)


def _video_parameters() -> bytes:
    bits = _Bits()
    bits.flags("0000 1 1 000000 000 1")
    bits.put(0xFFFF, 16)
    bits.raw(_PROFILE)
    bits.flags("1")
    bits.golomb(0, 0, 0)
    bits.put(0, 6)
    bits.golomb(0)
    bits.flags("0 0")
    bits.align(stop=True)
    return bits.done()


def _sequence_parameters(width: int, height: int, shown: tuple[int, int]) -> bytes:
    bits = _Bits()
    bits.flags("0000 000 1")
    bits.raw(_PROFILE)
    bits.golomb(0, 1, width, height)
    bits.flags("1")
    bits.golomb(0, (width - shown[0]) // 2, 0, (height - shown[1]) // 2)
    bits.golomb(0, 0, 0)
    bits.flags("1")
    bits.golomb(0, 0, 0)
    bits.golomb(0, 2, 0, 3, 0, 0)  # coding blocks of 8 to 32, transforms of 4 to 32
    bits.flags("0 0 0 1 0111 0111")  # plain samples of 8 bits
    bits.golomb(0, 2)
    bits.flags("1")
    bits.golomb(0)
    bits.flags("0 0 0 0 0")
    bits.align(stop=True)
    return bits.done()


def _picture_parameters() -> bytes:
    bits = _Bits()
    bits.golomb(0, 0)
    bits.flags("0 0 000 0 0")
    bits.golomb(0, 0, 0)
    bits.flags("0 0 0")
    bits.golomb(0, 0)
    bits.flags("0 0 0 0 0 0 0 1 0 1 0 0")
    bits.golomb(0)
    bits.flags("0 0")
    bits.align(stop=True)
    return bits.done()


def _slice(picture: Image.Image) -> bytes:
    bits = _Bits()
    bits.flags("1 0")
    bits.golomb(0, 2, 0)
    bits.align(stop=True)
    coder = _Coder(bits)
    # Of a stream that says nothing of its range, black is 16 and white 235.
    luma, *chroma = (np.asarray(plane, float) for plane in picture.convert("YCbCr").split())
    luma = (16 + luma * 219 / 255).round().astype(np.uint8)
    chroma = [128 + (plane.reshape(plane.shape[0] // 2, 2, -1, 2).mean((1, 3)) - 128) * 224 / 255 for plane in chroma]
    chroma = [plane.round().astype(np.uint8) for plane in chroma]
    corners = [(top, left) for top in range(0, picture.height, BLOCK_PX) for left in range(0, picture.width, BLOCK_PX)]
    for number, (top, left) in enumerate(corners, 1):
        coder.likely()  # split_cu_flag: no
        coder.terminate(yes=True)  # pcm_flag
        bits.raw(luma[top : top + 32, left : left + 32].tobytes())
        for plane in chroma:
            bits.raw(plane[top // 2 : top // 2 + 16, left // 2 : left // 2 + 16].tobytes())
        coder.terminate(yes=number == len(corners))
    return bits.done()


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _full(kind: bytes, content: bytes, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24) + content)


def _configuration(parameters: list[tuple[int, bytes]]) -> bytes:
    head = b"\x01" + _PROFILE + b"\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f" + bytes((len(parameters),))
    arrays = (struct.pack(">BHH", 0x80 | kind, 1, len(unit)) + unit for kind, unit in parameters)
    return _box(b"hvcC", head + b"".join(arrays))


def _meta(items: list[tuple[bytes, bytes]], properties: list[bytes], start: int) -> bytes:
    named = [
        _full(b"infe", struct.pack(">HH", number, 0) + kind + b"\0", 2) for number, (kind, _) in enumerate(items, 1)
    ]
    places = b""
    for number, (_, content) in enumerate(items, 1):
        places += struct.pack(">HHHII", number, 0, 1, start, len(content))
        start += len(content)
    belongs = struct.pack(">IHB", 1, 1, len(properties)) + bytes(0x80 | at for at in range(1, len(properties) + 1))
    describes = _box(b"cdsc", struct.pack(">HHH", 2, 1, 1))
    return _full(
        b"meta",
        _full(b"hdlr", bytes(4) + b"pict" + bytes(13))
        + _full(b"pitm", struct.pack(">H", 1))
        + _full(b"iloc", struct.pack(">HH", 0x4400, len(items)) + places)
        + _full(b"iinf", struct.pack(">H", len(items)) + b"".join(named))
        + (_full(b"iref", describes) if len(items) > 1 else b"")
        + _box(b"iprp", _box(b"ipco", b"".join(properties)) + _full(b"ipma", belongs)),
    )
