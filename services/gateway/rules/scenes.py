"""Images of scenes."""

from hashlib import sha256
from typing import Final

from contracts.image_generation import GenerateImage

IMAGE_TYPE: Final = "scene"
TIER_PRIORITIES: Final = {"free": 0, "basic": 10, "standard": 10, "pro": 20, "premium": 30, "enterprise": 40}
UNMEASURED_SECONDS: Final = 20.0
"""What is expected of a generation before any has been measured: about what paid providers need."""

LARGEST_NUMBER: Final = 1_000_000
"""Of scenes and places; what comes behind it stays there."""

_NOT_DRAWN: Final = {"job_id", "parent_job_id", "root_job_id", "project_id", "submitted_by", "priority"}


def drawing_of(command: GenerateImage) -> str:
    """Give a digest of what an image shall be and what shall happen with it, whoever asks and however urgently."""
    return sha256(command.model_dump_json(exclude=_NOT_DRAWN).encode()).hexdigest()


def priority_of(user_tier: str | None) -> int:
    """Give the priority that a tier buys; tiers that are not known here go with the free ones."""
    return TIER_PRIORITIES.get((user_tier or "free").lower(), 0)
