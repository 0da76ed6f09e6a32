"""From the outbox to the broker: what was said leaves in batches and is kept so that it can be said again."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeAlias
from uuid import UUID

import asyncpg
import structlog

from shared.broker import BROKER_AWAY, Publisher, Unroutable
from shared.database import AWAY, Connection, Pool
from shared.dead_letters import insert_unroutable
from shared.outbox import Outbox, Transaction
from shared.topology import EVENTS

_LIMIT = 200
_REPLAY_PAGE = 1000
_BUSY = 4
_LINGER_SECONDS = 0.005
_POLL_SECONDS = 0.5
_AGAIN_AT_ONCE = 50
"""Of what nobody confirms, this much leaves room in flight for what is new."""
_AGAIN_SECONDS = 2.0
_REFUSED_SECONDS = 5.0
"""For so long nothing else of what was put off is offered where something was refused."""
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 1.0
_LOOK_FOR_REPLAYS_SECONDS = 2.0
_SECOND_TRY_SECONDS = 7
"""With the 5 s of the first try less than the database lets a transaction wait for something else."""


Destination: TypeAlias = tuple[str, str | None]
"""A routing key, and the queue that alone is meant, if it is."""

_log = structlog.get_logger(__name__)


class Relay:
    """Publishes the outbox of one service. Several may run side by side; order is the reader's business."""

    def __init__(self, outbox: Outbox, pool: Pool, publisher: Publisher) -> None:
        self._outbox = outbox
        self._pool = pool
        self._publisher = publisher
        self._stopping = False
        self._look_for_replays_at = 0.0
        self._refused_until: dict[Destination, float] = {}

    async def run(self) -> None:
        """Publish whenever something is waiting, until told to stop."""
        pause_seconds = _FIRST_PAUSE_SECONDS
        while not self._stopping:
            await self._publisher.up.wait()
            self._outbox.wake.clear()
            try:
                count = await self.relay_batch()
                replayed = count < _LIMIT and await self._replay_page()
            except (*AWAY, *BROKER_AWAY) as error:
                _log.warning("relay_paused", error=repr(error))
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
                continue
            pause_seconds = _FIRST_PAUSE_SECONDS
            if count >= _BUSY:  # under load a short wait makes the next batch larger
                await asyncio.sleep(_LINGER_SECONDS)
            if count < _LIMIT and not replayed and not self._stopping:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._outbox.wake.wait()

    async def run_again(self) -> None:
        """Offer anew what queues have refused, until told to stop; by itself, so that nobody waits behind it."""
        while not self._stopping:
            await self._publisher.up.wait()
            count = 0
            try:
                count = await self.relay_batch(put_off=True)
            except (*AWAY, *BROKER_AWAY) as error:
                _log.warning("relay_paused", error=repr(error))
            if count < _AGAIN_AT_ONCE:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def stop(self, running: "asyncio.Task[None]", *, seconds: float) -> None:
        """Let the batch under way end and publish what is left, for a bounded time."""
        self._stopping = True
        self._outbox.wake.set()
        with suppress(TimeoutError, *AWAY, *BROKER_AWAY):
            async with asyncio.timeout(seconds):
                if self._publisher.up.is_set():
                    await asyncio.wait((running,))
                while self._publisher.up.is_set() and await self.relay_batch():
                    pass

    async def relay_batch(self, *, put_off: bool = False) -> int:
        """Publish one batch of what is new, or of what was put off and is due; return how many left.

        The rows stay locked until they are confirmed and kept. If that does not commit they are published again
        with the same ids, and inboxes absorb what was repeated. What a queue refuses waits a little; what nobody
        hears, although the whole topology is declared, is set aside.

        Raises ConnectionError when the broker went away; what it had confirmed is kept nevertheless.
        """
        async with self._outbox.transaction(self._pool) as tx:
            if put_off:
                rows = await _lock_put_off(tx.connection, _AGAIN_AT_ONCE, self._refusing())
            else:
                rows = await _lock_outbox(tx.connection, _LIMIT)
            if not rows:
                return 0
            failures = await self._publish_all(rows)
            confirmed = [row["id"] for row in rows if row["id"] not in failures]
            await _move_to_said(tx.connection, confirmed)
            if failures:
                await self._handle_failures(tx, rows, failures)
            away = [error for error in failures.values() if not isinstance(error, Unroutable)]
        if away and not self._publisher.up.is_set():
            raise ConnectionError("the broker went away while it was spoken to") from away[0]
        return len(confirmed)

    async def _publish_all(self, rows: Sequence[asyncpg.Record]) -> dict[int, BaseException]:
        failures = await self._publish_each(rows)
        unheard = {key for key, error in failures.items() if isinstance(error, Unroutable)}
        if not unheard:
            return failures
        heard_again = await self._declare_and_publish([row for row in rows if row["id"] in unheard])
        return {key: error for key, error in failures.items() if key not in unheard} | heard_again

    async def _declare_and_publish(self, rows: Sequence[asyncpg.Record]) -> dict[int, BaseException]:
        """Publish once more what nobody heard, for somebody may have deleted a queue a moment ago."""
        try:
            async with asyncio.timeout(_SECOND_TRY_SECONDS):
                await self._publisher.declare()
                return await self._publish_each(rows)
        except BROKER_AWAY as error:
            return {row["id"]: error for row in rows}

    async def _publish_each(self, rows: Sequence[asyncpg.Record]) -> dict[int, BaseException]:
        results = await asyncio.gather(*(self._publish(row) for row in rows), return_exceptions=True)
        return {
            row["id"]: result for row, result in zip(rows, results, strict=True) if isinstance(result, BaseException)
        }

    async def _publish(self, row: asyncpg.Record) -> None:
        exchange, routing_key = (EVENTS, row["routing_key"]) if row["queue"] is None else ("", row["queue"])
        await self._publisher.publish(
            routing_key, row["body"], message_id=row["message_id"], type_=row["routing_key"], exchange=exchange
        )

    async def _handle_failures(
        self, tx: Transaction, rows: Sequence[asyncpg.Record], failures: dict[int, BaseException]
    ) -> None:
        for error in failures.values():
            if not isinstance(error, (Unroutable, *BROKER_AWAY)):
                raise error
        unheard = [row for row in rows if isinstance(failures.get(row["id"]), Unroutable)]
        if unheard:
            await tx.connection.execute("DELETE FROM outbox WHERE id = ANY ($1)", [row["id"] for row in unheard])
            await insert_unroutable(tx, self._outbox.service, [dict(row) for row in unheard])
            _log.error("messages_unroutable", count=len(unheard), first=unheard[0]["routing_key"])
        if self._publisher.up.is_set():  # the broker is there, and a queue refused
            refused = [row for row in rows if row["id"] in failures and row not in unheard]
            self._refused_until |= dict.fromkeys(map(_destination, refused), time.monotonic() + _REFUSED_SECONDS)
            await _put_off(tx.connection, [row["id"] for row in refused])

    def _refusing(self) -> list[Destination]:
        """Give whither something was refused a moment ago, where all the rest of it would only be in others' way."""
        now = time.monotonic()
        self._refused_until = {place: until for place, until in self._refused_until.items() if until > now}
        return list(self._refused_until)

    async def _replay_page(self) -> bool:
        """Copy one page of what was asked to be said again into the outbox; tell whether there was any."""
        if time.monotonic() < self._look_for_replays_at:
            return False
        async with self._pool.acquire() as connection, connection.transaction():
            replayed = await _replay_page(connection, _REPLAY_PAGE)
        self._look_for_replays_at = time.monotonic() + (0 if replayed else _LOOK_FOR_REPLAYS_SECONDS)
        return replayed


