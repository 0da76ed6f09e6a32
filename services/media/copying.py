"""Makes what may be handed out of pictures that were stored before there were clean copies, a few at a time.

Each asset is claimed for an hour. Its copy is stored, then written down beside its bytes, and at last told with the
transaction that settles the asset: whoever dies in between leaves it to the next look, which finds what is done and
goes on from there. What moves, and what can no longer be read, is settled without a copy; so is what a process has
seen kill its reader again and again, for nobody else would ever end that.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from contracts.media import CleanCopiesMade, CleanCopy, CopiedAsset
from services.media.library import Library
from services.media.store import copies
from shared.database import AWAY, Pool
from shared.errors import Failure, Refused, TryAgain
from shared.outbox import Outbox
from shared.sandbox import Killed

_AT_ONCE: Final = 10
_PAUSE_SECONDS: Final = 5.0
"""Between a few pictures and the next few, for those that come in are worth more."""
_REST_SECONDS: Final = 600.0
_KILLED_AT_MOST: Final = 3
"""Looks at one picture, an hour apart, in which its reader was killed: memory may be short once for other reasons."""
_SERVICE: Final = "media"
_MISSING: Final = "object_missing"

_log = structlog.get_logger(__name__)


class Copying:
    """Looks for assets of which it has not been told what is handed out, however many processes share that."""

    def __init__(self, pool: Pool, library: Library, outbox: Outbox) -> None:
        self._pool = pool
        self._library = library
        self._outbox = outbox
        # Of this process alone: after a restart they are counted anew, which delays the end and does not prevent it.
        self._killed: Counter[str] = Counter()

    async def run(self) -> None:
        """Copy a few and pause, again and again, until cancelled."""
        more = False
        while True:
            await asyncio.sleep(_PAUSE_SECONDS if more else _REST_SECONDS)
            try:
                more = await self.copy_few()
            except (*AWAY, Failure) as error:
                more = False
                _log.warning("copying_paused", error=repr(error))

    async def copy_few(self) -> bool:
        """Copy what is due, and tell of it; tell whether there may be more that is worth trying now."""
        claimed = await copies.claim_uncopied(self._pool, _AT_ONCE)
        succeeded = [await self._copy(sha256, ids) for sha256, ids in claimed.items()]
        return bool(succeeded) and all(succeeded)

    async def _copy(self, sha256: str, ids: Sequence[UUID]) -> bool:
        """Tell of the copy of one picture; False where that can only be done later, as perhaps that of any other."""
        try:
            copy = await self._library.have_copy(sha256)
        except Killed as killing:
            self._killed[sha256] += 1
            _log.warning("copy_killed", sha256=sha256, code=killing.code, times=self._killed[sha256])
            if self._killed[sha256] < _KILLED_AT_MOST:  # its neighbours need not wait for it
                return True
            copy = None
        except TryAgain as trouble:
            _log.warning("copy_put_off", sha256=sha256, code=trouble.code)
            return False
        except Refused as refusal:
            _log.warning("copy_refused", sha256=sha256, code=refusal.code)
            if refusal.code == _MISSING:  # it comes back with whoever stores it again
                return True
            copy = None
        await self._tell(sha256, ids, copy)
        del self._killed[sha256]
        return True

    async def _tell(self, sha256: str, ids: Sequence[UUID], copy: CleanCopy | None) -> None:
        async with self._outbox.transaction(self._pool) as tx:
            waiting = await copies.update_assets_copied(tx.connection, ids)
            if copy is not None and waiting:
                assets = tuple(CopiedAsset(asset_id=one, project_id=project) for one, project in waiting.items())
                tx.say(CleanCopiesMade(service=_SERVICE, sha256=sha256, clean_copy=copy, assets=assets))
