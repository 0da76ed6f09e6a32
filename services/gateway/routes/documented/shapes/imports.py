"""What becomes of imports, and of what other systems say."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from services.gateway.routes.documented.shapes.jobs import Job
from services.gateway.routes.documented.shapes.shape import Count, Path, Shape


class RowTaken(Shape):
    """A row whose image is fetched."""

    row: int = Field(ge=1)
    url: str
    job_id: UUID = Field(description="the job that fetches it")


class RowRefused(Shape):
    """A row that was not taken, and why."""

    row: int = Field(ge=1, description="as editors count: a header is row 1")
    code: Literal["url_missing", "url_invalid", "row_invalid", "row_unreadable", "duplicate"]
    sentence: str
    url: str | None = Field(description="how it begins")


class Imported(Shape):
    """What becomes of the rows of an import."""

    job: Job | None = Field(description="the root of all that follows; null where no row was taken")
    items: list[RowTaken]
    total: Count = Field(description="of rows that were taken")
    refused: list[RowRefused]


class EventTaken(Shape):
    """What became of an event."""

    source: str
    id: str
    type: str
    outcome: Literal["accepted", "known"] = Field(
        description="`known`: it was said before; this is what it became then"
    )
    job_id: UUID
    link: Path = Field(description="of the job")


class EventsTaken(Shape):
    """What became of the events of a request, in their order."""

    items: list[EventTaken]
    total: Count
