"""The graph that stands in for Depth Anything where only its size counts takes what the real one takes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from services.depth_map.estimators import OnnxEstimator, depth_anything_v2_small
from tests.benchmarks.vision_transformer import Shape, depth_anything

SMALL = Shape(width=24, heads=2, blocks=4, taps=(0, 1, 2, 3), depths=(4, 6, 8, 10), features=8, learned_at=5)


@pytest.mark.parametrize(("height", "width"), [(56, 84), (84, 56), (70, 70)])
def test_a_map_of_any_size_comes_out_of_the_size_that_went_in(tmp_path: Path, height: int, width: int) -> None:
    weights, numbers = depth_anything(SMALL)
    path = tmp_path / "model.onnx"
    path.write_bytes(weights)
    model = depth_anything_v2_small(path, hashlib.sha256(weights).hexdigest())
    estimator = OnnxEstimator(model)
    pictures = np.random.default_rng(5).standard_normal((1, 3, height, width), np.float32)

    (near,) = estimator.infer(pictures)

    assert near.shape == (height, width)
    assert np.isfinite(near).all()
    assert near.std() > 0
    assert numbers < len(weights) / 4


def test_several_pictures_give_what_each_gives_alone(tmp_path: Path) -> None:
    weights, _ = depth_anything(SMALL)
    path = tmp_path / "model.onnx"
    path.write_bytes(weights)
    model = depth_anything_v2_small(path, hashlib.sha256(weights).hexdigest()).model_copy(update={"batch": 2})
    estimator = OnnxEstimator(model)
    pictures = np.random.default_rng(6).standard_normal((2, 3, 42, 56), np.float32)

    together = estimator.infer(pictures)

    for picture, near in zip(pictures, together, strict=True):
        assert np.allclose(estimator.infer(picture[None])[0], near, atol=1e-4)
