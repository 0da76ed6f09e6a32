"""The network that ships: the one that it should be, right about a plain scene, alike everywhere, and quick."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.depth_map.app import _mappers
from services.depth_map.drawing import DrawOptions, draw
from services.depth_map.estimators import (
    NEEDING_NO_DOWNLOAD,
    UNLESS_NAMED,
    Cues,
    CuesEstimator,
    DrawnScenes,
    DrawnScenesEstimator,
    Estimator,
    Plane,
    load,
)
from services.depth_map.estimators.model_files import DRAWN_SCENES, hash_file
from services.depth_map.settings import Settings
from services.depth_map.weights import chosen
from tests.depth_map.needed import NEEDED
from tests.depth_map.scenes import CORPUS, file_of, measured_pairs, rank_correlation, room, seen

LARGEST_BYTES = 8 * 1024 * 1024
LEAST_ORDER = 0.75
"""Mean rank correlation of nearness over the measured photographs that these weights have, and which none that follow
may fall below."""
LEAST_LEAD = 0.1
"""By which it is ahead there of who needs no weights."""

LEAST_ORDER_OF_A_PLAIN_SCENE = 0.8

OPTIONS: dict[str, Any] = {"estimator": {"estimator": "drawn_scenes"}}


@pytest.fixture(scope="module")
def network() -> DrawnScenesEstimator:
    return DrawnScenesEstimator(DrawnScenes())


def depth_of_the_room(width: int, height: int) -> Plane:
    """How near each point of `room` is: its floor by its row, its posts as where they stand, its wall behind all."""
    rows = np.maximum(np.arange(height, dtype=np.float32) - height / 2, 0)
    near = np.array(np.broadcast_to(rows[:, None], (height, width)))
    near[height // 5 : height * 9 // 10, width // 8 : width // 4] = height * 0.4
    near[height * 2 // 5 : height * 3 // 5, width * 5 // 8 : width * 11 // 16] = height * 0.1
    return near


def test_the_weights_are_those_whose_hash_lies_beside_them_and_small() -> None:
    told = subprocess.run(  # noqa: S603 - as a person would check them
        ["/usr/bin/sha256sum", "--check", hash_file(DRAWN_SCENES).name],
        cwd=DRAWN_SCENES.parent,
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert told == f"{DRAWN_SCENES.name}: OK\n"
    assert 0 < DRAWN_SCENES.stat().st_size <= LARGEST_BYTES


def test_it_is_loaded_by_its_name_and_named_for_what_it_is() -> None:
    estimator = load(chosen("drawn_scenes", None))

    assert isinstance(estimator, DrawnScenesEstimator)
    assert "drawn scenes" in estimator.name
    assert estimator.provenance().weights_sha256 == hash_file(DRAWN_SCENES).read_text().split()[0]


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640)])
def test_it_sees_a_plain_scene_rightly_as_the_cues_do(network: DrawnScenesEstimator, width: int, height: int) -> None:
    picture, truth = seen(room(width, height)), depth_of_the_room(width, height).ravel()

    by_network, by_cues = network.estimate(picture), CuesEstimator().estimate(picture)
    assert rank_correlation(by_network.ravel(), truth) > LEAST_ORDER_OF_A_PLAIN_SCENE
    assert rank_correlation(by_cues.ravel(), truth) > LEAST_ORDER_OF_A_PLAIN_SCENE
    assert rank_correlation(by_network[::-1].ravel(), truth) < 0, "turned over it would not pass"


def test_larger_is_nearer(network: DrawnScenesEstimator) -> None:
    near = network.estimate(seen(room()))

    floor_at_the_feet, wall = near[460:, :].mean(), near[20:100, 300:].mean()
    assert floor_at_the_feet > wall + 0.3


def test_the_mirror_image_has_the_mirrored_depth(network: DrawnScenesEstimator) -> None:
    near = network.estimate(seen(room()))
    mirrored = network.estimate(seen(np.ascontiguousarray(room()[:, ::-1])))[:, ::-1]

    assert np.abs(near - mirrored).mean() < 0.05


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 640), (1999, 40), (300, 1025)])
def test_a_map_has_the_size_of_its_picture_whatever_its_shape(
    network: DrawnScenesEstimator, width: int, height: int
) -> None:
    near = network.estimate(seen(room(width, height)))

    assert near.shape == (height, width)
    assert np.isfinite(near).all()
    assert np.ptp(near) > 0


async def test_confined_processes_draw_what_any_process_draws_in_a_quarter_gigabyte() -> None:
    settings = Settings(**NEEDED, concurrency=2, mapper_memory_bytes=256 * 1024**2)
    file = file_of(room(1024, 768), "JPEG")
    async with _mappers(settings, DrawOptions(estimator=DrawnScenes())) as mappers:
        first = await mappers.run(draw, file, **OPTIONS)
        second = await mappers.run(draw, file, **OPTIONS)

    assert first == second == draw(file, OPTIONS)
    assert first[0]["estimator"] == "drawn scenes (small network)"
    assert first[0]["recipe"].startswith("drawn_scenes-")


def test_it_holds_less_than_a_tenth_of_a_gigabyte_more_than_the_cues() -> None:
    peaks = []
    for name in ("cues", "drawn_scenes"):
        program = (
            "import resource; from services.depth_map.drawing import draw; from tests.depth_map.scenes import *;"
            f"draw(file_of(room(1024, 768)), {{'estimator': {{'estimator': '{name}'}}}});"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        house = Path(__file__).parents[2]
        told = subprocess.run([sys.executable, "-c", program], cwd=house, check=True, capture_output=True, text=True)  # noqa: S603
        peaks.append(int(told.stdout) * 1024)
    assert peaks[1] - peaks[0] < 100 * 1024**2


def test_a_screen_full_takes_well_below_half_a_second_of_one_core(network: DrawnScenesEstimator) -> None:
    picture = seen(room(1024, 768))
    network.estimate(picture)

    started = time.process_time()
    network.estimate(picture)
    assert time.process_time() - started < 0.5


def order_on_measured_photographs(estimator: Estimator) -> float:
    """Mean rank correlation of nearness, over all that is known from 0.1 to 10 m."""
    orders = []
    for name, (rgb, metres) in measured_pairs().items():
        if "synth" not in name:
            known = (metres > 0.1) & (metres < 10)
            orders.append(rank_correlation(estimator.estimate(seen(rgb))[known], -metres[known]))
    return float(np.mean(orders))


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of measured pairs lies outside the repository")
def test_on_measured_photographs_the_order_of_depth_is_not_below_that_of_the_weights_that_shipped_before(
    network: DrawnScenesEstimator,
) -> None:
    assert order_on_measured_photographs(network) > LEAST_ORDER


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of measured pairs lies outside the repository")
def test_who_sees_the_depth_where_nobody_is_named_sees_measured_photographs_better_than_the_others() -> None:
    orders = {choose: order_on_measured_photographs(load(choose())) for choose in NEEDING_NO_DOWNLOAD.values()}

    assert max(orders, key=lambda choose: orders[choose]) is UNLESS_NAMED
    assert orders[DrawnScenes] >= orders[Cues] + LEAST_LEAD
