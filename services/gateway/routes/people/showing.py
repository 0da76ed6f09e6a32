"""What clients get of projects, members, chapters, scenes, customers and the audit."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, Literal, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.routes.people.fields import Role

Item = TypeVar("Item", bound=BaseModel)
DrawingState = Literal["not_requested", "pending", "in_progress", "completed", "failed", "cancelled"]


class Shown(BaseModel):
    """A reply, made of a row by the names of its columns."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @classmethod
    def of(cls, row: Mapping[str, Any], **more: Any) -> Self:
        return cls.model_validate({**row, **more})


class PageOf(BaseModel, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(description="`cursor` of the next page; null at the end")


class _Edited(Shown):
    version: int = Field(description="counts the edits; the ETag holds it")
    created_at: datetime
    updated_at: datetime


class ProjectShown(_Edited):
    """A project, and what the caller is in it."""

    id: UUID
    name: str
    description: str
    personal: bool = Field(description="a user's own one, which cannot be deleted")
    role: Role

    @classmethod
    def of(cls, row: Mapping[str, Any], **more: Any) -> Self:
        return super().of(row, personal=row["personal_of"] is not None, **more)


class MemberShown(_Edited):
    """What a user is in a project."""

    project_id: UUID
    user_id: str
    role: Role


class ChapterShown(_Edited):
    """A chapter."""

    project_id: UUID
    id: str
    title: str
    description: str
    position: int
    script_id: str | None
    look: dict[str, Any] = Field(description="how its pictures look, as far as it is said")


class SceneCounts(BaseModel):
    """How many scenes a chapter has, and the states of their images."""

    total: int
    not_requested: int = 0
    pending: int = 0
    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


class ChapterDetail(ChapterShown):
    """A chapter and how its scenes are coming on."""

    scenes: SceneCounts


class SceneImage(Shown):
    """The image of a scene as it is now."""

    record_id: UUID
    task_id: UUID = Field(description="the job that draws it")
    image_id: UUID | None = Field(description="in the library, once it is stored there")
    status: DrawingState
    retry_count: int
    progress: float | None
    scene_description: str = Field(description="what it was asked to show")
    error: str | None
    error_code: str | None
    updated_at: datetime


class SceneShown(_Edited):
    """A scene."""

    project_id: UUID
    chapter_id: str
    number: int
    title: str
    description: str = Field(description="drawn where a request for the scene's image describes nothing")
    position: int
    image: SceneImage | None

    @classmethod
    def of(cls, row: Mapping[str, Any], **more: Any) -> Self:
        drawn = {**row, "error": row["error_sentence"], "updated_at": row["drawn_at"]}
        return super().of(row, image=SceneImage.of(drawn) if row["record_id"] else None, **more)


class GridCell(Shown):
    """One scene of a chapter's grid."""

    number: int
    title: str
    position: int
    status: DrawingState
    thumb_url: str | None = Field(description="a small picture, where there is one")
    thumb_expires_at: datetime | None
    image_id: UUID | None
    task_id: UUID | None
    retry_count: int
    progress: float | None
    error: str | None
    error_code: str | None


class Grid(BaseModel):
    """A chapter's scenes and their images at a glance."""

    chapter: ChapterDetail
    items: list[GridCell]
    next_cursor: str | None


class CustomerShown(_Edited):
    """A customer."""

    id: UUID
    project_id: UUID
    external_id: str | None
    name: str
    email: str | None
    phone: str | None
    company: str | None
    notes: str
    tags: list[str]


class Subject(BaseModel):
    """What an act was done to."""

    kind: str
    id: str


class ActShown(Shown):
    """Something that somebody did."""

    id: UUID
    project_id: UUID | None = Field(description="null for what operators did to no project")
    actor: str
    action: str
    subject: Subject
    details: dict[str, Any]
    at: datetime
    trace_id: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any], **more: Any) -> Self:
        return super().of(row, subject=Subject(kind=row["subject_kind"], id=row["subject_id"]), **more)
