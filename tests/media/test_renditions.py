import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from services.media.processing import process, redraw
from shared.rendition_sizes import rendition_size
from tests.media.samples import encoded, exif_with_place, photo

PICTURE_CHUNKS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
XMP_WITH_PLACE = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" exif:GPSLatitude="52,31.2N"/>'


def chunks_of(webp: bytes) -> set[bytes]:
    found, at = set(), 12
    while at < len(webp):
        found.add(webp[at : at + 4])
        size_bytes = int.from_bytes(webp[at + 4 : at + 8], "little")
        at += 8 + size_bytes + size_bytes % 2
    return found


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((3000, 2000), [(250, 167), (1440, 960)]),
        ((2000, 3000), [(167, 250), (960, 1440)]),
        ((1440, 1440), [(250, 250), (1440, 1440)]),
        ((600, 400), [(250, 167), (600, 400)]),
        ((250, 10), [(250, 10), (250, 10)]),
        ((3, 2), [(3, 2), (3, 2)]),
        ((940, 2), [(250, 1), (940, 2)]),
    ],
)
def test_renditions_fit_their_square_and_are_never_enlarged(
    size: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    facts, blobs = process(encoded(photo(*size), "PNG"), {})

    assert [Image.open(BytesIO(blob)).size for blob in blobs] == expected
    assert [(made["width_px"], made["height_px"]) for made in facts["renditions"]] == expected
    assert [made["name"] for made in facts["renditions"]] == ["250", "1440"]
    assert [made["size_bytes"] for made in facts["renditions"]] == [len(blob) for blob in blobs]


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_where_a_picture_was_taken_leaves_neither_in_renditions_nor_in_facts(format_name: str) -> None:
    xmp = {} if format_name == "PNG" else {"xmp": XMP_WITH_PLACE}
    original = encoded(photo(300, 200), format_name, exif=exif_with_place(), **xmp)
    assert Image.open(BytesIO(original)).getexif().get_ifd(0x8825)[2] == (52.0, 31.0, 12.0)

    facts, blobs = process(original, {})

    for blob in blobs[:2]:
        assert chunks_of(blob) <= PICTURE_CHUNKS
    assert len(blobs) == 3, "what is handed out in place of the original"
    for blob in blobs:
        assert not any(secret in blob for secret in (b"Exif", b"GPS", b"Lumen", b"xmpmeta"))
    told = json.dumps(facts)
    assert not any(secret in told for secret in ("GPS", "52.0", "31.0", "13.0, 24.0"))
    assert facts["exif"] == {"camera": "Lumen L-1", "taken_at": "2024-05-06T07:08:09+02:00"}


def test_the_search_for_metadata_finds_them_where_they_are() -> None:
    telling = encoded(photo(30, 20), "WEBP", exif=exif_with_place(), xmp=XMP_WITH_PLACE)
    assert not chunks_of(telling) <= PICTURE_CHUNKS


@pytest.mark.parametrize("wrong", ["", "0000:00:00 00:00:00", "2024-05-06", "yesterday", "2024:13:45 99:00:00"])
def test_a_date_that_cannot_be_is_left_out(wrong: str) -> None:
    exif = Image.Exif()
    exif[0x0132] = wrong
    facts, _ = process(encoded(photo(30, 20), "JPEG", exif=exif), {})
    assert facts["exif"]["taken_at"] is None


def test_what_a_camera_says_of_itself_is_cleaned_and_short() -> None:
    exif = Image.Exif()
    exif[0x0110] = "L\x001\x1b[31m\n" + "x" * 500
    facts, _ = process(encoded(photo(30, 20), "JPEG", exif=exif), {})

    camera = facts["exif"]["camera"]
    assert camera is None or (camera.isprintable() and len(camera) <= 100)


def test_transparency_is_kept_and_only_where_there_is_any() -> None:
    clear = photo(300, 200).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize((300, 200)))
    facts, blobs = process(encoded(clear, "PNG"), {})
    assert facts["has_alpha"] is True
    assert [Image.open(BytesIO(blob)).mode for blob in blobs] == ["RGBA", "RGBA"]

    facts, blobs = process(encoded(photo(300, 200).convert("RGBA"), "PNG"), {})
    assert facts["has_alpha"] is False
    assert [Image.open(BytesIO(blob)).mode for blob in blobs] == ["RGB", "RGB"]


def test_transparent_pixels_do_not_bleed_into_their_neighbours() -> None:
    picture = Image.new("RGBA", (1000, 1000), (0, 255, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 501, 1000))
    _, blobs = process(encoded(picture, "PNG"), {"renditions": {"250": 250}, "quality": 100})

    drawn = Image.open(BytesIO(blobs[0])).convert("RGBA")
    edge: Any = drawn.getpixel((124, 125))
    assert edge[0] > 200
    assert edge[1] < 60


def test_further_renditions_are_drawn_on_demand() -> None:
    facts, blobs = redraw(encoded(photo(1200, 900), "JPEG"), {"renditions": {"800": 800}, "quality": 60})

    assert facts == {"renditions": [{"name": "800", "width_px": 800, "height_px": 600, "size_bytes": len(blobs[0])}]}


def test_a_better_quality_takes_more_bytes() -> None:
    sizes = [len(redraw(encoded(photo(600, 400), "PNG"), {"quality": quality})[1][1]) for quality in (40, 95)]
    assert sizes[0] < sizes[1]


def test_no_side_of_a_rendition_vanishes() -> None:
    assert rendition_size(16_384, 1, 250) == (250, 1)
    assert rendition_size(1, 16_384, 250) == (1, 250)
