import numpy as np
import pytest

from services.image_generation.providers.sketch import DEFAULT_STYLE, STYLES, draw
from services.image_generation.providers.sketch.styles import style_of
from services.image_generation.rules import ASPECT_RATIOS, size_of
from tests.image_generation.measures import changed, drawn, saturation

SCENE = "a castle on a hill by a river at sunset"


@pytest.mark.parametrize("style", STYLES)
def test_each_style_is_another_hand(style: str) -> None:
    mine = drawn(SCENE, style=style)

    for other in STYLES.keys() - {style}:
        assert changed(mine, drawn(SCENE, style=other)).mean() > 0.15, other


def test_noir_and_ink_have_no_colour_and_sepia_has_one() -> None:
    assert saturation(drawn(SCENE, style="noir")) < 0.03
    assert saturation(drawn(SCENE, style="ink")) < 0.12
    sepia = drawn(SCENE, style="sepia").reshape(-1, 3).mean(axis=0)
    assert sepia[0] > sepia[1] > sepia[2]
    assert saturation(drawn(SCENE)) > 0.15


def test_pixel_art_is_made_of_squares_of_few_colours() -> None:
    pixels = drawn(SCENE, style="pixel", size=(320, 180))
    squares = pixels.reshape(45, 4, 80, 4, 3)

    assert (squares == squares[:, :1, :, :1]).all()
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) <= 32


def test_flat_colour_is_flat() -> None:
    def calm(style: str) -> float:
        pixels = drawn(SCENE, style=style)
        return float((np.abs(np.diff(pixels, axis=1)).max(axis=2) < 0.004).mean())

    assert calm("flat") > 0.7 > calm("")


def test_watercolour_leaves_the_paper_open_at_the_edge() -> None:
    paper = drawn("night sea", style="watercolour")

    assert paper[0].mean() > 0.85
    assert paper[len(paper) // 2].mean() < 0.6


@pytest.mark.parametrize(
    ("wish", "style"),
    [
        ("Watercolor", "watercolour"), ("soft water-colour", "watercolour"), ("OIL painting", "oil"),
        ("pixel-art", "pixel"),
        ("film noir", "noir"), ("black and white", "noir"), ("ukiyo-e", "woodblock"), ("", DEFAULT_STYLE),
    ],
)  # fmt: skip
def test_a_style_is_known_by_the_words_that_people_use(wish: str, style: str) -> None:
    found, known = style_of(wish)

    assert (found.name, known) == (style, True)


def test_an_unknown_style_is_drawn_in_the_default_one_and_said() -> None:
    sketch = draw("a lake", width_px=96, height_px=64, seed=1, style="hyperrealistic")

    assert sketch.style == DEFAULT_STYLE
    assert any("hyperrealistic" in note for note in sketch.notes)
    assert not draw("a lake", width_px=96, height_px=64, seed=1, style="oil").notes


@pytest.mark.parametrize("ratio", ASPECT_RATIOS)
@pytest.mark.parametrize("style", ["", "pixel", "flat"])
def test_the_size_is_exact_for_every_ratio(ratio: str, style: str) -> None:
    size = size_of(ratio, pixels=40_000)
    image = draw("a boat on a lake", width_px=size.width_px, height_px=size.height_px, seed=3, style=style).image

    assert image.size == (size.width_px, size.height_px)


@pytest.mark.parametrize("size", [(67, 101), (64, 64), (333, 75)])
@pytest.mark.parametrize("style", STYLES)
def test_sides_that_nothing_divides_are_exact_as_well(size: tuple[int, int], style: str) -> None:
    image = draw("a room with a window", width_px=size[0], height_px=size[1], seed=3, style=style).image

    assert image.size == size
