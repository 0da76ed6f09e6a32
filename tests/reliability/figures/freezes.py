"""Freezing one process of a service in the middle of its work, and what comes of it."""

import asyncio
import json
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from tests.deploy.clients import database
from tests.living import until
from tests.reliability.figures.ground import Ground
from tests.reliability.figures.witnessed import END, HOLD, NOTE, RECORD, RENEWAL, START

_POOL_SIZE = 8
_PATIENCE_SECONDS = 120.0
_STILL_SECONDS = 0.5
_ENDING_SECONDS = 60.0
_GOING_ON_SECONDS = 10.0


@dataclass(frozen=True)
class Work:
    """What a process is frozen in the middle of.

    Attributes:
        begin: hands it in.
        go_on: lets it be done.
        jobs: how many of the project's are in work in between.

    """

    service: str
    project_id: UUID
    begin: Callable[[], Awaitable[object]]
    go_on: Callable[[], None]
    jobs: int


@dataclass(frozen=True)
class Freeze:
    """What came of one freeze.

    Attributes:
        held: jobs that the frozen process had in work.
        held_back: whether it came before anything was written in the middle of their work.
        open_transactions: that it left open, with their locks.
        taken_seconds: from the freeze until the last of its leases was taken away.
        begun_seconds: from the freeze until the first of its jobs was begun by another process.
        rerun_seconds: from the freeze until the last of them was, one after the other.
        stuck: jobs promised so far that did not end while it lasted.
        charged: jobs that it had in work and that used up more than the attempt that completed them.
        writes: what it tried to write of these jobs when it went on, each job once: of which kind, and whether it was
            written.

    """

    held: int
    held_back: bool
    open_transactions: int
    taken_seconds: float
    begun_seconds: float
    rerun_seconds: float
    stuck: int
    charged: int
    writes: Counter[tuple[str, bool]]


async def freeze(ground: Ground, work: Work, promised: Collection[UUID], *, in_transaction: bool) -> Freeze:
    """Begin some work, freeze the process that has most of it until all has ended elsewhere, and then let it go on.

    `in_transaction`: at a moment when it has written something and not yet committed; otherwise before it writes
    anything in the middle of its work.
    """
    books = ground.books
    with _held_back(ground, work.service, held_back=not in_transaction) as let_go:
        await work.begin()
        frozen = await _busiest(ground, work)
        log = ground.stack.supervisor.child(frozen).log
        read_bytes = log.stat().st_size
        async with _stopped(ground, frozen, work, in_transaction=in_transaction):
            frozen_at: datetime = await books.value("SELECT clock_timestamp()")
            let_go()
            open_transactions = await _open_transactions(ground, work.service)
            held = await _held(ground, work.service, frozen)  # by now without what was just about to be committed
            work.go_on()
            taken_at = await _until_taken(ground, work.service, held)
            stuck = await _wait_for_end(ground, work.service, [*held, *promised])
            reruns = await _reruns(ground, work.service, frozen, held)
    return Freeze(
        held=len(held),
        held_back=not in_transaction,
        open_transactions=open_transactions,
        taken_seconds=(taken_at - frozen_at).total_seconds(),
        begun_seconds=_seconds(frozen_at, reruns["first_at"]),
        rerun_seconds=_seconds(frozen_at, reruns["last_at"]),
        stuck=stuck,
        charged=reruns["charged"],
        writes=await _writes(log, read_bytes, held, held_back=not in_transaction),
    )


def _seconds(frozen_at: datetime, begun_at: datetime | None) -> float:
    return math.inf if begun_at is None else (begun_at - frozen_at).total_seconds()


@contextmanager
def _held_back(ground: Ground, service: str, *, held_back: bool) -> Iterator[Callable[[], None]]:
    """Have witnessed processes wait with what they would write in the middle of their work, until they are let go."""
    parts = ground.parts_of(service)
    files = [Path(ground.stack.environment_of(part)["SCRATCH_DIRECTORY"]) / HOLD for part in parts if held_back]

    def let_go() -> None:
        for file in files:
            file.unlink(missing_ok=True)

    for file in files:
        file.touch()
    try:
        yield let_go
    finally:
        let_go()


async def _busiest(ground: Ground, work: Work) -> str:
    """Name the process that has most of some jobs in work, once all of them are."""

    async def find() -> str | None:
        rows = await ground.books.rows(
            f"SELECT worker, sum(count(*)) OVER () AS total FROM {work.service}.tasks"
            " WHERE state = 'in_progress' AND project_id = $1 GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
            work.project_id,
        )
        names = {f"/{ground.stack.supervisor.pid(name)}/": name for name in ground.parts_of(work.service)}
        found = (names[pid] for row in rows for pid in names if row["total"] >= work.jobs and pid in row["worker"])
        return next(found, None)

    name = await until(find, seconds=_PATIENCE_SECONDS)
    assert name is not None
    return name


