"""The estimator that runs our own network: what it shows to it, what it makes of its maps, and what it refuses."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from services.depth_map import drawing
from services.depth_map.drawing import DrawOptions, draw
from services.depth_map.estimators import Cues, DrawnScenes, Plane, input_size, provenance
from services.depth_map.estimators.drawn_scenes import DrawnScenesEstimator, cued
from services.depth_map.mapping import DepthMapping
from services.depth_map.rules import EdgeSettings, recipe
from shared.errors import Refused, TryAgain
from tests.depth_map.scenes import file_of, room, seen
from tests.depth_map.stored import Drawer
from tests.depth_map.tiny_models import brightness_model, described, four_channel_model

HOUSE = Path(__file__).parents[2]
SHAPES = [(640, 480), (480, 640), (16, 16), (17, 640), (1999, 40), (300, 1025), (1536, 16)]


def estimator(folder: Path, weights: bytes) -> DrawnScenesEstimator:
    path = folder / "network.onnx"
    path.write_bytes(weights)
    return DrawnScenesEstimator(DrawnScenes(sha256=hashlib.sha256(weights).hexdigest()), path)


class Watched:
    """A session that keeps what it was shown, and may change what it says."""

    def __init__(self, session: Any, change: Callable[[Plane], Plane]) -> None:
        self.shown: list[Plane] = []
        self._session = session
        self._change = change

    def run(self, outputs: list[str], inputs: dict[str, Plane]) -> list[Plane]:
        self.shown.append(inputs["image"])
        (said,) = self._session.run(outputs, inputs)
        return [self._change(said)]


def watched(network: DrawnScenesEstimator, change: Callable[[Plane], Plane] = lambda said: said) -> Watched:
    network._session = Watched(network._session, change)
    return network._session


@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_a_map_has_the_size_of_its_picture_and_lies_between_0_and_1_whatever_its_shape(
    tmp_path: Path, width: int, height: int
) -> None:
    near = estimator(tmp_path, four_channel_model()).estimate(seen(room(width, height)))

    assert near.shape == (height, width)
    assert near.dtype == np.float32
    assert 0 <= near.min() < near.max() <= 1


@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_the_network_is_shown_a_picture_at_three_sizes_that_are_bounded(
    tmp_path: Path, width: int, height: int
) -> None:
    network = estimator(tmp_path, four_channel_model())
    session = watched(network)
    network.estimate(seen(room(width, height)))

    sides = [tensor.shape[2:] for tensor in session.shown]
    assert [min(rows, columns) for rows, columns in sides] == [96, 112, 128]
    assert all(side % 16 == 0 for size in sides for side in size)
    for rows, columns in sides:
        # A picture is not distorted beyond the rounding to 16 px, but for those longer than three times their height.
        assert abs(columns / rows - np.clip(width / height, 1 / 3, 3)) <= 8 / rows + 1e-6
    assert input_size(DrawnScenes(sha256="0" * 64), width, height) == sides[-1][::-1]


def test_the_network_is_shown_the_picture_from_0_to_1_and_behind_it_what_the_cues_see(tmp_path: Path) -> None:
    network = estimator(tmp_path, four_channel_model())
    session = watched(network)
    picture = room(144, 108)
    network.estimate(seen(picture))

    for tensor in session.shown:
        assert tensor.dtype == np.float32
        assert tensor.shape[:2] == (1, 4)
        assert np.abs(tensor[0, :3].mean((1, 2)) - picture.mean((0, 1)) / 255).max() < 0.01
        assert abs(float(tensor[0, 3].mean()) - cued(picture).mean() / 255) < 0.01
        assert tensor[0, 3, -5:].mean() > tensor[0, 3, :5].mean() + 0.5


def test_no_size_outvotes_another_whatever_scale_and_shift_its_map_has(tmp_path: Path) -> None:
    picture = room()
    plain = estimator(tmp_path, four_channel_model())
    loud = estimator(tmp_path, four_channel_model())
    watched(loud, lambda said: said * 50 + 7 if min(said.shape[2:]) == 112 else said)
    turned = estimator(tmp_path, four_channel_model())
    watched(turned, lambda said: -said if min(said.shape[2:]) == 112 else said)

    near = plain.nearness(picture)
    assert near is not None
    assert np.allclose(loud.nearness(picture), near, atol=1e-3)
    assert not np.allclose(turned.nearness(picture), near, atol=0.1), "what one size sees plays a part"
    assert abs(float(near.mean())) < 0.01
    assert 0.9 < float(near.std()) < 1.1


def test_a_picture_of_one_colour_has_no_depth_and_a_picture_with_a_spot_has(tmp_path: Path) -> None:
    network = estimator(tmp_path, four_channel_model())
    plain = np.full((80, 100, 3), 130, np.uint8)
    spotted = plain.copy()
    spotted[40:60, 40:60] = (200, 90, 30)

    assert not network.estimate(seen(plain)).any()
    assert network.estimate(seen(spotted)).any()


def test_a_network_that_sees_the_same_everywhere_gives_no_depth_and_no_division_by_nothing(tmp_path: Path) -> None:
    assert not estimator(tmp_path, four_channel_model("Neg", "Relu")).estimate(seen(room())).any()


def test_a_network_that_gives_no_numbers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"estimator": {"estimator": "drawn_scenes", "sha256": "0" * 64}}
    for steps, refused in (((), False), (("Neg", "Sqrt"), True)):
        network = estimator(tmp_path, four_channel_model(*steps))
        drawing._estimator.cache_clear()
        monkeypatch.setattr(drawing, "load", lambda _, network=network: network)
        if not refused:
            draw(file_of(room()), options)
            continue
        with pytest.raises(Refused, match="depth_not_finite"):
            draw(file_of(room()), options)
    drawing._estimator.cache_clear()


def test_weights_that_were_altered_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(four_channel_model())
    choice = DrawnScenes(sha256=hashlib.sha256(four_channel_model()).hexdigest())
    DrawnScenesEstimator(choice, path)

    path.write_bytes(four_channel_model("Neg"))
    with pytest.raises(Refused, match=r"model_altered: .* is not the drawn scenes"):
        DrawnScenesEstimator(choice, path)
    path.unlink()
    with pytest.raises(Refused, match="model_missing"):
        DrawnScenesEstimator(choice, path)


@pytest.mark.parametrize("weights", [b"no model", brightness_model(), four_channel_model(channels=3)])
def test_another_model_is_refused_though_its_hash_is_right(tmp_path: Path, weights: bytes) -> None:
    with pytest.raises(Refused, match="model_unfit"):
        estimator(tmp_path, weights)


def test_other_weights_and_other_estimators_have_other_recipes() -> None:
    one, other = (provenance(DrawnScenes(sha256=digit * 64)) for digit in "12")
    recipes = [recipe(told, EdgeSettings()) for told in (one, other, provenance(Cues()))]

    assert len(set(recipes)) == 3
    assert recipes[0].startswith("drawn_scenes-")
    assert all(len(name) <= 57 for name in recipes)
    assert (one.weights_sha256, one.kind) == ("1" * 64, "inverse_relative")
    assert one.input_size == "shorter sides 96, 112, 128 px, multiples of 16; cues at 108 px; no frame, not dark"


async def test_weights_that_are_not_what_they_were_end_nobodys_job_and_a_broken_picture_does() -> None:
    class Sandbox:
        async def run(self, *_: Any, **__: Any) -> Any:
            raise Refused(code, "It is so.")

    store, sandbox, pool = Drawer(b""), Sandbox(), None
    mapping: Any = DepthMapping
    depth = mapping(pool, store, sandbox, DrawOptions(estimator=DrawnScenes(sha256="0" * 64)))
    for code, failure in (("model_altered", TryAgain), ("model_missing", TryAgain), ("picture_unreadable", Refused)):
        with pytest.raises(failure, match=code):
            await depth.draw(UUID(int=1), "original", report=lambda *_: None)


def test_a_process_that_draws_without_a_model_does_not_hold_the_runtime_of_models(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model())
    for choice, held in ((Cues(), False), (model, True)):
        program = (
            "import sys; from services.depth_map.drawing import DrawOptions, SPECIMEN, draw;"
            f"draw(SPECIMEN, {{'estimator': {choice.model_dump(mode='json')}}}); print('onnxruntime' in sys.modules)"
        )
        told = subprocess.run([sys.executable, "-c", program], cwd=HOUSE, check=True, capture_output=True, text=True)  # noqa: S603
        assert told.stdout.strip() == str(held)
