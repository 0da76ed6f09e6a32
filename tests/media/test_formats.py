import struct

import pytest

from services.media.processing import process
from shared.errors import Refused
from shared.image_formats import IMAGE_FORMATS, sniff
from tests.media.samples import SMALL_FILES, animation, encoded, photo, png_chunk


@pytest.mark.parametrize("name", sorted(IMAGE_FORMATS))
def test_each_accepted_format_is_read_and_named_for_what_it_is(name: str) -> None:
    facts, blobs = process(SMALL_FILES[name](), {})

    known = IMAGE_FORMATS[name]
    assert (facts["format"], facts["extension"]) == (name, known.extension)
    assert facts["content_type"] == known.content_type
    assert (facts["width_px"], facts["height_px"]) == (64, 48)
    assert (facts["frames"], facts["animated"], facts["orientation"]) == (1, False, 1)
    assert facts["duration_ms"] is None
    assert [blob[8:12] for blob in blobs[:2]] == [b"WEBP", b"WEBP"]


def test_every_format_has_an_extension_and_a_content_type_of_its_own() -> None:
    assert all(known.extension.startswith(".") for known in IMAGE_FORMATS.values())
    assert len({known.extension for known in IMAGE_FORMATS.values()}) == len(IMAGE_FORMATS)
    assert len({known.content_type for known in IMAGE_FORMATS.values()}) == len(IMAGE_FORMATS)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "body_empty"),
        (b"<!DOCTYPE html><title>404</title>", "web_page_not_image"),
        (b"\xef\xbb\xbf\n  <HTML><body>sign in</body>", "web_page_not_image"),
        (b'<?xml version="1.0"?><!DOCTYPE html><html/>', "web_page_not_image"),
        (b"<!-- cached --><html>", "web_page_not_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "format_refused"),
        (b'<?xml version="1.0"?>\n<!-- x -->\n<svg/>', "format_refused"),
        (b"8BPS\0\1" + bytes(40), "format_refused"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "format_refused"),
        (b"\0\0\1\0\1\0" + bytes(40), "format_refused"),
        (b"P3\n2 2\n255\n" + b"0 " * 12, "format_refused"),
        (b"\xff\x0a" + bytes(40), "format_not_supported"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "format_not_supported"),
        (b"%PDF-1.7\n", "not_an_image"),
        (b"PK\x03\x04" + bytes(40), "not_an_image"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1" + bytes(40), "not_an_image"),
        (b"\x1a\x45\xdf\xa3" + bytes(40), "not_an_image"),
        (b"RIFF\0\0\0\0AVI LIST", "not_an_image"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://169.254.169.254/", "not_an_image"),
        (b'{"error": "gone"}', "not_an_image"),
        (b"BM is how this sentence begins, and it is no bitmap", "not_an_image"),
        (bytes(1000), "not_an_image"),
    ],
)
def test_what_is_no_accepted_image_is_refused_with_a_code_and_a_sentence(body: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        process(body, {})
    assert refused.value.code == code
    assert refused.value.sentence.endswith(".")


def test_an_avif_is_known_by_the_brands_it_lists() -> None:
    avif = SMALL_FILES["avif"]()
    assert sniff(avif) == "avif"
    assert sniff(avif[:8] + b"mif1" + avif[12:]) == "avif"


def test_a_playlist_that_calls_itself_a_picture_stays_a_playlist() -> None:
    assert sniff(b"#EXTM3U\n" + SMALL_FILES["png"]()) == "playlist"


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_an_animation_the_first_frame_is_shown_and_all_are_counted(name: str) -> None:
    facts, blobs = process(animation(name), {})

    assert (facts["animated"], facts["frames"], facts["duration_ms"]) == (True, 3, 300)
    assert facts["palette"][0]["name"] == "red"
    assert len(blobs) == 2 + (name == "AVIF"), "a sequence in AVIF cannot be copied so, and is drawn anew"


def test_the_pages_of_a_tiff_are_counted_but_are_no_animation() -> None:
    pages = encoded(photo(40, 30), "TIFF", save_all=True, append_images=[photo(40, 30, seed=1)])
    facts, _ = process(pages, {})
    assert (facts["animated"], facts["frames"], facts["duration_ms"]) == (False, 2, None)


def test_frames_that_a_png_only_claims_are_not_counted() -> None:
    honest = animation("PNG")
    start = honest.index(b"acTL") - 4
    lying = honest[:start] + png_chunk(b"acTL", struct.pack(">II", 60_000, 0)) + honest[start + 20 :]

    assert process(lying, {})[0]["frames"] == 3


def test_a_gif_of_a_million_empty_blocks_is_counted_in_no_time() -> None:
    honest = animation("GIF")
    end = honest.rindex(b";")
    endless = honest[:end] + b"!\xff" + b"\x01x" * 2_000_000 + b"\0;"

    assert process(endless, {})[0]["frames"] == 3
