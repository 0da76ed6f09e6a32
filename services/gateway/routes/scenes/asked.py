"""What clients send to have pictures drawn."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from services.gateway.routes.looks import AspectRatio, Look, NegativePrompt, Provider, Seed, Style
from services.gateway.routes.models import DEFAULT_PIPELINE, MANY, Asked, Name, Pipeline, Words, as_number
from services.gateway.rules.scenes import LARGEST_NUMBER, says_something

MOST_SAMPLES: Final = 8


def _something(description: str) -> str:
    if not says_something(description):
        raise ValueError("say in a few words what the picture should show")
    return description


Description = Annotated[
    Words,
    StringConstraints(min_length=1, max_length=4000),
    AfterValidator(_something),
    Field(json_schema_extra={"pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$"}),
]

_EXAMPLE: Final[dict[str, Any]] = {
    "scene_description": "Hills at dusk, a red house in the foreground",
    "style": "watercolour",
    "aspect_ratio": "16:9",
    "user_tier": "pro",
}


class DrawingAsked(Asked):
    """What a picture shall be beside what it shows; what is left out, or null, is as the chapter looks."""

    style: Style | None = Field(default=None, description="a preset of the provider, or words of your own")
    aspect_ratio: AspectRatio | None = Field(default=None, description="default: 1:1")
    user_tier: Annotated[Words, StringConstraints(max_length=40)] | None = Field(
        default=None, description="`free`, `basic`, `pro`, `premium` or `enterprise`: sets the priority"
    )
    negative_prompt: NegativePrompt | None = None
    seed: Seed | None = None
    samples: Annotated[int, Field(ge=1, le=MOST_SAMPLES), BeforeValidator(as_number)] = Field(
        default=1, description="pictures at once, each of which becomes a version"
    )
    provider: Provider | None = None
    references: Annotated[tuple[UUID, ...], Field(max_length=4)] = Field(
        default=(), description="images of the project that are shown as an example"
    )
    pipeline: Pipeline = DEFAULT_PIPELINE

    @property
    def look(self) -> dict[str, Any]:
        """Give the part that a chapter can have said already, as far as it is said here."""
        return self.model_dump(include=set(Look.model_fields), exclude_none=True)


class SceneAsked(DrawingAsked):
    """What the image of a scene shall be."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    scene_description: Description | None = Field(
        default=None, description="default: the description under which the scene is registered"
    )
    script_id: Name | None = None


class GenerationAsked(DrawingAsked):
    """A picture that belongs to no scene."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
                for name in ("description", "from_job_id")
            ],
            "examples": [{"description": "A lighthouse in a storm", "style": "ink", "samples": 2}],
        }
    )

    description: Description | None = Field(default=None, description="default: that of `from_job_id`")
    from_job_id: UUID | None = Field(
        default=None, description="a job that drew before: what is left out here is as it was there, but for the seed"
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.description is None and self.from_job_id is None:
            raise ValueError("give `description`, or `from_job_id`")
        return self

    def after(self, before: Mapping[str, Any]) -> Self:
        """Give what is asked for where what has a usual value is left out, and is as it was before."""
        kept = ("samples", "pipeline")
        return self.model_copy(
            update={name: before[name] for name in kept if name in before and name not in self.model_fields_set}
        )


class RegenerationAsked(BaseModel):
    """What shall be otherwise than in the version that it goes back to; the seed is another one in any case."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [{"style": "ink"}]})

    scene_description: Description | None = None
    style: Style | None = None
    aspect_ratio: AspectRatio | None = None
    negative_prompt: NegativePrompt | None = None
    seed: Seed | None = Field(default=None, description="default: another one than that of the version")
    samples: Annotated[int, Field(ge=1, le=MOST_SAMPLES), BeforeValidator(as_number)] | None = None
    provider: Provider | None = None
    references: Annotated[tuple[UUID, ...], Field(max_length=4)] | None = None
    user_tier: Annotated[Words, StringConstraints(max_length=40)] | None = None

    @property
    def changes(self) -> Mapping[str, Any]:
        """Give what is said."""
        return self.model_dump(exclude_none=True)


class SceneMeant(BaseModel):
    """One scene of a chapter that is to be drawn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: Annotated[int, Field(ge=0, le=LARGEST_NUMBER), BeforeValidator(as_number)]
    scene_description: Description | None = Field(
        default=None, description="default: the description under which the scene is registered"
    )


class ChapterImagesAsked(DrawingAsked):
    """All scenes of a chapter, or some of them, in one look."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"style": "ink", "aspect_ratio": "16:9"},
                {"scenes": [{"number": 1}, {"number": 2, "scene_description": "Rain"}], "again": True},
            ]
        }
    )

    scenes: Annotated[tuple[SceneMeant, ...], Field(min_length=1, max_length=MANY)] | None = Field(
        default=None, description="default: all that are registered"
    )
    again: StrictBool = Field(default=False, description="also those that were drawn by the same recipe before")
    script_id: Name | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        numbers = [scene.number for scene in self.scenes or ()]
        if len(set(numbers)) < len(numbers):
            raise ValueError("name each scene once")
        return self
