"""Depth as files: full range, honest about what it is, suspicious where it should be."""

import io

import numpy as np
import pytest
from PIL import Image

from services.depth_map import maps, quality
from services.depth_map.estimators import CuesEstimator, Plane
from services.depth_map.estimators.resampling import enlarged, guided_enlarged
from shared.errors import Refused
from tests.depth_map.scenes import room, seen


def _slope(width: int = 300, height: int = 200) -> Plane:
    return np.linspace(0.2, 0.9, width * height, dtype=np.float32).reshape(height, width)


def test_a_map_uses_the_full_range_of_16_bits_with_the_nearest_point_at_the_top() -> None:
    relief = maps.relief(_slope())

    assert (relief.levels.min(), relief.levels.max()) == (0, 65_535)
    assert relief.levels[-1, -1] == 65_535
    assert len(np.unique(relief.levels)) > 50_000


def test_stored_levels_give_the_inverse_depth_back() -> None:
    relief = maps.relief(_slope())

    back = relief.lowest + relief.levels / 65_535 * (relief.highest - relief.lowest)
    assert np.abs(back - _slope()).max() < 1e-5


def test_a_relief_too_slight_to_be_stretched_is_flat() -> None:
    relief = maps.relief(_slope() * np.float32(1e-42))

    assert relief.flat
    assert not relief.levels.any()
    assert not maps.relief(_slope() * np.float32(1e-20)).flat


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_mirrored_map_that_is_no_number_is_refused(poison: float) -> None:
    of_mirror = _slope()[:, ::-1].copy()
    assert quality.mirror_difference(of_mirror, _slope()) < 1e-3
    of_mirror[17, 23] = poison

    with pytest.raises(Refused, match="depth_not_finite"):
        quality.mirror_difference(of_mirror, _slope())


@pytest.mark.parametrize("value", [0.0, 0.7, 1e6])
def test_a_flat_map_is_all_zero_and_flagged(value: float) -> None:
    relief = maps.relief(np.full((40, 60), value, np.float32))

    assert relief.flat
    assert not relief.levels.any()
    assert not maps.relief(_slope()).flat


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_a_map_with_a_single_value_that_is_no_number_is_refused(poison: float) -> None:
    inverse = _slope()
    maps.relief(inverse)
    inverse[17, 23] = poison

    with pytest.raises(Refused) as refusal:
        maps.relief(inverse)
    assert refusal.value.code == "depth_not_finite"


def test_a_png_keeps_every_level_and_says_how_it_was_made() -> None:
    levels = maps.relief(_slope()).levels

    with Image.open(io.BytesIO(maps.png(levels, {"model": "cues (no model)", "min": "0.2"}))) as image:
        assert np.array_equal(np.asarray(image), levels)
        assert image.mode == "I;16"
        assert image.text == {"model": "cues (no model)", "min": "0.2"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("size", "shown"), [((2000, 1000), (512, 256)), ((300, 200), (300, 200)), ((40, 4000), (5, 512))]
)
def test_a_preview_is_no_larger_than_512_px_and_never_enlarged(size: tuple[int, int], shown: tuple[int, int]) -> None:
    preview = maps.preview_of(maps.relief(_slope(*size)).levels)

    assert preview.shape[::-1] == shown
    assert preview.dtype == np.uint8
    assert preview[-1, -1] > preview[0, 0] + 200


def test_near_is_red_and_far_is_blue() -> None:
    red_green_blue = maps.coloured(np.array([[10, 245]], np.uint8)).astype(int)

    far, near = red_green_blue[0]
    assert far[2] > far[0]
    assert near[0] > near[2]


def test_a_map_that_went_through_8_bits_is_told_by_its_bands() -> None:
    ramp = np.tile(np.linspace(0, 1, 2000, dtype=np.float32), (50, 1))
    smooth, coarse = maps.relief(ramp), maps.relief(np.round(ramp * 255))
    no_edges = quality.near(np.zeros(smooth.levels.shape, np.uint8))

    assert not quality.judged(smooth, no_edges).banded
    assert quality.judged(coarse, no_edges).banded
    assert quality.judged(coarse, no_edges).flat_share > 0.8
    assert quality.judged(smooth, no_edges).flat_share < 0.1


def test_outlines_of_depth_are_compared_with_the_edges_of_the_picture() -> None:
    step = np.zeros((100, 100), np.float32)
    step[:, 50:] = 1
    there, elsewhere = np.zeros((100, 100), np.uint8), np.zeros((100, 100), np.uint8)
    there[:, 51], elsewhere[:, 70] = 255, 255

    assert quality.judged(maps.relief(step), quality.near(there)).edge_alignment == 1
    assert quality.judged(maps.relief(step), quality.near(elsewhere)).edge_alignment == 0
    assert quality.judged(maps.relief(_slope()), quality.near(np.zeros((200, 300), np.uint8))).edge_alignment is None


class _LeftIsNear(CuesEstimator):
    def estimate(self, rgb: Plane) -> Plane:
        return np.tile(np.linspace(1, 0, rgb.shape[1], dtype=np.float32), (rgb.shape[0], 1))


def test_an_estimator_that_looks_at_the_side_and_not_the_picture_is_found_by_a_mirror() -> None:
    picture = seen(room())

    def difference(estimator: CuesEstimator) -> float:
        return quality.flip_difference(estimator, picture, estimator.estimate(picture))

    assert difference(CuesEstimator()) < 0.05
    assert difference(_LeftIsNear()) > 0.2


def test_enlarging_a_plane_gives_a_plane_without_steps() -> None:
    small = np.linspace(0, 1, 20, dtype=np.float32)[:, None].repeat(30, axis=1)

    large = enlarged(small, 2000, 90)

    assert large.shape == (2000, 90)
    assert np.abs(np.diff(large[:, 4], n=2)[60:-60]).max() < 1e-5
    assert len(np.unique(large[60:-60, 4])) > 1800


def test_a_map_enlarged_along_a_picture_has_its_step_where_the_picture_has_it() -> None:
    grey = np.full((960, 1280), 40, np.uint8)
    grey[:, 645:] = 220
    small = np.zeros((96, 128), np.float32)
    small[:, 64:] = 1

    guided = guided_enlarged(small, grey)[480]
    plain = enlarged(small, 960, 1280)[480]

    assert guided[646] - guided[643] > 0.5
    assert plain[646] - plain[643] < 0.4
    assert guided.min() >= 0
    assert guided.max() <= 1
