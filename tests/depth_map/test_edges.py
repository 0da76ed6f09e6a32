"""Edge maps: of the picture's own size, binary, thin, and where the edges are."""

import tracemalloc

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from services.depth_map import edges as finding
from services.depth_map.edges import edges_of
from services.depth_map.rules import EdgeSettings
from tests.depth_map.scenes import Pixels, room

PLAIN = EdgeSettings()


def _rectangle(width: int, height: int, box: tuple[int, int, int, int]) -> Pixels:
    rgb = np.full((height, width, 3), 30, np.uint8)
    left, top, right, bottom = box
    rgb[top:bottom, left:right] = (220, 200, 180)
    return rgb


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [(320, 200, (60, 50, 240, 150)), (2600, 2201, (503, 401, 1999, 1703)), (1024, 1024, (0, 300, 1024, 700))],
)
def test_a_rectangle_is_outlined_within_one_pixel_at_the_size_of_its_picture(
    width: int, height: int, box: tuple[int, int, int, int]
) -> None:
    edges = edges_of(_rectangle(width, height, box), PLAIN)

    left, top, right, bottom = box
    rows = np.flatnonzero(edges[:, (left + right) // 2])
    columns = np.flatnonzero(edges[(top + bottom) // 2])
    assert edges.shape == (height, width)
    assert np.abs(rows + 0.5 - [top, bottom]).max() <= 1
    if right < width:
        assert np.abs(columns + 0.5 - [left, right]).max() <= 1


@pytest.mark.parametrize("size", [(640, 480), (2400, 1800)])
def test_an_edge_map_is_0_or_255_and_thin(size: tuple[int, int]) -> None:
    edges = edges_of(room(*size), PLAIN)

    assert set(np.unique(edges)) == {0, 255}
    solid = cv2.erode(edges, np.ones((3, 3), np.uint8))
    assert not solid.any()


@pytest.mark.parametrize("settings", [PLAIN, EdgeSettings(low_threshold=30, high_threshold=60)])
def test_small_pictures_get_the_edges_that_everybody_else_draws(settings: EdgeSettings) -> None:
    rgb = room(900, 1200)

    known = cv2.Canny(rgb, settings.low_threshold, settings.high_threshold)
    assert np.array_equal(edges_of(rgb, settings), known)


def test_an_edge_between_colours_of_one_brightness_is_seen() -> None:
    rgb = np.empty((100, 100, 3), np.uint8)
    rgb[:, :50], rgb[:, 50:] = (200, 60, 60), (60, 130, 65)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)

    assert not cv2.Canny(grey, 100, 200).any()
    assert edges_of(rgb, PLAIN).any()


def test_the_weave_of_a_large_photo_is_no_edge_but_its_things_are() -> None:
    rgb = _rectangle(3000, 2400, (800, 700, 2200, 1700))
    woven = np.clip(rgb + np.random.default_rng(5).normal(0, 25, rgb.shape), 0, 255).astype(np.uint8)

    at_its_own_scale = edges_of(woven, EdgeSettings(detect_short_side_px=8192))
    as_if_shrunk = edges_of(woven, EdgeSettings(detect_short_side_px=512))

    inside = np.s_[900:1500, 1000:2000]
    assert at_its_own_scale[inside].any()
    assert not as_if_shrunk[inside].any()
    assert (np.diff(np.flatnonzero(as_if_shrunk[1200])) > 1300).any()


def test_edges_are_the_same_whether_or_not_they_cross_a_band() -> None:
    rgb = room(700, 1300)
    shifted = np.roll(rgb, 100, axis=0)

    one, other = (edges_of(picture, EdgeSettings(detect_short_side_px=256)) for picture in (rgb, shifted))

    assert np.array_equal(one[300:1000], other[400:1100])


@pytest.mark.parametrize("boundless", [False, True])
def test_what_a_wide_blur_takes_is_bounded_however_high_a_picture_is(
    monkeypatch: pytest.MonkeyPatch, *, boundless: bool
) -> None:
    """With its negative control: bands that are as high as the blur is wide take the whole picture at once."""
    if boundless:
        monkeypatch.setattr(finding, "_MOST_BAND_ROWS", 1_000_000)
    wide = EdgeSettings(blur_sigma_px=10, detect_short_side_px=80)
    short, high = (np.tile(room(160, 600), (times, 1, 1)) for times in (2, 8))
    beyond_bytes = _most_bytes(high, wide) - _most_bytes(short, wide)
    # What is kept of each pixel: two gradients of 2 bytes, what Canny marks, and the answer, with a little room.
    assert (beyond_bytes < 8 * (high.size - short.size) / 3) is not boundless


def _most_bytes(rgb: Pixels, settings: EdgeSettings) -> int:
    tracemalloc.start()
    try:
        edges_of(rgb, settings)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_blur_takes_small_edges_away() -> None:
    rgb = room()

    few = EdgeSettings(low_threshold=20, high_threshold=40, blur_sigma_px=3)
    many = EdgeSettings(low_threshold=20, high_threshold=40)
    assert 0 < np.count_nonzero(edges_of(rgb, few)) < np.count_nonzero(edges_of(rgb, many)) / 4


def test_thresholds_in_the_wrong_order_are_not_accepted() -> None:
    with pytest.raises(ValidationError):
        EdgeSettings(low_threshold=200, high_threshold=100)
