"""A worker is frozen past its lease and then goes on: another has taken over, and its writes are refused."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from tests.deploy.clients import database
from tests.journeys.end_state import differences, until_quiet
from tests.journeys.gallery import Exhibition
from tests.journeys.visitors import Visitor, visiting
from tests.living import until
from tests.reliability.figures.fates import nothing_lost
from tests.reliability.figures.ground import Ground, Needs
from tests.reliability.figures.lines import Line, at_least, at_most, exactly, nothing, simply
from tests.reliability.figures.load import Crowd, crowd_at
from tests.reliability.figures.witnessed import NOTE

NEEDS = Needs(
    processes={"media": 2},
    launchers={"media": ("-m", "tests.reliability.figures.witnessed", "media")},
)
_POOL_SIZE = 8
_MARGIN_SECONDS = 5.0
_PATIENCE_SECONDS = 120.0
_STILL_SECONDS = 0.5


@dataclass(frozen=True)
class Size:
    """How much is done.

    Attributes:
        anywhere: freezes at no special moment.
        in_transactions: freezes in the middle of a transaction, with all its locks.
        probes_per_second: what goes on meanwhile. Whatever the frozen process has taken from its queue and not yet
            written down is delivered anew once the broker misses its heartbeats, which takes half a minute.

    """

    anywhere: int
    in_transactions: int
    pictures: int
    probes_per_second: float
    warm_pictures: int
    warm_jobs: int


FULL = Size(anywhere=5, in_transactions=3, pictures=16, probes_per_second=40, warm_pictures=100, warm_jobs=1_000)
SHORT = Size(anywhere=1, in_transactions=0, pictures=6, probes_per_second=0, warm_pictures=1, warm_jobs=1)


@dataclass(frozen=True)
class Freeze:
    """What came of one freeze.

    Attributes:
        held: jobs that the frozen process had in work.
        open_transactions: that it left open, with their locks.
        takeover_seconds: from the freeze until the last of its leases was taken away.
        rerun_seconds: from the freeze until the last of its jobs was begun by another process, one after the other.
        stuck: jobs accepted so far that did not end while it lasted.
        charged: jobs that it had in work and that used up more than the attempt that completed them.
        endings: of these jobs in the frozen process, after it went on: `refused` by the database when it tried to
            record the end, `given up` before it tried, or `written`.

    """

    held: int
    open_transactions: int
    takeover_seconds: float
    rerun_seconds: float
    stuck: int
    charged: int
    endings: Counter[str]


async def measure(ground: Ground, size: Size) -> list[Line]:
    async with visiting(ground.stack) as visitor, crowd_at(ground.stack) as crowd:
        await _warm_up(ground, visitor, crowd, size)
        freezes = [
            await _freeze(ground, visitor, crowd, size, in_transaction=number >= size.anywhere)
            for number in range(size.anywhere + size.in_transactions)
        ]
        await until_quiet(ground.stack)
        return [
            *_lines(freezes, size, ground.seconds_of("media", "LEASE_SECONDS", 15)),
            *await nothing_lost(ground.books, crowd.accepted, crowd.project_id),
            nothing("differences from what was promised", await differences(ground.stack, visitor)),
        ]


def _lines(freezes: Sequence[Freeze], size: Size, lease_seconds: float) -> list[Line]:
    endings = sum((one.endings for one in freezes), Counter())
    tried = endings["refused"] + endings["written"]
    in_transactions = sum(one.open_transactions > 0 for one in freezes)
    takeover_seconds = max(one.takeover_seconds for one in freezes)
    rerun_seconds = max(one.rerun_seconds for one in freezes)
    return [
        at_least("freezes of a worker at work", len(freezes), size.anywhere + size.in_transactions),
        at_least("of them in the middle of a transaction", in_transactions, size.in_transactions),
        at_least("jobs that it had in work", sum(one.held for one in freezes), len(freezes)),
        at_most("taken over at the latest after", takeover_seconds, lease_seconds + _MARGIN_SECONDS, "s"),
        simply("and begun again, one after the other, at the latest after", rerun_seconds, "s"),
        exactly("of them charged with more than one attempt", sum(one.charged for one in freezes), 0),
        exactly("jobs that did not end while it was frozen", sum(one.stuck for one in freezes), 0),
        at_least("settlements that it tried to write when it went on", tried, size.anywhere),
        exactly("of them refused", endings["refused"], tried),
    ]


async def _warm_up(ground: Ground, visitor: Visitor, crowd: Crowd, size: Size) -> None:
    """Have each connection see each statement: one that is new to it is asked for in two steps."""
    await visitor.scrapes(await ground.site.exhibit(f"warm-{visitor.user_id}", size.warm_pictures))
    await crowd.burst(size.warm_jobs, "media")
    await until_quiet(ground.stack)


async def _freeze(ground: Ground, visitor: Visitor, crowd: Crowd, size: Size, *, in_transaction: bool) -> Freeze:
    stack, books = ground.stack, ground.books
    exhibition = await ground.site.exhibit(f"frozen-{visitor.user_id}-{len(visitor.ledger.scrapes)}", size.pictures)
    exhibition.picture_door.close_after(0)
    await visitor.scrapes(exhibition)
    async with crowd.steadily(size.probes_per_second, ["media"]):
        frozen = await _busiest(ground, visitor, size.pictures)
        log = stack.supervisor.child(frozen).log
        read_bytes = log.stat().st_size
        async with _stopped(ground, frozen, exhibition, in_transaction=in_transaction):
            frozen_at: datetime = await books.value("SELECT clock_timestamp()")
            open_transactions = await _open_transactions(ground)
            held = await _held(ground, frozen)  # by now without what the database was just about to commit
            exhibition.picture_door.open()
            taken_at = await _until_taken_over(ground, held)
            stuck = await _wait_for_end(ground, [*held, *crowd.accepted])
            [reruns] = await books.rows(
                "SELECT max(started_at) AS last_at, count(*) FILTER (WHERE attempt > 1) AS charged"
                " FROM media.tasks WHERE id = ANY ($1)",
                list(held),
            )
    return Freeze(
        held=len(held),
        open_transactions=open_transactions,
        takeover_seconds=(taken_at - frozen_at).total_seconds(),
        rerun_seconds=(reruns["last_at"] - frozen_at).total_seconds(),
        stuck=stuck,
        charged=reruns["charged"],
        endings=await _endings(log, read_bytes, held),
    )


async def _busiest(ground: Ground, visitor: Visitor, downloads: int) -> str:
    """Name the process that has most of a visitor's downloads in work, once all of them are."""

    async def find() -> str | None:
        rows = await ground.books.rows(
            "SELECT worker, sum(count(*)) OVER () AS total FROM media.tasks"
            " WHERE state = 'in_progress' AND project_id = $1 GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
            visitor.project_id,
        )
        names = {f"/{ground.stack.supervisor.pid(name)}/": name for name in ground.parts_of("media")}
        found = (names[pid] for row in rows for pid in names if row["total"] >= downloads and pid in row["worker"])
        return next(found, None)

    name = await until(find, seconds=_PATIENCE_SECONDS)
    assert name is not None
    return name


