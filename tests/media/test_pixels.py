"""Every mode of pixel that a file can hold arrives as the colour that its maker saw."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from services.media.decoding import Bounds, decode
from services.media.processing import process
from tests.media.samples import encoded, photo, ramp_of_16_bits


def seen(payload: bytes, longest_px: int = 1440) -> Image.Image:
    return decode(payload, Bounds(), longest_px=longest_px).image


def colour_of(payload: bytes) -> tuple[int, ...]:
    image = seen(payload)
    return tuple(int(level) for level in np.asarray(image).reshape(-1, len(image.getbands())).mean(axis=0).round())


@pytest.mark.parametrize(
    ("picture", "format_name", "expected"),
    [
        (Image.new("1", (20, 10), 1), "PNG", (255, 255, 255)),
        (Image.new("L", (20, 10), 77), "PNG", (77, 77, 77)),
        (Image.new("LA", (20, 10), (77, 128)), "PNG", (77, 77, 77, 128)),
        (Image.new("L", (20, 10), 3).convert("P"), "GIF", (3, 3, 3)),
        (Image.new("RGBA", (20, 10), (9, 80, 200, 50)), "PNG", (9, 80, 200, 50)),
        (Image.new("RGBA", (20, 10), (9, 80, 200, 255)), "PNG", (9, 80, 200)),
        (Image.new("I;16", (20, 10), 257 * 77), "PNG", (77, 77, 77)),
        (Image.new("I;16", (20, 10), 257 * 77), "TIFF", (77, 77, 77)),
        (Image.new("I", (20, 10), 257 * 77), "TIFF", (77, 77, 77)),
        (Image.new("I;16", (20, 10), 257 * 77), "PPM", (77, 77, 77)),
        (Image.new("1", (20, 10), 1), "PPM", (255, 255, 255)),
        (Image.new("F", (20, 10), 0.5), "TIFF", (128, 128, 128)),
        (Image.new("F", (20, 10), float("nan")), "TIFF", (0, 0, 0)),
        (Image.new("CMYK", (20, 10), (0, 0, 0, 255)), "TIFF", (0, 0, 0)),
        (Image.new("CMYK", (20, 10), (0, 255, 255, 0)), "JPEG", (254, 0, 0)),
        (Image.new("LAB", (20, 10), (255, 128, 128)), "TIFF", (255, 255, 255)),
        (Image.new("YCbCr", (20, 10), (150, 128, 128)), "TIFF", (150, 150, 150)),
    ],
    ids=lambda value: getattr(value, "mode", str(value)),
)
def test_each_mode_is_shown_in_its_colour(picture: Image.Image, format_name: str, expected: tuple[int, ...]) -> None:
    assert np.allclose(colour_of(encoded(picture, format_name)), expected, atol=1)


def test_a_transparent_index_of_a_palette_is_transparent() -> None:
    picture = Image.new("P", (20, 10), 1)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.paste(0, (0, 0, 10, 10))
    image = seen(encoded(picture, "PNG", transparency=0))

    assert image.getpixel((5, 5))[3] == 0  # type: ignore[index] # a pixel of RGBA
    assert image.getpixel((15, 5)) == (0, 0, 255, 255)


def test_a_16_bit_ramp_keeps_its_shades() -> None:
    shades = np.asarray(seen(encoded(Image.fromarray(ramp_of_16_bits()), "PNG")))[0, :, 0]

    assert np.abs(shades.astype(int) - np.arange(256)).max() <= 1


def test_numbers_without_a_natural_white_are_spread_from_their_least_to_their_most() -> None:
    heights = np.linspace(-300, 5_000, 100, dtype=np.float32).reshape(1, -1)
    shades = np.asarray(seen(encoded(Image.fromarray(np.repeat(heights, 4, axis=0)), "TIFF")))[0, :, 0]

    assert (shades[0], shades[-1]) == (0, 255)
    assert (np.diff(shades.astype(int)) >= 0).all()


def test_an_embedded_profile_moves_the_colours_to_srgb() -> None:
    lab_profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    srgb_profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    bright = Image.new("RGB", (30, 20), (200, 100, 50))

    same = colour_of(encoded(bright, "PNG", icc_profile=srgb_profile.tobytes()))
    unfit = colour_of(encoded(bright, "PNG", icc_profile=lab_profile.tobytes()))
    other = colour_of(encoded(bright, "PNG", icc_profile=profile_that_swaps_red_and_blue()))

    assert np.allclose(same, (200, 100, 50), atol=1)
    assert np.allclose(unfit, (200, 100, 50), atol=1)
    assert other[2] > other[0]


def profile_that_swaps_red_and_blue() -> bytes:
    """Rename two tags of an sRGB profile, so that its red primary is blue."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"\0tmp", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"\0tmp", b"bXYZ", 1)


def test_a_transparent_picture_with_a_profile_keeps_its_transparency() -> None:
    picture = Image.new("RGBA", (30, 20), (200, 100, 50, 99))
    colour = colour_of(encoded(picture, "PNG", icc_profile=profile_that_swaps_red_and_blue()))

    assert colour[2] > colour[0]
    assert colour[3] == 99


def test_a_grey_picture_with_a_profile_of_colours_stays_grey() -> None:
    colour = colour_of(encoded(Image.new("L", (30, 20), 90), "PNG", icc_profile=profile_that_swaps_red_and_blue()))
    assert max(colour) - min(colour) <= 60
    assert len(colour) == 3


@pytest.mark.parametrize("side_px", [30, 4000])
def test_nothing_comes_along_but_pixels(side_px: int) -> None:
    told = {"comment": b"at home", "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0", "dpi": (300, 300)}
    payload = encoded(Image.new("RGB", (side_px, 20), (200, 100, 50)), "JPEG", **told)

    assert Image.open(BytesIO(payload)).info["comment"] == b"at home"
    assert seen(payload, longest_px=30).info == {}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
def test_a_picture_that_goes_through_in_bands_is_the_picture(mode: str) -> None:
    large = photo(1500, 1100).convert(mode)
    format_name = "TIFF" if mode == "CMYK" else "PNG"
    small = seen(encoded(large, format_name), longest_px=250)

    assert max(small.size) < 700
    whole = large.convert("RGB").resize(small.size, Image.Resampling.BOX)
    apart = np.asarray(small.convert("RGB")).astype(int) - np.asarray(whole).astype(int)
    assert np.abs(apart).mean() < 2


@pytest.mark.parametrize(("width", "height"), [(3000, 2000), (3001, 1999), (700, 3100), (2161, 5)])
def test_reducing_loses_no_edge(width: int, height: int) -> None:
    framed = Image.new("RGB", (width, height), "red")
    framed.paste("blue", (width // 2, 0, width, height))
    facts, blobs = process(encoded(framed, "PNG"), {})

    drawn = Image.open(BytesIO(blobs[1])).convert("RGB")
    assert max(drawn.size) == 1440
    corners: list[Any] = [drawn.getpixel(place) for place in ((0, 0), (drawn.width - 1, drawn.height - 1))]
    assert np.allclose(corners, [(255, 0, 0), (0, 0, 255)], atol=12)
    assert (facts["width_px"], facts["height_px"]) == (width, height)
