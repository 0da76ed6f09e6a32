"""A service with one guarantee broken: `python -m tests.reliability.laboratory.mutated outbox media`.

No setting of the product switches a guarantee off, so that it is done from here, in the process of the service.
"""

import asyncio
import runpy
import sys
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from services.gateway.routes import desk
from services.gateway.routes.desk import Submission
from shared import instructions, intake, relay, tasks
from shared.database import Connection, Pool
from shared.outbox import Transaction
from shared.relay import Relay
from shared.tasks import Lease, Pulse, Settlement


def break_outbox() -> None:
    """Forget what was said before anybody has confirmed it, and never try again."""

    async def relay_batch(self: Relay) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await relay._lock_outbox(connection, relay._LIMIT)
            await connection.execute("DELETE FROM outbox WHERE id = ANY ($1)", [row["id"] for row in rows])
        await asyncio.gather(*(self._publish(row) for row in rows), return_exceptions=True)
        return len(rows)

    _replace(Relay, relay_batch=relay_batch)


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


def break_replay() -> None:
    """Say nothing again, whoever asks."""

    async def replay_page(connection: Connection, _limit: int) -> bool:
        await connection.execute("DELETE FROM replays")
        return False

    async def repeat_said(_tx: Transaction, _job_ids: list[UUID]) -> set[UUID]:
        return set()

    _replace(relay, _replay_page=replay_page)
    _replace(instructions, _repeat_said=repeat_said)


def break_idempotency() -> None:
    """Remember no answer, so that a request that is repeated is a new one."""

    async def remember(_connection: Connection, _answered: Sequence[Submission]) -> None: ...

    _replace(desk, _remember=remember)


def _replace(owner: Any, **parts: Any) -> None:
    for name, part in parts.items():
        assert hasattr(owner, name), f"{owner.__name__} has no {name} any more: this would break nothing"
        setattr(owner, name, part)


MUTATIONS: dict[str, Callable[[], None]] = {
    "outbox": break_outbox,
    "inbox": break_inbox,
    "fencing": break_fencing,
    "replay": break_replay,
    "idempotency": break_idempotency,
}


def launcher_of(mutation: str, service: str) -> tuple[str, ...]:
    """Give what Python is given to start a service with a guarantee broken."""
    return ("-m", "tests.reliability.laboratory.mutated", mutation, service)


if __name__ == "__main__":
    MUTATIONS[sys.argv[1]]()
    runpy.run_module(f"services.{sys.argv[2]}", run_name="__main__")
