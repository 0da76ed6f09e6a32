"""Reading the pictures that a provider is shown as an example."""

from collections.abc import Sequence
from typing import Final

from services.image_generation.providers import Reference
from services.image_generation.studio import Studio
from shared.errors import Refused
from shared.image_formats import IMAGE_FORMATS, sniff

LARGEST_BYTES: Final = 20 * 1024 * 1024
_URL_SECONDS: Final = 3600


async def shown(keys: Sequence[str], studio: Studio) -> tuple[Reference, ...]:
    """Read stored pictures; raises Refused (`reference_missing`, `reference_too_large`, `reference_unreadable`)."""
    return tuple([await _shown(key, studio) for key in keys])


async def _shown(key: str, studio: Studio) -> Reference:
    size_bytes = await studio.objects.head(key)
    if size_bytes is None:
        raise Refused("reference_missing", "A picture that should be shown as an example is not there any more.")
    if size_bytes > LARGEST_BYTES:
        most = LARGEST_BYTES // 1024**2
        raise Refused("reference_too_large", f"A picture that is shown as an example has at most {most} MiB.")
    body = await studio.objects.get(key)
    found = IMAGE_FORMATS.get(sniff(body) or "")
    if found is None:
        raise Refused("reference_unreadable", "What should be shown as an example is no picture.")
    url = await studio.objects.presign_get(key, expires_seconds=_URL_SECONDS, content_type=found.content_type)
    return Reference(body, found.content_type, url)