async def _lock_outbox(connection: Connection, limit: int) -> list[asyncpg.Record]:
    rows = await connection.fetch(
        """
        SELECT id, message_id, routing_key, queue, job_id, body FROM outbox
        WHERE not_before IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
        """,
        limit,
    )
    return list(rows)


async def _lock_put_off(connection: Connection, limit: int, refusing: list[Destination]) -> list[asyncpg.Record]:
    rows = await connection.fetch(
        """
        SELECT id, message_id, routing_key, queue, job_id, body FROM outbox
        WHERE not_before < now() AND NOT EXISTS (
            SELECT FROM unnest($2::text[], $3::text[]) AS refusing (routing_key, queue)
            WHERE refusing.routing_key = outbox.routing_key AND refusing.queue IS NOT DISTINCT FROM outbox.queue)
        ORDER BY not_before LIMIT $1 FOR UPDATE SKIP LOCKED
        """,
        limit,
        [routing_key for routing_key, _ in refusing],
        [queue for _, queue in refusing],
    )
    return list(rows)


def _destination(row: asyncpg.Record) -> Destination:
    return row["routing_key"], row["queue"]


async def _move_to_said(connection: Connection, ids: list[int]) -> None:
    await connection.execute(
        """
        WITH gone AS (
            DELETE FROM outbox WHERE id = ANY ($1) RETURNING message_id, routing_key, queue, job_id, body
        )
        INSERT INTO said (message_id, routing_key, job_id, body)
        SELECT message_id, routing_key, job_id, body FROM gone WHERE queue IS NULL
        """,
        ids,
    )


async def _put_off(connection: Connection, ids: list[int]) -> None:
    await connection.execute("UPDATE outbox SET not_before = now() + interval '5 s' WHERE id = ANY ($1)", ids)


async def _replay_page(connection: Connection, limit: int) -> bool:
    replay = await connection.fetchrow("SELECT * FROM replays ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED")
    if replay is None:
        return False
    page = await connection.fetch(
        """
        WITH page AS (
            SELECT said_at, message_id, routing_key, job_id, body FROM said
            WHERE (said_at, message_id) > ($2, $3) AND routing_key = ANY ($4)
            ORDER BY said_at, message_id LIMIT $5
        ), spoken AS (
            INSERT INTO outbox (message_id, routing_key, queue, job_id, body)
            SELECT message_id, routing_key, $1, job_id, body FROM page ORDER BY said_at, message_id
        )
        SELECT said_at, message_id FROM page ORDER BY said_at, message_id
        """,
        replay["queue"],
        replay["said_at"],
        replay["message_id"],
        replay["routing_keys"],
        limit,
    )
    if len(page) < limit:
        await connection.execute("DELETE FROM replays WHERE id = $1", replay["id"])
    else:
        said_at: object = page[-1]["said_at"]
        message_id: UUID = page[-1]["message_id"]
        await connection.execute(
            "UPDATE replays SET said_at = $2, message_id = $3 WHERE id = $1", replay["id"], said_at, message_id
        )
    return True
