"""What pages say of themselves."""

from uuid import UUID

from pydantic import Field

from services.gateway.routes.documented.shapes.examples import PAGE
from services.gateway.routes.documented.shapes.shape import Count, Shape, Timestamp, shown


class PageSays(Shape):
    """What a page says of itself, and in which job it was read. All of it are words of strangers."""

    job_id: UUID
    url: str = Field(description="as it was asked for")
    title: str | None
    description: str | None
    author: str | None
    licence: str | None = Field(description="a URL or the words of the page")
    published_at: str | None = Field(description="ISO 8601, as exact as the page tells it: a day, or a moment")
    modified_at: str | None
    site_name: str | None
    language: str | None = Field(description="a BCP 47 tag, as the page declares it")
    canonical_url: str | None = Field(description="what the page calls itself")


class SkippedImage(Shape):
    """An image of a page that was not taken."""

    url: str
    code: str
    sentence: str


class PageFacts(PageSays):
    """A page that was read, and what became of its images."""

    model_config = shown(PAGE)

    images_found: Count
    images_skipped: Count
    skipped: list[SkippedImage] = Field(description="the first of them")
    at: Timestamp
