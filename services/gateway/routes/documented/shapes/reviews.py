"""The review of maps, and what was approved."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from services.gateway.routes.documented.shapes.images import Maps, Review
from services.gateway.routes.documented.shapes.shape import Count, Link, Shape, Timestamp


class ReviewedImage(Shape):
    """Of an image what is shown beside its maps."""

    id: UUID
    project_id: UUID
    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)
    thumbhash: str | None
    title: str | None
    urls: dict[str, Link] = Field(description="of the original and the renditions")
    expires_at: Timestamp


class MapsToReview(Maps):
    """Maps with what a reviewer needs to decide."""

    image: ReviewedImage


class Counts(Shape):
    """How many maps are in each state."""

    unreviewed: Count
    approved: Count
    rejected: Count


class Queue(Shape):
    """A page of the queue, and how much is left."""

    items: list[MapsToReview]
    next_cursor: str | None = Field(description="leads on to those not shown yet, while others review, too")
    counts: Counts = Field(description="of all that the filter finds, in every state")


class MapsSkipped(Shape):
    """Maps about which nothing was decided, and why."""

    image_id: UUID
    recipe: str
    code: Literal["version_stale", "already_so"]
    sentence: str


class ReviewsDone(Shape):
    """What was decided of which maps."""

    items: list[Review]
    total: Count
    skipped: list[MapsSkipped]


class ExportTotals(Shape):
    """How much an export holds."""

    maps: Count
    images: Count
    size_bytes: Count = Field(description="of the images, the depth and edge maps, and normals together")
    dry_run: Literal[True]
