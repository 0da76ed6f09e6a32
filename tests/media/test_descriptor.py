"""Vectors by which pictures resemble each other."""

import math
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageEnhance

from contracts.media import Embedding
from services.media.analysis import ORIGIN
from services.media.analysis.descriptor import DIMENSIONS, descriptor
from services.media.processing import process
from tests.media.samples import PIXELS, encoded, photo


def likeness(one: Image.Image, other: Image.Image) -> float:
    mine, theirs = descriptor(one), descriptor(other)
    assert mine is not None
    assert theirs is not None
    return float(np.dot(mine, theirs))


def test_copies_are_alike_and_others_are_not() -> None:
    for seed in range(12):
        picture = photo(640, 480, seed)
        again = Image.open(BytesIO(encoded(picture, "JPEG", quality=30)))
        cropped = picture.crop((32, 24, 608, 456))
        assert likeness(picture, picture.resize((200, 150))) > 0.99
        assert likeness(picture, again) > 0.99
        assert likeness(picture, cropped) > 0.86
        assert likeness(picture, ImageEnhance.Brightness(picture).enhance(1.3)) > 0.86
        assert likeness(picture, photo(640, 480, seed + 100)) < 0.6
        assert likeness(picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) < 0.6


@given(arrays(np.uint8, some.tuples(some.integers(1, 40), some.integers(1, 40), some.sampled_from([3, 4]))))
@settings(max_examples=60, deadline=None)
def test_any_picture_has_the_same_short_vector_each_time(pixels: PIXELS) -> None:
    image = Image.fromarray(pixels)
    vector = descriptor(image)
    assert vector == descriptor(image)
    if vector is not None:
        assert len(vector) == DIMENSIONS
        assert math.hypot(*vector) == pytest.approx(1, abs=0.001)
        assert all(len(repr(abs(number))) <= len("0.1234") for number in vector)


def test_every_picture_is_described_with_one_that_may_be_said() -> None:
    facts, _ = process(encoded(photo(64, 48), "PNG"), {})
    assert Embedding.model_validate(facts["embedding"]).origin == ORIGIN
    grey = Image.new("RGB", (64, 64), "#808080")
    facts, _ = process(encoded(grey, "PNG"), {})
    assert facts["embedding"] is None or Embedding.model_validate(facts["embedding"])
