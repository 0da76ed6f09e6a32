"""What reviewers send."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.gateway.routes.models import MANY, Cursor, Flag, Moment, Name, Page, Prose, Tag, Version
from services.gateway.rules.reviewing import REASONS
from services.gateway.store.reviews import MapFilter

_CODES: Final = tuple(REASONS)
_RECIPE: Final = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,79}$"
_WHY: Final[dict[str, Any]] = {
    "anyOf": [
        {"required": ["reasons"], "properties": {"reasons": {"minItems": 1}}},
        {"required": ["note"], "properties": {"note": {"type": "string", "minLength": 1}}},
    ]
}

State = Literal["unreviewed", "approved", "rejected"]
Recipe = Annotated[str, StringConstraints(pattern=_RECIPE)]
RecipeInPath = Annotated[str, Path(pattern=_RECIPE, description="as `recipe` of the maps says")]
Reason = Annotated[str, Field(json_schema_extra={"enum": list(_CODES)})]
Reasons = Annotated[
    tuple[Reason, ...],
    Field(
        max_length=len(_CODES),
        description="; ".join(f"`{code}`: {meaning}" for code, meaning in REASONS.items()),
    ),
]


class MapsWanted(BaseModel):
    """Maps by what is known of them and of their images."""

    recipe: Recipe | None = None
    kind: Name | None = Field(default=None, description="what depth means, such as `inverse_relative`")
    chapter_id: Name | None = Field(default=None, description="drawn of images of this chapter's scenes")
    tag: Tag | None = None
    created_after: Moment | None = Field(default=None, description="of the image; or at this moment")
    created_before: Moment | None = None

    def conditions(self, **more: Any) -> MapFilter:
        return MapFilter(**self.model_dump(include={field.name for field in fields(MapFilter)} - {"state"}), **more)


class QueuePage(Page, MapsWanted):
    """A page of the queue."""

    state: State = "unreviewed"


class ExportAsked(MapsWanted):
    """Approved maps, from which on, and how much is told of them."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    project_id: UUID | None = Field(default=None, description="default: all your projects")
    cursor: Cursor | None = Field(default=None, description="of the last line that you have; goes on behind it")
    reviewed_after: Moment | None = Field(default=None, description="approved after, or at this moment")
    reviewed_before: Moment | None = None
    layout: Literal["manifest", "dataset"] = Field(
        default="manifest", description="`dataset`: flat rows and nothing else, as `metadata.jsonl` of an image folder"
    )
    urls: Flag = Field(default=True, description="also give addresses from which the files can be fetched for a while")
    dry_run: Flag = Field(default=False, description="only count")


class ApprovalAsked(BaseModel):
    """That maps are good."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"note": "The hair is fine, too."}]}
    )

    note: Prose | None = Field(default=None, description="in your own words")


class RejectionAsked(BaseModel):
    """Why maps are not good."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"reasons": ["mirror_or_glass"], "note": "The window on the left."}], **_WHY},
    )

    note: Prose | None = Field(default=None, description="in your own words")
    reasons: Reasons = ()

    @model_validator(mode="after")
    def _why(self) -> "RejectionAsked":
        _check_reasons(self.reasons, self.note)
        return self


class MapsNamed(BaseModel):
    """The maps of an image by one recipe, as they were seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_id: UUID
    recipe: Recipe
    version: Version | None = Field(default=None, description="skipped where it is no longer this one")


class ManyReviewed(BaseModel):
    """The same decision about many maps."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "action": "approve",
                    "maps": [{"image_id": "5b7c2d1e-8f90-5a1b-8c2d-3e4f5a6b7c8d", "recipe": "default", "version": 1}],
                }
            ],
            "if": {"properties": {"action": {"const": "reject"}}},
            "then": _WHY,
            "else": {"properties": {"reasons": {"maxItems": 0}}},
        },
    )

    action: Literal["approve", "reject", "undo"]
    maps: Annotated[tuple[MapsNamed, ...], Field(min_length=1, max_length=MANY)]
    reasons: Reasons = ()
    note: Prose | None = None

    @model_validator(mode="after")
    def _why(self) -> "ManyReviewed":
        if self.action == "reject":
            _check_reasons(self.reasons, self.note)
        elif self.reasons:
            raise ValueError("only who rejects gives `reasons`")
        return self


def _check_reasons(reasons: Sequence[str], note: str | None) -> None:
    if not reasons and not note:
        raise ValueError("say why: give `reasons`, or a `note`")
    if unknown := [reason for reason in reasons if reason not in REASONS]:
        raise ValueError(f"there is no reason {unknown[0]}; there is {', '.join(_CODES)}")
