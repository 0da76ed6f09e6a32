"""Copying pictures into our own store, where they stay."""

import asyncio
import hashlib
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from contracts.image_generation import GenerateImage
from services.image_generation.providers import Done, GeneratedPicture
from services.image_generation.studio import Studio
from shared.errors import TryAgain
from shared.jobs import Job
from shared.object_keys import generated_key

_TRIES: Final = 8
_FIRST_PAUSE_SECONDS: Final = 0.25


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


async def copied(job: Job[GenerateImage], done: Done, studio: Studio) -> Copies:
    """Store the pictures; each is tried several times, for what came with an answer cannot be asked for again."""
    pictures = [await _copied(job, number, picture, studio) for number, picture in enumerate(done.pictures)]
    return Copies(pictures=tuple(pictures), model=done.model, notes=done.notes, facts=dict(done.provenance))


async def _copied(job: Job[GenerateImage], number: int, picture: GeneratedPicture, studio: Studio) -> Copy:
    # Numbered by the lease: whoever lost it can never write where its successor does.
    key = generated_key(job.id, job.lease_epoch, number)
    await _put(studio, key, picture)
    return Copy(
        object_key=key,
        sha256=hashlib.sha256(picture.body).hexdigest(),
        size_bytes=len(picture.body),
        content_type=picture.content_type,
        width_px=picture.width_px,
        height_px=picture.height_px,
        seed=picture.seed,
    )


async def _put(studio: Studio, key: str, picture: GeneratedPicture) -> None:
    for left in reversed(range(_TRIES)):
        try:
            await studio.objects.put_once(key, picture.body, content_type=picture.content_type)
        except TryAgain:
            if not left:
                raise
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2 ** (_TRIES - left - 1))
        else:
            return
