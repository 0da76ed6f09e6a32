"""Pure decisions: what may be asked for and by whom, and what follows when it goes wrong."""

from services.image_generation.rules.wishes import (
    ASPECT_RATIOS,
    DESCRIPTION_LIMIT_CHARACTERS,
    NEGATIVE_PROMPT_LIMIT_CHARACTERS,
    PICTURE_PIXELS,
    SEED_LIMIT,
    STYLE_LIMIT_CHARACTERS,
    Pace,
    Size,
    check,
    estimated_seconds,
    seed_of,
    size_of,
)

__all__ = [
    "ASPECT_RATIOS",
    "DESCRIPTION_LIMIT_CHARACTERS",
    "NEGATIVE_PROMPT_LIMIT_CHARACTERS",
    "PICTURE_PIXELS",
    "SEED_LIMIT",
    "STYLE_LIMIT_CHARACTERS",
    "Pace",
    "Size",
    "check",
    "estimated_seconds",
    "seed_of",
    "size_of",
]
