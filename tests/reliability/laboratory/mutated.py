"""A service with one guarantee broken: `python -m tests.reliability.laboratory.mutated outbox media`.

No setting of the product switches a guarantee off, so that it is done from here, in the process of the service.
"""

import asyncio
import runpy
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg

from shared import instructions, intake, relay, tasks
from shared.database import AWAY, Connection, Pool
from shared.outbox import Transaction
from shared.relay import Relay
from shared.tasks import Lease, Pulse, Settlement

_PAUSE_SECONDS = 0.05
_ONE_IN = 10


def break_outbox() -> None:
    """Forget what was said before anybody has confirmed it, whether the broker is there or not; never try again."""

    async def run(self: Relay) -> None:
        while not self._stopping:
            with suppress(*AWAY):
                await self.relay_batch()
                await self._replay_page()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def run_again(self: Relay) -> None:
        while not self._stopping:
            await asyncio.sleep(_PAUSE_SECONDS)

    async def relay_batch(self: Relay) -> int:
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                rows = await relay._lock_outbox(connection, relay._LIMIT)
                await connection.execute("DELETE FROM outbox WHERE id = ANY ($1)", [row["id"] for row in rows])
            results = await asyncio.gather(*(self._publish(row) for row in rows), return_exceptions=True)
            heard = [row for row, result in zip(rows, results, strict=True) if result is None and not row["queue"]]
            await connection.executemany(
                "INSERT INTO said (message_id, routing_key, job_id, body) VALUES ($1, $2, $3, $4)",
                [[row[name] for name in ("message_id", "routing_key", "job_id", "body")] for row in heard],
            )
        return len(rows)

    _replace(Relay, run=run, run_again=run_again, relay_batch=relay_batch)


def break_outbox_now_and_then() -> None:
    """Forget of each kind of message the first that is to be said and one in ten of those after it.

    What is told of a job is mended, because the gateway asks about jobs that are silent; only a fact is lost for good,
    and a short experiment has few of them. Whether a message is forgotten is settled once, when it is first come
    across, and it is forgotten in the transaction that would have said it: so that no process, whatever delays or kills
    it, says anything of a kind before it has forgotten one.
    """
    lock_outbox = relay._lock_outbox
    met: Counter[str] = Counter()
    is_forgotten: dict[int, bool] = {}

    async def lock(connection: Connection, limit: int) -> list[asyncpg.Record]:
        rows = await lock_outbox(connection, limit)
        for row in rows:
            if row["id"] not in is_forgotten:
                kind = row["routing_key"]
                is_forgotten[row["id"]] = row["queue"] is None and met[kind] % _ONE_IN == 0
                met[kind] += row["queue"] is None
        forgotten = [row["id"] for row in rows if is_forgotten[row["id"]]]
        await connection.execute("DELETE FROM outbox WHERE id = ANY ($1)", forgotten)
        return [row for row in rows if not is_forgotten[row["id"]]]

    _replace(relay, _lock_outbox=lock)


def break_inbox() -> None:
    """Take every message for one that was never heard before."""

    async def insert_inbox(_connection: Connection, message_ids: list[UUID]) -> set[UUID]:
        return set(message_ids)

    _replace(intake, _insert_inbox=insert_inbox)


def break_fencing() -> None:
    """Record whatever a worker has done, and never tell it that it lost its lease."""
    settle_tasks = tasks.settle_tasks

    async def settle(connection: Connection | Pool, settlements: Sequence[Settlement]) -> set[UUID]:
        for settlement in settlements:
            await connection.execute(
                "UPDATE tasks SET state = 'in_progress', lease_token = $2 WHERE id = $1",
                settlement.lease.job_id,
                settlement.lease.token,
            )
        return await settle_tasks(connection, settlements)

    async def renew(_pool: Pool, leases: Sequence[Lease], *_more: Any) -> dict[UUID, Pulse]:
        return {lease.job_id: Pulse(cancelled=False, overdue=False) for lease in leases}

    _replace(tasks, settle_tasks=settle, renew_leases=renew)


def break_replay_to_queues() -> None:
    """Say nothing again to a queue that was created anew, whoever asks for it."""

    async def replay_page(connection: Connection, _limit: int) -> bool:
        await connection.execute("DELETE FROM replays")
        return False

    _replace(relay, _replay_page=replay_page)


def break_repetition_of_jobs() -> None:
    """Say nothing again of a job that is asked about, and answer only how it stands."""

    async def repeat_said(_tx: Transaction, _job_ids: list[UUID]) -> set[UUID]:
        return set()

    _replace(instructions, _repeat_said=repeat_said)


def break_replay() -> None:
    """Say nothing again, whoever asks."""
    break_replay_to_queues()
    break_repetition_of_jobs()


def break_idempotency() -> None:
    """Remember no answer, so that a request that is repeated is a new one."""
    from services.gateway.routes import desk  # noqa: PLC0415 - only the gateway needs its routes, which take long

    async def remember(_connection: Connection, _answered: Sequence[Any]) -> None: ...

    _replace(desk, _remember=remember)


def _replace(owner: Any, **parts: Any) -> None:
    for name, part in parts.items():
        assert hasattr(owner, name), f"{owner.__name__} has no {name} any more: this would break nothing"
        setattr(owner, name, part)


MUTATIONS: dict[str, Callable[[], None]] = {
    "outbox": break_outbox,
    "outbox_now_and_then": break_outbox_now_and_then,
    "inbox": break_inbox,
    "fencing": break_fencing,
    "replay": break_replay,
    "replay_to_queues": break_replay_to_queues,
    "repetition_of_jobs": break_repetition_of_jobs,
    "idempotency": break_idempotency,
}


def launcher_of(mutation: str, service: str) -> tuple[str, ...]:
    """Give what Python is given to start a service with a guarantee broken."""
    return ("-m", "tests.reliability.laboratory.mutated", mutation, service)


if __name__ == "__main__":
    MUTATIONS[sys.argv[1]]()
    runpy.run_module(f"services.{sys.argv[2]}", run_name="__main__")
