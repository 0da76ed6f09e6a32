"""Compares what the rows name with what lies in the bucket, a 256th at a time: neither may have what the other lacks.

An object that no row knows is noted, and deleted a day later if nobody has stored it since; crashes between the storing
of bytes and that of their row leave such. Whoever has stored bytes and is about to record them is safe, however long
that takes: a deletion is written down before it is begun, and who finds that written stores the bytes anew. An object
that a row names and that is gone is told of: nothing here can bring it back, but whoever stores it again does.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

import structlog
from prometheus_client import Counter, Gauge

from services.media.store import differences
from services.media.store.differences import Orphan
from shared.database import AWAY, Pool
from shared.errors import Failure, TryAgain
from shared.objects import ObjectStore, StoredObject

PARTS: Final = 256

_KEY: Final = re.compile(r"media/(?:originals/[0-9a-f]{2}|renditions|tracks)/([0-9a-f]{64})[./].*")
_PAGE: Final = 500
_AT_ONCE: Final = 20
_LONGEST_PAUSE_SECONDS: Final = 600.0
_FEW: Final = 100
_BEGUN_SECONDS: Final = 60.0
"""Deletions that were not begun in time are left, as after a freeze: others would take them for ended too soon."""

MISSING = Gauge("diorama_media_missing_objects", "Objects that rows name and that are not there")
ORPHANS = Gauge("diorama_media_orphaned_objects", "Objects of which no row knows")
ORPHANS_DELETED = Counter("diorama_media_orphans_deleted_total", "Objects deleted since no row knew of them for a day")

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Reconciling:
    """Looks through the library once in every so many hours, however many processes share that."""

    def __init__(self, pool: Pool, objects: ObjectStore, *, hours: float) -> None:
        self._pool = pool
        self._objects = objects
        self._hours = hours

    async def run(self) -> None:
        """Look at part after part, spread over the hours, until cancelled."""
        while True:
            await asyncio.sleep(min(self._hours * 3600 / PARTS, _LONGEST_PAUSE_SECONDS))
            try:
                await self.look_at_next()
            except (*AWAY, Failure) as error:
                _log.warning("reconciling_paused", error=repr(error))

    async def look_at_next(self) -> bool:
        """Compare the part that is due the longest; tell whether there was one."""
        part = await differences.claim_part(self._pool, self._hours)
        if part is None:
            return False
        beginning = f"{part:02x}"
        await self._note_missing(beginning)
        await self._note_orphans(beginning)
        await self._delete_orphans()
        missing, orphans = await differences.count_differences(self._pool)
        MISSING.set(missing)
        ORPHANS.set(orphans)
        return True

    async def _note_missing(self, beginning: str) -> None:
        """Note what the rows of this part name and the bucket lacks, and forget what has come back."""
        # The rows come first: what they name was stored before them, so that the listing must have it.
        named = await differences.select_named_keys(self._pool, beginning)
        there = {found.key for found in await self._listed(beginning)}
        absent = [(key, sha256) for key, sha256 in named if key not in there]
        gone = []
        for page in _pages(absent, _AT_ONCE):
            exist = await asyncio.gather(*(self._objects.exists(key) for key, _ in page))
            gone += [one for one, exists in zip(page, exist, strict=True) if not exists]
        new = await differences.replace_missing(self._pool, beginning, gone)
        for key in new:
            _log.error("object_missing", key=key)

    async def _note_orphans(self, beginning: str) -> None:
        await differences.delete_known_orphans(self._pool, beginning)
        for page in _pages(_recognised(await self._listed(beginning)), _PAGE):
            await differences.insert_orphans(self._pool, page)

    async def _delete_orphans(self) -> None:
        """Delete what has been an orphan for a day, unless so much is that it is rather the rows that are wrong."""
        if await differences.are_orphans_suspicious(self._pool, _FEW):
            _log.error("orphans_kept", sentence="Too many: is this bucket another database's?")
            return
        while await self._delete_page():
            pass

    async def _delete_page(self) -> bool:
        """Delete a page of orphans, each once that is written down; tell whether there may be more."""
        late = asyncio.get_running_loop().time() + _BEGUN_SECONDS
        keys = await differences.condemn_orphans(self._pool, _AT_ONCE)
        outcomes = await asyncio.gather(*(self._delete(key, late) for key in keys), return_exceptions=True)
        gone = [key for key, outcome in zip(keys, outcomes, strict=True) if outcome is None]
        await differences.settle_orphans(self._pool, gone)
        ORPHANS_DELETED.inc(len(gone))
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        return len(keys) == _AT_ONCE

    async def _delete(self, key: str, late: float) -> None:
        if asyncio.get_running_loop().time() > late:
            raise TryAgain("too_late", "This process was held up; what it was about to delete is left for another day.")
        await self._objects.delete(key)

    async def _listed(self, beginning: str) -> list[StoredObject]:
        """List the originals of a part and what was made of them or came with them, page after page."""
        prefixes = (f"media/originals/{beginning}/", f"media/renditions/{beginning}", f"media/tracks/{beginning}")
        return [found for prefix in prefixes async for found in self._objects.list(prefix)]


def _recognised(listed: Sequence[StoredObject]) -> Iterable[Orphan]:
    """Read from each key whose bytes it holds; what is not named as media names things is nobody's business here."""
    for found in listed:
        if (read := _KEY.fullmatch(found.key)) is not None:
            yield Orphan(found.key, read.group(1), found.size_bytes)


def _pages(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while page := list(islice(rest, size)):
        yield page
