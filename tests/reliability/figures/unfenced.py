"""`python -m tests.reliability.figures.unfenced media`: the witnessed service, in which no lease fences anything."""

import sys
from collections.abc import Sequence

from shared import tasks
from shared.database import Connection, Pool
from shared.outbox import Saying, insert_sayings
from shared.tasks import Lease
from tests.reliability.figures import witnessed
from tests.reliability.laboratory.mutated import break_fencing


def break_all_fencing() -> None:
    """Write whatever a worker has to say, whoever has its job by now."""

    async def lock(_connection: Connection, _lease: Lease) -> bool:
        return True

    async def say_starts(pool: Pool, started: Sequence[tuple[Lease, Saying]]) -> None:
        async with pool.acquire() as connection:
            await insert_sayings(connection, [saying for _, saying in started])

    break_fencing()
    witnessed.replace(tasks, lock_lease=lock, insert_started=say_starts)


if __name__ == "__main__":
    break_all_fencing()
    witnessed.run(sys.argv[1])
