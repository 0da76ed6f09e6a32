"""State machines of hypothesis that live on the real servers, and a clock of the database that can be stopped."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from shared.database import Connection, Pool, open_pool
from tests.living import House, until

T = TypeVar("T")

settings.register_profile(
    "machines",
    derandomize=True,  # a red run can be repeated
    deadline=None,  # the machine may be busy
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    phases=[Phase.generate, Phase.shrink],
)
_STEP_SECONDS = 180


class Machine(RuleBasedStateMachine):
    """A state machine whose steps run on the loop of the tests, while hypothesis waits in a thread of its own."""

    loop: asyncio.AbstractEventLoop

    def do(self, step: Coroutine[Any, Any, T]) -> T:
        """Run a step on the loop of the tests, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(step, self.loop).result(_STEP_SECONDS)


async def explore(machine: Callable[[], Machine], *, examples: int, steps: int) -> None:
    """Try lives of a machine; raise what the shortest one that breaks a promise raised."""
    profile = settings(settings.get_profile("machines"), max_examples=examples, stateful_step_count=steps)
    await _run(machine, profile)


async def finds_a_broken_promise(machine: Callable[[], Machine], promise: str, *, examples: int, steps: int) -> None:
    """Expect that the same search finds a mutated house to break this promise, a pattern of what is told of it.

    The first life that breaks it is enough.
    """
    profile = settings(
        settings.get_profile("machines"), max_examples=examples, stateful_step_count=steps, phases=[Phase.generate]
    )
    # Where processes race, a promise may be broken in one run of a life and kept in the next, which is Flaky.
    with pytest.raises((AssertionError, Flaky)) as broken:
        await _run(machine, profile)
    told = "\n".join(_told_by(broken.value))
    assert re.search(promise, told), f"another promise than {promise!r} was broken:\n{told}"


def _told_by(error: BaseException) -> Iterator[str]:
    """Give what an error says, those that it holds, and those before it: a life that ends badly is still ended."""
    yield str(error)
    held = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for other in (*held, error.__cause__ or error.__context__):
        if other is not None:
            yield from _told_by(other)


async def _run(machine: Callable[[], Machine], profile: settings) -> None:
    Machine.loop = asyncio.get_running_loop()
    factory: Any = machine  # anything that gives a machine, says its docstring
    await asyncio.to_thread(run_state_machine_as_test, factory, settings=profile)


class StoppedClock:
    """Stands in for a pool: one transaction, in which the database's `now()` stands still and passes as it is told.

    Whatever depends on time is exact there, however busy the machine is; and what one life did is undone for the next.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: Any

    async def begin(self) -> None:
        """Begin a life with empty tables."""
        self._connection = await self._pool.acquire()
        self._transaction = self._connection.transaction()
        await self._transaction.start()
        for call in ("execute", "fetch", "fetchrow", "fetchval"):
            setattr(self, call, getattr(self._connection, call))

    async def end(self) -> None:
        """Undo it all."""
        await self._transaction.rollback()
        await self._pool.release(self._connection)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Lend the connection, to one after the other; their transactions become savepoints."""
        yield self._connection

    async def pass_seconds(self, seconds: float) -> None:
        """Let time pass: everything that was noted down lies so much further back."""
        await self._connection.execute(
            f"""
            UPDATE tasks SET created_at = created_at - {seconds} * interval '1 s',
                             run_at = run_at - {seconds} * interval '1 s',
                             rank_at = rank_at - {seconds} * interval '1 s',
                             deadline_at = deadline_at - {seconds} * interval '1 s',
                             lease_until = lease_until - {seconds} * interval '1 s';
            UPDATE tombstones SET cancelled_at = cancelled_at - {seconds} * interval '1 s';
            UPDATE pauses SET expires_at = expires_at - {seconds} * interval '1 s';
            """
        )

    async def pause(self, kind: str, seconds: float) -> None:
        """Pause the work of a kind for so long."""
        await self._connection.execute(
            """
            INSERT INTO pauses (kind, owner, expires_at) VALUES ($1, 'ann', now() + $2 * interval '1 s')
            ON CONFLICT (kind) DO UPDATE SET expires_at = excluded.expires_at
            """,
            kind,
            seconds,
        )


@asynccontextmanager
async def a_stopped_clock(house: House) -> AsyncIterator[StoppedClock]:
    """Open the database of media, once it is old enough for leases to be taken over in it."""
    await until(lambda: house.value("SELECT now() > pg_postmaster_start_time() + interval '5 s'"))
    pool = await open_pool(house.servers.database_url("media"), size=1, application_name="stopped clock")
    try:
        yield StoppedClock(pool)
    finally:
        await pool.close()
