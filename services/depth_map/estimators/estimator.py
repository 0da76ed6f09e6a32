"""What every depth estimator can do."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.depth_map.rules import Kind, Provenance

Plane = NDArray[np.float32]


class Estimator(Protocol):
    """Sees how near each point of a picture is."""

    @property
    def name(self) -> str:
        """Name of the estimator, as a person would say it."""
        ...

    @property
    def kind(self) -> Kind:
        """What is measured; `estimate` turns every kind into inverse depth."""
        ...

    def provenance(self) -> Provenance:
        """Everything that decides what is drawn."""
        ...

    def input_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Width and height, in pixels, at which a picture of this size is looked at."""
        ...

    def estimate(self, rgb: Plane) -> Plane:
        """Draw inverse depth; larger is nearer.

        Args:
            rgb: float32, height x width x 3, 0 to 1.

        Returns:
            float32, height x width. In 1/metre where `kind` is `metric_metres`, else without unit.

        """
        ...
