"""Images of scenes."""

from hashlib import sha256
from typing import Final
from uuid import UUID

from contracts.image_generation import GenerateImage

IMAGE_TYPE: Final = "scene"
TIER_PRIORITIES: Final = {"free": 0, "basic": 10, "standard": 10, "pro": 20, "premium": 30, "enterprise": 40}
UNMEASURED_SECONDS: Final = 20.0
"""What is expected of a generation before any has been measured: about what paid providers need."""

LARGEST_NUMBER: Final = 1_000_000
"""Of scenes and places; what comes behind it stays there."""

BATCH_KIND: Final = "gateway.draw_chapter.v1"
"""Of the job that is the parent of all that are begun by one request; the gateway itself does it, at once."""

_NOT_DRAWN: Final = {"job_id", "parent_job_id", "root_job_id", "project_id", "submitted_by", "priority"} | {
    *("resumes", "retries", "seed_asked_for")
}


def says_something(description: str) -> bool:
    """Tell whether there is anything in a description that somebody could draw, as those judge who draw."""
    return any(character.isprintable() and not character.isspace() for character in description)


def drawing_of(command: GenerateImage) -> str:
    """Give a digest of what an image shall be and what shall happen with it, whoever asks and however urgently."""
    return sha256(command.model_dump_json(exclude=_NOT_DRAWN).encode()).hexdigest()


def recipe_of(command: GenerateImage, family: int | None) -> str:
    """Give a digest of what an image shall be, whichever of a family's seeds it grows from; None: its own is meant."""
    if family is None:
        return drawing_of(command)
    return sha256(f"{family} {drawing_of(command.model_copy(update={'seed': None}))}".encode()).hexdigest()


def family_of(project_id: UUID, chapter_id: str) -> int:
    """Give the seed of a chapter that names none, from which all seeds of its scenes are made."""
    return _seed("family of", project_id.hex, chapter_id)


def seed_in_family(family: int, scene_number: int, take: int) -> int:
    """Give the seed of a scene when it is drawn for the `take`th time, from 0: always the same."""
    return _seed("member of", str(family), str(scene_number), str(take))


def _seed(*words: str) -> int:
    return int.from_bytes(sha256("\x1f".join(words).encode()).digest()[:4], "big")


def priority_of(user_tier: str | None) -> int:
    """Give the priority that a tier buys; tiers that are not known here go with the free ones."""
    return TIER_PRIORITIES.get((user_tier or "free").lower(), 0)
