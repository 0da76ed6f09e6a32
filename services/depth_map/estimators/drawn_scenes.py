"""Depth from the small network that this project trains on scenes it draws; its weights lie beside this file."""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from services.depth_map.estimators.cues import nearness, shows_anything
from services.depth_map.estimators.estimator import Plane
from services.depth_map.estimators.feeding import Pixels, plane_of
from services.depth_map.estimators.frames import drawn_within_frame
from services.depth_map.estimators.lighting import brightening
from services.depth_map.estimators.model_files import DRAWN_SCENES, DrawnScenes, InputSize
from services.depth_map.estimators.onnx_sessions import session_of, verified
from services.depth_map.estimators.resampling import guided_enlarged
from services.depth_map.rules import Kind, Provenance
from shared.errors import Refused

CUED_PX: Final = 108
"""Shorter side of the pictures whose cues the network is given, in training as here."""

# A mean over these sees better than any of them (training/FINDINGS.md). Who is longer than three times its shorter side
# is narrowed, as before other models, for attention costs the square of what is seen.
_SEEN_PX: Final = (96, 112, 128)
_MULTIPLE_PX: Final = 16
_INPUT, _CHANNELS, _OUTPUT = "image", 4, "nearness"
_LEAST_SPREAD: Final = 1e-6
_WHITE: Final = np.float32(255)


class DrawnScenesEstimator:
    """Corrects what the cues see by a small network; needs no download, and ONNX Runtime in this very process.

    The network sees a picture, brightened where it is dark and without a frame that is painted round it, and its cues,
    at three sizes; each of the maps comes to mean 0 and spread 1, and their mean is enlarged along the edges of the
    picture. A frame is as near as what it borders on. MODEL_CARD.md tells what it was trained on and how good it is.

    Args:
        choice: which weights.
        weights: where they are.

    Raises:
        Refused: `model_missing`, `model_altered` or `model_unfit`, when it is made.

    """

    name = "drawn scenes (small network)"
    kind: Kind = "inverse_relative"

    def __init__(self, choice: DrawnScenes, weights: Path = DRAWN_SCENES) -> None:
        self._choice = choice
        self._session = session_of(verified(weights, choice.sha256, self.name), self.name)
        _must_fit(self._session)

    def provenance(self) -> Provenance:
        return drawn_scenes_provenance(self._choice)

    def input_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        return largest_seen(width_px, height_px)

    def estimate(self, rgb: Plane) -> Plane:
        """Draw relative inverse depth, 0 to 1; zero everywhere where the picture has no contrast.

        Not a number everywhere where the network gives something that is none.
        """
        return drawn_within_frame(np.asarray(cv2.convertScaleAbs(rgb, alpha=255), np.uint8), self._drawn)

    def _drawn(self, levels: Pixels) -> Plane:
        if not shows_anything(levels):
            return np.zeros(levels.shape[:2], np.float32)
        near = self.nearness(levels)
        if near is None:
            return np.full(levels.shape[:2], np.nan, np.float32)
        between = (near - near.min()) / max(float(np.ptp(near)), _LEAST_SPREAD)
        grey = np.asarray(cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY), np.uint8)
        return guided_enlarged(np.asarray(between, np.float32), grey)

    def nearness(self, levels: Pixels) -> Plane | None:
        """See how near everything is, mean 0, without unit, at the largest size that the network is shown.

        Args:
            levels: the picture, uint8, height x width x 3.

        Returns:
            None where the network gives what is no number.

        """
        height, width = levels.shape[:2]
        small = _shrunk(levels, _sides(CUED_PX, 1, width, height))
        lit = brightening(small)
        cues = cued(lit[small])
        largest = largest_seen(width, height)
        total = np.zeros(largest[::-1], np.float32)
        for shorter_px in _SEEN_PX:
            size = _sides(shorter_px, _MULTIPLE_PX, width, height)
            planes = np.dstack([lit[_shrunk(levels, size)], _shrunk(cues, size)]).transpose(2, 0, 1)
            (output,) = self._session.run([_OUTPUT], {_INPUT: planes[None].astype(np.float32) / _WHITE})
            seen = plane_of(np.asarray(output, np.float32))
            if not np.isfinite(seen).all():
                return None
            total += cv2.resize((seen - seen.mean()) / (seen.std() + np.float32(_LEAST_SPREAD)), largest)
        return np.asarray(total / len(_SEEN_PX), np.float32)


def cued(picture: Pixels) -> Pixels:
    """Tell what the cues see in a picture whose shorter side has `CUED_PX`, height x width; 255 is nearest."""
    return np.rint(nearness(np.asarray(picture / 255, np.float32)) * 255).astype(np.uint8)


def drawn_scenes_provenance(choice: DrawnScenes) -> Provenance:
    """Tell what the network would draw by, without loading it."""
    sizes = ", ".join(map(str, _SEEN_PX))
    return Provenance(
        estimator=choice.estimator,
        model=DrawnScenesEstimator.name,
        weights_sha256=choice.sha256,
        kind=DrawnScenesEstimator.kind,
        input_size=f"shorter sides {sizes} px, multiples of {_MULTIPLE_PX}; cues at {CUED_PX} px; no frame, not dark",
    )


def largest_seen(width_px: int, height_px: int) -> tuple[int, int]:
    """Tell the largest width and height, in pixels, at which the network is shown a picture of this size."""
    return _sides(max(_SEEN_PX), _MULTIPLE_PX, width_px, height_px)


def _sides(shorter_px: int, multiple_px: int, width_px: int, height_px: int) -> tuple[int, int]:
    size = InputSize(rule="lower_bound", width_px=shorter_px, height_px=shorter_px, multiple_px=multiple_px)
    return size.sides(width_px, height_px)


def _shrunk(levels: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _must_fit(session: Any) -> None:
    inputs = {tensor.name: tensor.shape for tensor in session.get_inputs()}
    outputs = [tensor.name for tensor in session.get_outputs()]
    if list(inputs) != [_INPUT] or inputs[_INPUT][1] != _CHANNELS or outputs != [_OUTPUT]:
        raise Refused(
            "model_unfit",
            f"{DrawnScenesEstimator.name} takes {inputs} and gives {outputs}, "
            f"not {_CHANNELS} channels of {_INPUT} and {_OUTPUT}.",
        )
