"""Depth without a model."""

import time

import numpy as np
import pytest

from services.depth_map.estimators import CuesEstimator
from tests.depth_map.scenes import CORPUS, measured_pairs, rank_correlation, room, seen

cues = CuesEstimator()


def test_larger_is_nearer() -> None:
    near = cues.estimate(seen(room()))

    floor_at_the_feet, wall = near[460:, :].mean(), near[20:100, 300:].mean()
    assert floor_at_the_feet > wall + 0.5


def test_what_stands_in_front_is_nearer_than_what_stands_behind_though_both_are_as_high() -> None:
    near = cues.estimate(seen(room()))

    front_post, back_post = near[200:280, 90:150].mean(), near[200:280, 405:435].mean()
    assert front_post > back_post + 0.1


def test_a_post_is_as_near_at_its_top_as_at_its_foot_and_not_as_far_as_the_wall_beside_it() -> None:
    near = cues.estimate(seen(room()))

    top, foot, wall = near[110:150, 90:150].mean(), near[380:420, 90:150].mean(), near[110:150, 180:300].mean()
    assert abs(top - foot) < abs(top - wall)


def test_an_outline_of_depth_falls_on_the_outline_of_the_picture() -> None:
    near = cues.estimate(seen(room()))

    columns = near[120:200].mean(axis=0)
    for outline in (640 // 8, 640 // 4):
        around = np.abs(np.diff(columns[outline - 20 : outline + 20]))
        assert abs(int(around.argmax()) - 19) <= 2


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 640), (1999, 40), (300, 1025)])
def test_a_map_has_the_size_of_its_picture_whatever_its_shape(width: int, height: int) -> None:
    near = cues.estimate(seen(room(width, height)))

    assert near.shape == (height, width)
    assert near.dtype == np.float32
    assert np.isfinite(near).all()


def test_a_picture_of_one_colour_has_no_depth_and_a_picture_with_a_spot_has() -> None:
    plain = np.full((80, 100, 3), 130, np.uint8)
    spotted = plain.copy()
    spotted[40:60, 40:60] = (200, 90, 30)

    assert not cues.estimate(seen(plain)).any()
    assert cues.estimate(seen(spotted)).any()


def test_the_same_picture_gives_the_same_depth() -> None:
    assert np.array_equal(cues.estimate(seen(room())), cues.estimate(seen(room())))


def test_a_screen_full_takes_well_below_half_a_second_of_one_core() -> None:
    picture = seen(room(1024, 768))
    cues.estimate(picture)

    started = time.process_time()
    cues.estimate(picture)
    assert time.process_time() - started < 0.5


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of measured pairs lies outside the repository")
def test_on_measured_pairs_the_order_of_depth_is_better_than_that_of_a_plain_ramp() -> None:
    by_cues, by_ramp = [], []
    for name, (rgb, metres) in measured_pairs().items():
        if "synth" in name:
            continue
        known = (metres > 0.1) & (metres < 10)
        ramp = np.repeat(np.arange(len(metres), dtype=np.float64)[:, None], metres.shape[1], axis=1)
        by_cues.append(rank_correlation(cues.estimate(seen(rgb))[known], -metres[known]))
        by_ramp.append(rank_correlation(ramp[known], -metres[known]))

    assert float(np.mean(by_cues)) > 0.62
    assert float(np.mean(by_cues)) > float(np.mean(by_ramp)) + 0.05
    assert all(cue > ramp for cue, ramp in zip(by_cues, by_ramp, strict=True))


def test_the_estimator_is_named_for_what_it_is() -> None:
    told = cues.provenance()

    assert cues.name == "cues (no model)"
    assert told.weights_sha256 is None
    assert told.kind == "inverse_relative"
