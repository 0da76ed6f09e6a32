"""What may be asked for, how large it becomes, and from which seed it grows."""

import hashlib
import math
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from shared.errors import Refused

DESCRIPTION_LIMIT_CHARACTERS: Final = 4000
NEGATIVE_PROMPT_LIMIT_CHARACTERS: Final = 2000
STYLE_LIMIT_CHARACTERS: Final = 80
SEED_LIMIT: Final = 2**32
ASPECT_RATIOS: Final = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9")
PICTURE_PIXELS: Final = 1024 * 576
"""About so many pixels has a picture, whatever its shape; all models of the field draw well at this size."""


@dataclass(frozen=True, slots=True)
class Size:
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast somebody draws.

    Attributes:
        start_seconds: what each request takes before the first pixel.
        megapixel_seconds: what each million pixels takes then.

    """

    start_seconds: float
    megapixel_seconds: float


def check(
    description: str,
    *,
    style: str = "",
    aspect_ratio: str = "1:1",
    negative_prompt: str = "",
    seed: int | None = None,
) -> None:
    """Refuse what no provider can draw.

    Raises:
        Refused: `description_empty`, `description_too_long`, `style_too_long`, `negative_prompt_too_long`,
            `aspect_ratio_unknown`, `seed_out_of_range`.

    """
    if not any(character.isprintable() and not character.isspace() for character in description):
        raise Refused("description_empty", "Say in a few words what the picture should show.")
    _check_length("description", description, DESCRIPTION_LIMIT_CHARACTERS)
    _check_length("style", style, STYLE_LIMIT_CHARACTERS)
    _check_length("negative_prompt", negative_prompt, NEGATIVE_PROMPT_LIMIT_CHARACTERS)
    if seed is not None and not 0 <= seed < SEED_LIMIT:
        raise Refused("seed_out_of_range", f"A seed is a whole number from 0 to {SEED_LIMIT - 1}.")
    _parts(aspect_ratio)


def size_of(
    aspect_ratio: str, *, pixels: int = PICTURE_PIXELS, multiple_px: int = 8, longest_side_px: int | None = None
) -> Size:
    """Give the size whose sides have exactly the ratio asked for.

    Args:
        aspect_ratio: one of `ASPECT_RATIOS`.
        pixels: about so many in all.
        multiple_px: both sides are multiples of it; models want 8.
        longest_side_px: no side is longer, even if the picture has fewer pixels then.

    Raises:
        Refused: `aspect_ratio_unknown`.

    """
    across, up = _parts(aspect_ratio)
    step_across, step_up = across * multiple_px, up * multiple_px
    steps = round(math.sqrt(pixels / (step_across * step_up)))
    if longest_side_px is not None:
        steps = min(steps, longest_side_px // max(step_across, step_up))
    steps = max(1, steps)
    return Size(step_across * steps, step_up * steps)


def seed_of(job_id: UUID) -> int:
    """Give the seed of a job that names none: the same for each attempt, so that a rerun draws the same picture."""
    return int.from_bytes(hashlib.sha256(b"seed of " + job_id.bytes).digest()[:4], "big")


def estimated_seconds(size: Size, samples: int, pace: Pace) -> float:
    """Say how long a request will take once it has begun."""
    megapixels = size.width_px * size.height_px / 1e6
    return round(pace.start_seconds + samples * megapixels * pace.megapixel_seconds, 2)


def _parts(aspect_ratio: str) -> tuple[int, int]:
    """Split a known ratio into its smallest whole numbers."""
    if aspect_ratio not in ASPECT_RATIOS:
        known = ", ".join(ASPECT_RATIOS)
        raise Refused(
            "aspect_ratio_unknown", f"The aspect ratio {aspect_ratio[:20]!r} is not known; choose one of {known}."
        )
    across, up = (int(part) for part in aspect_ratio.split(":"))
    shared = math.gcd(across, up)
    return across // shared, up // shared


def _check_length(field: str, text: str, limit_characters: int) -> None:
    if len(text) > limit_characters:
        name = field.replace("_", " ")
        raise Refused(
            f"{field}_too_long", f"The {name} has {len(text)} characters; at most {limit_characters} are read."
        )