@asynccontextmanager
async def _stopped(ground: Ground, name: str, work: Work, *, in_transaction: bool) -> AsyncIterator[None]:
    supervisor = ground.stack.supervisor
    if in_transaction:
        async with database(ground.stack.database_admin_url) as connection, connection.transaction():
            await connection.execute(f"LOCK TABLE {work.service}.outbox IN SHARE MODE")
            work.go_on()
            await until(lambda: _both_wait(ground, work.service), seconds=_PATIENCE_SECONDS)
            supervisor.pause(name)
    else:
        supervisor.pause(name)
    try:
        yield
    finally:
        supervisor.resume(name)


async def _both_wait(ground: Ground, service: str) -> bool:
    """Tell whether more connections wait for a lock than one process has."""
    waiting = await ground.books.value(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = $1",
        f"diorama.{service} works",
    )
    return bool(waiting > _POOL_SIZE)


async def _open_transactions(ground: Ground, service: str) -> int:
    """Count the transactions in which nothing happens for so long that only a frozen process can be the reason."""

    async def idle() -> set[tuple[int, datetime]]:
        rows = await ground.books.rows(
            "SELECT pid, state_change FROM pg_stat_activity"
            " WHERE state = 'idle in transaction' AND application_name = $1",
            f"diorama.{service} works",
        )
        return {(row["pid"], row["state_change"]) for row in rows}

    before = await idle()
    await asyncio.sleep(_STILL_SECONDS)
    return len(before & await idle())


async def _held(ground: Ground, service: str, frozen: str) -> dict[UUID, int]:
    """Give the lease epoch of each job that a process has in work."""
    rows = await ground.books.rows(
        f"SELECT id, lease_epoch FROM {service}.tasks WHERE state = 'in_progress' AND worker LIKE $1",
        _workers_of(ground, frozen),
    )
    return {row["id"]: row["lease_epoch"] for row in rows}


def _workers_of(ground: Ground, part: str) -> str:
    return f"%/{ground.stack.supervisor.pid(part)}/%"


async def _until_taken(ground: Ground, service: str, held: Mapping[UUID, int]) -> datetime:
    """Wait until a frozen process has none of its leases any more; return when, by the database's clock."""

    async def taken() -> datetime | None:
        [row] = await ground.books.rows(
            "SELECT clock_timestamp() AS now, count(*) AS left"
            f" FROM unnest($1::uuid[], $2::int[]) AS held (id, epoch) JOIN {service}.tasks USING (id)"
            " WHERE lease_epoch = epoch AND state = 'in_progress'",
            list(held),
            list(held.values()),
        )
        return None if row["left"] else row["now"]

    at = await until(taken, seconds=_PATIENCE_SECONDS + ground.seconds_of(service, "LEASE_SECONDS", 15))
    assert at is not None
    return at


async def _wait_for_end(ground: Ground, service: str, jobs: Sequence[UUID]) -> int:
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

    lease_seconds = ground.seconds_of(service, "LEASE_SECONDS", 15)
    try:
        await until(all_ended, seconds=lease_seconds + _PATIENCE_SECONDS)
    except TimeoutError:
        return await open_jobs()
    return 0


async def _reruns(ground: Ground, service: str, frozen: str, held: Collection[UUID]) -> asyncpg.Record:
    """Tell when jobs were begun by other processes than the one that had them."""
    [row] = await ground.books.rows(
        "SELECT min(started_at) AS first_at, max(started_at) AS last_at, count(*) FILTER (WHERE attempt > 1) AS charged"
        f" FROM {service}.tasks WHERE id = ANY ($1) AND worker NOT LIKE $2",
        list(held),
        _workers_of(ground, frozen),
    )
    return row


async def _writes(
    log: Path, read_bytes: int, held: Mapping[UUID, int], *, held_back: bool
) -> Counter[tuple[str, bool]]:
    """Wait until a process has ended whatever it had in work; tell what it tried to write of it, and whether it was.

    What it was frozen in the middle of taking in it never began. And a renewal that was on its way is not tried again.
    """
    by_itself = {RENEWAL, START} if held_back else {RENEWAL}

    async def ended() -> bool:
        return _read(log, read_bytes, held)[1] >= held.keys()

    async def went_on() -> bool:
        return by_itself <= {kind for kind, _ in _read(log, read_bytes, held)[0]}

    with suppress(TimeoutError):
        await until(ended, seconds=_ENDING_SECONDS)
    with suppress(TimeoutError):
        await until(went_on, seconds=_GOING_ON_SECONDS)
    return Counter((kind, written) for (kind, _), written in _read(log, read_bytes, held)[0].items())


def _read(log: Path, read_bytes: int, held: Mapping[UUID, int]) -> tuple[dict[tuple[str, UUID], bool], set[UUID]]:
    """Give what was tried for each job, whether ever it was written, and the jobs that have ended."""
    writes: dict[tuple[str, UUID], bool] = {}
    ended = set()
    with log.open("rb") as file:
        file.seek(read_bytes)
        for line in file:
            if NOTE.encode() in line and (tried := json.loads(line))["epoch"] == held.get(job := UUID(tried["about"])):
                write = tried["what"], job
                writes[write] = writes.get(write, False) or tried["held"]
                if tried["what"] == END or (tried["what"] == RECORD and not tried["held"]):
                    ended.add(job)
            elif b'"lease_lost"' in line:  # given up before it was tried
                ended.add(UUID(json.loads(line)["job_id"]))
    return writes, ended
