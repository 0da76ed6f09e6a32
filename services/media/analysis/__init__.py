"""What pixels look like, in numbers that can be searched: colours, a blurred preview, a perceptual hash, a vector."""

from services.media.analysis.describing import Description, describe
from services.media.analysis.descriptor import ORIGIN

__all__ = ["ORIGIN", "Description", "describe"]
