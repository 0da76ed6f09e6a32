"""Files made to crash, fill or fool a decoder end as a refusal with a code, or are read as what they are."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.media.processing import process
from shared.errors import Refused
from tests.media.samples import (
    SMALL_FILES,
    animation,
    bmp,
    encoded,
    exif_with_place,
    gif,
    photo,
    png,
    png_chunk,
    tiff,
    webp,
)

CUT = {"image_truncated", "image_corrupt", "not_an_image"}
REFUSALS = CUT | {
    "body_empty",
    "format_not_supported",
    "format_refused",
    "image_too_complex",
    "image_too_large",
    "metadata_too_large",
    "web_page_not_image",
}
MUTATIONS_EACH = 25


def refusal_of(payload: bytes, options: dict[str, Any] | None = None) -> Refused:
    with pytest.raises(Refused) as refused:
        process(payload, options or {})
    assert refused.value.sentence
    return refused.value


@pytest.mark.parametrize(("width", "height"), [(16_000, 16_000), (65_535, 1), (1, 65_535)])
@pytest.mark.parametrize("make", [png, bmp, tiff, gif], ids=lambda make: make.__name__)
def test_a_header_that_declares_too_much_is_refused_before_anything_is_decoded(
    make: Callable[[int, int], bytes], width: int, height: int
) -> None:
    payload = make(width, height)

    assert len(payload) < 200
    assert refusal_of(payload).code == "image_too_large"


def test_a_webp_canvas_that_is_too_large_is_never_allocated() -> None:
    assert refusal_of(webp(16_000, 16_000)).code == "image_too_large"
    assert refusal_of(webp(16_777_216, 1)).code == "image_corrupt"


def test_a_jpeg_that_declares_too_much_is_refused() -> None:
    payload = bytearray(encoded(photo(64, 48), "JPEG"))
    frame = payload.index(b"\xff\xc0")
    payload[frame + 5 : frame + 9] = struct.pack(">HH", 16_000, 16_000)
    assert refusal_of(bytes(payload)).code == "image_too_large"


def test_a_gif_frame_larger_than_its_screen_is_measured_by_the_frame() -> None:
    assert refusal_of(gif(10, 10, frame=(60_000, 60_000))).code == "image_too_large"


def test_the_pixel_limit_holds_to_the_pixel() -> None:
    payload = encoded(photo(100, 100), "PNG")

    assert process(payload, {"bounds": {"max_pixels": 10_000}})[0]["width_px"] == 100
    assert refusal_of(payload, {"bounds": {"max_pixels": 9_999}}).code == "image_too_large"


def test_the_side_limit_holds_to_the_pixel() -> None:
    payload = encoded(Image.new("RGB", (300, 1)), "PNG")

    assert process(payload, {"bounds": {"max_side_px": 300}})[0]["width_px"] == 300
    assert refusal_of(payload, {"bounds": {"max_side_px": 299}}).code == "image_too_large"


def test_a_format_that_needs_more_memory_may_have_fewer_pixels() -> None:
    bounds = {"bounds": {"memory_bytes": 100 * 100 * 10}}

    assert process(encoded(photo(100, 100), "PNG"), bounds)[0]["format"] == "png"
    assert refusal_of(encoded(photo(100, 100), "WEBP"), bounds).code == "image_too_large"


def test_a_png_whose_data_unpacks_to_far_more_than_its_pixels_yields_its_pixels() -> None:
    bomb = zlib.compress(bytes(20_000_000), 9)
    facts, _ = process(png(8, 8, png_chunk(b"IDAT", bomb)), {})
    assert (facts["width_px"], facts["dominant_colour"]) == (8, "#000000")


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9)),
        png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(50_000_000), 9)),
        png_chunk(b"iCCP", b"Profile\0\0" + zlib.compress(bytes(50_000_000), 9)),
    ],
    ids=["text", "international text", "colour profile"],
)
def test_metadata_that_unpack_without_end_are_refused_or_left_out(chunk: bytes) -> None:
    picture = png_chunk(b"IDAT", zlib.compress(bytes(8 * (1 + 3 * 8))))
    assert refusal_of(png(8, 8, chunk, picture)).code == "metadata_too_large"


def test_a_jpeg_of_endless_passes_is_refused() -> None:
    payload = encoded(photo(1600, 1300), "JPEG", progressive=True)
    last_scan = payload[payload.rindex(b"\xff\xda") : -2]

    assert process(payload[:-2] + last_scan + payload[-2:], {})[0]["width_px"] == 1600
    assert refusal_of(payload[:-2] + last_scan * 1000 + payload[-2:]).code == "image_too_complex"


@pytest.mark.parametrize("name", sorted(SMALL_FILES))
def test_a_file_cut_anywhere_is_refused_unless_all_of_the_picture_is_there(name: str) -> None:
    whole = SMALL_FILES[name]()
    cuts = sorted({1, 2, 8, len(whole) - 1, *range(12, len(whole), max(1, len(whole) // 40))})
    ends = [end_of(whole[:kept]) for kept in cuts]

    assert {end for end in ends if isinstance(end, str)} <= CUT
    renditions = process(whole, {})[1][:2]
    assert all(end[:2] == renditions for end in ends if not isinstance(end, str))
    assert sum(isinstance(end, str) for end in ends) > len(cuts) / 4


@pytest.mark.parametrize("name", ["jpeg", "progressive jpeg", "png", "webp", "lossless webp", "gif", "tiff", "bmp"])
def test_a_file_of_which_half_came_is_called_truncated(name: str) -> None:
    whole = SMALL_FILES[name]()
    assert refusal_of(whole[: len(whole) // 2]).code == "image_truncated"


@pytest.mark.parametrize("name", sorted(SMALL_FILES))
def test_a_mutated_file_ends_as_a_refusal_or_a_picture_and_nothing_else(name: str) -> None:
    chance = np.random.default_rng(sum(name.encode()))
    whole = SMALL_FILES[name]()
    for _ in range(MUTATIONS_EACH):
        end = end_of(mutated(whole, chance))
        assert end in REFUSALS if isinstance(end, str) else 2 <= len(end) <= 3, "renditions, and a copy"


def end_of(payload: bytes) -> str | list[bytes]:
    """Return the refusal's code, or the renditions."""
    try:
        return process(payload, {})[1]
    except Refused as refused:
        return refused.code


