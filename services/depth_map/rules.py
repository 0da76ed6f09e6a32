"""What a map is made by, and the identity that follows from it."""

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

# Raised whenever the same picture, estimator and settings would no longer give the same maps.
CODE_VERSION = 1

Kind = Literal["inverse_relative", "depth_relative", "metric_metres"]


class Provenance(BaseModel):
    """Everything about an estimator that decides what it draws.

    Attributes:
        estimator: short name, such as `cues` or `onnx`; starts the recipe.
        model: what a person would call it.
        weights_sha256: of the weight file; none where nothing was learned.
        kind: what the estimator measures before it is turned into inverse depth.
        input_size: the rule by which pictures are resized for it, in words.
        settings_sha256: of every other number that changes its output; none where there is none.
        code_version: of this code.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    estimator: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,24}$")]
    model: str = Field(max_length=120)
    weights_sha256: str | None
    kind: Kind
    input_size: str
    settings_sha256: str | None = None
    code_version: int = CODE_VERSION


class EdgeSettings(BaseModel):
    """How edges are found; thresholds are Canny's, on 8-bit gradients.

    Attributes:
        low_threshold: weaker gradients are never an edge (100 as in ControlNet's annotator).
        high_threshold: stronger ones always are (200, likewise).
        blur_sigma_px: Gaussian blur beforehand, in pixels of the detection scale; 0 for none.
        detect_short_side_px: a picture whose short side is longer is judged as if it were this small, but
            its lines are found, one pixel thin, at its own size; so noise and weave of a large photo are no edges.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low_threshold: float = Field(default=100, gt=0, le=2040)
    high_threshold: float = Field(default=200, gt=0, le=2040)
    blur_sigma_px: float = Field(default=0, ge=0, le=10)
    detect_short_side_px: int = Field(default=1024, ge=64, le=8192)

    @model_validator(mode="after")
    def _thresholds_are_ordered(self) -> "EdgeSettings":
        if self.low_threshold > self.high_threshold:
            raise ValueError("low_threshold must not be above high_threshold")
        return self


class NormalSettings(BaseModel):
    """How surface normals are drawn.

    Attributes:
        field_of_view_degrees: along the longer side of the picture; nothing in a picture tells it, and normals need it.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    field_of_view_degrees: float = Field(default=60, ge=5, le=150)


def recipe(provenance: Provenance, edges: EdgeSettings, normals: NormalSettings | None = None) -> str:
    """Name the way in which maps are made, at most 57 characters.

    Equal recipes draw equal maps of equal bytes; ids of jobs and "this is done already" rest on it.
    """
    settings = [edges] if normals is None else [edges, normals]
    told = "\n".join(each.model_dump_json() for each in (provenance, *settings))
    return f"{provenance.estimator}-{hashlib.sha256(told.encode()).hexdigest()[:32]}"
