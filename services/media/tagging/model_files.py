"""How a classifier in an ONNX file is to be fed and read, as data."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Triple = tuple[float, float, float]


class ModelFile(BaseModel):
    """One file of a model: where it lies, by exactly one of three ways, and what it must hold.

    Attributes:
        path: on this machine.
        object_key: in the bucket.
        url: on the Internet.
        sha256: of its content; another content is refused.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path | None = None
    object_key: str | None = None
    url: str | None = None
    sha256: Sha256

    @model_validator(mode="after")
    def _lies_in_one_place(self) -> Self:
        if sum(place is not None for place in (self.path, self.object_key, self.url)) != 1:
            raise ValueError("a model file has exactly one of path, object_key and url")
        return self


class Classifier(BaseModel):
    """One ONNX file, and the recipe by which it was trained to be used; what the file of CLASSIFIER holds.

    The least of it, for a model that takes RGB from 0 to 255 and gives probabilities::

        {"name": "mobilenet_v2", "weights": {"path": "/models/tags.onnx", "sha256": "1ab9..."},
         "labels": {"path": "/models/labels.txt", "sha256": "b8aa..."}, "input_name": "image", "tags_output": "probs",
         "embedding_output": "embedding", "width_px": 224, "height_px": 224, "value_range": 255}

    Attributes:
        name: of the model; part of the origin.
        weights: the ONNX file.
        labels: one name a line, in the order of the outputs; of several, separated by commas, the first is taken.
        input_name: tensor that takes the picture, batch of one.
        tags_output: tensor with a number for each label; None where only the embedding is wanted.
        embedding_output: tensor with a vector; None where only tags are wanted.
        width_px, height_px: of the input.
        fitting: `stretched` to it, or the largest part of its shape from the `centre`.
        mean, std: per channel, on values of 0 to `value_range`.
        value_range: value of white: 1 or 255.
        layout: order of the axes.
        activation: what makes confidences of the numbers; `none` where the model has done it.
        threshold: the least confidence of a tag.
        most_tags: tags of one picture.
        unsaid: labels that are no tags.
        embedding_dimensions: a longer vector is projected to so many, which keeps its angles to others.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,50}$")]
    weights: ModelFile
    labels: ModelFile | None = None
    input_name: str
    tags_output: str | None = None
    embedding_output: str | None = None
    width_px: int = Field(ge=16, le=4096)
    height_px: int = Field(ge=16, le=4096)
    fitting: Literal["stretched", "centre"] = "centre"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    value_range: Literal[1, 255] = 1
    layout: Literal["nchw", "nhwc"] = "nchw"
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    threshold: float = Field(default=0.2, ge=0, le=1)
    most_tags: int = Field(default=10, ge=1, le=100)
    unsaid: tuple[str, ...] = ("background",)
    embedding_dimensions: int = Field(default=512, ge=8, le=1024)

    @property
    def origin(self) -> str:
        """Name what it describes as: other weights are somebody else, whose vectors compare with nobody's here."""
        return f"onnx.{self.name}.{self.weights.sha256[:12]}"

    @property
    def kinds(self) -> frozenset[str]:
        """Name what it looks for."""
        told = {"tags": self.tags_output, "embedding": self.embedding_output}
        return frozenset(kind for kind, output in told.items() if output is not None)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.kinds:
            raise ValueError("a classifier has a tags_output, an embedding_output or both")
        if (self.tags_output is None) != (self.labels is None):
            raise ValueError("tags_output and labels belong together")
        if 0 in self.std:
            raise ValueError("std must not be zero")
        return self