@asynccontextmanager
async def _stopped(ground: Ground, name: str, exhibition: Exhibition, *, in_transaction: bool) -> AsyncIterator[None]:
    """Stop a process; `in_transaction`: at a moment when it has written something and not yet committed."""
    supervisor = ground.stack.supervisor
    if in_transaction:
        async with database(ground.stack.database_admin_url) as connection, connection.transaction():
            await connection.execute("LOCK TABLE media.outbox IN SHARE MODE")
            exhibition.picture_door.open()
            await until(lambda: _both_wait(ground), seconds=_PATIENCE_SECONDS)
            supervisor.pause(name)
    else:
        supervisor.pause(name)
    try:
        yield
    finally:
        supervisor.resume(name)


async def _both_wait(ground: Ground) -> bool:
    """Tell whether more connections wait for a lock than one process has."""
    waiting = await ground.books.value(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND application_name = 'diorama.media works'"
    )
    return bool(waiting > _POOL_SIZE)


async def _open_transactions(ground: Ground) -> int:
    """Count the transactions in which nothing happens for so long that only a frozen process can be the reason."""
    connections = (
        "SELECT pid, state_change FROM pg_stat_activity"
        " WHERE state = 'idle in transaction' AND application_name = 'diorama.media works'"
    )
    before = {tuple(row) for row in await ground.books.rows(connections)}
    await asyncio.sleep(_STILL_SECONDS)
    return len(before & {tuple(row) for row in await ground.books.rows(connections)})


async def _held(ground: Ground, frozen: str) -> dict[UUID, int]:
    """Give the lease epoch of each job that a process has in work."""
    rows = await ground.books.rows(
        "SELECT id, lease_epoch FROM media.tasks WHERE state = 'in_progress' AND worker LIKE $1",
        f"%/{ground.stack.supervisor.pid(frozen)}/%",
    )
    return {row["id"]: row["lease_epoch"] for row in rows}


async def _until_taken_over(ground: Ground, held: Mapping[UUID, int]) -> datetime:
    """Wait until a frozen process has none of its leases any more; return when, by the database's clock."""

    async def taken() -> datetime | None:
        [row] = await ground.books.rows(
            "SELECT clock_timestamp() AS now, count(*) AS left"
            " FROM unnest($1::uuid[], $2::int[]) AS held (id, epoch) JOIN media.tasks USING (id)"
            " WHERE lease_epoch = epoch AND state = 'in_progress'",
            list(held),
            list(held.values()),
        )
        return None if row["left"] else row["now"]

    at = await until(taken, seconds=_PATIENCE_SECONDS + ground.seconds_of("media", "LEASE_SECONDS", 15))
    assert at is not None
    return at


async def _wait_for_end(ground: Ground, jobs: Sequence[UUID]) -> int:
    """Wait until clients see that jobs have ended; return how many had not in the end."""

    async def open_jobs() -> int:
        count = await ground.books.value(
            "SELECT count(*) FROM unnest($1::uuid[]) AS wanted (id) LEFT JOIN gateway.jobs USING (id)"
            " WHERE state IS NULL OR state IN ('pending', 'in_progress')",
            jobs,
        )
        return int(count)

    async def all_ended() -> bool:
        return not await open_jobs()

    lease_seconds = ground.seconds_of("media", "LEASE_SECONDS", 15)
    try:
        await until(all_ended, seconds=lease_seconds + _PATIENCE_SECONDS)
    except TimeoutError:
        return await open_jobs()
    return 0


async def _endings(log: Path, read_bytes: int, held: dict[UUID, int]) -> Counter[str]:
    """Wait until a process has ended each job that it had in work; tell how: written, refused or given up."""

    async def read() -> dict[UUID, str]:
        endings: dict[UUID, str] = {}
        with log.open("rb") as file:
            file.seek(read_bytes)
            for line in file:
                if NOTE.encode() in line and (tried := json.loads(line))["epoch"] == held.get(UUID(tried["about"])):
                    endings[UUID(tried["about"])] = "written" if tried["held"] else "refused"
                elif b'"lease_lost"' in line:
                    endings.setdefault(UUID(json.loads(line)["job_id"]), "given up")
        return endings if endings.keys() >= held.keys() else {}

    endings = await until(read, seconds=_PATIENCE_SECONDS)
    return Counter(endings[job_id] for job_id in held)
