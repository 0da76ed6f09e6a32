"""Photos of telephones arrive as HEIC: their main picture is read, turned as its box says, and nothing else of it."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageColor

from services.media.processing import process
from shared.errors import Refused
from tests.media.heic import heic
from tests.media.samples import exif_with_place, photo

CORNERS = {(8, 8): "red", (88, 8): "lime", (8, 56): "blue", (88, 56): "white"}


def quarters() -> Image.Image:
    picture = Image.new("RGB", (96, 64))
    for (x, y), colour in CORNERS.items():
        picture.paste(colour, (x // 48 * 48, y // 32 * 32, x // 48 * 48 + 48, y // 32 * 32 + 32))
    return picture


def assert_upright(blob: bytes) -> None:
    drawn = np.asarray(Image.open(BytesIO(blob)).convert("RGB"))
    assert drawn.shape == (64, 96, 3)
    for (x, y), colour in CORNERS.items():
        assert np.allclose(drawn[y, x], ImageColor.getrgb(colour), atol=30), (x, y, colour)


@pytest.mark.parametrize("quarter_turns", range(4))
def test_a_picture_is_turned_once_whatever_its_camera_also_wrote(quarter_turns: int) -> None:
    stored = quarters().rotate(-90 * quarter_turns, expand=True)
    facts, blobs = process(heic(stored, quarter_turns=quarter_turns, exif=exif_with_place(6).tobytes()[6:]), {})

    assert (facts["format"], facts["content_type"], facts["extension"]) == ("heic", "image/heic", ".heic")
    assert (facts["width_px"], facts["height_px"], facts["orientation"]) == (96, 64, 1)
    assert facts["exif"] == {"camera": "Lumen L-1", "taken_at": "2024-05-06T07:08:09+02:00"}
    renditions, copy = blobs[:2], blobs[2]
    for blob in [*renditions, *process(copy, {})[1]]:
        assert_upright(blob)


def test_pixels_are_those_that_were_written() -> None:
    picture = photo(128, 96)
    _, blobs = process(heic(picture), {"quality": 100})
    apart = np.asarray(Image.open(BytesIO(blobs[1])).convert("RGB")).astype(int) - np.asarray(picture).astype(int)
    assert np.abs(apart).mean() < 3


def test_a_place_leaves_neither_in_renditions_nor_in_the_copy_that_is_handed_out() -> None:
    original = heic(photo(64, 48), exif=exif_with_place().tobytes()[6:])
    assert b"Lumen" in original
    facts, blobs = process(original, {})

    assert (facts["clean_copy"]["content_type"], facts["clean_copy"]["lossless"]) == ("image/heic", True)
    assert len(blobs) == 3
    for blob in blobs:
        assert not any(secret in blob for secret in (b"Exif", b"EXIF", b"GPS", b"Lumen"))
    assert "52.0" not in str(facts)


@pytest.mark.parametrize(("width", "height"), [(16_000, 16_000), (65_535, 1), (6_000, 5_000)])
def test_a_size_beyond_the_bounds_is_refused_from_the_boxes(width: int, height: int) -> None:
    with pytest.raises(Refused) as refused:
        process(heic(photo(64, 48), declaring=(width, height)), {})
    assert refused.value.code == "image_too_large"


@pytest.mark.parametrize("kept", [30, 100, 300, 1000, 3000])
def test_a_file_that_is_cut_is_refused(kept: int) -> None:
    with pytest.raises(Refused) as refused:
        process(heic(photo(64, 48))[:kept], {})
    assert refused.value.code in {"image_truncated", "image_corrupt"}


def test_a_box_that_tells_another_size_than_the_stream_has_is_not_believed() -> None:
    try:
        facts, blobs = process(heic(photo(128, 96), declaring=(32, 32)), {})
    except Refused as refused:
        end = refused.code
    else:
        end = "read" if Image.open(BytesIO(blobs[1])).size == (facts["width_px"], facts["height_px"]) else "lied to"
    assert end in {"read", "image_corrupt"}
