"""What depth mapping obeys and says."""

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.envelope import Command, Event, Record, SubjectVersion
from contracts.jobs import Code
from contracts.media import ObjectKey, Sha256

Verdict = Literal["approved", "rejected", "unreviewed"]
"""What somebody has decided of maps; `unreviewed`: an earlier decision was taken back."""

Reasons = Annotated[tuple[Code, ...], Field(max_length=20)]


class MapDepth(Command):
    """Draw the depth and edge maps of one stored image."""

    wire_name: ClassVar = "depth_map.map_depth.v1"
    asset_id: UUID
    original_key: ObjectKey
    sha256: Sha256
    recipe: str = Field(
        default="default", max_length=80, description="names estimator and settings; part of the job's id"
    )
    redraw: bool = Field(default=False, description="draw anew also what this recipe has drawn already")


class StoredMap(Record):
    """A map in the object store; its key is written once and never overwritten."""

    key: ObjectKey
    sha256: Sha256
    size_bytes: int = Field(ge=1)
    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)


class DepthMapped(Event):
    """Said once the depth and edge maps of an asset are stored and readable."""

    wire_name: ClassVar = "depth_map.depth_mapped.v1"
    asset_id: UUID
    subject_version: SubjectVersion
    depth: StoredMap = Field(description="16-bit grey PNG at the source's size")
    edges: StoredMap = Field(description="8-bit PNG, 0 or 255, at the source's size")
    preview: StoredMap = Field(description="8-bit grey, at most 512 px")
    coloured: StoredMap = Field(description="the preview in colour")
    normals: StoredMap | None = Field(
        default=None, description="8-bit RGB PNG at the source's size: x right, y up, z to the camera, -1 to 1"
    )
    sidecar_key: ObjectKey = Field(description="provenance as JSON")
    kind: str = Field(max_length=40, description="`inverse_relative`: larger is nearer; `metric_metres`")
    estimator: str = Field(max_length=120)
    recipe: str = Field(max_length=80)
    quality: dict[str, Any] = Field(default_factory=dict, description="signals that sort the review")


class ReviewDepthMap(Command):
    """Record what somebody has decided of the maps that one recipe has drawn of an image.

    Decisions of the same maps are numbered by whoever lets people decide: the highest number holds, in whatever order
    they come.
    """

    wire_name: ClassVar = "depth_map.review_depth_map.v1"
    asset_id: UUID
    recipe: str = Field(max_length=80)
    decision: SubjectVersion = Field(description="its number among the decisions of these maps")
    map_version: SubjectVersion = Field(description="the version of the maps that were looked at")
    verdict: Verdict
    reasons: Reasons = Field(default=(), description="why maps are rejected")
    note: str | None = Field(default=None, max_length=2000, description="in the reviewer's own words")
    reviewed_by: str = Field(max_length=200)
    reviewed_at: AwareDatetime


class DepthMapReviewed(Event):
    """Said once a decision about maps is recorded, and again to whoever asked for one that a later one outranks."""

    wire_name: ClassVar = "depth_map.depth_map_reviewed.v1"
    asset_id: UUID
    recipe: str = Field(max_length=80)
    subject_version: SubjectVersion = Field(description="the number of the decision that holds")
    map_version: SubjectVersion = Field(
        description="the version of the maps that it is about; of newer ones it is none"
    )
    verdict: Verdict
    reasons: Reasons = ()
    note: str | None = Field(default=None, max_length=2000)
    reviewed_by: str = Field(max_length=200)
    reviewed_at: AwareDatetime
