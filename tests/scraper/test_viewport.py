"""sizes and media are judged as on a large screen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scraper.extraction.lengths import Screen
from services.scraper.extraction.viewport import matches, source_size_px, widest_screen

DESK = Screen(1920)


@pytest.mark.parametrize(
    ("sizes", "width_px"),
    [
        (None, 1920),
        ("", 1920),
        ("auto", 1920),
        ("50vw", 960),
        ("800px", 800),
        ("0", 0),
        ("800", 1920),
        ("50%", 1920),
        ("-5px", 1920),
        ("10em", 160),
        ("25.4mm", 96),
        ("100VW", 1920),
        ("(max-width: 600px) 100vw, 50vw", 960),
        ("(min-width: 600px) 700px, 50vw", 700),
        ("(min-width: 600px) and (max-width: 1000px) 700px, 300px", 300),
        ("(max-width: 10px) or (min-width: 1000px) 700px, 300px", 700),
        ("not (max-width: 600px) 700px, 300px", 700),
        ("(orientation: landscape) 700px, 300px", 700),
        ("(width >= 1000px) 700px, 300px", 700),
        ("(400px < width <= 1000px) 700px, 300px", 300),
        ("(unheard-of: thing) 700px, 300px", 300),
        ("not (unheard-of: thing) 700px, 300px", 300),
        ("(min-width: 600px) nonsense, 300px", 300),
        ("(min-width: 600px) and 700px, 300px", 300),
        ("calc(100vw - 20px)", 1900),
        ("calc((100vw - 20px) / 2)", 950),
        ("calc(100vw-20px)", 1920),
        ("calc(1px / 0)", 1920),
        ("calc(", 1920),
        ("calc(10px - 20px)", 0),
        ("min(100vw, 700px)", 700),
        ("max(50vw, 700px)", 960),
        ("clamp(100px, 50vw, 800px)", 800),
        ("/* 1px, */ 300px", 300),
        ("(min-width:600px)700px, 300px", 700),
        ("(min-width:600px)and (max-width:9999px)700px, 300px", 700),
        ("(min-width: 600px) [1px, 2px] 3px, 300px", 300),
        ("{1px, 2px}, 300px", 300),
        (") 1px, 300px", 300),
        ("'1px, 2px', 300px", 300),
        ("screen and (min-width: 600px) 700px, 300px", 300),
        ("auto, 300px", 300),
        ("(width) 700px, 300px", 700),
        ("(hover) 700px, 300px", 700),
        ("(prefers-color-scheme: dark) 700px, 300px", 300),
        ("(min-resolution: 1.5dppx) 700px, 300px", 700),
        ("(max-resolution: 96dpi) 700px, 300px", 300),
        ("1PX", 1),
        ("(min-width: min(300px, 2px)) calc(2 * (3px + 4px)), 9px", 14),
    ],
)
def test_a_sizes_attribute_gives_a_width(sizes: str | None, width_px: float) -> None:
    assert source_size_px(sizes, DESK) == pytest.approx(width_px)


@pytest.mark.parametrize(
    ("media", "holds"),
    [
        (None, True),
        ("", True),
        ("all", True),
        ("screen", True),
        ("print", False),
        ("not print", True),
        ("only screen and (min-width: 800px)", True),
        ("screen and (max-width: 800px)", False),
        ("print, (min-width: 800px)", True),
        ("(min-width: 50em) and (max-width: 100em)", False),
        ("nonsense(", False),
        ("(prefers-color-scheme: light)", True),
        ("(prefers-color-scheme: dark)", False),
        ("not (prefers-color-scheme: dark)", True),
        ("(-webkit-min-device-pixel-ratio: 2), (min-resolution: 192dpi)", True),
        ("(-webkit-min-device-pixel-ratio: 1.2.3)", False),
        ("(min-resolution: 3dppx)", False),
    ],
)
def test_a_media_query_holds_or_not(media: str | None, holds: bool) -> None:
    assert matches(media, DESK) is holds


def test_a_source_for_small_screens_is_judged_on_the_widest_of_them() -> None:
    assert widest_screen("(max-width: 767px)") == Screen(640)


def test_a_source_for_plain_screens_is_judged_on_one_of_them() -> None:
    assert widest_screen("(max-resolution: 1dppx)") == Screen(1920, 1)


def test_a_source_that_no_screen_shows_has_no_screen() -> None:
    assert widest_screen("print") is None


def test_an_image_behind_sources_is_judged_where_they_leave_room() -> None:
    assert widest_screen(None, but_not=("(max-width: 767px)",)) == DESK
    assert widest_screen(None, but_not=("(min-width: 768px)",)) == Screen(640)
    assert widest_screen(None, but_not=(None,)) is None


@given(st.text(alphabet="()min-width:, calc+*/<>=0123456789pxvw notandor", max_size=200))
def test_no_text_breaks_the_judgement(text: str) -> None:
    assert source_size_px(text, DESK) >= 0
    assert matches(text, DESK) in {True, False}
