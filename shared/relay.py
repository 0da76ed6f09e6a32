"""From the outbox to the broker: what was said leaves in batches and is kept so that it can be said again."""

import asyncio
from contextlib import suppress

import asyncpg
import structlog

from shared import metrics
from shared.broker import BROKER_AWAY, Publisher, Unroutable
from shared.database import AWAY, Connection, Pool
from shared.identifiers import uuid7
from shared.outbox import Outbox
from shared.topology import EVENTS

_LIMIT = 200
_BUSY = 4
_LINGER_SECONDS = 0.005
_POLL_SECONDS = 0.5
_RETENTION_SECONDS = 3600

_log = structlog.get_logger(__name__)


class Relay:
    """Publishes the outbox of one service. Several may run side by side; order is the reader's business."""

    def __init__(self, outbox: Outbox, pool: Pool, publisher: Publisher, *, retention_days: int) -> None:
        self._outbox = outbox
        self._pool = pool
        self._publisher = publisher
        self._retention_days = retention_days

    async def run(self) -> None:
        """Publish whenever something is waiting, until cancelled."""
        while True:
            await self._publisher.up.wait()
            self._outbox.wake.clear()
            try:
                count = await self.relay_batch()
            except (*AWAY, *BROKER_AWAY) as error:
                _log.warning("relay_paused", error=repr(error))
                await asyncio.sleep(0.2)
                continue
            if count >= _BUSY:  # under load a short wait makes the next batch larger
                await asyncio.sleep(_LINGER_SECONDS)
            if count < _LIMIT:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._outbox.wake.wait()

    async def drain(self, seconds: float) -> None:
        """Publish what is left before the process ends, for a bounded time."""
        with suppress(TimeoutError, *AWAY, *BROKER_AWAY):
            async with asyncio.timeout(seconds):
                while self._publisher.up.is_set() and await self.relay_batch():
                    pass

    async def relay_batch(self) -> int:
        """Publish one batch; return its size.

        The rows are gone and kept by the same transaction that waits for the confirmations: if it does not
        commit they are published again with the same ids, and inboxes absorb what was repeated.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await _take_outbox(connection, _LIMIT)
            if not rows:
                return 0
            results = await asyncio.gather(*(self._publish(row) for row in rows), return_exceptions=True)
            unroutable = [row for row, result in zip(rows, results, strict=True) if isinstance(result, Unroutable)]
            if unroutable:
                await _insert_unroutable(connection, unroutable)
                _log.error("messages_unroutable", count=len(unroutable), first=unroutable[0]["routing_key"])
            for result in results:
                if isinstance(result, BaseException) and not isinstance(result, Unroutable):
                    raise result
            return len(rows)

    async def _publish(self, row: asyncpg.Record) -> None:
        exchange, routing_key = (EVENTS, row["routing_key"]) if row["queue"] is None else ("", row["queue"])
        for last in (False, True):
            try:
                await self._publisher.publish(
                    routing_key, row["body"], message_id=row["message_id"], type_=row["routing_key"], exchange=exchange
                )
            except Unroutable:
                if last:
                    raise
                # Somebody may have deleted the queue a moment ago.
                await self._publisher.declare()
            else:
                return

    async def keep_house(self) -> None:
        """Make the days' partitions, drop what is past its retention, and measure the outbox, until cancelled."""
        while True:
            pause_seconds = 5.0
            try:
                await _delete_expired(self._pool, self._retention_days)
                for _ in range(int(_RETENTION_SECONDS / pause_seconds)):
                    await _measure_outbox(self._pool)
                    await asyncio.sleep(pause_seconds)
            except AWAY as error:
                _log.warning("housekeeping_paused", error=repr(error))
                await asyncio.sleep(pause_seconds)


async def _take_outbox(connection: Connection, limit: int) -> list[asyncpg.Record]:
    rows = await connection.fetch(
        """
        WITH taken AS (
            DELETE FROM outbox
            WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
            RETURNING id, message_id, routing_key, queue, job_id, body
        ), kept AS (
            INSERT INTO said (message_id, routing_key, job_id, body)
            SELECT message_id, routing_key, job_id, body FROM taken WHERE queue IS NULL
        )
        SELECT id, message_id, routing_key, queue, body FROM taken ORDER BY id
        """,
        limit,
    )
    return list(rows)


async def _insert_unroutable(connection: Connection, rows: list[asyncpg.Record]) -> None:
    await connection.executemany(
        """
        INSERT INTO dead_letters (id, message_id, routing_key, body, code, sentence)
        VALUES ($1, $2, $3, $4, 'unroutable', 'No queue is bound to this message, so nobody would hear it.')
        """,
        [(uuid7(), str(row["message_id"]), row["routing_key"], row["body"]) for row in rows],
    )
    metrics.DEAD_LETTERS.labels("unroutable").inc(len(rows))


async def _delete_expired(pool: Pool, retention_days: int) -> None:
    await pool.execute("SELECT keep_said_partitions($1)", retention_days)
    await pool.execute("DELETE FROM inbox WHERE heard_at < now() - make_interval(days => $1)", retention_days * 2)


async def _measure_outbox(pool: Pool) -> None:
    row = await pool.fetchrow(
        """
        SELECT count(*) AS depth, (SELECT message_id FROM outbox ORDER BY id LIMIT 1) AS oldest,
               extract(epoch FROM now()) AS now
        FROM outbox
        """
    )
    if row is None:  # an aggregate always gives a row
        return
    metrics.OUTBOX_DEPTH.set(row["depth"])
    said_at = (row["oldest"].int >> 80) / 1000 if row["oldest"] else float(row["now"])
    metrics.OUTBOX_OLDEST.set(max(0.0, float(row["now"]) - said_at))
