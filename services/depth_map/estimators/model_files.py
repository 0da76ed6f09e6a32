"""Which estimator is meant, and how a depth model in an ONNX file is to be fed and read, as data."""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.depth_map.rules import Kind
from shared.errors import Refused

DRAWN_SCENES: Final = Path(__file__).with_name("drawn_scenes.onnx")
"""The weights that `make depth-network` trains and that ship with this code; their hash lies beside them."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Triple = tuple[float, float, float]

MOST_THREADS: Final = 64
"""Of one inference; a larger machine draws no picture faster by more of them."""

# Longest side over shortest, beyond which a panorama is narrowed before a model sees it: the cost of a
# transformer grows with the square of its input.
_WIDEST_ASPECT = 3


class InputSize(BaseModel):
    """The rule by which a picture becomes as large as a model wants it.

    Attributes:
        rule: `stretched` to width x height; `padded` keeps the aspect and repeats the border; `lower_bound` keeps
            the aspect, with no side below width x height.
        width_px: of the input, or its lower bound.
        height_px: likewise.
        multiple_px: sides of `lower_bound` are rounded to multiples of it.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Literal["stretched", "padded", "lower_bound"]
    width_px: int = Field(ge=16, le=4096)
    height_px: int = Field(ge=16, le=4096)
    multiple_px: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _bounds_are_multiples(self) -> Self:
        if self.width_px % self.multiple_px or self.height_px % self.multiple_px:
            raise ValueError("width_px and height_px must be multiples of multiple_px")
        return self

    def sides(self, width: int, height: int) -> tuple[int, int]:
        """Width and height, in pixels, at which a picture of this size is shown to the model."""
        if self.rule != "lower_bound":
            return self.width_px, self.height_px
        scale = max(self.width_px / width, self.height_px / height)
        return self._rounded(scale * width, self.width_px), self._rounded(scale * height, self.height_px)

    def _rounded(self, side: float, least: int) -> int:
        side = min(side, _WIDEST_ASPECT * max(self.width_px, self.height_px))
        nearest = round(side / self.multiple_px) * self.multiple_px
        return nearest if nearest >= least else math.ceil(side / self.multiple_px) * self.multiple_px

    def __str__(self) -> str:
        words = {"stretched": "stretched to", "padded": "padded to", "lower_bound": "at least"}
        return f"{words[self.rule]} {self.width_px}x{self.height_px} px, multiples of {self.multiple_px}"


class OnnxModel(BaseModel):
    """One ONNX file, and the recipe by which it was trained to be used.

    Attributes:
        name: what a person would call the model.
        path: the file. Where the weights come from plays no part in what the model is; one of path, object_key and
            url is given.
        object_key: the file in the object store.
        url: the file on the web.
        sha256: of the file; another file is refused.
        input_name: tensor that takes the picture, batch of one.
        output_name: tensor that gives the map, with any axes of length one.
        input_size: how large the picture is made.
        resampling: `cubic` and `area` as OpenCV's; `triangle` (bilinear) and `bicubic` as Pillow's, which widen when
            they shrink; `bicubic` works on 8 bits, as image processors of published models do.
        enlarging: how the map gets back to the picture's size; `corners_aligned` as PyTorch's `align_corners`.
        mean, std: per channel, on values of 0 to `value_range`.
        value_range: value of white: 1 or 255.
        layout: order of the axes.
        kind: what comes out.
        nearest_metres: the closest that metric depth can be; less is noise, and its inverse would drown the rest.
        threads: of one inference; none for this process's share of the processors that the service may use.
        providers: of ONNX Runtime, in order of preference; each of them must be there.
        batch: how many pictures of one input size the model is shown at once, when so many wait.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    estimator: Literal["onnx"] = "onnx"
    name: str = Field(max_length=120)
    path: Path | None = None
    object_key: str | None = None
    url: str | None = None
    sha256: Sha256
    input_name: str
    output_name: str
    input_size: InputSize
    resampling: Literal["cubic", "area", "triangle", "bicubic"] = "cubic"
    enlarging: Literal["corners_aligned", "centres_aligned"] = "centres_aligned"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    value_range: Literal[1, 255] = 1
    layout: Literal["nchw", "nhwc"] = "nchw"
    kind: Kind
    nearest_metres: float = Field(default=0.1, gt=0)
    threads: int | None = Field(default=None, ge=1, le=MOST_THREADS)
    providers: tuple[str, ...] = Field(default=("CPUExecutionProvider",), min_length=1)
    batch: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> Self:
        if sum(place is not None for place in (self.path, self.object_key, self.url)) != 1:
            raise ValueError("one of path, object_key and url says where the weights are")
        return self

    @property
    def accelerated(self) -> bool:
        """Whether it runs on anything but processors."""
        return set(self.providers) != {"CPUExecutionProvider"}

    @property
    def numbers(self) -> Literal["uint8", "float32"]:
        """Of what a picture consists that is as large as the model wants it, and not normalised yet."""
        return "uint8" if self.resampling == "bicubic" else "float32"

    def at(self, path: Path) -> Self:
        """Give the same model with its weights in a file on this machine, whatever the folder one works in."""
        return self.model_copy(update={"path": path.absolute(), "object_key": None, "url": None})


class Cues(BaseModel):
    """The estimator that needs no file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    estimator: Literal["cues"] = "cues"


