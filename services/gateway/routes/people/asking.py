"""What clients send about projects, chapters, scenes and customers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, model_validator
from pydantic.json_schema import SkipJsonSchema

from services.gateway.routes.looks import Look
from services.gateway.routes.models import Asked, Moment
from services.gateway.routes.people.fields import (
    Description,
    Email,
    Label,
    Line,
    NewChapterId,
    Phone,
    Position,
    Prose,
    Role,
    Tag,
)
from services.gateway.rules.scenes import LARGEST_NUMBER

_CURSOR_CHARACTERS: Final = 2000


def _each_once(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


Tags = Annotated[tuple[Tag, ...], Field(max_length=50), AfterValidator(_each_once)]


def _said(look: Look) -> dict[str, Any]:
    return look.said


Said = Annotated[Look, PlainSerializer(_said)]

Kept = SkipJsonSchema[None]
"""What a field of an edit is while it is not sent; a client may not send it."""


class Slice(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    cursor: Annotated[str, Field(max_length=_CURSOR_CHARACTERS)] | None = Field(
        default=None, description="`next_cursor` of a page"
    )
    limit: int = Field(default=50, ge=1, le=200)


def _describe_edit(schema: dict[str, Any], edit: type["Edit"]) -> None:
    """Say nowhere that a field is null by default: one that is left out stays as it is."""
    for field in schema["properties"].values():
        field.pop("default", None)
    schema["examples"] = [dict(edit.example)]


class Edit(BaseModel):
    """Changes of a thing: what is not named stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_describe_edit)
    emptied: ClassVar[frozenset[str]] = frozenset()
    """The fields that may be null."""
    example: ClassVar[Mapping[str, Any]] = {}

    @model_validator(mode="after")
    def _nothing_else_is_emptied(self) -> "Edit":
        empty = {name for name in self.model_fields_set if getattr(self, name) is None} - self.emptied
        if empty:
            raise ValueError(f"{', '.join(sorted(empty))} cannot be null; leave out what shall stay as it is")
        return self

    @property
    def changes(self) -> dict[str, Any]:
        """Give the fields that were sent."""
        return self.model_dump(exclude_unset=True)


class ProjectAsked(BaseModel):
    """A project to make."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"name": "Lighthouses", "description": "A book."}]}
    )

    name: Label
    description: Prose = ""


class ProjectEdit(Edit):
    """Changes of a project."""

    example = MappingProxyType({"name": "Lighthouses of the North"})

    name: Label | Kept = None
    description: Prose | Kept = None


class MemberAsked(BaseModel):
    """What a user shall be in a project."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [{"role": "editor"}]})

    role: Role


class ChapterAsked(Asked):
    """A chapter to register."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"id": "chapter-1", "title": "The keeper"}]}
    )

    id: NewChapterId | None = Field(default=None, description="unique in its project; made here where none is given")
    title: Line = ""
    description: Prose = ""
    position: Position | None = Field(default=None, description="its place among the chapters; default: the end")
    script_id: Label | None = None
    look: Said | None = Field(default=None, description="how all its pictures look")


class ChapterEdit(Edit):
    """Changes of a chapter; `script_id` may be null."""

    emptied = frozenset({"script_id"})
    example = MappingProxyType({"title": "The storm", "position": 2})

    title: Line | Kept = None
    description: Prose | Kept = None
    position: Position | Kept = None
    script_id: Label | None = None
    look: Said | Kept = Field(default=None, description="takes the place of all that was said of it")


class ChaptersPage(Slice):
    """A page of chapters."""

    project_id: UUID | None = Field(default=None, description="default: all your projects")
    script_id: Annotated[str, Field(max_length=200)] | None = None


class ChapterSceneAsked(BaseModel):
    """A scene to register."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"number": 3, "description": "Hills at dusk, a red house"}]},
    )

    number: Annotated[int, Field(ge=0, le=LARGEST_NUMBER)] | None = Field(
        default=None, description="unique in its chapter; default: the next"
    )
    title: Line = ""
    description: Description = Field(
        default="", description="drawn where a request for the scene's image describes nothing"
    )
    position: Position | None = Field(default=None, description="its place in the chapter; default: its number")


class ChapterSceneEdit(Edit):
    """Changes of a scene."""

    example = MappingProxyType({"description": "The lamp room at night, rain on the panes"})

    title: Line | Kept = None
    description: Description | Kept = None
    position: Position | Kept = None


class CustomerAsked(Asked):
    """A customer to note."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"name": "Ada Lovelace", "email": "ada@example.org", "company": "Engines", "tags": ["first"]}]
        },
    )

    external_id: Label | None = Field(default=None, description="your own id of the customer; unique in the project")
    name: Label
    email: Email | None = None
    phone: Phone | None = None
    company: Line | None = None
    notes: Prose = ""
    tags: Tags = ()


class CustomerEdit(Edit):
    """Changes of a customer; `external_id`, `email`, `phone` and `company` may be null."""

    emptied = frozenset({"external_id", "email", "phone", "company"})
    example = MappingProxyType({"email": "ada@example.org", "tags": ["first", "printed"]})

    external_id: Label | None = None
    name: Label | Kept = None
    email: Email | None = None
    phone: Phone | None = None
    company: Line | None = None
    notes: Prose | Kept = None
    tags: Tags | Kept = None


class CustomersPage(Slice):
    """A page of customers."""

    project_id: UUID | None = Field(default=None, description="default: all your projects")
    q: Label | None = Field(default=None, description="part of a name, an email address or a company, in any case")
    tag: Annotated[list[Tag], Field(max_length=20)] | None = Field(
        default=None, description="repeat it for several; customers have all of them"
    )
    external_id: Label | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None
    sort: Literal["created_at", "-created_at", "name", "-name"] = Field(
        default="-created_at", description="with `-` from the last to the first"
    )


class AuditPage(Slice):
    """A page of what was done."""

    project_id: UUID | None = Field(default=None, description="default: all projects that you own; operators: all")
    action: Label | None = Field(default=None, description="such as `customer.update`")
    actor: Label | None = Field(default=None, description="the user who did it")
    subject_kind: Label | None = Field(default=None, description="such as `customer`")
    subject_id: Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")] | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None
