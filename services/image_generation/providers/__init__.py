"""Who draws: every provider behind one interface, opened by name from settings."""

from services.image_generation.providers.directory import Means, chosen, open_providers
from services.image_generation.providers.provider import (
    Capabilities,
    Done,
    GeneratedPicture,
    GenerationRequest,
    Pending,
    Provider,
    Reference,
    Submitted,
    Watched,
    Wish,
    offer_of,
    request_for,
    shortcoming,
)
from services.image_generation.rules.trouble import Delayed, Denied, Trouble, trouble_of

__all__ = [
    "Capabilities",
    "Delayed",
    "Denied",
    "Done",
    "GeneratedPicture",
    "GenerationRequest",
    "Means",
    "Pending",
    "Provider",
    "Reference",
    "Submitted",
    "Trouble",
    "Watched",
    "Wish",
    "chosen",
    "offer_of",
    "open_providers",
    "request_for",
    "shortcoming",
    "trouble_of",
]