def mutated(whole: bytes, chance: np.random.Generator) -> bytes:
    payload = bytearray(whole)
    for _ in range(chance.integers(1, 6)):
        at, length = int(chance.integers(0, len(payload))), int(chance.integers(1, 9))
        match chance.integers(0, 4):
            case 0:
                payload[at : at + length] = chance.bytes(length)
            case 1:
                del payload[at : at + length]
            case 2:
                payload[at:at] = payload[at // 2 : at // 2 + length]
            case _:
                payload[at : at + 4] = chance.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
    return bytes(payload)


def test_a_page_inside_a_picture_does_not_reach_the_renditions() -> None:
    script = b"<html><script>alert(document.domain)</script></html>"
    honest = animation("GIF")
    comment = b"!\xfe" + bytes([len(script)]) + script + b"\0"
    start = 13 + 3 * 2 ** ((honest[10] & 7) + 1)
    facts, blobs = process(honest[:start] + comment + honest[start:], {})

    assert facts["content_type"] == "image/gif"
    assert not any(b"script" in blob for blob in blobs)


def test_a_gif_that_is_a_page_by_its_first_lines_is_no_picture() -> None:
    assert refusal_of(b"GIF89a/*<html><script>alert(1)</script>*/=1;").code in CUT | {"image_too_large"}


def test_an_archive_behind_a_jpeg_does_not_reach_the_renditions() -> None:
    archive = b"PK\x03\x04" + b"secret.class" + bytes(40) + b"PK\x05\x06" + bytes(18)
    facts, blobs = process(encoded(photo(64, 48), "JPEG") + archive, {})

    assert facts["format"] == "jpeg"
    assert not any(b"PK\x03\x04" in blob or b"secret" in blob for blob in blobs)


def test_a_preview_with_other_pixels_inside_a_jpeg_is_not_what_is_shown() -> None:
    exif = exif_with_place().tobytes() + encoded(Image.new("RGB", (64, 48), "red"), "JPEG")
    facts, _ = process(encoded(Image.new("RGB", (64, 48), "blue"), "JPEG", exif=exif), {})
    assert [swatch["name"] for swatch in facts["palette"]] == ["blue"]


def test_a_single_pixel_is_a_picture() -> None:
    facts, blobs = process(encoded(Image.new("RGB", (1, 1), "white"), "PNG"), {})

    assert (facts["width_px"], facts["height_px"], facts["perceptual_hash"]) == (1, 1, None)
    assert len(blobs) == 2


def test_the_longest_line_that_is_taken_keeps_its_one_pixel_of_height() -> None:
    facts, _ = process(encoded(Image.new("RGB", (16_384, 1), "teal"), "PNG"), {})
    assert [(made["width_px"], made["height_px"]) for made in facts["renditions"]] == [(250, 1), (1440, 1)]


def test_a_picture_of_which_nothing_is_visible_has_no_colours() -> None:
    facts, _ = process(encoded(Image.new("RGBA", (40, 40), (255, 0, 0, 0)), "PNG"), {})

    assert (facts["palette"], facts["dominant_colour"], facts["perceptual_hash"]) == ([], None, None)
    assert facts["has_alpha"] is True


def test_broken_metadata_do_not_cost_the_picture() -> None:
    payload = encoded(photo(64, 48), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 60)
    facts, _ = process(payload, {})

    assert facts["orientation"] == 1
    assert facts["exif"] == {"camera": None, "taken_at": None}


def test_a_colour_profile_of_noise_does_not_cost_the_picture() -> None:
    noise = np.random.default_rng(3).bytes(5_000)
    facts, _ = process(encoded(Image.new("RGB", (64, 48), "#336699"), "PNG", icc_profile=noise), {})
    assert facts["dominant_colour"] == "#336699"
