"""Copying pictures into our own store, where they stay."""

import asyncio
import hashlib
from itertools import count
from typing import Any, Final

import structlog
from pydantic import BaseModel, ConfigDict

from contracts.image_generation import GenerateImage
from services.image_generation.providers import Done, GeneratedPicture
from services.image_generation.studio import Studio
from shared.errors import TryAgain
from shared.jobs import Job
from shared.object_keys import generated_key

_TRIES: Final = 8
_FIRST_PAUSE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 16.0
_STORING: Final = 0.95

_log = structlog.get_logger(__name__)


class Copy(BaseModel):
    """One picture in our store."""

    model_config = ConfigDict(frozen=True)

    object_key: str
    sha256: str
    size_bytes: int
    content_type: str
    width_px: int
    height_px: int
    seed: int | None


class Copies(BaseModel):
    """All pictures of a generation, and what is said of them."""

    model_config = ConfigDict(frozen=True)

    pictures: tuple[Copy, ...]
    model: str
    notes: tuple[str, ...]
    facts: dict[str, Any]


async def copied(job: Job[GenerateImage], done: Done, studio: Studio, *, only_here: bool = False) -> Copies:
    """Tell that the pictures are being stored, and store them; each is tried several times.

    Those that are `only_here`, paid for and never given again, are tried until the object store takes them. Their job
    keeps its place at the bench meanwhile, so that no more of them lie in memory than jobs run at once.
    """
    job.progress(_STORING, "storing")
    pictures = []
    for number, picture in enumerate(done.pictures):
        # Numbered by the lease: whoever lost it can never write where its successor does.
        key = generated_key(job.id, job.lease_epoch, number)
        await _put(job, studio, key, picture, only_here=only_here)
        pictures.append(_copy(key, picture))
    return Copies(pictures=tuple(pictures), model=done.model, notes=done.notes, facts=dict(done.provenance))


def _copy(key: str, picture: GeneratedPicture) -> Copy:
    return Copy(
        object_key=key,
        sha256=hashlib.sha256(picture.body).hexdigest(),
        size_bytes=len(picture.body),
        content_type=picture.content_type,
        width_px=picture.width_px,
        height_px=picture.height_px,
        seed=picture.seed,
    )


async def _put(
    job: Job[GenerateImage], studio: Studio, key: str, picture: GeneratedPicture, *, only_here: bool
) -> None:
    pause_seconds = _FIRST_PAUSE_SECONDS
    for tries in count(1):
        try:
            await studio.objects.put_once(key, picture.body, content_type=picture.content_type)
        except TryAgain as failure:
            if only_here:
                _log.warning("object_store_away", purpose="keep what was paid for", error=repr(failure))
                job.progress(_STORING, "waiting for the object store")
            elif tries == _TRIES:
                raise
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
        else:
            return
