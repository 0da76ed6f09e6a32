"""What a job costs: SQL statements, commits that reach the disk, and messages, counted and not timed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aio_pika

from contracts.envelope import routing_key_of
from contracts.jobs import JobProgressed, JobStarted
from deploy.database import SERVICES
from deploy.local.stack import Stack
from shared.topology import EVENTS, queue_of
from tests.journeys.end_state import Books
from tests.living import until

Done = Callable[[], Awaitable[bool]]
Act = Callable[[], Awaitable[None]]
Plan = Callable[[], Awaitable[Act]]
"""Prepares something, which costs nothing, and gives what is to be counted."""

Statement = tuple[str, int]
"""A role, and the number by which PostgreSQL knows what it asked, however its text was prepared."""

_WINDOWS_AT_MOST = 60
_IN_VAIN = 4
"""After so many windows that brought nothing lower, what is left is what the job needs, on a machine at rest."""
_POLL_SECONDS = 0.002
_BRACKETS = ("BEGIN", "COMMIT", "ROLLBACK")
"""They cost a round trip and no more; what a transaction costs is counted as a commit."""

_HEARTBEAT = "SET lease_until = now()"
"""Renews the lease of a job that takes long, the more often the slower the machine is."""

_NOT_OF_THE_JOB = (
    "UPDATE bus_mark SET heard_until",  # at most once a second, however much is heard
    _HEARTBEAT,
    "typeinfo_tree",  # the driver, on a connection that is new to a type
    "current_setting($",
    "current_setting('jit')",
)
"""What only a house at work shows, and not as often as there are jobs."""


@dataclass(frozen=True)
class Cost:
    """What a job costs in all services together; a row of the table of what it may cost."""

    statements: int
    commits: int
    publishes: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.statements + other.statements, self.commits + other.commits, self.publishes + other.publishes)

    def exceeds(self, allowed: "Cost") -> bool:
        return (
            self.statements > allowed.statements or self.commits > allowed.commits or self.publishes > allowed.publishes
        )


@dataclass(frozen=True)
class Window:
    """What was counted while one thing was done.

    Attributes:
        statements: how often each was executed.
        commits: how many there were of each schema, and of none.
        said: how many messages there were of each routing key.

    """

    statements: Counter[Statement]
    commits: Counter[str]
    said: Counter[str]

    @property
    def started(self) -> bool:
        return bool(self.said[routing_key_of(JobStarted)])

    def least_of(self, other: "Window") -> "Window":
        return Window(self.statements & other.statements, self.commits & other.commits, self.said & other.said)

    def cost(self) -> Cost:
        return Cost(self.statements.total(), self.commits.total(), self.said.total())


class Meter:
    """Counts in a house in which nothing else goes on.

    What services do by the clock is not counted. Whatever happens to fall into a window is kept out by taking of
    several windows the least of each statement, and of each service's commits: what a job needs is in every one of
    them.
    """

    def __init__(self, stack: Stack, books: Books) -> None:
        self._stack = stack
        self._books = books
        self._by_the_clock: frozenset[Statement] = frozenset()
        self._texts: dict[Statement, str] = {}

    async def prepare(self) -> Self:
        """Learn what is asked by the clock alone. The house must be quiet."""
        for extension in ("pg_stat_statements", "pg_walinspect"):
            await self._books.rows(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        await self._reset()
        await until(self._every_mark_was_looked_at)
        self._by_the_clock = frozenset(await self._calls())
        assert not any("INTO inbox" in self._texts[one] for one in self._by_the_clock), "the house was not quiet"
        return self

    async def cost(self, plan: Plan, done: Done, *, started: bool, allowed: Cost) -> Cost:
        """Do something several times, each time until it is done, and tell the least that it cost.

        `started`: only windows count in which a JobStarted was said, or none: it depends on how fast the machine is.
        `allowed`: while it costs more than this, more windows are tried. On a busy machine facts that were said
        together are often heard in two batches; what a job needs does not become less however often it is tried.
        """
        least: Window | None = None
        in_vain = 0
        for number in range(_WINDOWS_AT_MOST):
            window = await self._window(await plan(), done)
            if number == 0 or window.started != started:
                continue  # the first one may still open connections
            lower = window if least is None else least.least_of(window)
            in_vain = in_vain + 1 if lower == least else 0
            least = lower
            if in_vain >= _IN_VAIN and not least.cost().exceeds(allowed):
                break
        assert least is not None, f"no window {'with' if started else 'without'} a start"
        return least.cost()

    async def total(self, act: Act, done: Done) -> Cost:
        """Do something once, until it is done, and tell what all of it cost."""
        return (await self._window(act, done)).cost()

    async def _window(self, act: Act, done: Done) -> Window:
        await self._reset()
        said_before = await self._said()
        begun_at = await self._books.value("SELECT pg_current_wal_insert_lsn()")
        await act()
        async with asyncio.timeout(60):
            while not (await done() and await self._all_is_said()):
                await asyncio.sleep(_POLL_SECONDS)
        calls = await self._calls()
        commits = await self._commits(begun_at) - await self._heartbeats()
        for statement in list(calls):
            if statement in self._by_the_clock or _is_left_out(self._texts[statement]):
                del calls[statement]
        return Window(calls, commits, await self._said() - said_before)

    async def _reset(self) -> None:
        await self._books.rows("SELECT pg_stat_statements_reset()")

    async def _calls(self) -> Counter[Statement]:
        rows = await self._books.rows(
            "SELECT rolname, queryid, query, calls FROM pg_stat_statements s"
            " JOIN pg_roles r ON r.oid = s.userid WHERE rolname <> current_user"
        )
        self._texts |= {(row["rolname"], row["queryid"]): " ".join(row["query"].split()) for row in rows}
        return Counter({(row["rolname"], row["queryid"]): row["calls"] for row in rows})

    async def _commits(self, begun_at: Any) -> Counter[str]:
        """Count the commits that the log holds since a place in it, by the schema that they wrote to.

        What keeps house in the catalogue alone, as a vacuum does, is nobody's.
        """
        ended_at = await self._books.value("SELECT pg_current_wal_insert_lsn()")
        # Only what is on disk can be read, and nobody waits for the commit of what wrote no row; for this one he does.
        await self._books.rows("SELECT pg_logical_emit_message(true, 'meter', '')")
        rows = await self._books.rows(
            """
            WITH log AS (SELECT $1::pg_lsn AS begin, $2::pg_lsn AS "end"),
            committed AS (
                SELECT record.xid::text FROM log, pg_get_wal_records_info("begin", "end") record
                WHERE record.resource_manager = 'Transaction' AND record.record_type LIKE 'COMMIT%'
            ),
            wrote AS (
                SELECT block.xid::text, max(name) FILTER (WHERE NOT starts_with(name, 'pg_')) AS schema
                FROM log, pg_get_wal_block_info("begin", "end") block
                LEFT JOIN pg_class class ON pg_relation_filenode(class.oid) = block.relfilenode,
                LATERAL coalesce(class.relnamespace::regnamespace::text, 'none') AS name
                GROUP BY block.xid::text
            )
            SELECT coalesce(wrote.schema, 'none') AS schema, count(*) AS commits
            FROM committed LEFT JOIN wrote USING (xid)
            WHERE wrote.xid IS NULL OR wrote.schema IS NOT NULL
            GROUP BY 1
            """,
            begun_at,
            ended_at,
        )
        return Counter({row["schema"]: row["commits"] for row in rows})

    async def _heartbeats(self) -> Counter[str]:
        """Count the commits that only renewed leases, by the schema, which bears the name of its role."""
        rows = await self._books.rows(
            "SELECT rolname, sum(least(calls, rows))::int AS commits"
            " FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid"
            f" WHERE query LIKE '%{_HEARTBEAT}%' AND rolname <> current_user AND wal_records > 0 GROUP BY 1"
        )
        return Counter({row["rolname"]: row["commits"] for row in rows})

    async def _every_mark_was_looked_at(self) -> bool:
        """The rarest of what is done by the clock."""
        looking = {role for role, number in await self._calls() if "FROM bus_mark" in self._texts[role, number]}
        return len(looking) == len(SERVICES)

    async def _said(self) -> Counter[str]:
        said: Counter[str] = Counter()
        for service in SERVICES:
            rows = await self._books.rows(f"SELECT routing_key, count(*) AS count FROM {service}.said GROUP BY 1")
            said.update({row["routing_key"]: row["count"] for row in rows})
        return said

    async def _all_is_said(self) -> bool:
        outboxes = " + ".join(f"(SELECT count(*) FROM {service}.outbox)" for service in SERVICES)
        return not await self._books.value(f"SELECT {outboxes}")


def _is_left_out(text: str) -> bool:
    return text in _BRACKETS or any(part in text for part in _NOT_OF_THE_JOB)


@asynccontextmanager
async def without_progress(stack: Stack) -> AsyncIterator[None]:
    """Keep the gateway from hearing of progress, of which there is the more the slower the machine is."""
    routing_key = routing_key_of(JobProgressed)
    async with await aio_pika.connect(stack.rabbitmq_url) as connection:
        queue = await (await connection.channel()).get_queue(queue_of("gateway"))
        await queue.unbind(EVENTS, routing_key)
        try:
            yield
        finally:
            await queue.bind(EVENTS, routing_key)
