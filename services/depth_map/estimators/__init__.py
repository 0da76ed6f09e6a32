"""Those who see depth in a picture: learned models over ONNX Runtime, one of them our own, and classical cues."""

from typing import assert_never

from services.depth_map.estimators.cues import CuesEstimator
from services.depth_map.estimators.drawn_scenes import DrawnScenesEstimator, drawn_scenes_provenance, largest_seen
from services.depth_map.estimators.estimator import Estimator, Plane
from services.depth_map.estimators.feeding import inverse_of, normalised, shown, tensor_of
from services.depth_map.estimators.model_files import (
    NEEDING_NO_DOWNLOAD,
    UNLESS_NAMED,
    Cues,
    DrawnScenes,
    EstimatorChoice,
    InputSize,
    OnnxModel,
    depth_anything_v2_small,
    fast_depth,
)
from services.depth_map.estimators.onnx_inference import OnnxEstimator, onnx_provenance
from services.depth_map.rules import Provenance


def load(choice: EstimatorChoice) -> Estimator:
    """Make the estimator that was chosen ready for work.

    Raises:
        Refused: `model_missing`, `model_altered` or `model_unfit`.

    """
    match choice:
        case OnnxModel():
            return OnnxEstimator(choice)
        case DrawnScenes():
            return DrawnScenesEstimator(choice)
        case Cues():
            return CuesEstimator()
        case _:
            assert_never(choice)


def provenance(choice: EstimatorChoice) -> Provenance:
    """Tell what a choice would draw by without loading it, so that a parent process can name recipes."""
    match choice:
        case OnnxModel():
            return onnx_provenance(choice)
        case DrawnScenes():
            return drawn_scenes_provenance(choice)
        case Cues():
            return CuesEstimator().provenance()
        case _:
            assert_never(choice)


def input_size(choice: EstimatorChoice, width_px: int, height_px: int) -> tuple[int, int]:
    """Tell at which width and height a choice would look at a picture of this size, without loading it."""
    match choice:
        case OnnxModel():
            return choice.input_size.sides(width_px, height_px)
        case DrawnScenes():
            return largest_seen(width_px, height_px)
        case Cues():
            return CuesEstimator().input_size(width_px, height_px)
        case _:
            assert_never(choice)


__all__ = [
    "NEEDING_NO_DOWNLOAD",
    "UNLESS_NAMED",
    "Cues",
    "CuesEstimator",
    "DrawnScenes",
    "DrawnScenesEstimator",
    "Estimator",
    "EstimatorChoice",
    "InputSize",
    "OnnxEstimator",
    "OnnxModel",
    "Plane",
    "depth_anything_v2_small",
    "fast_depth",
    "input_size",
    "inverse_of",
    "load",
    "normalised",
    "provenance",
    "shown",
    "tensor_of",
]
