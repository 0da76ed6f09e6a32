"""What became of URLs."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from services.gateway.routes.documented.shapes.examples import SEEN_URL
from services.gateway.routes.documented.shapes.shape import Shape, Timestamp, shown


class SeenUrl(Shape):
    """A URL that was seen in a crawl or an import, and what became of it."""

    model_config = shown(SEEN_URL)

    kind: Literal["page", "sitemap", "feed", "image"]
    url: str = Field(description="as it was written; of a row without one, which row it is")
    outcome: Literal["read", "found", "stored", "duplicate", "skipped", "refused"] = Field(
        description="of an image `found` until it is known what became of it"
    )
    code: str | None = Field(description="why, where it was not taken")
    sentence: str | None
    found_on: str | None = Field(description="where it was seen first")
    image_id: UUID | None = Field(description="what it has become")
    at: Timestamp
