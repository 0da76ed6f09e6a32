"""The versions of scenes, and what becomes of a whole chapter."""

from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field

from services.gateway.routes.documented.shapes.drawings import Picture
from services.gateway.routes.documented.shapes.jobs import Job
from services.gateway.routes.documented.shapes.shape import Count, Link, Shape, Timestamp, shown

_RECORD_ID: Final = "01990b6e-6c50-7a11-8e21-77aa0b1c2d3e"
_JOB_ID: Final = "01990b6e-6c4d-7d4e-9a52-1f0c8c1d2e3f"
_IMAGE_ID: Final = "5b7c2d1e-8f90-5a1b-8c2d-3e4f5a6b7c8d"
_PROJECT_ID: Final = "9c5f7a10-2b3c-5d4e-8f60-1a2b3c4d5e6f"
_CHOICE: Final[dict[str, Any]] = {
    "record_id": _RECORD_ID,
    "project_id": _PROJECT_ID,
    "chapter_id": "chapter-1",
    "scene_number": 3,
    "shown": 1,
    "chosen": 1,
    "image_id": _IMAGE_ID,
    "version": 1,
}


class Choice(Shape):
    """Which version a scene shows."""

    model_config = shown(_CHOICE)

    record_id: UUID
    project_id: UUID
    chapter_id: str
    scene_number: Count
    shown: int | None = Field(ge=1, description="the number of the version that it shows; null: none was drawn yet")
    chosen: int | None = Field(ge=1, description="the number of the one that somebody has chosen; null: the newest")
    image_id: UUID | None = Field(description="of the version that it shows, once it is in the library")
    version: Count = Field(description="counts what was chosen and taken back; the ETag holds it")


class SceneVersion(Shape):
    """A picture that was drawn for a scene."""

    number: int = Field(ge=1, description="counts the versions of the scene")
    shown: bool
    deleted: bool = Field(description="its image was deleted from the library")
    task_id: UUID = Field(description="the job that drew it")
    sample: Count = Field(description="which of the job's pictures it is, from 0")
    from_version: int | None = Field(ge=1, description="the version that it goes back to")
    from_task_id: UUID | None
    image_id: UUID | None
    image_url: Link | None
    thumb_url: Link | None = Field(description="a small picture")
    width_px: int | None = Field(ge=1)
    height_px: int | None = Field(ge=1)
    scene_description: str | None
    style: str
    aspect_ratio: str | None
    negative_prompt: str | None
    seed: int | None
    service: str
    model_used: str
    paid: bool | None = Field(description="null: nobody has told")
    cost_micros: Count | None = Field(description="in millionths of a US dollar; null: nobody knows the price")
    generation_time_seconds: float
    submitted_by: str | None
    requested_at: Timestamp | None
    created_at: Timestamp


class SceneVersions(Choice):
    """The versions of a scene."""

    model_config = shown({**_CHOICE, "items": [], "next_cursor": None})

    items: list[SceneVersion]
    next_cursor: str | None = Field(description="give it as `cursor` to get the next page; null: this is the last one")


class ImageDrawing(Shape):
    """What an image was drawn by."""

    picture: Picture | None = Field(description="null: it was not drawn here")
    task_id: UUID | None = Field(description="the job that drew it")
    scene: SceneVersions | None = Field(description="null: it belongs to none")


class SceneOfBatch(Shape):
    """What becomes of one scene of a chapter."""

    scene_number: Count
    outcome: Literal["begun", "joined", "skipped"] = Field(description="`joined`: the same is being drawn already")
    task_id: UUID | None = Field(description="the job that draws it")
    version: int | None = Field(ge=1, description="where it was drawn by the same recipe before")
    code: str | None = Field(
        description="why it is skipped: `drawn_already`, `not_described`, `generation_in_progress`"
    )
    sentence: str | None
    estimated_time_seconds: Count | None


class ChapterTaken(Shape):
    """What becomes of the scenes of a chapter."""

    job: Job | None = Field(description="the parent of the jobs that were begun; null where none was")
    items: list[SceneOfBatch] = Field(description="in the order of the scenes")
    total: Count = Field(description="of scenes that were begun")
    more: bool = Field(description="the chapter has more scenes than are looked at at once: name the others")


class FreeTaken(Shape):
    """Pictures that will be drawn."""

    job: Job
    estimated_time_seconds: Count
    from_job_id: UUID | None = Field(description="the job that it goes back to")
