"""What generating images needs."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.image_generation.providers import Provider
from shared.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Studio:
    """Providers, where their pictures are kept, and how long is waited for them."""

    providers: Mapping[str, Provider]
    default: str
    objects: ObjectStore
    deadline_seconds: float
