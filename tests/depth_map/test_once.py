"""What a map costs, counted: how often a picture is decoded, what the store is asked for, what goes to the model.

Wall time is for benchmarks; these are the counts on which it rests.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import cv2
import numpy as np
import pytest

from services.depth_map import drawing
from services.depth_map.drawing import DrawOptions
from services.depth_map.estimators import OnnxEstimator, OnnxModel
from services.depth_map.inference import Inference, infer
from services.depth_map.mapping import DepthMapping
from services.depth_map.pictures import opened
from tests.depth_map.scenes import file_of, room
from tests.depth_map.stored import Drawer
from tests.depth_map.tiny_models import brightness_model, described

SMALL, LARGE = (320, 240), (1800, 300)


class Here:
    """Runs in this very process what else runs in one of its own, and counts how many bytes go there."""

    def __init__(self) -> None:
        self.sent_bytes: Counter[str] = Counter()

    async def run(self, function: Callable[..., Any], payload: bytes, **options: Any) -> Any:
        self.sent_bytes[function.__name__] += len(payload)
        return function(payload, options)


async def mapped(model: OnnxModel, size: tuple[int, int]) -> tuple[Drawer, Here]:
    store: Any = Drawer(file_of(room(*size), "JPEG"))
    here: Any = Here()
    pool: Any = None
    async with Inference(here, model) as inference:
        depth = DepthMapping(pool, store, here, DrawOptions(estimator=model), inference)
        await depth.draw(UUID(int=5), "original", report=lambda *_: None)
    return store, here


@pytest.mark.parametrize(("size", "times"), [(SMALL, 1), (LARGE, 2)])
async def test_only_a_picture_along_whose_edges_a_map_is_enlarged_is_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], times: int
) -> None:
    decoded: list[int] = []

    def counted(file: bytes) -> Any:
        decoded.append(len(file))
        return opened(file)

    monkeypatch.setattr(drawing, "opened", counted)
    await mapped(described(tmp_path, brightness_model()), size)
    assert len(decoded) == times


async def test_the_store_is_asked_for_the_original_and_given_each_file_once_and_nothing_else(tmp_path: Path) -> None:
    store, _ = await mapped(described(tmp_path, brightness_model()), SMALL)

    assert Counter(store.asked) == {"get": 1, "put": 6}
    assert len(store.kept) == 1 + 6


async def test_a_picture_that_is_resampled_on_8_bits_goes_to_the_model_as_bytes(tmp_path: Path) -> None:
    pixels = 3 * 32 * 32
    for resampling, number_bytes in (("bicubic", 1), ("cubic", 4)):
        _, here = await mapped(described(tmp_path, brightness_model(), resampling=resampling), SMALL)
        assert here.sent_bytes["infer"] == number_bytes * pixels


def test_threads_of_a_model_that_has_answered_leave_the_processors_to_others(tmp_path: Path) -> None:
    estimator = OnnxEstimator(described(tmp_path, brightness_model(), threads=2))

    told = estimator._session.get_session_options().get_session_config_entry("session.force_spinning_stop")
    assert told == "1"


def test_a_picture_is_normalised_by_one_thread_however_many_processors_there_are(tmp_path: Path) -> None:
    """Of a larger one 16 threads would make 128 MiB of stacks, beside a model in a process with limited memory."""
    model = described(tmp_path, brightness_model(), resampling="bicubic").model_dump(mode="json")
    picture = np.zeros((600, 600, 3), np.uint8)

    before = cv2.getNumThreads()
    cv2.setNumThreads(16)
    infer(picture.tobytes(), {"model": model, "shape": picture.shape})
    threads = cv2.getNumThreads()
    cv2.setNumThreads(before)
    assert threads == 1
