"""What the page decodes by itself is what others decode."""

import struct
import zlib
from base64 import b64encode
from typing import Any, Final

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.media.analysis.thumbhash import decode, encode
from tests.gateway.browser import Page
from tests.gateway.living import Gateway

_FILTERS: Final = 5


@pytest.fixture
async def modules(page: Page, gateway: Gateway) -> Page:
    """A page that may import the dashboard's modules."""
    await page.open(gateway.url)
    await page.until("document.querySelector('#token')")
    return page


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (50, 50), (12, 100)])
@pytest.mark.parametrize("transparent", [False, True])
async def test_placeholders_are_decoded_as_media_means_them(
    modules: Page, shape: tuple[int, int], transparent: bool
) -> None:
    pixels = _waves(*shape)
    pixels[:, : shape[1] // 3, 3] = 80 if transparent else 255
    hashed = encode(pixels)
    drawn = await modules.run(
        f"""import('/modules/thumbhash.js').then(({{ decodeThumbHash }}) => {{
            const {{ width, height, pixels }} = decodeThumbHash('{b64encode(hashed).decode()}');
            return [width, height, ...pixels];
        }})"""
    )
    expected = decode(hashed)
    assert drawn[:2] == [expected.shape[1], expected.shape[0]]
    assert np.abs(np.array(drawn[2:]) - expected.ravel().astype(int)).max() <= 1


def _waves(height: int, width: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [np.sin(rows / height * 3 + channel) * np.cos(columns / width * (channel + 2)) for channel in range(3)]
    colours = [((channel + 1) * 127).astype(np.uint8) for channel in channels]
    return np.dstack([*colours, np.full((height, width), 255, np.uint8)])


async def test_grey_of_sixteen_bits_is_read_whatever_its_filters(modules: Page) -> None:
    levels = np.random.default_rng(7).integers(0, 65_536, (23, 31)).astype(np.uint16)
    levels[5:12] = np.linspace(0, 65_535, 31).astype(np.uint16)
    assert await _read(modules, _png(levels)) == [31, 23, *levels.ravel().tolist()]


@pytest.mark.parametrize(("bits", "sentence"), [(8, "not plain grey of 16 bits"), (16, "ends too early")])
async def test_a_png_that_is_not_what_it_should_be_is_refused(modules: Page, bits: int, sentence: str) -> None:
    file = _png(np.zeros((4, 4), np.uint16), bits=bits, height=9)
    with pytest.raises(AssertionError, match=sentence):
        await _read(modules, file)


async def _read(page: Page, file: bytes) -> list[int]:
    values: list[int] = await page.run(
        f"""import('/modules/greypng.js').then(async ({{ decodeGrey16 }}) => {{
            const bytes = Uint8Array.from(atob('{b64encode(file).decode()}'), (one) => one.charCodeAt(0));
            const {{ width, height, levels }} = await decodeGrey16(bytes.buffer);
            return [width, height, ...levels];
        }})"""
    )
    return values


def _png(levels: NDArray[np.uint16], *, bits: int = 16, height: int | None = None) -> bytes:
    """Write a PNG whose rows take all five filters in turn."""
    rows = levels.astype(">u2").view(np.uint8).astype(int)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    filtered = [bytes([row % _FILTERS]) + _filtered(row % _FILTERS, rows[row], above[row]) for row in range(len(rows))]
    header = struct.pack(">IIBBBBB", levels.shape[1], height or levels.shape[0], bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"tEXt", b"a\x00b"), (b"IDAT", zlib.compress(b"".join(filtered))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _filtered(kind: int, row: NDArray[Any], above: NDArray[Any]) -> bytes:
    left, corner = (np.concatenate([[0, 0], values[:-2]]) for values in (row, above))
    guess = left + above - corner
    distances = np.stack([np.abs(guess - left), np.abs(guess - above), np.abs(guess - corner)])
    paeth = np.choose(distances.argmin(axis=0), [left, above, corner])
    predicted = (np.zeros_like(row), left, above, (left + above) // 2, paeth)[kind]
    return bytes(((row - predicted) % 256).astype(np.uint8))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


async def test_turbo_is_the_turbo_of_everybody(modules: Page) -> None:
    drawn = await modules.run(
        """import('/modules/colours.js').then(({ colourTable }) =>
            [...new Uint8Array(colourTable('turbo').buffer)])"""
    )
    ours = np.array(drawn).reshape(-1, 4)[np.linspace(0, 1023, 256).round().astype(int), :3]
    levels = np.arange(256, dtype=np.uint8)[None]
    theirs = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)[0]
    assert np.abs(ours - np.asarray(theirs, int)).max() <= 5
