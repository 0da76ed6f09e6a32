"""What keeps a service's tables small: day partitions, retention, and a look at the outbox."""

import asyncio
import time

import structlog

from shared import metrics
from shared.database import AWAY, Pool

_CLEAN_SECONDS = 600
_MEASURE_SECONDS = 10
_PAGE = 5000

_log = structlog.get_logger(__name__)


class Housekeeping:
    """Looks after the tables of one service.

    What was said is kept for the retention; inboxes, tombstones and ended tasks twice as long, so that whatever can
    still be said again is still recognised.
    """

    def __init__(self, pool: Pool, *, retention_days: int, works: bool) -> None:
        self._pool = pool
        self._retention_days = retention_days
        self._works = works
        self.unsaid = 0
        """Messages in the outbox when it was looked at last."""

    async def prepare(self) -> None:
        """Make the partitions of the next days; nothing can be published before they are there."""
        await self._pool.execute("SELECT keep_said_partitions($1)", self._retention_days)

    async def run(self) -> None:
        """Look after them again and again, until cancelled."""
        clean_at = 0.0
        while True:
            try:
                if time.monotonic() >= clean_at:
                    await self.prepare()
                    await self._delete_expired()
                    clean_at = time.monotonic() + _CLEAN_SECONDS
                self.unsaid = await _measure_outbox(self._pool)
            except AWAY as error:
                _log.warning("housekeeping_paused", error=repr(error))
            await asyncio.sleep(_MEASURE_SECONDS)

    async def _delete_expired(self) -> None:
        days = self._retention_days * 2
        await _delete_in_pages(self._pool, _EXPIRED_INBOX, days)
        await _delete_in_pages(self._pool, _EXPIRED_DEAD_LETTERS, days * 2)
        if self._works:
            await _delete_in_pages(self._pool, _EXPIRED_TASKS, days)
            await _delete_in_pages(self._pool, _EXPIRED_TOMBSTONES, days)


_EXPIRED_INBOX = """
    DELETE FROM inbox WHERE message_id IN (
        SELECT message_id FROM inbox WHERE heard_at < now() - make_interval(days => $1) LIMIT $2)
"""
_EXPIRED_DEAD_LETTERS = """
    DELETE FROM dead_letters WHERE id IN (
        SELECT id FROM dead_letters WHERE received_at < now() - make_interval(days => $1) LIMIT $2)
"""
# Who ended after a long wait is as young as its end; the other age is there for the index.
_EXPIRED_TASKS = """
    DELETE FROM tasks WHERE id IN (
        SELECT id FROM tasks
        WHERE created_at < now() - make_interval(days => $1) AND finished_at < now() - make_interval(days => $1)
        LIMIT $2)
"""
_EXPIRED_TOMBSTONES = """
    DELETE FROM tombstones WHERE job_id IN (
        SELECT job_id FROM tombstones WHERE cancelled_at < now() - make_interval(days => $1) LIMIT $2)
"""


async def _delete_in_pages(pool: Pool, statement: str, days: int) -> None:
    """Delete in small transactions, so that a large heap of old rows never runs into a time limit."""
    while (await pool.execute(statement, days, _PAGE)) == f"DELETE {_PAGE}":
        pass


async def _measure_outbox(pool: Pool) -> int:
    row = await pool.fetchrow(
        """
        SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT 100000) AS counted) AS depth,
               (SELECT message_id FROM outbox WHERE queue IS NULL ORDER BY id LIMIT 1) AS oldest,
               extract(epoch FROM now())::float8 AS now
        """
    )
    if row is None:  # a select without a table always gives a row
        return 0
    metrics.OUTBOX_DEPTH.set(row["depth"])
    # The first 48 bits of a UUIDv7 are the millisecond in which it was made.
    said_at = (row["oldest"].int >> 80) / 1000 if row["oldest"] else row["now"]
    metrics.OUTBOX_OLDEST.set(max(0.0, row["now"] - said_at))
    return int(row["depth"])
