"""Images of scenes."""

from typing import Final

IMAGE_TYPE: Final = "scene"
TIER_PRIORITIES: Final = {"free": 0, "basic": 10, "standard": 10, "pro": 20, "premium": 30, "enterprise": 40}
UNMEASURED_SECONDS: Final = 20.0
"""What is expected of a generation before any has been measured: about what paid providers need."""


def priority_of(user_tier: str | None) -> int:
    """Give the priority that a tier buys; tiers that are not known here go with the free ones."""
    return TIER_PRIORITIES.get((user_tier or "free").lower(), 0)
