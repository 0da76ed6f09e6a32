"""Who draws: every provider behind one interface, opened by name from settings."""

from services.image_generation.providers.directory import Means, chosen, open_providers
from services.image_generation.providers.provider import (
    Capabilities,
    Done,
    GeneratedPicture,
    GenerationRequest,
    Pending,
    Provider,
    Submitted,
    request_for,
)

__all__ = [
    "Capabilities",
    "Done",
    "GeneratedPicture",
    "GenerationRequest",
    "Means",
    "Pending",
    "Provider",
    "Submitted",
    "chosen",
    "open_providers",
    "request_for",
]
