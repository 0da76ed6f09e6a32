"""A copy that may be handed out: the same pixels, and not a word of where, when, by what or by whom."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pi_heif.as_plugin import HeifImageFile
from PIL import Image

from services.media.decoding.stills import strip_still
from services.media.processing import process
from tests.media.heic import heic
from tests.media.samples import SMALL_FILES, encoded, exif_with_place, photo, png_chunk

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" exif:GPSLatitude="52,31.2N"/>'
SECRETS = (b"Exif", b"EXIF", b"GPS", b"Lumen", b"xmp", b"XMP", b"2024:05:06", b"secret", b"ftyp")
TRAILER = b"\xff\xd8secret\0\0\0\x18ftypmp42"


def clean(original: bytes) -> tuple[dict[str, Any], bytes]:
    """Give what is told of the copy that is handed out, and the copy."""
    facts, blobs = process(original, {})
    told = facts["clean_copy"]
    copy = original if told["is_original"] else blobs[-1]
    assert (told["size_bytes"], told["sha256"]) == (len(copy), sha256(copy).hexdigest())
    assert len(blobs) == len(facts["renditions"]) + (not told["is_original"])
    return told, copy


def told(format_name: str, orientation: int = 1, **how: object) -> bytes:
    return encoded(photo(300, 200), format_name, exif=exif_with_place(orientation), **how)


def png_with_texts() -> bytes:
    whole = told("PNG")
    return whole[:-12] + png_chunk(b"tEXt", b"Comment\0secret") + png_chunk(b"prIv", b"secret") + whole[-12:] + TRAILER


def jpeg_with_comment() -> bytes:
    whole = told("JPEG", 6, xmp=XMP, comment=b"secret", progressive=True)
    return whole[:2] + segment(0xED, b"Photoshop 3.0\0secret") + segment(0xEE, b"secret") + ADOBE + whole[2:] + TRAILER


def segment(kind: int, content: bytes) -> bytes:
    return bytes((0xFF, kind)) + (len(content) + 2).to_bytes(2, "big") + content


ADOBE = segment(0xEE, b"Adobe\0d\0\0\0\0\1secret")  # how colours are coded, and more than that


def animated_webp() -> bytes:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
    how = {"save_all": True, "append_images": frames[1:], "duration": 70, "exif": exif_with_place(), "xmp": XMP}
    return encoded(frames[0], "WEBP", **how) + TRAILER


def animated_gif() -> bytes:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
    how = {"save_all": True, "append_images": frames[1:], "duration": 70, "loop": 0, "comment": b"secret"}
    return encoded(frames[0], "GIF", **how) + TRAILER


def iso_box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def transparent_avif() -> bytes:
    image = photo(64, 48).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    film = iso_box(b"uuid", b"secret") + iso_box(b"mpvd", TRAILER)
    return encoded(image, "AVIF", speed=10, exif=exif_with_place(6), xmp=XMP) + film


def heic_with_place() -> bytes:
    return heic(photo(64, 48), exif=exif_with_place(6).tobytes()[6:], quarter_turns=1) + TRAILER


TELLING: Mapping[str, Callable[[], bytes]] = {
    "jpeg": jpeg_with_comment,
    "stereo jpeg": lambda: encoded(
        photo(300, 200), "MPO", save_all=True, append_images=[photo(300, 200, 1)], exif=exif_with_place()
    ),
    "png": png_with_texts,
    "webp": lambda: told("WEBP", xmp=XMP) + TRAILER,
    "animated webp": animated_webp,
    "animated gif": animated_gif,
    "transparent avif": transparent_avif,
    "heic": heic_with_place,
}


def frames_of(content: bytes) -> list[np.ndarray]:
    image = HeifImageFile(BytesIO(content)) if content[8:12] == b"heic" else Image.open(BytesIO(content))
    frames = []
    for number in range(getattr(image, "n_frames", 1) if image.format != "MPO" else 1):
        image.seek(number)
        frames.append(np.asarray(image.convert("RGBA")))
    return frames


@pytest.mark.parametrize("name", sorted(TELLING))
def test_a_copy_tells_nothing_and_shows_the_very_same_pixels(name: str) -> None:
    original = TELLING[name]()
    assert any(secret in original for secret in SECRETS), "the search would find nothing either"

    facts, copy = clean(original)

    assert facts["lossless"]
    assert not facts["is_original"]
    told = copy[8:].replace(b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01", b"")
    found = [secret for secret in SECRETS if secret in told]
    assert found == []
    before, after = frames_of(original), frames_of(copy)
    assert len(before) == len(after)
    assert all((one == other).all() for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("name", sorted(TELLING))
def test_a_copy_is_the_same_picture_to_whoever_looks_at_it(name: str) -> None:
    original = TELLING[name]()
    _, copy = clean(original)

    facts, blobs = process(original, {})
    again, same = process(copy, {})
    assert same == blobs[:2]
    apart = {"exif": None, "clean_copy": None}
    assert {**again, **apart} == {**facts, **apart}
    assert again["clean_copy"]["is_original"]
    assert again["exif"] == {"camera": None, "taken_at": None}


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_copy_keeps_how_the_camera_was_held(format_name: str, orientation: int) -> None:
    _, copy = clean(told(format_name, orientation))
    held = Image.open(BytesIO(copy)).getexif()
    assert held.get(0x0112, 1) == orientation
    assert set(held) <= {0x0112}


def test_a_copy_keeps_its_colour_profile() -> None:
    from PIL import ImageCms  # noqa: PLC0415

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for format_name in ("JPEG", "PNG", "WEBP", "AVIF"):
        _, copy = clean(told(format_name, icc_profile=profile))
        assert Image.open(BytesIO(copy)).info["icc_profile"] == profile


def held_as_xmp_alone_says() -> bytes:
    turned = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    return encoded(photo(300, 200), "AVIF", speed=10, xmp=turned)


def put_together_otherwise() -> bytes:
    whole = told("AVIF", 6)
    return whole.replace(b"av01Color", b"av01Lumen") + iso_box(b"moov", b"")


@pytest.mark.parametrize("make", [lambda: told("TIFF", 6), held_as_xmp_alone_says, put_together_otherwise])
def test_what_cannot_be_copied_so_is_drawn_anew(make: Callable[[], bytes]) -> None:
    facts, copy = clean(make())

    assert (facts["content_type"], facts["lossless"]) == ("image/webp", False)
    assert Image.open(BytesIO(copy)).size == (200, 300)
    assert not any(secret in copy for secret in SECRETS)


def test_what_a_still_calls_its_parts_is_not_told_either() -> None:
    original = encoded(photo(64, 48), "AVIF", speed=10).replace(b"av01Color", b"av01Lumen")
    facts, copy = clean(original)
    assert facts["lossless"]
    assert b"Lumen" not in copy
    assert (frames_of(copy)[0] == frames_of(original)[0]).all()


@pytest.mark.parametrize("make", [transparent_avif, heic_with_place])
def test_a_still_that_is_damaged_on_purpose_ends_at_once_and_tells_nothing(make: Callable[[], bytes]) -> None:
    chance = np.random.default_rng(7)
    whole = make()
    copied = 0
    for _ in range(3_000):
        payload = bytearray(whole)
        for at in chance.integers(0, 700, chance.integers(1, 4)):
            payload[at] = chance.integers(0, 256)
        copy = strip_still(bytes(payload))
        copied += copy is not None
        assert copy is None or len(copy) <= len(payload)
    assert 100 < copied < 2_900


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "lossless webp", "animated gif", "avif", "heic"])
def test_a_file_that_tells_nothing_is_copied_as_it_is(name: str) -> None:
    facts, copy = clean(SMALL_FILES[name]())
    assert facts["is_original"]
    assert copy == SMALL_FILES[name]()
