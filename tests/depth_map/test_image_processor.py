"""Depth Anything sees of a picture what the image processor that is published with it would show it."""

import json
from typing import Any

import numpy as np
import pytest

from services.depth_map.drawing import DrawOptions, look
from services.depth_map.estimators import Plane, depth_anything_v2_small, normalised, tensor_of
from tests.depth_map import image_processor
from tests.depth_map.scenes import Pixels, file_of, room, seen

MODEL = depth_anything_v2_small()
ROUNDING = 1e-5


def shown(picture: Pixels) -> Plane:
    """Take what the service makes of a picture file, on its way through the processes that read it and that see it."""
    told, (read, *_) = look(file_of(picture, "BMP"), DrawOptions(estimator=MODEL).model_dump(mode="json"))
    return normalised(MODEL, np.frombuffer(read, np.uint8).reshape(told["shape"]))[0]


@pytest.mark.parametrize(("width", "height"), image_processor.PICTURES)
def test_resize_and_normalisation_are_those_of_an_independent_implementation(width: int, height: int) -> None:
    theirs: dict[str, Any] = json.loads(image_processor.FIGURES.read_text())[f"{width}x{height}"]

    ours = image_processor.figures(shown(room(width, height)))

    assert ours == {name: pytest.approx(value, abs=ROUNDING) for name, value in theirs.items()}


@pytest.mark.skipif(not image_processor.is_here(), reason="transformers is no dependency; see image_processor.py")
def test_every_value_is_that_of_the_independent_implementation_where_it_is_installed() -> None:
    for width, height in image_processor.PICTURES:
        picture = room(width, height)
        assert np.abs(shown(picture) - image_processor.processed(picture)).max() < ROUNDING


def test_another_way_to_resample_would_be_noticed() -> None:
    picture = room(1024, 768)
    theirs = json.loads(image_processor.FIGURES.read_text())["1024x768"]

    for resampling in ("cubic", "area", "triangle"):
        other = image_processor.figures(tensor_of(MODEL.model_copy(update={"resampling": resampling}), picture)[0])
        assert other["middle"] != pytest.approx(theirs["middle"], abs=0.01)


def test_eight_bits_and_their_shares_of_white_are_seen_alike() -> None:
    picture = room(700, 640)

    assert np.array_equal(tensor_of(MODEL, picture), tensor_of(MODEL, seen(picture)))
