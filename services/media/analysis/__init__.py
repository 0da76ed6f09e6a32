"""What pixels look like, in numbers that can be searched: colours, a blurred preview, a perceptual hash."""

from services.media.analysis.describing import Description, describe

__all__ = ["Description", "describe"]
