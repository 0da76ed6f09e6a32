"""Whatever way the camera was held, the picture stands upright, and its size is said as it is seen."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageColor
from PIL.Image import Transpose

from services.media.processing import process
from tests.media.samples import encoded, exif_with_place

# What a viewer must do to the stored pixels, by EXIF 2.3 table 6; undone here to make the stored pixels.
STORED_AS = {
    1: None,
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}
CORNERS = {(8, 8): "red", (88, 8): "lime", (8, 56): "blue", (88, 56): "white"}


def upright() -> Image.Image:
    """Draw four quarters, 96 x 64: red, lime above blue, white."""
    picture = Image.new("RGB", (96, 64))
    for (x, y), colour in CORNERS.items():
        picture.paste(colour, (x // 48 * 48, y // 32 * 32, x // 48 * 48 + 48, y // 32 * 32 + 32))
    return picture


def stored(orientation: int) -> Image.Image:
    turn = STORED_AS[orientation]
    return upright() if turn is None else upright().transpose(turn)


def assert_upright(blob: bytes) -> None:
    drawn = np.asarray(Image.open(BytesIO(blob)).convert("RGB"))
    assert drawn.shape == (64, 96, 3)
    for (x, y), colour in CORNERS.items():
        assert np.allclose(drawn[y, x], ImageColor.getrgb(colour), atol=30), (x, y, colour)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_ends_upright(name: str, orientation: int) -> None:
    payload = encoded(stored(orientation), name, exif=exif_with_place(orientation))
    facts, blobs = process(payload, {})

    assert (facts["width_px"], facts["height_px"]) == (96, 64)
    assert facts["orientation"] == orientation
    for blob in blobs[: len(facts["renditions"])]:
        assert_upright(blob)


def test_the_corners_tell_a_picture_that_was_left_as_stored() -> None:
    _, blobs = process(encoded(stored(3), "JPEG"), {})
    with pytest.raises(AssertionError):
        assert_upright(blobs[0])


@pytest.mark.parametrize("wrong", [0, 9, 255, 65_535])
def test_an_orientation_that_does_not_exist_counts_as_upright(wrong: int) -> None:
    facts, blobs = process(encoded(upright(), "JPEG", exif=exif_with_place(wrong)), {})

    assert facts["orientation"] == 1
    assert_upright(blobs[0])


def test_an_orientation_that_is_no_number_counts_as_upright() -> None:
    text = struct.pack("<HHI4s", 0x0112, 2, 4, b"six\0")
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + text + bytes(4)
    facts, blobs = process(encoded(upright(), "JPEG", exif=exif), {})

    assert facts["orientation"] == 1
    assert_upright(blobs[0])


def test_an_orientation_that_only_xmp_knows_is_followed() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    facts, blobs = process(encoded(stored(6), "JPEG", xmp=xmp), {})

    assert facts["orientation"] == 6
    assert_upright(blobs[0])


def test_a_large_photo_on_its_side_is_measured_as_it_is_seen() -> None:
    payload = encoded(Image.new("RGB", (4000, 3000), "gray"), "JPEG", exif=exif_with_place(8))
    facts, _ = process(payload, {})

    assert (facts["width_px"], facts["height_px"]) == (3000, 4000)
    sizes = [(made["width_px"], made["height_px"]) for made in facts["renditions"]]
    assert sizes == [(188, 250), (1080, 1440)]
