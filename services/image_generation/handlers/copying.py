"""Copying pictures into our own store, where they stay."""

import asyncio
import hashlib
from http import HTTPStatus
from itertools import count
from typing import Any, Final

import structlog
from pydantic import BaseModel, ConfigDict

from contracts.image_generation import GenerateImage
from services.image_generation.providers import Done, GeneratedPicture
from services.image_generation.rules.trouble import not_stored
from services.image_generation.studio import Studio
from shared.errors import Failure, Refused, TryAgain
from shared.jobs import Job
from shared.object_keys import generated_key
from shared.objects import denial_of

_TRIES: Final = 8
_FIRST_PAUSE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 16.0
_STORING: Final = 0.95
_NEVER: Final = frozenset({"EntityTooLarge", "KeyTooLongError", "InvalidObjectName", "413", "414"})
"""Codes, or statuses where there is none, that are about the picture itself; a key, a quota or a region is seen to."""
_NO_SUCH_BUCKET: Final = "NoSuchBucket"
_PASSING_CODES: Final = frozenset({"RequestTimeout", *_NEVER})
"""A connection that was too slow, for which S3 answers as for a bad request; or what is tried a few times only."""
_PASSING: Final = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT}
    | {HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""Answers to what is stored that are not about it: whoever finds no key where one is put has not asked the store."""

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

    Those that are `only_here`, paid for and never given again, are tried until the object store takes them, or its
    job's deadline passes. Their job keeps its place at the bench meanwhile, so that no more of them lie in memory than
    jobs run at once.

    Raises TryAgain (`object_store_unavailable`) after some tries; of what is only here Refused (`outcome_unknown`) at
    the deadline, and where the store will never take it.
    """
    job.progress(_STORING, "storing")
    pictures, asked = [], job.command.samples
    for number, picture in enumerate(done.pictures[:asked]):
        # Numbered by the lease: whoever lost it can never write where its successor does.
        key = generated_key(job.id, job.lease_epoch, number)
        if only_here:
            await _keep_trying(job, studio, key, picture)
        else:
            await _try_for_a_while(studio, key, picture)
        pictures.append(_copy(key, picture))
    missing = f"Of the {asked} pictures that were asked for only {len(pictures)} came."
    fewer = (missing,) if len(pictures) < asked else ()
    return Copies(pictures=tuple(pictures), model=done.model, notes=(*done.notes, *fewer), facts=dict(done.provenance))


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


async def _put(studio: Studio, key: str, picture: GeneratedPicture) -> None:
    await studio.objects.put_once(key, picture.body, content_type=picture.content_type)


async def _try_for_a_while(studio: Studio, key: str, picture: GeneratedPicture) -> None:
    pause_seconds = _FIRST_PAUSE_SECONDS
    for left in reversed(range(_TRIES)):
        try:
            await _put(studio, key, picture)
        except TryAgain:
            if not left:
                raise
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
        else:
            return


async def _keep_trying(job: Job[GenerateImage], studio: Studio, key: str, picture: GeneratedPicture) -> None:
    pause_seconds = _FIRST_PAUSE_SECONDS
    try:
        for tries in count(1):
            try:
                await _put(studio, key, picture)
            except (TryAgain, Refused) as failure:
                job.progress(_STORING, _told(failure, tries))
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
            else:
                return
    except asyncio.CancelledError:
        if job.overdue:
            raise not_stored() from None
        raise


def _told(failure: Failure, tries: int) -> str:
    """Log why the store has not taken what is only here, and say it; raise where it never will, after some tries."""
    if isinstance(failure, Refused) and failure.code != "object_missing":
        raise failure
    status, code = denial_of(failure) or (0, "")
    purpose = "keep what was paid for"
    if code in _NEVER and tries >= _TRIES:
        _log.error("object_store_refuses", purpose=purpose, status=status, code=code)
        raise not_stored() from failure
    is_passing = status in _PASSING or code in _PASSING_CODES
    is_ours = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and not is_passing
    if is_ours or code == _NO_SUCH_BUCKET:
        _log.error("object_store_refuses", purpose=purpose, status=status, code=code)
        return "the object store refuses it"
    _log.warning("object_store_away", purpose=purpose, error=repr(failure))
    return "waiting for the object store"