def hash_file(weights: Path) -> Path:
    """Name the file beside weights that tells their SHA-256, as `sha256sum` writes and checks it."""
    return weights.with_suffix(".sha256")


@lru_cache(maxsize=1)
def drawn_scenes_sha256() -> str:
    """Tell which weights ship with this code; the same as long as this process lives."""
    try:
        return hash_file(DRAWN_SCENES).read_text().split()[0]
    except (OSError, IndexError) as error:
        raise Refused("model_missing", f"No hash of weights is at {hash_file(DRAWN_SCENES)}.") from error


class DrawnScenes(BaseModel):
    """The small network that this project trains on scenes it draws.

    Attributes:
        sha256: of its weights; others are refused. Who chooses it tells whoever draws, so that both mean the same.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    estimator: Literal["drawn_scenes"] = "drawn_scenes"
    sha256: Sha256 = Field(default_factory=drawn_scenes_sha256)


EstimatorChoice = Annotated[OnnxModel | Cues | DrawnScenes, Field(discriminator="estimator")]

NeedingNoDownload = Callable[[], Cues | DrawnScenes]

NEEDING_NO_DOWNLOAD: Final[Mapping[str, NeedingNoDownload]] = {"cues": Cues, "drawn_scenes": DrawnScenes}
"""What DEPTH_ESTIMATOR may name."""

UNLESS_NAMED: Final[NeedingNoDownload] = DrawnScenes
"""Who sees the depth where nobody is named and no weights were fetched."""


DEPTH_ANYTHING_V2_SMALL_URL = (
    "https://huggingface.co/onnx-community/depth-anything-v2-small"
    "/resolve/4472b7362082ad9968fee890ca0f1e5aca36b93d/onnx/model.onnx"
)
DEPTH_ANYTHING_V2_SMALL_SHA256 = "afb6a5c28f3b6bf1618c6e43f02073ef9dfdc70e937502d51603e57b0a1df10c"


def depth_anything_v2_small(
    path: Path | None = None, sha256: str = DEPTH_ANYTHING_V2_SMALL_SHA256, *, threads: int | None = None
) -> OnnxModel:
    """Depth Anything V2 Small (Apache-2.0), fed as its authors feed it; from its publisher's URL without a path.

    The numbers are those of `depth_anything_v2/dpt.py` and `util/transform.py` in DepthAnything/Depth-Anything-V2;
    the tensor names those of the usual export, whose height and width must be dynamic, and pixels are resampled as by
    the image processor that is published with that export.
    """
    return OnnxModel(
        name="Depth Anything V2 Small",
        path=path,
        url=None if path else DEPTH_ANYTHING_V2_SMALL_URL,
        sha256=sha256,
        input_name="pixel_values",
        output_name="predicted_depth",
        input_size=InputSize(rule="lower_bound", width_px=518, height_px=518, multiple_px=14),
        resampling="bicubic",
        enlarging="corners_aligned",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        kind="inverse_relative",
        threads=threads,
    )


def fast_depth(path: Path, sha256: str, *, threads: int | None = None) -> OnnxModel:
    """FastDepth (MIT): small, quick, metric, trained on rooms at 224 x 224."""
    return OnnxModel(
        name="FastDepth NYU",
        path=path,
        sha256=sha256,
        input_name="image",
        output_name="depth_m",
        input_size=InputSize(rule="stretched", width_px=224, height_px=224, multiple_px=32),
        resampling="triangle",
        kind="metric_metres",
        threads=threads,
    )
