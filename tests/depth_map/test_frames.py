"""A frame that is painted round a picture is no part of what is seen, and nothing else is taken for one."""

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from services.depth_map.estimators import CuesEstimator
from services.depth_map.estimators.drawn_scenes import DrawnScenesEstimator
from services.depth_map.estimators.estimator import Estimator
from services.depth_map.estimators.feeding import Pixels
from services.depth_map.estimators.frames import drawn_within_frame, within_frame
from services.depth_map.estimators.model_files import UNLESS_NAMED
from tests.depth_map.scenes import room, seen

WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (90, 40, 60)


def framed(picture: Pixels, bars: tuple[int, int, int, int], colour: tuple[int, int, int]) -> Pixels:
    """Add bars above, below, to the left and to the right of a picture."""
    return np.asarray(cv2.copyMakeBorder(picture, *bars, cv2.BORDER_CONSTANT, value=colour), np.uint8)


def photographed(picture: Pixels) -> Pixels:
    """Give back what a JPEG makes of it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=85)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("colour", [WHITE, BLACK, GREY])
@pytest.mark.parametrize(
    ("bars", "kept_as"),
    [
        ((8, 8, 8, 8), photographed),
        ((60, 60, 0, 0), photographed),
        ((0, 0, 90, 90), photographed),
        ((10, 10, 60, 60), photographed),
        ((1, 4, 7, 2), np.asarray),
    ],
)
def test_what_is_within_a_frame_is_found_but_for_a_soft_edge(
    bars: tuple[int, int, int, int], kept_as: Callable[[Pixels], Pixels], colour: tuple[int, int, int]
) -> None:
    picture = kept_as(framed(loud(), bars, colour))

    rows, columns = within_frame(picture)

    top, bottom, left, right = bars
    height, width = picture.shape[:2]
    lost = (rows.start - top, height - bottom - rows.stop, columns.start - left, width - right - columns.stop)
    assert all(0 <= lines <= 4 for lines in lost), lost
    assert all(lines == 0 for lines, bar in zip(lost, bars, strict=True) if bar == 0)


def loud() -> Pixels:
    """Paint something of many colours up to its edges."""
    noise = np.random.default_rng(3).integers(0, 256, (24, 32, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (320, 240), interpolation=cv2.INTER_LINEAR), np.uint8)


def on_paper(share: float) -> Pixels:
    """Stand a box of straight sides before white paper."""
    picture = np.full((240, 320, 3), 255, np.uint8)
    high, wide = int(240 * share), int(320 * share)
    top, left = (240 - high) // 2, (320 - wide) // 2
    picture[top : top + high, left : left + wide] = loud()[:high, :wide]
    return picture


def ball(side: int, share: float) -> Pixels:
    """Lay a ball before white paper that it all but fills."""
    picture = np.full((side, side, 3), 255, np.uint8)
    middle = (side // 2, side // 2)
    return np.asarray(cv2.circle(picture, middle, int(side * share / 2), (180, 60, 40), -1, cv2.LINE_AA), np.uint8)


def winter(height: int) -> Pixels:
    """Let a forest stand between a white sky and a field of snow."""
    picture = np.full((height, height * 3 // 2, 3), 250, np.uint8)
    random = np.random.default_rng(1)
    tops, feet = (random.normal(share, spread, picture.shape[1]) for share, spread in ((0.2, 0.016), (0.8, 0.005)))
    rows = (np.arange(height)[:, None] + 0.5) / height
    picture[(rows > tops) & (rows < feet)] = (40, 60, 40)
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        *(ball(side, share) for side in (96, 128, 240, 480) for share in (0.9, 0.95, 0.98)),
        *(winter(height) for height in (160, 240, 480)),
        *(on_paper(share) for share in (0.2, 0.5, 0.7, 0.8)),
        framed(loud(), (30, 0, 0, 0), WHITE),  # a sky
        np.vstack([np.full((40, 320, 3), 250, np.uint8), loud(), np.full((40, 320, 3), 30, np.uint8)]),
        framed(loud(), (130, 130, 0, 0), WHITE),  # more than any film leaves
        room(320, 240),
        loud(),
        np.full((40, 50, 3), 7, np.uint8),
        np.arange(3, dtype=np.uint8)[None, None],
        np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 40, 1).repeat(3, 2),  # a gradient
    ],
)
def test_a_thing_before_paper_a_sky_or_an_even_picture_is_no_frame(picture: Pixels) -> None:
    assert within_frame(picture) == (slice(0, picture.shape[0]), slice(0, picture.shape[1]))


def test_a_frame_is_as_near_as_what_it_borders_on_and_what_is_within_is_drawn_alone() -> None:
    asked: list[tuple[int, ...]] = []

    def ramp(levels: Pixels) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        asked.append(levels.shape)
        return np.repeat(np.linspace(0, 1, levels.shape[0], dtype=np.float32)[:, None], levels.shape[1], 1)

    near = drawn_within_frame(framed(loud(), (20, 20, 8, 8), BLACK), ramp)

    assert near.shape == (280, 336)
    assert asked == [(238, 334, 3)] or asked[0][0] < 240, asked
    assert (near[:20] == 0).all()
    assert (near[-20:] == 1).all()
    assert (near[:, 0] == near[:, 100]).all()


@pytest.mark.parametrize("estimator", [CuesEstimator(), DrawnScenesEstimator(UNLESS_NAMED())])
def test_depth_is_the_same_with_and_without_a_frame(estimator: Estimator) -> None:
    picture = room(320, 240)
    top, left, bottom, right = 5, 6, 7, 6

    bare = estimator.estimate(seen(picture))
    within = estimator.estimate(seen(framed(picture, (top, bottom, left, right), WHITE)))

    inner = within[top : top + 240, left : left + 320]
    assert np.corrcoef(bare.ravel(), inner.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("colour", [WHITE, BLACK])
@pytest.mark.parametrize("estimator", [CuesEstimator(), DrawnScenesEstimator(UNLESS_NAMED())])
def test_within_a_frame_an_even_picture_shows_no_depth_either(
    estimator: Estimator, colour: tuple[int, int, int]
) -> None:
    even = np.full((240, 320, 3), 127, np.uint8)
    assert not estimator.estimate(seen(even)).any()
    assert not estimator.estimate(seen(framed(even, (20, 20, 20, 20), colour))).any()
