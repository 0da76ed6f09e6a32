"""What depth mapping obeys and says."""

from typing import Any, ClassVar
from uuid import UUID

from pydantic import Field

from contracts.envelope import Command, Event, Record, SubjectVersion
from contracts.media import ObjectKey, Sha256


class MapDepth(Command):
    """Draw the depth and edge maps of one stored image."""

    wire_name: ClassVar = "depth_map.map_depth.v1"
    asset_id: UUID
    original_key: ObjectKey
    sha256: Sha256
    recipe: str = Field(
        default="default", max_length=80, description="names estimator and settings; part of the job's id"
    )


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
    sidecar_key: ObjectKey = Field(description="provenance as JSON")
    kind: str = Field(max_length=40, description="`inverse_relative`: larger is nearer; `metric_metres`")
    estimator: str = Field(max_length=120)
    recipe: str = Field(max_length=80)
    quality: dict[str, Any] = Field(default_factory=dict, description="signals that sort the review")
