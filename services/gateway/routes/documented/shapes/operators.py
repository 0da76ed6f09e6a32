"""Dead letters and pauses."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from services.gateway.routes.documented.shapes.examples import LETTER, PAUSE
from services.gateway.routes.documented.shapes.shape import Count, Path, Shape, Timestamp, shown

LetterState = Literal["dead", "redriving", "taken_in", "said_again", "discarding", "discarded", "unknown"]


class LetterLinks(Shape):
    """Where to go on from a dead letter."""

    self: Path


class Letter(Shape):
    """A message that could not be read or taken in."""

    model_config = shown(LETTER)

    id: UUID
    service: str = Field(description="who could not take it in")
    state: LetterState
    code: str
    sentence: str
    message_type: str | None
    message_id: str | None
    topic: str | None
    size_bytes: Count | None
    job_id: UUID | None
    project_id: UUID | None
    asked_by: str | None = Field(description="who asked last what shall become of it")
    received_at: Timestamp
    updated_at: Timestamp
    links: LetterLinks


class LetterDetail(Letter):
    """A dead letter, and how its body begins."""

    model_config = shown({**LETTER, "excerpt": '{"specversion":"1.0","type":"scraper.image_found.v1"'})

    excerpt: str | None


class MeantLetter(Shape):
    """A letter of which something was asked."""

    id: UUID
    service: str
    code: str


class LeftLetter(Shape):
    """A letter of which nothing can be asked now."""

    id: UUID
    state: LetterState


class InstructedLetters(Shape):
    """What was asked of which services."""

    items: list[MeantLetter]
    total: Count
    services: dict[str, Count] = Field(description="how many letters of each")
    skipped: list[LeftLetter]
    more: bool = Field(description="the filter finds more: ask again")
    dry_run: bool


class Pause(Shape):
    """A kind of work that rests."""

    model_config = shown(PAUSE)

    kind: str
    owner: str
    paused_at: Timestamp
    expires_at: Timestamp


class Resumed(Pause):
    """A kind of work that goes on, and the pause that it had."""

    model_config = shown({**PAUSE, "resumed_by": "oz"})

    resumed_by: str
