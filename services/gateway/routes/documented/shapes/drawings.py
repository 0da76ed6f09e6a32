"""What drawing costs and how long it takes."""

from datetime import date
from typing import Final
from uuid import UUID

from pydantic import Field

from services.gateway.routes.documented.shapes.shape import Count, Shape, shown

_MICROS: Final = "in millionths of a US dollar"


class Picture(Shape):
    """A picture that a job has drawn."""

    sample: Count
    number: int | None = Field(ge=1, description="of the version that it is of its scene")
    image_id: UUID | None = Field(description="in the library, once it is stored there")
    width_px: int | None = Field(ge=1)
    height_px: int | None = Field(ge=1)
    service: str
    model_used: str
    seed: int | None
    paid: bool | None = Field(description="null: nobody has told")
    cost_micros: Count | None = Field(description=f"{_MICROS}; null: nobody knows the price")


class Drawing(Shape):
    """What a job has drawn, or how long that will take."""

    chapter_id: str | None
    scene_number: Count | None
    from_task_id: UUID | None = Field(description="the job that drew what this one goes back to")
    pictures: list[Picture]
    cost_micros: Count | None = Field(
        description=f"of its pictures, {_MICROS}; where none came of it, what may have been paid; null: nobody knows"
    )
    estimated_seconds: float | None = Field(
        ge=0, description="how long such pictures took lately; null once it has ended, and where too few were drawn yet"
    )
    left_seconds: float | None = Field(ge=0, description="of that, since it was begun")
    waiting_before: Count | None = Field(description="drawings of the project that wait and come before it")


class ProviderOffer(Shape):
    """What one provider draws, and on which terms."""

    name: str
    aspect_ratios: list[str]
    seeds: bool
    negative_prompts: bool
    most_samples: int = Field(ge=1)
    most_references: Count
    least_references: Count = Field(description="so many it has to be shown")
    styles: list[str] = Field(description="presets; to others a style is only more words")
    paid: bool
    price_micros: Count | None = Field(description=f"of one picture, {_MICROS}; null: nobody knows it")


class Budget(Shape):
    """Today's money, in millionths of a US dollar."""

    day: date = Field(description="in UTC")
    limit_micros: Count | None = Field(description="null: any sum")
    spent_micros: Count
    reserved_micros: Count
    left_micros: Count | None


class Providers(Shape):
    """Who draws pictures."""

    model_config = shown(
        {
            "default": "sketch",
            "fallbacks": [],
            "offers": [],
            "budget": {
                "day": "2025-09-01",
                "limit_micros": 5_000_000,
                "spent_micros": 12_000,
                "reserved_micros": 3_000,
                "left_micros": 4_985_000,
            },
            "budget_of_all": None,
        }
    )

    default: str | None = Field(description="who draws where nobody is named; null: nothing was heard of them yet")
    fallbacks: list[str]
    offers: list[ProviderOffer]
    budget: Budget = Field(description="yours")
    budget_of_all: Budget | None = Field(description="for operators")
