from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageEnhance

from services.media.analysis import describe
from services.media.analysis.colour_names import COLOUR_NAMES, name_colour
from services.media.analysis.colour_space import to_hex, to_oklab
from services.media.analysis.palette import find_palette
from services.media.analysis.perceptual_hash import perceptual_hash
from services.media.analysis.thumbhash import decode, encode
from tests.media.samples import PIXELS, encoded, photo


def pixels_of(image: Image.Image) -> PIXELS:
    return np.asarray(image.convert("RGBA"))


def flag(*shares: tuple[str, int]) -> Image.Image:
    """Draw vertical stripes of so many of 100 columns each."""
    image = Image.new("RGB", (100, 40))
    left = 0
    for colour, columns in shares:
        image.paste(colour, (left, 0, left + columns, 40))
        left += columns
    return image


def test_a_palette_names_colours_with_their_shares() -> None:
    palette = find_palette(pixels_of(flag(("#dc1e1e", 50), ("#fafafa", 30), ("#2258d8", 20))))

    assert [(swatch.hex, swatch.name) for swatch in palette] == [
        ("#dc1e1e", "red"),
        ("#fafafa", "white"),
        ("#2258d8", "blue"),
    ]
    assert [swatch.share for swatch in palette] == [0.5, 0.3, 0.2]


def test_a_small_vivid_spot_is_in_the_palette() -> None:
    picture = photo(100, 100).convert("L").convert("RGB")
    ImageDraw.Draw(picture).rectangle((40, 40, 51, 51), fill="#ff2020")
    assert "red" in [swatch.name for swatch in find_palette(pixels_of(picture))]


def test_shades_that_eyes_take_for_one_colour_are_one() -> None:
    assert len(find_palette(pixels_of(flag(("#3060a0", 40), ("#3162a2", 30), ("#2f5e9e", 30))))) == 1


def test_a_palette_has_at_most_six_colours_and_their_shares_are_all() -> None:
    for seed in range(5):
        palette = find_palette(pixels_of(photo(160, 120, seed)))
        assert 3 <= len(palette) <= 6
        assert sum(swatch.share for swatch in palette) == pytest.approx(1, abs=0.001)
        assert [swatch.share for swatch in palette] == sorted((s.share for s in palette), reverse=True)


def test_what_is_transparent_has_no_colour() -> None:
    picture = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    assert find_palette(pixels_of(picture)) == ()

    picture.paste((0, 0, 255, 255), (0, 0, 2, 2))
    assert [swatch.hex for swatch in find_palette(pixels_of(picture))] == ["#0000ff"]


def test_each_colour_name_is_found_by_its_own_shade() -> None:
    for name, shade in COLOUR_NAMES.items():
        lab = to_oklab(np.array([list(bytes.fromhex(shade[1:]))], dtype=float))[0]
        assert (name_colour(lab), to_hex(lab)) == (name, shade)


@pytest.mark.parametrize(
    ("shade", "name"),
    [
        ("#000000", "black"),
        ("#ffffff", "white"),
        ("#ff0000", "red"),
        ("#0000ff", "blue"),
        ("#ffff00", "yellow"),
        ("#7f7f7f", "grey"),
        ("#565354", "charcoal"),
        ("#008000", "green"),
        ("#ffa500", "orange"),
        ("#000080", "navy"),
    ],
)
def test_colours_are_called_what_people_call_them(shade: str, name: str) -> None:
    assert name_colour(to_oklab(np.array([list(bytes.fromhex(shade[1:]))], dtype=float))[0]) == name


@given(colour=some.tuples(*[some.integers(0, 255)] * 3))
def test_a_colour_survives_the_way_to_oklab_and_back(colour: tuple[int, int, int]) -> None:
    assert to_hex(to_oklab(np.array([colour], dtype=float))[0]) == f"#{bytes(colour).hex()}"


