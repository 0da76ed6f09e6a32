"""What searches find."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from services.gateway.routes.documented.shapes.examples import DUPLICATES, FOUND
from services.gateway.routes.documented.shapes.images import Image
from services.gateway.routes.documented.shapes.shape import Count, Shape, shown


class Match(Shape):
    """How well an image matches."""

    by: str = Field(description="`relevance`, `colour`, `newest`, `oldest`; or what made the vectors")
    score: float | None = Field(
        description="what they are ordered by, the larger the better: of words any number, of a colour its share of the"
        " image, less where it is another shade, of vectors their cosine; null: they are ordered by time"
    )


class FoundImage(Image):
    """An image that was found."""

    model_config = shown(FOUND)

    match: Match


class Pair(Shape):
    """What two images of a group are to each other."""

    image_ids: list[UUID] = Field(min_length=2, max_length=2)
    tier: Literal["exact", "resized", "similar"] | None = Field(description="null: they are alike by a third one only")
    score: float | None = Field(
        description="1 is the same picture; their similarity, or else how alike their hashes are"
    )
    similarity: float | None = Field(description="cosine of their vectors")
    hash_distance: int | None = Field(ge=0, le=64, description="bits in which their perceptual hashes differ")


class SamePicture(Shape):
    """Images that are one picture."""

    model_config = shown(DUPLICATES)

    id: str = Field(description="of the image that was there first; or of `exact` ones their SHA-256")
    total: Count
    images: list[Image] = Field(max_length=10, description="the one that was there first, and up to nine others")
    pairs: list[Pair] = Field(description="each image with each other one")
