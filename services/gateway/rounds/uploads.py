"""Letting go of files that came in and are needed no more."""

import asyncio
from typing import Final

import structlog

from services.gateway.store import uploads as store
from services.gateway.store.tenancy import DatabaseAwayError
from services.gateway.uploads import Uploads
from shared.database import Pool

_PAUSE_SECONDS: Final = 60.0
_PAGE: Final = 100
_LATE_SECONDS: Final = 3600.0
"""What somebody began to send while his leave lasted may still come for so long."""

_log = structlog.get_logger(__name__)


async def let_uploads_go(pool: Pool, uploads: Uploads) -> None:
    """Remove what came in and is needed no more, until cancelled."""
    while True:
        try:
            await remove_uploads(pool, uploads)
        except DatabaseAwayError as error:
            _log.warning("uploads_kept", error=repr(error))
        except Exception:  # noqa: BLE001 - the bucket would grow for ever if nobody went the rounds any more
            _log.exception("uploads_kept")
        await asyncio.sleep(_PAUSE_SECONDS)


async def remove_uploads(pool: Pool, uploads: Uploads, *, grace_seconds: float = _LATE_SECONDS) -> int:
    """Remove the objects of uploads that are over, then forget them; tell how many. Raises DatabaseAwayError."""
    removed = 0
    while ids := await store.select_over(pool, grace_seconds=grace_seconds, limit=_PAGE):
        gone = [upload_id for upload_id in ids if await uploads.remove(upload_id)]
        await store.delete_over(pool, gone)
        removed += len(gone)
        if len(gone) < len(ids):
            break  # the object store is away; the next round goes on
    return removed