@settings(max_examples=60, deadline=None)
@given(pixels=arrays(np.uint8, some.tuples(some.integers(1, 24), some.integers(1, 24), some.just(4))))
def test_any_pixels_have_a_palette_and_a_preview(pixels: PIXELS) -> None:
    seen = describe(Image.fromarray(pixels))

    assert len(seen.palette) <= 6
    assert bool(seen.palette) == bool((pixels[..., 3] >= 128).any())
    assert decode(seen.thumbhash).shape[2] == 4
    assert 5 <= len(seen.thumbhash) <= 25


@pytest.mark.parametrize(("width", "height"), [(100, 75), (60, 100), (80, 80), (100, 33)])
def test_a_thumbhash_shows_the_picture_blurred_and_in_its_proportions(width: int, height: int) -> None:
    coarse = np.random.default_rng(7).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    preview = Image.fromarray(decode(encode(pixels_of(picture))))

    assert max(preview.size) == 32
    assert preview.width / preview.height == pytest.approx(width / height, rel=0.2)
    apart = pixels_of(preview).astype(int) - pixels_of(picture.resize(preview.size)).astype(int)
    assert np.abs(apart).mean() < 20


def test_the_thumbhash_of_a_flat_colour_is_that_colour() -> None:
    preview = decode(encode(pixels_of(Image.new("RGB", (50, 40), (200, 120, 40)))))
    assert np.allclose(preview.reshape(-1, 4), (200, 120, 40, 255), atol=8)


def test_a_thumbhash_keeps_transparency() -> None:
    picture = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((30, 0, 60, 60), fill="teal")
    preview = decode(encode(pixels_of(picture)))

    assert preview[:, :8, 3].mean() < 60
    assert preview[:, -8:, 3].mean() > 190


def test_the_bytes_of_a_thumbhash_are_those_of_the_published_format() -> None:
    # Worked out by hand for plain white: lightness 63 of 63, both colours in their middle (32 of 63), no
    # strength in any wave, seven terms across, no landscape; then 27 + 5 + 5 empty waves, two to a byte.
    header = bytes([0x3F, 0x08, 0x02, 0x07, 0x00])
    assert encode(np.full((10, 10, 4), 255, dtype=np.uint8)) == header + bytes(19)


@pytest.mark.parametrize("shape", [(101, 10, 4), (10, 101, 4), (0, 10, 4)])
def test_a_picture_that_no_thumbhash_is_made_of_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="pixels"):
        encode(np.zeros(shape, dtype=np.uint8))


NEAR_BITS = 6
"""So far apart may copies be for whoever looks for duplicates: `tier_of` of the gateway."""


def bits_between(first: str | None, second: str | None) -> int:
    assert first
    assert second
    return (int(first, 16) ^ int(second, 16)).bit_count()


def copies(picture: Image.Image) -> list[Image.Image]:
    small = encoded(picture.resize((200, 150), Image.Resampling.LANCZOS), "JPEG", quality=50)
    tiny = encoded(picture.resize((100, 75), Image.Resampling.LANCZOS), "WEBP", quality=70)
    opened = [Image.open(BytesIO(copy)).convert("RGB") for copy in (small, tiny)]
    return [*opened, ImageEnhance.Brightness(picture).enhance(0.9), picture.convert("RGBA")]


@pytest.mark.parametrize("seed", range(6))
def test_copies_of_a_picture_are_near_duplicates_and_other_pictures_are_not(seed: int) -> None:
    picture = photo(800, 600, seed)
    known = perceptual_hash(picture)

    for copy in copies(picture):
        assert bits_between(known, perceptual_hash(copy)) <= NEAR_BITS
    for other in range(6, 12):
        assert bits_between(known, perceptual_hash(photo(800, 600, other))) > NEAR_BITS


def test_a_mirrored_picture_is_another_picture() -> None:
    picture = photo(400, 300)
    mirrored = perceptual_hash(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    known = perceptual_hash(picture)
    assert bits_between(known, mirrored) > NEAR_BITS


@pytest.mark.parametrize("picture", [Image.new("RGB", (90, 60), "navy"), Image.linear_gradient("L").convert("RGB")])
def test_a_picture_without_structure_has_no_hash(picture: Image.Image) -> None:
    assert perceptual_hash(picture) is None
